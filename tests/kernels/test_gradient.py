"""The truncated gradient of whole windows, back through heads and layers, against differences of every weight."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlstm.kernels import lstm
from tests import reference
from tests.kernels import ready
from tests.reference import Network

forward, backward, weigh, heads, heads_back = map(
    ready, (lstm.forward, lstm.backward, lstm.weigh, lstm.heads, lstm.heads_back)
)

H, D, L = 5, 4, 2  # rows of 9 and 10, five units: every loop has its block and its rest
EACH_ACTIVATION = pytest.mark.parametrize("activation", [np.tanh, reference.relu], ids=["tanh", "relu"])
EACH_DEPTH = pytest.mark.parametrize("layers", [1, 2, 3])


def windows(layers: int, steps: int, seed: int, number: int = 5) -> tuple[NDArray, ...]:
    """Random weights, inputs, states and labels of windows side by side (K, B, .); a third of the labels unknown, some
    errors beyond Huber's δ."""
    dice = np.random.default_rng(seed)
    below = [D] + [H] * (layers - 1)
    weights = dice.normal(0, 0.5, sum((d + H) * 4 * H + 7 * H for d in below) + L * (H + 1))
    xs = dice.normal(size=(steps, number, D))
    h, c = dice.normal(0, 0.5, (layers, number, H)), dice.normal(0, 0.5, (layers, number, H))
    labels = dice.normal(0, 1.5, (steps, number, L))
    labels[dice.random((steps, number, L)) < 1 / 3] = np.nan
    return weights, xs, h, c, labels


def gradient(weights, xs, h, c, labels, relu: int, dtype) -> NDArray:
    """As `model.learn` puts the kernels together: every layer forward, the heads, every layer back."""
    (K, B), N = xs.shape[:2], len(h)
    net = Network.of(weights.astype(dtype), D, H, N, L)
    flat = np.zeros(len(weights), dtype)
    into = Network.of(flat, D, H, N, L)  # views: the gradient of each weight in the weight's place
    a = [np.zeros((K + 1, B, below + H), dtype) for below in (D, *[H] * (N - 1))]
    cells, z, out = np.zeros((N, K + 1, B, H), dtype), np.zeros((N, K, B, 4 * H), dtype), np.zeros((N, K, B, H), dtype)
    dh, dc, wt = np.zeros((N, K, B, H), dtype), np.ones((B, H), dtype), np.ones((4 * H, H), dtype)
    inputs = xs
    for n, cell in enumerate(net.cells):
        a[n][:K, :, :-H], a[n][0, :, -H:], cells[n, 0] = inputs, h[n], c[n]
        forward(cell.w, cell.b, cell.p, a[n], cells[n], z[n], out[n], relu, K)
        inputs = a[n][1:, :, -H:].copy()
    for t, r in np.ndindex(K, B):
        said = np.zeros(L, dtype)
        heads(net.v, net.d, inputs[t, r], said)
        slope = np.clip(np.nan_to_num(said - labels[t, r]), -1, 1).astype(dtype)
        heads_back(net.v, inputs[t, r], slope, into.v, into.d, dh[-1, t, r])
    for n in reversed(range(N)):
        cell, to = net.cells[n], into.cells[n]
        below = dh[n - 1] if n > 0 else np.zeros((0, B, H), dtype)
        backward(cell.w, cell.p, cells[n], z[n], out[n], dh[n], below, dc, wt, relu, K, n > 0)
        weigh(a[n], cells[n], z[n], to.w, to.b, to.p, K)
    return flat


def by_differences(weights, xs, h, c, labels, activation) -> NDArray:
    net = partial(Network.of, inputs=D, hidden=H, layers=len(h), leads=L, activation=activation)

    def loss(flat: NDArray) -> float:
        return sum(
            reference.window_loss(net(flat), xs[:, r], h[:, r], c[:, r], labels[:, r], 1.0) for r in range(xs.shape[1])
        )

    return reference.central_differences(loss, weights, step=3e-6)


@EACH_ACTIVATION
@EACH_DEPTH
@pytest.mark.parametrize("number", [1, 2, 5, 7])
def test_every_weight_s_gradient_is_the_slope_of_the_loss(number, layers, activation) -> None:
    example = windows(layers, 9, 2, number)
    found = gradient(*example, int(activation is reference.relu), np.float64)
    slopes = by_differences(*example, activation)
    # A loss near 10 a window rounds at 2e-15, its difference over 6e-6 is good to 1e-9, whatever the gradient's size;
    # what a central difference neglects, a third derivative times 9e-12/6, is less.
    np.testing.assert_allclose(found, slopes, rtol=0, atol=5e-9 * number * max(1, np.abs(slopes).max()))
    assert np.abs(slopes).max() > 0.5
    assert np.count_nonzero(slopes) > 0.6 * len(slopes)  # with ReLU, some units are out


@EACH_ACTIVATION
@EACH_DEPTH
def test_the_gradient_in_float32_is_that_of_float64_but_for_rounding(layers, activation) -> None:
    example, relu = windows(layers, 9, seed=3), int(activation is reference.relu)
    wide, single = (gradient(*example, relu, dtype) for dtype in (np.float64, np.float32))
    # some hundred roundings of 6e-8 on the way to each entry, of which many cancel
    np.testing.assert_allclose(single, wide, rtol=0, atol=1e-5 * np.abs(wide).max())


def test_labels_that_nobody_knows_pull_at_nothing() -> None:
    weights, xs, h, c, labels = windows(2, 9, seed=4)
    assert not gradient(weights, xs, h, c, np.full_like(labels, np.nan), 0, np.float64).any()
    labels[5:] = np.nan
    cut = gradient(weights, xs, h, c, labels, 0, np.float64)
    short = gradient(weights, xs[:5], h, c, labels[:5], 0, np.float64)
    np.testing.assert_allclose(cut, short, rtol=1e-12, atol=1e-15)  # zeros added, in other groups


def test_the_gradient_does_not_travel_beyond_the_window() -> None:
    """Truncation is a cut: the states at the window's start are numbers, whatever the weights that led to them."""
    weights, xs, h, c, labels = windows(1, 9, seed=5)
    first = np.full_like(labels, np.nan)
    first[0] = labels[0] = 3.0
    one = gradient(weights, xs, h, c, first, 0, np.float64)
    alone = gradient(weights, xs[:1], h, c, first[:1], 0, np.float64)
    np.testing.assert_allclose(one, alone, rtol=1e-12, atol=1e-15)
