"""The update made of the kernels that production runs, without what is around them there. Twin: twin.c.

A window of K steps; at each the heads say something of every lead, and the loss is Huber's. At k1 = 1 each observation
brings a window: it begins one step after the last one, from the hidden state that this one had there, and its last
step's heads are the forecast. At k1 = K a window comes after each K observations, from the hidden state that the last
one ended with, and each observation takes one step more, with the weights as they are, for the forecast.
"""

from __future__ import annotations

from collections import namedtuple

from streamlstm.kernels import kernel, lstm, stage
from streamlstm.kernels.adam import adam, norm
from streamlstm.model.heads import output_layer
from streamlstm.model.learn import CLIP_NORM, STATE_MOST, first_cell

RATE, AVERAGING, DELTA = 1e-3, 0.005, 1.0
Shape = namedtuple("Shape", "hidden features layers heads attention")


@kernel
def shape(s):
    """As production's `shape`: constants in the machine code, since they come from the record's type."""
    H = s.c.shape[0]
    return Shape(H, s.a.shape[0] - H, 1, s.out.shape[0], 0)


@stage
def run(rows, x, label, said, every, begin, end):
    """Learn from observations begin to end. x (N, D); label and said (N, L), the forecasts, written here."""
    s = rows[0]
    K, n = s.gates.shape[0], shape(s)
    for k in range(begin, end):
        if every > 1:
            forecast(s, n, x[k], said[k])
        if (k + 1) % every == 0:
            go_on(s, n, min(every, K))
            look(s, n, x, k)
            update(s, label, k)
            if every == 1:
                lstm.put(s.out, said[k])


@kernel
def forecast(s, n, x, said):
    """One step on, and what the heads say then."""
    w, b, p = first_cell(s.weights, n)
    v, d = output_layer(s.weights, n)
    lstm.put(x, s.a)
    lstm.step(w, b, p, s.a, s.c, s.z, False)
    keep(s.c, s.c)
    lstm.heads(v, d, s.a[n.features :], said)


@kernel
def go_on(s, n, steps):
    """The windows begin where they were after so many steps."""
    for r in range(s.gates.shape[1]):
        lstm.put(s.first[steps, r, n.features :], s.first[0, r, n.features :])
        keep(s.cells[steps, r], s.cells[0, r])


@kernel
def keep(source, target):
    """target = source, within what production keeps of a state. No gradient sees how it grows from window to window."""
    most = source.dtype.type(STATE_MOST)
    for j in range(source.shape[0]):
        target[j] = min(max(source[j], -most), most)


@kernel
def look(s, n, x, k):
    """The inputs of windows that end at k, K steps before it, and so on."""
    K = s.gates.shape[0]
    for r in range(s.gates.shape[1]):
        for t in range(K):
            lstm.put(x[k + 1 - (r + 1) * K + t], s.first[t, r, : n.features])


@stage
def update(s, label, k):
    """Forward, heads, the truncated gradient, clip, Adam."""
    K, n = s.gates.shape[0], shape(s)
    w, b, p = first_cell(s.weights, n)
    gw, gb, gp = first_cell(s.gradient, n)
    lstm.forward(w, b, p, s.first, s.cells, s.gates, s.squashed, False, K)
    heads(s, label, k)
    lstm.backward(w, p, s.cells, s.gates, s.squashed, s.dh, s.dh, s.dc, s.wt, False, K, False)
    lstm.weigh(s.first, s.cells, s.gates, gw, gb, gp, K)
    move(s)


@stage
def heads(s, label, k):
    """Forward and back through the heads: s.dh, and s.out after the newest step of the newest window."""
    K, B, n = s.gates.shape[0], s.gates.shape[1], shape(s)
    v, d = output_layer(s.weights, n)
    gv, gd = output_layer(s.gradient, n)
    for back in range(B):
        r = B - 1 - back
        for t in range(K):
            h, target, out, dh = s.first[t + 1, r, n.features :], label[k + 1 - (r + 1) * K + t], s.out, s.dh[t, r]
            for j in range(n.hidden):
                dh[j] = 0
            lstm.heads(v, d, h, out)
            slope(out, target, s.z)
            lstm.heads_back(v, h, s.z, gv, gd, dh)


@kernel
def slope(out, label, de):
    """Of Huber's loss."""
    delta = out.dtype.type(DELTA)
    for j in range(out.shape[0]):
        de[j] = min(max(out[j] - label[j], -delta), delta)


@stage
def move(s):
    """Average the gradient, clip its norm, let Adam move the weights."""
    share = 1.0 / (s.gates.shape[0] * s.gates.shape[1] * s.out.shape[0])
    size = norm(s.gradient) * share
    s.updates += 1
    scale = share * min(1.0, CLIP_NORM / max(size, 1e-30))
    adam(s.weights, s.first_moment, s.second_moment, s.gradient, s.average, RATE, scale, s.updates, AVERAGING)
