"""Forecasts by analogy against the textbook's search, on rings with gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamlstm.kernels import analogue
from tests import reference_experts as reference
from tests.kernels import ready

LEADS = np.array([1, 3, 12, 30])
forecast = ready(analogue.analogue)


def by_analogy(y: NDArray, observed: NDArray, period: int, most: int, memory: int, leads: NDArray = LEADS) -> NDArray:
    """From the last step, with no more than `memory` steps in the ring; places never written hold NaN."""
    k = len(y) - 1
    first = max(0, k - memory + 1)
    past_y, past_mask = np.full(memory, np.nan), np.ones(memory, np.int8)
    steps = np.arange(first, k + 1)
    past_y[steps % memory], past_mask[steps % memory] = y[steps], observed[steps]
    distance, nearest = np.full(analogue.NEAR, np.nan), np.full(analogue.NEAR, -1)
    out = np.full(len(leads), np.inf)
    whole = bool(observed[steps].all())
    forecast(past_y, past_mask, whole, first, k, period, most, leads, distance, nearest, out)
    return out


def textbook(y: NDArray, observed: NDArray, period: int, most: int, leads: NDArray = LEADS) -> NDArray:
    a = analogue
    return reference.analogue(y, observed, period, most, leads, a.PATTERN, a.NEAR, a.FEWEST, a.ENOUGH, a.LEVEL, a.ALIKE)


def seasonal(n: int, period: int, seed: int) -> NDArray:
    dice = np.random.default_rng(seed)
    return (
        10 + np.sin(2 * np.pi * np.arange(n) / period) + dice.normal(0, 0.3, n).cumsum() * 0.1 + dice.normal(0, 0.3, n)
    )


@settings(deadline=None)
@given(
    st.integers(1, 600),
    st.integers(2, 40),
    st.integers(1, 50),
    st.integers(30, 500),
    st.sampled_from([0, 0.03, 0.3, 0.6]),
)
def test_the_forecast_is_the_textbook_s(n, period, most, memory, missing) -> None:
    y = seasonal(n, period, n)
    observed = np.random.default_rng(n + 1).random(n) >= missing
    expected = textbook(y[-memory:], observed[-memory:], period, most)
    # distances by another formula, which loses at most two bits: the weights differ by some 1e-15, differences by less
    np.testing.assert_allclose(by_analogy(y, observed, period, most, memory), expected, rtol=1e-11)


@settings(deadline=None, max_examples=30)
@given(st.integers(300, 500), st.integers(2, 40))
def test_values_that_were_not_observed_are_no_neighbours_and_no_labels(n, period) -> None:
    y = seasonal(n, period, n)
    observed = np.random.default_rng(n).random(n) >= 0.2
    observed[-1 - analogue.PATTERN[-1] :] = True  # the present pattern takes what stands in
    other = np.where(observed, y, 1e9)
    np.testing.assert_array_equal(
        by_analogy(y, observed, period, 20, 400), by_analogy(other, observed, period, 20, 400)
    )


def test_what_repeats_exactly_is_forecast_exactly() -> None:
    y = np.tile(np.array([1.0, 5.0, 2.0, 8.0, 3.0, 3.0, 4.0]), 20)
    assert (
        by_analogy(y[:100], np.ones(100, bool), 7, 10, 100, np.array([1, 2, 7])).tolist() == y[[100, 101, 106]].tolist()
    )


@pytest.mark.parametrize(("periods", "known"), [(2, False), (3, True)])
def test_fewer_than_three_periods_say_nothing(periods, known) -> None:
    n = analogue.PATTERN[-1] + 1 + periods * 30
    assert np.isfinite(by_analogy(seasonal(n, 30, 1), np.ones(n, bool), 30, 50, 1000)).all() == known


def test_a_lead_beyond_all_periods_looked_back_has_no_forecast() -> None:
    out = by_analogy(seasonal(400, 10, 1), np.ones(400, bool), 10, 12, 400, np.array([10, 101, 120]))
    assert np.isfinite(out).tolist() == [True, False, False]  # two periods at most know what came after 101 steps
