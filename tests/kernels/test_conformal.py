"""Quantiles that end up covering what they say, and the scale they are measured in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import conformal, stage
from tests import reference
from tests.kernels import JIT, ready

laplace, track, error_sizes, scale, learn_scale = map(
    ready, (conformal.laplace, conformal.track, conformal.error_sizes, conformal.scale, conformal.learn_scale)
)
X = conformal.FEATURES
levels = st.sampled_from([0.025, 0.1, 0.5, 0.9, 0.975])
leads = st.sampled_from([1, 6, 24, 288])


@stage
def share_below(rs, tau, lead, q):
    """How many in a hundred of rs were below the quantile as it stood before each, and where it ends."""
    below = 0
    for n in range(rs.shape[0]):
        if rs[n] < q:
            below += 1
        q = conformal.track(q, tau, rs[n], n, lead)
    return below / rs.shape[0], q


@pytest.mark.parametrize("tau", [0.025, 0.1, 0.4, 0.5, 0.6, 0.9, 0.975])
def test_the_start_is_laplace_s_quantile(tau) -> None:
    q = laplace(tau)
    assert tau == pytest.approx(math.exp(q) / 2 if q < 0 else 1 - math.exp(-q) / 2)
    assert laplace(1 - tau) == pytest.approx(-q)


@given(st.floats(-5, 5), levels, st.floats(-9, 9), st.integers(0, 10**6), leads)
@settings(deadline=None)
def test_a_step_of_the_quantile_is_the_pinball_loss_s(q, tau, r, n, lead) -> None:
    assert track(q, tau, r, n, lead) == pytest.approx(reference.tracked(q, tau, r, reference.tracking_rate(n, lead)))


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=30), levels, leads)
@settings(deadline=None, max_examples=100 if JIT else 10)
def test_in_the_long_run_the_share_below_is_the_nominal_one(pattern, tau, lead) -> None:
    """Whatever comes, as long as it is bounded (Gibbs and Candès 2021): the steps' sum is the way that was gone.

    With a rate a that only falls, |share - τ| is at most 2 (furthest it can be from where it is) / (a n).
    """
    n = 20_000
    share, q = share_below(np.resize(np.array(pattern), n), tau, lead, laplace(tau))
    rate, reach = reference.tracking_rate(n, lead), 3 + 0.05
    assert abs(q) <= max(reach, abs(laplace(tau)))
    assert abs(share - tau) <= 2 * (reach + max(reach, abs(laplace(tau)))) / (rate * n)


@pytest.mark.parametrize("tau", [0.025, 0.1, 0.9, 0.975])
def test_a_quantile_finds_its_place_and_follows_when_the_errors_grow(tau) -> None:
    dice = np.random.default_rng(4)
    for spread in (0.3, 3.0):
        rs = dice.normal(0, spread, 20_000)
        share, q = share_below(rs, tau, 24, laplace(tau))
        assert share == pytest.approx(tau, abs=0.02)
        # the quantile wavers by about the root of its rate, 0.017, times its own size
        assert q == pytest.approx(np.quantile(rs, tau), abs=0.3 * spread + 0.15)


def drawn_errors(seed: int) -> np.ndarray:
    dice = np.random.default_rng(seed)
    errors = dice.exponential(2.0, 3000)
    errors[dice.random(3000) < 0.01] *= 100  # wild ones
    errors[:200] = 0  # a series that stood still at first
    return errors


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sizes_scale_and_exponents_are_the_twin_s(seed) -> None:
    dice = np.random.default_rng(seed)
    size, exponents, squares = np.zeros(3), np.array(conformal.START), np.zeros(X)
    twin = reference.ErrorScale(
        np.array(conformal.START), conformal.SLOW, conformal.FAST, conformal.LIFE, conformal.RATE, conformal.RANGE
    )
    for n, e in enumerate(drawn_errors(seed), start=1):
        x = dice.normal(0, 2, X)  # wide enough to reach both ends of the range
        own = scale(size, exponents, x)
        assert own == pytest.approx(twin.of(x), rel=1e-10)  # 3,000 updates of running means, each rounding at 2e-16
        learn_scale(exponents, squares, x, e / max(own, 1e-3))
        twin.learn(x, e / max(own, 1e-3))
        error_sizes(size, n, e)
        twin.take(e)
    np.testing.assert_allclose(size, (twin.life, twin.slow, twin.fast), rtol=1e-12)
    np.testing.assert_allclose(exponents, twin.theta, rtol=0, atol=1e-12)
    np.testing.assert_allclose(squares, twin.squares, rtol=1e-12)


@settings(deadline=None)
@given(
    st.lists(st.just(0.0) | st.floats(1e-9, 1e9), min_size=3, max_size=3),
    st.lists(st.floats(-5, 5), min_size=X, max_size=X),
    st.lists(st.floats(-8, 8), min_size=X, max_size=X),
)
def test_the_scale_stays_near_the_usual_error(size, exponents, x) -> None:
    found = scale(np.array(size), np.array(exponents), np.array(x))
    usual = max(size[1], size[0] / 20)
    assert size[0] / 20 <= found * (1 + 1e-12)
    assert found <= usual * math.exp(conformal.RANGE) * (1 + 1e-12)


def test_one_wild_error_counts_as_eight_usual_ones() -> None:
    size = np.zeros(3)
    for n in range(1, 1001):
        error_sizes(size, n, 1.0)
    error_sizes(size, 1001, 1000.0)
    assert size[1:] == pytest.approx((1 + 7 * conformal.SLOW, 1 + 7 * conformal.FAST))
    assert size[0] == pytest.approx(1 + 99 / 1001)  # the life-long mean, for series that rest long, takes a hundred
