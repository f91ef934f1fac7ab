"""Residual connections and attention in whole windows: their gradient against differences of the twin's loss."""

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

H, D, L, K, B = 5, 4, 2, 9, 3
KINDS = {
    "residual": {"layers": 3, "residual": True, "reach": 0},
    "attention": {"layers": 1, "residual": False, "reach": 4},  # less than the window, which begins with no tape
    "attention on two layers": {"layers": 2, "residual": False, "reach": 20},
    "both": {"layers": 2, "residual": True, "reach": 4},
}


def windows(kind: dict, seed: int) -> tuple[NDArray, ...]:
    """Random weights, inputs, states and labels of windows side by side (K, B, .); a third of the labels unknown, some
    errors beyond Huber's δ."""
    dice, N, seen = np.random.default_rng(seed), kind["layers"], 2 * H if kind["reach"] else H
    below = [D] + [H] * (N - 1)
    size = sum((d + H) * 4 * H + 7 * H for d in below) + (H * H if kind["reach"] else 0) + L * (seen + 1)
    weights = dice.normal(0, 0.5, size)
    xs, h, c = dice.normal(size=(K, B, D)), dice.normal(0, 0.5, (N, B, H)), dice.normal(0, 0.5, (N, B, H))
    labels = dice.normal(0, 1.5, (K, B, L))
    labels[dice.random((K, B, L)) < 1 / 3] = np.nan
    return weights, xs, h, c, labels


def gradient(kind: dict, weights, xs, h, c, labels, dtype) -> NDArray:
    """As `model.learn` and `model.heads` put the kernels together."""
    N, reach = kind["layers"], kind["reach"]
    net = Network.of(weights.astype(dtype), D, H, leads=L, **kind)
    flat = np.zeros(len(weights), dtype)
    into = Network.of(flat, D, H, leads=L, **kind)  # views: the gradient of each weight in the weight's place
    a = [np.zeros((K + 1, B, below + H), dtype) for below in (D, *[H] * (N - 1))]
    cells, z, out = np.zeros((N, K + 1, B, H), dtype), np.zeros((N, K, B, 4 * H), dtype), np.zeros((N, K, B, H), dtype)
    dh, dc, wt = np.zeros((N, K, B, H), dtype), np.ones((B, H), dtype), np.ones((4 * H, H), dtype)
    inputs = xs
    for n, cell in enumerate(net.cells):
        a[n][:K, :, :-H], a[n][0, :, -H:], cells[n, 0] = inputs, h[n], c[n]
        forward(cell.w, cell.b, cell.p, a[n], cells[n], z[n], out[n], 0, K)
        top = a[n][1:, :, -H:].copy()
        if kind["residual"] and n > 0:
            for t, r in np.ndindex(K, B):
                add(a[n][t, r, :H], top[t, r])
        inputs = top
    tape = np.ascontiguousarray(top.transpose(1, 0, 2))
    dtape = np.zeros_like(tape)
    for t, r in np.ndindex(K, B):
        heads_there_and_back(net, into, tape[r], dtape[r], t, labels[t, r], reach)
    dh[-1] = dtape.transpose(1, 0, 2)
    for n in reversed(range(N)):
        cell, to = net.cells[n], into.cells[n]
        below = dh[n - 1] if n > 0 else np.zeros((0, B, H), dtype)
        if kind["residual"] and n > 0:
            for t, r in np.ndindex(K, B):
                add(dh[n, t, r], below[t, r])
        backward(cell.w, cell.p, cells[n], z[n], out[n], dh[n], below, dc, wt, 0, K, n > 0)
        weigh(a[n], cells[n], z[n], to.w, to.b, to.p, K)
    return flat


def heads_there_and_back(net: Network, into: Network, tape, dtape, t: int, labels, reach: int) -> None:
    """One step of one window. tape (K, H) its topmost hidden states, dtape (K, H) their gradient, added to."""
    dtype, past = tape.dtype, slice(max(t - reach, 0), t)
    said, read, dread = (
        np.zeros(L, dtype),
        np.zeros(2 * H if reach else H, dtype),
        np.zeros(2 * H if reach else H, dtype),
    )
    share, query, dquery = np.zeros(K, dtype), np.zeros(H, dtype), np.zeros(H, dtype)
    read[:H] = tape[t]
    if reach:
        attend(net.query, tape[t], tape[past], share, query, read[H:])
    heads(net.v, net.d, read, said)
    slope = np.clip(np.nan_to_num(said - labels), -1, 1).astype(dtype)
    heads_back(net.v, read, slope, into.v, into.d, dread)
    add(dread[:H], dtape[t])
    if reach:
        attend_back(net.query, tape[t], tape[past], share, query, dread[H:], into.query, dtape[t], dtape[past], dquery)


@pytest.mark.parametrize("name", KINDS)
def test_every_weight_s_gradient_is_the_slope_of_the_loss(name) -> None:
    kind, (weights, xs, h, c, labels) = KINDS[name], windows(KINDS[name], seed=2)
    net = partial(Network.of, inputs=D, hidden=H, leads=L, **kind)

    def loss(flat: NDArray) -> float:
        return sum(reference.window_loss(net(flat), xs[:, r], h[:, r], c[:, r], labels[:, r], 1.0) for r in range(B))

    found = gradient(kind, weights, xs, h, c, labels, np.float64)
    slopes = reference.central_differences(loss, weights, step=3e-6)
    # A loss near 10 a window rounds at 2e-15, its difference over 6e-6 is good to 1e-9, whatever the gradient's size.
    np.testing.assert_allclose(found, slopes, rtol=0, atol=5e-9 * B * max(1, np.abs(slopes).max()))
    assert np.abs(slopes).max() > 0.5
    assert np.count_nonzero(slopes) == len(slopes)
    single = gradient(kind, weights, xs, h, c, labels, np.float32)
    # some hundred roundings of 6e-8 on the way to each entry, of which many cancel
    np.testing.assert_allclose(single, found, rtol=0, atol=1e-5 * np.abs(found).max())
