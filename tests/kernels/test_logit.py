"""Probabilities from the experts' log odds: the twin's numbers, the gradient of the loss, and how they are held."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import logit
from tests import reference_logit as reference
from tests.kernels import ready

log_odds, probability, learn, shares, quantile, interval, surprise = map(
    ready,
    (logit.log_odds, logit.probability, logit.learn, logit.shares, logit.quantile, logit.interval, logit.surprise),
)
M = 3
K = M + 1


def born() -> np.ndarray:
    return np.array([[*[1 / M] * M, 0.0], [logit.START] * K])


def x_of(forecasts: list[float], y: float = 0.0) -> np.ndarray:
    x = np.empty(K)
    log_odds(np.array(forecasts) - y, y, x)
    return x


def test_probabilities_and_weights_are_the_twin_s() -> None:
    dice, own = np.random.default_rng(1), born()
    twin = reference.Adagrad(own[0], logit.START, logit.RATE)
    for _ in range(400):
        said, y = dice.uniform(-0.2, 1.2, M), float(dice.random() < 0.3)
        said[dice.random(M) < 0.1] = np.nan
        x = x_of(list(said), y=float(dice.random() < 0.5))
        np.testing.assert_allclose(x, reference.log_odds(said, logit.NEAR), rtol=1e-9, atol=1e-12)  # y added, and off
        p = probability(own[0], x)
        assert p == pytest.approx(reference.probability(twin.w, x, logit.SURE), rel=1e-9)
        learn(own, x, y)
        twin.step((p - y) * x)
        np.testing.assert_allclose(own, [twin.w, twin.squares], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_a_step_goes_down_the_gradient_of_the_loss(y) -> None:
    own = np.array([[0.4, -0.2, 0.7, 0.1], [logit.START] * K])
    before, x = own[0].copy(), x_of([0.2, 0.9, 0.35])
    learn(own, x, y)
    slope = np.empty(K)
    for m in range(K):
        step = np.zeros(K)
        step[m] = 1e-5
        slope[m] = (reference.loss(before + step, x, y) - reference.loss(before - step, x, y)) / 2e-5
    moved = (before - own[0]) * np.sqrt(own[1]) / logit.RATE
    np.testing.assert_allclose(moved, slope, rtol=1e-7, atol=1e-9)  # central differences: their error is of order h²


def test_it_learns_how_far_an_expert_can_be_believed() -> None:
    """One expert says 0.9 or 0.1 and is right seven times in ten: what is said of it comes to be 0.7 and 0.3."""
    dice, own, told = np.random.default_rng(2), born(), []
    for _ in range(6000):
        y = float(dice.random() < 0.5)
        said = 0.9 if (y == 1.0) == (dice.random() < 0.7) else 0.1
        x = x_of([said, math.nan, math.nan])
        told.append(abs(probability(own[0], x) - 0.5))
        learn(own, x, y)
    assert np.mean(told[-1000:]) == pytest.approx(0.2, abs=0.03)


anything = st.floats(-1e12, 1e12) | st.just(math.nan)


@settings(deadline=None)
@given(st.lists(st.tuples(st.lists(anything, min_size=M, max_size=M), st.sampled_from([0.0, 1.0])), max_size=30))
def test_whatever_the_experts_say_it_is_a_probability(rows) -> None:
    own, whose = born(), np.zeros(M)
    for said, y in rows:
        x = x_of(said)
        assert 0.0 < probability(own[0], x) < 1.0
        learn(own, x, y)
        assert np.isfinite(own).all()
        shares(own[0], np.array(said), whose)
        there = np.isfinite(said)
        assert whose.sum() == pytest.approx(1.0) or not there.any()
        assert not there.any() or not whose[~there].any()


@given(st.floats(0.001, 0.999), st.floats(0.01, 0.99))
def test_an_interval_is_the_fewest_values_that_hold_enough(p, level) -> None:
    low, high = interval(p, level)
    held = {0.0: 1 - p, 1.0: p}
    inside = [v for v in held if low <= v <= high]
    assert sum(held[v] for v in inside) >= level
    assert (len(inside) == 1) == (max(p, 1 - p) >= level)


@given(st.floats(0.001, 0.999), st.floats(0.01, 0.99))
def test_a_quantile_has_its_share_at_or_below_it(p, tau) -> None:
    q = quantile(p, tau)
    assert (1 - p if q == 0.0 else 1.0) >= tau
    assert q == 0.0 or 1 - p < tau


def test_the_surprise_is_the_loss_of_what_came() -> None:
    assert surprise(0.25, 1.0) == pytest.approx(math.log(4))
    assert surprise(0.25, 0.0) == pytest.approx(-math.log(0.75))
