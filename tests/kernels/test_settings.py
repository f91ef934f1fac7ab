"""Residual connections and attention in a whole window: its gradient against differences of the twin's loss."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlstm.kernels import attention, lstm
from tests import reference
from tests.kernels import ready
from tests.reference_settings import Network

forward, backward, weigh, heads, heads_back, add = map(
    ready, (lstm.forward, lstm.backward, lstm.weigh, lstm.heads, lstm.heads_back, lstm.add)
)
attend, attend_back = map(ready, (attention.attend, attention.attend_back))

H, D, L, K = 5, 4, 2, 9
KINDS = {
    "residual": {"layers": 3, "residual": True, "reach": 0},
    "attention": {"layers": 1, "residual": False, "reach": 4},  # less than the window, which begins with no tape
    "attention on two layers": {"layers": 2, "residual": False, "reach": 20},
    "both": {"layers": 2, "residual": True, "reach": 4},
}


def window(kind: dict, seed: int) -> tuple[NDArray, ...]:
    """Random weights, inputs, states and labels; a third of the labels unknown, some errors beyond Huber's δ."""
    dice, N, seen = np.random.default_rng(seed), kind["layers"], 2 * H if kind["reach"] else H
    below = [D] + [H] * (N - 1)
    size = sum((d + H) * 4 * H + 7 * H for d in below) + (H * H if kind["reach"] else 0) + L * (seen + 1)
    weights = dice.normal(0, 0.5, size)
    xs, h, c = dice.normal(size=(K, D)), dice.normal(0, 0.5, (N, H)), dice.normal(0, 0.5, (N, H))
    labels = dice.normal(0, 1.5, (K, L))
    labels[dice.random((K, L)) < 1 / 3] = np.nan
    return weights, xs, h, c, labels


def gradient(kind: dict, weights, xs, h, c, labels, dtype) -> NDArray:
    """As `model.learn.window` puts the kernels together."""
    N, reach = kind["layers"], kind["reach"]
    net = Network.of(weights.astype(dtype), D, H, leads=L, **kind)
    flat = np.zeros(len(weights), dtype)
    out = Network.of(flat, D, H, leads=L, **kind)  # views: the gradient of each weight in the weight's place
    a = [np.zeros((K + 1, below + H), dtype) for below in (D, *[H] * (N - 1))]
    cells, tape = np.zeros((N, K + 1, H), dtype), np.zeros((N, K, 6 * H), dtype)
    dh, dz, z, dc = (
        np.zeros((N, K, H), dtype),
        np.zeros((K, 4 * H), dtype),
        np.zeros(4 * H, dtype),
        np.ones(2 * H, dtype),
    )
    seen, dseen = np.zeros(2 * H, dtype), np.zeros(2 * H, dtype)
    share, query, dquery = np.zeros(K, dtype), np.zeros(H, dtype), np.zeros(H, dtype)
    inputs = xs
    for n, cell in enumerate(net.cells):
        a[n][:K, :-H], a[n][0, -H:], cells[n, 0] = inputs, h[n], c[n]
        forward(cell.w, cell.b, cell.p, a[n], cells[n], tape[n], z, 0, K)
        top = a[n][1:, -H:].copy()
        if kind["residual"] and n > 0:
            for t in range(K):
                add(a[n][t, :H], top[t])
        inputs = top
    for t in range(K):
        said = np.zeros(L, dtype)
        past = slice(max(t - reach, 0), t)
        if reach:
            seen[:H] = top[t]
            attend(net.query, top[t], top[past], share, query, seen[H:])
            dseen[:] = 0
        heads(net.v, net.d, seen if reach else top[t], said)
        slope = np.clip(np.nan_to_num(said - labels[t]), -1, 1).astype(dtype)
        heads_back(net.v, seen if reach else top[t], slope, out.v, out.d, dseen if reach else dh[-1, t])
        if reach:
            add(dseen[:H], dh[-1, t])
            attend_back(
                net.query, top[t], top[past], share, query, dseen[H:], out.query, dh[-1, t], dh[-1, past], dquery
            )
    for n in reversed(range(N)):
        cell, to = net.cells[n], out.cells[n]
        if kind["residual"] and n > 0:
            for t in range(K):
                add(dh[n, t], dh[n - 1, t])
        backward(cell.w, cell.p, tape[n], dh[n], dz, dh[max(n - 1, 0)], dc, K, n > 0)
        weigh(a[n], cells[n], dz, to.w, to.b, to.p, K)
    return flat


@pytest.mark.parametrize("name", KINDS)
def test_every_weight_s_gradient_is_the_slope_of_the_loss(name) -> None:
    kind, (weights, *rest, labels) = KINDS[name], window(KINDS[name], seed=2)
    net = partial(Network.of, inputs=D, hidden=H, leads=L, **kind)
    found = gradient(kind, weights, *rest, labels, np.float64)
    slopes = reference.central_differences(
        lambda flat: reference.window_loss(net(flat), *rest, labels), weights, step=3e-6
    )
    # A loss near 10 rounds at 2e-15, so that its difference over 6e-6 is good to 1e-9, whatever the gradient's size.
    np.testing.assert_allclose(found, slopes, rtol=0, atol=5e-9 * max(1, np.abs(slopes).max()))
    assert np.abs(slopes).max() > 0.5
    assert np.count_nonzero(slopes) == len(slopes)
    single = gradient(kind, weights, *rest, labels, np.float32)
    # some hundred roundings of 6e-8 on the way to each entry, of which many cancel
    np.testing.assert_allclose(single, found, rtol=0, atol=1e-5 * np.abs(found).max())
