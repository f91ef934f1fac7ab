"""The scale that errors are measured in, and what it learns from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import conformal
from tests import reference
from tests.kernels import ready

error_sizes, scale, learn_scale = map(ready, (conformal.error_sizes, conformal.scale, conformal.learn_scale))
X = conformal.FEATURES


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
