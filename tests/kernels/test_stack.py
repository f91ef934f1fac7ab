"""The linear combination of experts: the twin's numbers, what it can do that no average can, and how it is held."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamlstm.kernels import linear, mix, stack
from tests.kernels import ready
from tests.reference import RecursiveLeastSquares
from tests.reference_mix import Stack

combine, learn = ready(stack.combine), ready(stack.learn)
OWN = 3  # experts beside the committees
M = OWN + mix.COMMITTEES
K = M - 1


class Lead:
    """The coefficients of one lead, every forecast maturing at once, and the usual error held at 1."""

    def __init__(self) -> None:
        self.theta, self.covariance, self.scratch = np.zeros(K), np.eye(K) * stack.START, np.zeros((3, K))
        self.said = np.full(M, np.nan)

    def forecast(self, experts: NDArray, size: float = 1.0) -> float:
        self.said[:OWN] = experts
        self.said[OWN] = np.median(experts[np.isfinite(experts)]) if np.isfinite(experts).any() else np.nan
        combine(self.theta, self.said, size, self.scratch[0])
        return self.said[-1]

    def learn(self, y: float, size: float = 1.0) -> None:
        learn(self.theta, self.covariance, self.said, y, size, *self.scratch)


def test_forecasts_and_coefficients_are_the_twin_s() -> None:
    dice, own = np.random.default_rng(1), Lead()
    squares = RecursiveLeastSquares(np.eye(K) * stack.START, np.zeros(K), linear.FORGETTING, linear.CAP, linear.CLIP)
    twin = Stack(squares)
    for n in range(500):
        size, y = 1 + 0.5 * math.sin(n / 50), dice.normal()
        experts = y + dice.normal(0, [1, 2, 9], OWN) + [0.5, 0, 0]
        experts[dice.random(OWN) < 0.1] = np.nan
        F = own.forecast(experts, size)
        if math.isnan(F):
            continue
        median = own.said[OWN]
        # least squares with a cap on its covariance forgets rounding errors, of 500 steps at 2e-16 and their gain
        np.testing.assert_allclose(F, twin.forecast(own.said[:K], median, size), rtol=1e-9, atol=1e-9)
        own.learn(y, size)
        x = twin.x(own.said[:K], median, size)
        squares.correct(squares.gain(x), x, (y - median) / (2 * size))
        np.testing.assert_allclose(own.theta, squares.theta, rtol=0, atol=1e-9)


def test_it_finds_what_lies_beyond_every_expert() -> None:
    """One expert goes half the way that the label goes: no average gets there, since nobody goes the whole way."""
    dice, own, errors = np.random.default_rng(2), Lead(), []
    for _ in range(2000):
        step = dice.normal()
        F = own.forecast(np.array([0.0, 0.5 * step, 0.0]))
        errors.append(abs(F - step))
        own.learn(step)
    assert np.mean(errors[-500:]) < 0.1  # the median's is 0.8, the second expert's 0.4


anything = st.floats(-1e12, 1e12) | st.just(0.0) | st.just(math.nan)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(anything, min_size=OWN, max_size=OWN), st.floats(-1e12, 1e12), st.floats(0, 1e6)),
        max_size=20,
    )
)
def test_whatever_comes_it_stays_near_the_median(rows) -> None:
    own = Lead()
    for experts, y, size in rows:
        F = own.forecast(np.array(experts), size)
        assert math.isnan(F) == (size <= mix.NOTHING or math.isnan(own.said[OWN]))
        if not math.isnan(F):
            assert abs(F - own.said[OWN]) <= stack.UNIT * stack.REACH * size * (1 + 1e-9) + 1e-9 * abs(own.said[OWN])
        own.learn(y, size)
        assert np.isfinite(own.theta).all()
        assert np.isfinite(own.covariance).all()


def test_it_says_nothing_before_there_is_a_usual_error() -> None:
    own = Lead()
    assert math.isnan(own.forecast(np.array([1.0, 2.0, 3.0]), 0.0))
    own.learn(5.0, 0.0)
    assert not own.theta.any()
