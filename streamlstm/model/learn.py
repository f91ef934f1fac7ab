"""Learn: truncated BPTT over windows of the past, one window an observation, one update every eighth. Numba code.

Windows start where a hidden state was kept. Of an update's windows one is the newest, one the newest whose labels have
all matured, the others are drawn from memory. Inputs and labels are rebuilt from raw values with the statistics of now,
and the window is run again with the weights of now: its tape is exact, and so is its gradient.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, lstm, stage
from streamlstm.kernels.adam import adam, norm
from streamlstm.kernels.season import slot
from streamlstm.model.features import LINEAR_UNIT, features, rise
from streamlstm.model.state import B_LINEAR, B_RISE, CYCLE, shape

STATE_UNIT = 4095.0  # kept states: 16 bits over ±8
CLIP_NORM = 1.0
TARGET_CLIP = 10.0  # in units of the lead's scale
START = 16  # observations before the first window: the running scales mean nothing earlier


@stage
def schedule(s, plan, work, k):
    """This observation's share of the work: (start, steps) of a window; steps 0: nothing, -1: the update.

    k: the newest step recorded. Spread over a cycle, so that the slowest observation costs about the mean.
    """
    n = shape(s, work, plan)
    phase = s.phase
    s.phase = (phase + 1) % CYCLE
    if s.seen < START:
        return -1, 0
    if phase == CYCLE - 1:
        return -1, -1
    oldest = -(-s.first // CYCLE) * CYCLE  # the oldest kept hidden state
    furthest = plan.longest
    start, steps = -1, n.truncation
    if phase == 0:  # the newest
        start = max((k - steps) // CYCLE * CYCLE, oldest)
        steps = k - start
    elif phase == 1:  # the newest whose labels have all matured
        start = (k - furthest - steps) // CYCLE * CYCLE
    elif phase < 2 + n.replay:
        last = k - furthest - steps
        if last < oldest:
            last = k - steps
        choices = (last - oldest) // CYCLE + 1
        if choices > 0:
            start = oldest + CYCLE * draw(s, choices)
    return (start, steps) if start >= oldest and steps > 0 else (-1, 0)


@kernel
def draw(s, choices):
    """A number below `choices` from the row's own xorshift generator (Marsaglia 2003)."""
    r = s.random
    r ^= r << 13
    r ^= (r >> 7) & 0x01FFFFFFFFFFFFFF
    r ^= r << 17
    s.random = r
    return ((r >> 11) & 0x1FFFFFFFFFFFFF) % choices


@stage
def update(s, plan, cell):
    """Average a cell's gradient over its labels, clip, let Adam move the weights. What is not finite is refused."""
    if s.labelled[cell] == 0:
        return
    share = 1.0 / s.labelled[cell]
    size = norm(s.gradient[cell]) * share
    s.labelled[cell] = 0
    s.gradient_norm[cell] = size
    if not math.isfinite(size):
        s.skipped += 1
        for j in range(s.gradient.shape[1]):
            s.gradient[cell, j] = 0
        return
    s.updates[cell] += 1
    updates = s.updates[cell]
    scale = share * min(1.0, CLIP_NORM / max(size, 1e-30))
    decay = max(0.2, 1.0 / math.sqrt(1.0 + s.seen / 2000.0))
    averaging = max(0.005, 20.0 / (20.0 + updates))
    adam(
        s.weights[cell], s.first_moment[cell], s.second_moment[cell], s.gradient[cell], s.average[cell],
        plan.learning_rate[cell] * decay, scale, updates, averaging,
    )  # fmt: skip


@stage
def window(s, m, plan, work, start, steps, k):
    """Add the gradient of one window's loss: Huber, over all leads whose label is known and real, from real origins.

    All cells see the same window, each from its own hidden state and with its own base.
    """
    n = shape(s, work, plan)
    for t in range(steps):
        features(work.first[t][: n.features], s, m, plan, work, start + t)
    for cell in range(n.cells):
        s.labelled[cell] += through(s, m, plan, work, cell, start, steps, k)


@stage
def through(s, m, plan, work, cell, start, steps, k):
    """One cell forward and back through a window whose features stand in work.first. Returns the number of labels."""
    n = shape(s, work, plan)
    H, F = n.hidden, n.features
    weights, gradient = s.weights[cell], s.gradient[cell]
    kept = m.past_states[(start // CYCLE) % (plan.memory // CYCLE), cell]
    w, b, p = first_cell(weights, n)
    remember(kept[0], work.first[0][F:], work.cells[0][0])
    lstm.forward(w, b, p, work.first, work.cells[0], work.tape[0], work.z, n.relu, steps)
    for t in range(steps):
        lstm.put(work.first[t + 1][F:], work.top[t])
    for layer in range(1, n.layers):
        a = work.upper[layer - 1]
        for t in range(steps):
            lstm.put(work.top[t], a[t])
        w, b, p = upper_cell(weights, n, layer)
        remember(kept[layer], a[0][H:], work.cells[layer][0])
        lstm.forward(w, b, p, a, work.cells[layer], work.tape[layer], work.z, n.relu, steps)
        for t in range(steps):
            lstm.put(a[t + 1][H:], work.top[t])
    for layer in range(n.layers):
        for t in range(steps):
            for j in range(H):
                work.dh[layer, t, j] = 0
    labelled = output(s, m, n, plan, work, cell, start, steps, k)
    if labelled == 0:
        return 0
    for back in range(n.layers - 1):
        layer = n.layers - 1 - back
        w, b, p = upper_cell(weights, n, layer)
        gw, gb, gp = upper_cell(gradient, n, layer)
        lstm.backward(w, p, work.tape[layer], work.dh[layer], work.dz, work.dh[layer - 1], work.dc, steps, True)
        lstm.weigh(work.upper[layer - 1], work.cells[layer], work.dz, gw, gb, gp, steps)
    w, b, p = first_cell(weights, n)
    gw, gb, gp = first_cell(gradient, n)
    lstm.backward(w, p, work.tape[0], work.dh[0], work.dz, work.dh[0], work.dc, steps, False)
    lstm.weigh(work.first, work.cells[0], work.dz, gw, gb, gp, steps)
    return labelled


@kernel
def remember(kept, h, c):
    """Unpack a kept state. kept (2H,) 16-bit; h, c (H,)."""
    for j in range(h.shape[0]):
        h[j] = kept[j] / STATE_UNIT
        c[j] = kept[h.shape[0] + j] / STATE_UNIT


@kernel
def output(s, m, n, plan, work, cell, start, steps, k):
    """Forward and back through the heads of one cell. Returns how many labels there were."""
    L, memory = n.leads, plan.memory
    base, delta, out = plan.base[cell], plan.huber[cell], work.out[cell]
    v, d = output_layer(s.weights[cell], n)
    gv, gd = output_layer(s.gradient[cell], n)
    total = 0
    for t in range(steps):
        here = (start + t) % memory
        if m.past_mask[here] == 0:
            continue
        lstm.heads(v, d, work.top[t], out)
        count = 0
        for j in range(L):
            there = start + t + plan.leads[j]
            known = there <= k and m.past_mask[there % memory] != 0
            if known:
                target = label(s, m, n, work, base, j, here, there % memory)
                error = out[j] - target
                out[j] = min(max(error, -delta), delta)  # the slope of Huber's loss
                count += 1
            else:
                out[j] = 0
        if count > 0:
            total += count
            lstm.heads_back(v, work.top[t], out, gv, gd, work.dh[n.layers - 1][t])
    return total


@kernel
def label(s, m, n, work, base, j, here, there):
    """What a cell's head j should have said at one place of memory: the rise beyond its base, in scales of the base."""
    rest = m.past_y[there] - m.past_y[here]
    if base == B_RISE:
        at = slot(m.past_time[here], s.season_ns[0], m.season_0.shape[1])
        rest -= rise(m.season_0, at, slot(m.past_time[there], s.season_ns[0], m.season_0.shape[1]))
    elif base == B_LINEAR:
        rest -= m.past_linear[here, j] / LINEAR_UNIT * work.scales[3 + j]
    return min(max(rest / work.scales[3 + base * n.leads + j], -TARGET_CLIP), TARGET_CLIP)


@kernel
def first_cell(flat, n):
    """The first layer's w (F+H, 4H), b (4H,), p (3H,) out of all weights, or out of their gradient."""
    H, rows = n.hidden, n.features + n.hidden
    b = rows * 4 * H
    return flat[:b].reshape((rows, 4 * H)), flat[b : b + 4 * H], flat[b + 4 * H : b + 7 * H]


@kernel
def upper_cell(flat, n, layer):
    """The same of a layer above it: w (2H, 4H)."""
    H = n.hidden
    at = (n.features + H) * 4 * H + 7 * H + (layer - 1) * (8 * H * H + 7 * H)
    b = at + 8 * H * H
    return flat[at:b].reshape((2 * H, 4 * H)), flat[b : b + 4 * H], flat[b + 4 * H : b + 7 * H]


@kernel
def output_layer(flat, n):
    """The heads' v (L, H) and d (L,) out of all weights, or out of their gradient: they come last."""
    H, L = n.hidden, n.leads
    at = flat.shape[0] - L * (H + 1)
    return flat[at : at + L * H].reshape((L, H)), flat[at + L * H :]
