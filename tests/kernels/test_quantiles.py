"""Quantiles that end up covering what they say, in order, soon, and through runs of misses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamlstm.kernels import quantiles, stage
from tests import reference_interval as reference
from tests.kernels import JIT, ready

laplace, leaning, spread, track, pace = map(
    ready, (quantiles.laplace, quantiles.leaning, quantiles.spread, quantiles.track, quantiles.pace)
)
TAUS = np.array([0.005, 0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975, 0.995])
LOW, HIGH = 2, 6  # the ends of the interval of 80 %
leads = st.sampled_from([1.0, 6.0, 24.0, 288.0])
signs = st.sampled_from([-1.0, 0.0, 0.3, 1.0])


def born() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([laplace(tau) for tau in TAUS]), np.zeros(len(TAUS)), np.array([quantiles.LEAN, 0.0])


@stage
def follow(errors, z, taus, lead, slow, fast, lean, limits):
    """What the quantiles (N, T) were before each error, its label settled `lead` steps later as a stream's is."""
    for k in range(errors.shape[0]):
        quantiles.spread(slow, fast, lean, taus, z[k], limits[k])
        if k >= lead - 1:
            at = k - lead + 1
            quantiles.track(slow, fast, lean, taus, limits[at], errors[at], z[at], at + 1, lead * 1.0)


def followed(errors: np.ndarray, lead: int = 1, z: np.ndarray | None = None) -> np.ndarray:
    slow, fast, lean = born()
    limits = np.zeros((len(errors), len(TAUS)))
    follow(errors, np.zeros(len(errors)) if z is None else z, TAUS, lead, slow, fast, lean, limits)
    return limits


def covered(errors: np.ndarray, limits: np.ndarray) -> np.ndarray:
    return (limits[:, LOW] <= errors) & (errors <= limits[:, HIGH])


@pytest.mark.parametrize("tau", TAUS)
def test_the_start_is_laplace_s_quantile(tau) -> None:
    q = laplace(tau)
    assert tau == pytest.approx(math.exp(q) / 2 if q < 0 else 1 - math.exp(-q) / 2)
    assert q == pytest.approx(reference.laplace(tau))


@given(
    st.lists(st.just(math.nan) | st.floats(-9, 9), min_size=1, max_size=8),
    st.floats(-9, 9),
    st.just(0.0) | st.floats(1e-6, 9),
)
@settings(deadline=None)
def test_experts_lean_to_the_side_of_their_mean(forecasts, mixture, size) -> None:
    z = leaning(np.array(forecasts), mixture, size)
    assert z == pytest.approx(reference.leaning(np.array(forecasts), mixture, size), abs=1e-12)
    assert -1 <= z <= 1


@pytest.mark.parametrize("lead", [1.0, 5.0, 48.0])
def test_quantiles_are_the_twin_s(lead) -> None:
    dice = np.random.default_rng(7)
    slow, fast, lean = born()
    limits = np.zeros(len(TAUS))
    twin = reference.Quantiles(
        TAUS,
        lead,
        quantiles.SWIFT,
        quantiles.OVERLAP,
        quantiles.BEGUN,
        quantiles.WAIT,
        quantiles.RARE,
        quantiles.SURGE,
        quantiles.LEAK,
        quantiles.LEAN,
        quantiles.LEAN_RATE,
        quantiles.STEEPEST,
        quantiles.SETTLED,
    )
    for n in range(1, 4001):
        z = dice.uniform(-1, 1)
        spread(slow, fast, lean, TAUS, z, limits)
        np.testing.assert_allclose(limits, twin.spread(z), rtol=0, atol=1e-10)
        y = dice.standard_t(3) + 0.7 * z if n % 7 else limits[n % len(TAUS)]  # sometimes exactly on a limit
        y -= 6.0 if n % 2000 > 1000 else 0.0  # and for long below all of them
        track(slow, fast, lean, TAUS, limits, y, z, n, lead)
        twin.take(limits, y, z)
    np.testing.assert_allclose(slow, twin.slow, rtol=0, atol=1e-10)
    np.testing.assert_allclose(fast, twin.fast, rtol=0, atol=1e-10)
    np.testing.assert_allclose(lean, (twin.lean, twin.squares), rtol=1e-10)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1, 1)), max_size=200), leads, st.floats(-1, 1))
@settings(deadline=None)
def test_quantiles_never_cross_and_hold_the_forecast_between_them(labels, lead, z) -> None:
    slow, fast, lean = born()
    limits = np.zeros(len(TAUS))
    for n, (y, at) in enumerate(labels, start=1):
        spread(slow, fast, lean, TAUS, at, limits)
        track(slow, fast, lean, TAUS, limits, y, at, n, lead)
    spread(slow, fast, lean, TAUS, z, limits)
    assert np.all(np.diff(limits) >= 0)
    assert np.all(limits[TAUS < 0.5] <= 0) and np.all(limits[TAUS > 0.5] >= 0) and limits[4] == 0


@stage
def follow_on(errors, taus, slow, fast, lean, limits, seen):
    """What the quantiles (N, T) are at lead 1 after `seen` labels."""
    for k in range(errors.shape[0]):
        quantiles.spread(slow, fast, lean, taus, 0.0, limits[k])
        quantiles.track(slow, fast, lean, taus, limits[k], errors[k], 0.0, seen + k + 1, 1.0)


@given(st.lists(st.floats(0.1, 3), min_size=4, max_size=30), st.randoms())
@settings(deadline=None, max_examples=50 if JIT else 3)
def test_in_the_long_run_a_quantile_has_the_nominal_share_below(sizes, order) -> None:
    """Whatever comes, as long as it is bounded: the steps' sum is the way that was gone (Gibbs and Candès 2021).

    So once the pace is constant |share - τ| <= way / (a/max(t, .05) n), where neither 0 nor a neighbour was in the way.
    """
    pattern = [*sizes, *(-size for size in sizes)]
    order.shuffle(pattern)
    slow, fast, lean = born()
    n, settled = 20_000, 1000
    errors, limits = np.resize(np.array(pattern), n), np.zeros((n, len(TAUS)))
    follow_on(errors[:settled], TAUS, slow, fast, lean, limits[:settled], 0)
    before = slow.copy()
    follow_on(errors[settled:], TAUS, slow, fast, lean, limits[settled:], settled)
    for i, inner in ((LOW, LOW + 1), (HIGH, HIGH - 1)):
        own, neighbour = np.abs(limits[settled:, i]), np.abs(limits[settled:, inner])
        assume(np.all(own > neighbour))
        step = quantiles.SWIFT / TAUS[LOW]
        below = errors[settled:] <= limits[settled:, i] if i == HIGH else errors[settled:] < limits[settled:, i]
        share = np.mean(below)
        assert abs(share - TAUS[i]) <= abs(slow[i] - before[i]) / (step * (n - settled)) + 1e-9


@pytest.mark.parametrize("lead", [1, 24])
def test_intervals_cover_what_they_say_when_the_errors_grow_and_shrink(lead) -> None:
    dice = np.random.default_rng(4)
    errors = dice.normal(0, np.repeat([0.3, 3.0, 0.3], 8000))
    hits = covered(errors, followed(errors, lead))
    assert hits.mean() == pytest.approx(0.8, abs=0.02)
    assert hits[-3000:].mean() == pytest.approx(0.8, abs=0.03)


def test_the_first_hundreds_are_covered_as_promised() -> None:
    dice = np.random.default_rng(5)
    for draw in (dice.normal(0, 1.25, (40, 500)), dice.laplace(0, 1, (40, 500)), 0.7 * dice.standard_t(3, (40, 500))):
        assert np.mean([covered(errors, followed(errors)).mean() for errors in draw]) == pytest.approx(0.8, abs=0.03)


def test_a_run_of_misses_widens_the_interval_and_is_forgotten() -> None:
    calm = np.random.default_rng(6).normal(0, 1, 6000)
    shaken = calm.copy()
    shaken[3000:3030] = 6.0
    quiet, moved = followed(calm)[:, HIGH], followed(shaken)[:, HIGH]
    assert moved[3030] > 2 * quiet[3030]
    assert moved[-1] == pytest.approx(quiet[-1], rel=0.15)
    assert followed(shaken)[3030, LOW] == pytest.approx(followed(calm)[3030, LOW], abs=0.25)  # each side by itself


def test_where_errors_follow_the_experts_lean_intervals_lean_with_them() -> None:
    dice = np.random.default_rng(8)
    z = dice.uniform(-1, 1, 20_000)
    errors = dice.normal(0, 1, z.shape)
    errors *= 1 + 0.6 * z * np.sign(errors)
    led, blind = followed(errors, 1, z), followed(errors)
    assert winkler(errors, led)[5000:].mean() < 0.95 * winkler(errors, blind)[5000:].mean()
    assert covered(errors, led).mean() == pytest.approx(0.8, abs=0.02)


def winkler(errors: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Width of the 80 % interval, and ten times what an error lies beyond it (Winkler 1972)."""
    lower, upper = limits[:, LOW], limits[:, HIGH]
    return upper - lower + 10 * (np.maximum(lower - errors, 0) + np.maximum(errors - upper, 0))


def test_a_series_that_never_errs_ends_with_intervals_of_no_width() -> None:
    limits = followed(np.zeros(5000))
    assert limits[-1, HIGH] < 0.2 and limits[-1, LOW] > -0.2


@given(st.integers(1, 10**9), leads)
def test_the_pace_falls_to_a_constant_and_longer_leads_are_no_swifter(n, lead) -> None:
    assert pace(n, lead) >= pace(n + 1, lead) >= quantiles.SWIFT * math.sqrt(min(1, quantiles.OVERLAP / lead))
    assert pace(n, lead) <= pace(n, 1.0)
