"""A distribution function out of quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm import distribution
from streamlstm.distribution import between, ends, interval, probabilities
from streamlstm.events import Forecast, State
from tests.forecasts import made

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


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=len(TAUS), max_size=len(TAUS)), st.floats(-1e3, 1e3), st.floats(0.05, 0.999)
)
def test_an_interval_of_any_level_holds_that_much_of_the_distribution(widths, first, level) -> None:
    quantiles = first + np.cumsum(widths)
    lower, upper = interval(forecast(quantiles), level)
    below, above = between(TAUS, quantiles, [lower[0], upper[0]])
    assert (below, above) == pytest.approx((0.5 - level / 2, 0.5 + level / 2), abs=1e-6)


def test_a_level_that_is_tracked_has_its_own_ends() -> None:
    lower, upper = interval(forecast(logistic(TAUS), lower=-1.25, upper=1.5), 0.8)
    assert (lower[0], upper[0]) == (-1.25, 1.5)


def forecast(quantiles: np.ndarray, lower: float = np.nan, upper: float = np.nan) -> Forecast:
    """As much of a forecast as its distribution needs: one lead, and one tracked level."""
    none = np.full(1, np.nan)
    return made(
        series="s", stream="s", position=1, origin_ns=0, step_ns=1, y=0.0, leads=(1,), levels=(0.8,), yhat=none,
        lower=np.full((1, 1), lower), upper=np.full((1, 1), upper), taus=distribution.GRID,
        quantiles=quantiles.reshape(-1, 1), lstm=none, seasonal=none, weights={"lstm": 1.0}, naive=none,
        skill_persistence=none, skill_seasonal=none, absolute_error=none, coverage=np.full((1, 1), np.nan),
        anomaly_score=np.nan, state=State.ACTIVE, n_seen=1,
    )  # fmt: skip
