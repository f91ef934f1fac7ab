"""Recursive least squares against the textbook's, against the batch solution, and over a very long life."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamlstm.kernels import linear, stage
from tests import reference
from tests.kernels import JIT, ready, ulps

gain, correct, inner, product = map(ready, (linear.gain, linear.correct, linear.inner, linear.product))


@stage
def gains(covariance, xs, px, out):
    """The gain of one origin after the other, without a call from Python for each."""
    for n in range(xs.shape[0]):
        linear.gain(covariance, xs[n], px, out)


def learned(xs: NDArray, labels: NDArray, delay: int, start: NDArray) -> tuple[NDArray, NDArray]:
    """Coefficients and covariance after every label has come, each `delay` origins late."""
    n, P = xs.shape
    theta, covariance, px, kept = np.zeros(P), start.copy(), np.zeros(P), np.zeros((n, P))
    for t in range(n + delay):
        if t < n:
            gain(covariance, xs[t], px, kept[t])
        if t >= delay:
            correct(theta, kept[t - delay], xs[t - delay], labels[t - delay])
    return theta, covariance


def regression(P: int, n: int) -> tuple[NDArray, NDArray]:
    """Regressors, and labels within what an innovation is clipped at."""
    dice = np.random.default_rng(P)
    xs = dice.normal(size=(n, P))
    return xs, np.clip(xs @ dice.normal(0, 0.2 / np.sqrt(P), P), -0.4, 0.4)


def born(P: int) -> NDArray:
    return np.eye(P) * linear.START


@pytest.mark.parametrize("P", [1, 3, 8, 30])
def test_products_are_numpy_s(P) -> None:
    dice = np.random.default_rng(P)
    matrix, x, out = dice.normal(size=(P, P)), dice.normal(size=P), np.full(P, np.nan)
    product(matrix, x, out)
    assert (np.abs(out - matrix @ x) <= ulps(2 * P, np.float64) * (np.abs(matrix) @ np.abs(x))).all()
    single = x.astype(np.float32)  # kept gains and regressors are single, sums are not
    assert inner(single, x) == pytest.approx(single.astype(np.float64) @ x, rel=ulps(2 * P, np.float64))


@pytest.mark.parametrize("P", [1, 3, 8, 30])
def test_gain_cap_and_clipped_correction_are_the_textbook_s(P) -> None:
    xs, labels = regression(P, 300)
    labels[::7] *= 10  # innovations beyond the clip
    root = np.random.default_rng(P).normal(size=(P, P))
    wide = root @ root.T + 2 * np.eye(P)  # every diagonal entry is beyond the cap
    twin = reference.RecursiveLeastSquares(wide.copy(), np.zeros(P), linear.FORGETTING, linear.CAP, linear.CLIP)
    for x, label in zip(xs, labels, strict=True):
        twin.correct(twin.gain(x), x, label)
    theta, covariance = learned(xs, labels, 0, wide)
    # the first gains divide by almost nothing but x'Cx: their rounding errors, some P of 2e-16, stay for a long while
    np.testing.assert_allclose(covariance, twin.covariance, rtol=0, atol=1e-10 * np.abs(twin.covariance).max())
    np.testing.assert_allclose(theta, twin.theta, rtol=0, atol=1e-10)


@pytest.mark.parametrize("P", [1, 3, 8])
def test_it_arrives_at_the_batch_solution(P) -> None:
    xs, labels = regression(P, 300)
    solution = reference.weighted_least_squares(xs, labels, linear.FORGETTING, linear.START)
    # a linear system of condition 100 or so, and 300 updates, each rounding at 2e-16
    np.testing.assert_allclose(learned(xs, labels, 0, born(P))[0], solution, rtol=0, atol=1e-11)


def test_whether_labels_come_at_once_or_late_the_same_is_learned() -> None:
    xs, labels = regression(8, 300)
    theta, covariance = learned(xs, labels, 0, born(8))
    for delay in (1, 7, 48):
        late = learned(xs, labels, delay, born(8))
        assert (late[0] == theta).all()  # the very same operations, only later
        assert (late[1] == covariance).all()


regressors = st.lists(st.lists(st.floats(-6, 6), min_size=4, max_size=4), min_size=1, max_size=40)


@settings(deadline=None, max_examples=200 if JIT else 30)
@given(regressors, st.integers(1, 50))
def test_the_covariance_stays_symmetric_positive_and_under_its_cap(rows, times) -> None:
    covariance, px, out = born(4), np.zeros(4), np.zeros(4)
    gains(covariance, np.tile(np.array(rows), (times, 1)), px, out)
    # to the last bit: what is not symmetric grows by 1/λ a step, see below
    assert (covariance == covariance.T).all()
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert covariance.diagonal().max() <= linear.CAP * (1 + 1e-12)  # a root squared again
    assert np.isfinite(out).all()


def test_after_a_hundred_thousand_origins_the_covariance_is_still_one() -> None:
    """A day at one a second. A rounding error that forgetting lets grow has grown by e^50 by then."""
    P = 6
    covariance, px, out = born(P), np.zeros(P), np.zeros(P)
    xs = np.random.default_rng(0).normal(size=(100_000, P))
    xs[:, 0], xs[:, 1] = 1, xs[:, 2]  # a constant, and one regressor twice
    gains(covariance, xs, px, out)
    assert np.linalg.eigvalsh((covariance + covariance.T) / 2).min() > 0
    assert np.abs(covariance - covariance.T).max() < 1e-9
    # of what is excited, the variance is about (1-λ)/E[x²]
    assert covariance[3:, 3:].diagonal() == pytest.approx(1 - linear.FORGETTING, rel=0.3)
