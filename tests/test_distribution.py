"""A distribution function out of quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm import distribution
from streamlstm.distribution import between, ends, probabilities

TAUS = np.array(distribution.GRID)
steps = st.lists(st.just(0.0) | st.floats(1e-6, 1e6), min_size=len(TAUS), max_size=len(TAUS))


def logistic(p: np.ndarray) -> np.ndarray:
    """The quantiles of the logistic distribution."""
    return np.log(p / (1 - p))


@given(steps, st.floats(-1e6, 1e6), st.lists(st.floats(-1e8, 1e8), min_size=2))
def test_it_rises_from_0_to_1(widths, first, values) -> None:
    quantiles = first + np.cumsum(widths)
    found = between(TAUS, quantiles, sorted(values))
    assert np.all(np.diff(found) >= 0) and np.all((found >= 0) & (found <= 1))
    assert between(TAUS, quantiles, [-np.inf, np.inf]) == pytest.approx([0, 1])


@given(st.lists(st.floats(1e-3, 1e3), min_size=len(TAUS), max_size=len(TAUS)), st.floats(-1e3, 1e3))
def test_it_goes_through_the_quantiles(widths, first) -> None:
    quantiles = first + np.cumsum(widths)
    assert between(TAUS, quantiles, quantiles) == pytest.approx(TAUS, abs=1e-9)


def test_from_its_quantiles_a_logistic_distribution_comes_back_whole_with_its_tails() -> None:
    values = np.linspace(-30, 30, 101)
    assert between(TAUS, 5 + 2 * logistic(TAUS), 5 + 2 * values) == pytest.approx(1 / (1 + np.exp(-values)), rel=1e-9)


def test_where_quantiles_coincide_it_jumps() -> None:
    quantiles = np.array([0.0] * 9 + [1.0, 2.0, 3.0, 4.0])  # a series that stands still at 0, mostly
    assert between(TAUS, quantiles, [-1e-9, 0.0, 1.0]) == pytest.approx([0, TAUS[8], TAUS[9]])
    assert between(TAUS, np.full(len(TAUS), 7.0), [6.9, 7.0, 7.1]) == pytest.approx([0, 1, 1])


def test_an_unknown_value_has_no_probability() -> None:
    assert np.isnan(between(TAUS, logistic(TAUS), [np.nan]))[0]


@given(st.lists(st.floats(0.01, 0.999), min_size=1, max_size=4, unique_by=lambda level: round(level, 9)))
def test_the_ends_of_each_interval_are_among_the_probabilities(levels) -> None:
    taus, (low, high) = np.array(probabilities(levels)), ends(levels)
    assert np.all(np.diff(taus) > 0)
    assert taus[high] - taus[low] == pytest.approx(levels) and taus[high] + taus[low] == pytest.approx(1)
