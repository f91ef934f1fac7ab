"""Learn: truncated BPTT over windows of the past, one window an observation, one update every eighth. Numba code.

Windows start where a hidden state was kept. Of an update's windows one is the newest, one the newest whose labels have
all matured, the others are drawn from memory. Inputs and labels are rebuilt from raw values with the statistics of now,
and the window is run again with the weights of now: its tape is exact, and so is its gradient.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, lstm, stage
from streamlstm.kernels.adam import adam, norm
from streamlstm.model.features import features
from streamlstm.model.state import CYCLE, shape

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
    furthest = 0
    for j in range(n.leads):
        furthest = max(furthest, plan.leads[j])
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
def update(s, rate):
    """Average over the labels, clip, let Adam move the weights. What is not finite is refused and counted."""
    if s.labelled == 0:
        return
    share = 1.0 / s.labelled
    size = norm(s.gradient) * share
    s.labelled = 0
    s.gradient_norm = size
    if not math.isfinite(size):
        s.skipped += 1
        for j in range(s.gradient.shape[0]):
            s.gradient[j] = 0
        return
    s.updates += 1
    updates = s.updates
    scale = share * min(1.0, CLIP_NORM / max(size, 1e-30))
    decay = max(0.2, 1.0 / math.sqrt(1.0 + s.seen / 2000.0))
    averaging = max(0.005, 20.0 / (20.0 + updates))
    adam(s.weights, s.first_moment, s.second_moment, s.gradient, s.average, rate * decay, scale, updates, averaging)


@stage
def window(s, m, plan, work, start, steps, k):
    """Add the gradient of one window's loss: Huber, over all leads whose label is known and real, from real origins."""
    n = shape(s, work, plan)
    H, F = n.hidden, n.features
    kept = m.past_states[(start // CYCLE) % (plan.memory // CYCLE)]
    for t in range(steps):
        features(work.first[t][:F], s, m, plan, work, start + t)
    w, b, p = first_cell(s.weights, n)
    remember(kept[0], work.first[0][F:], work.cells[0][0])
    lstm.forward(w, b, p, work.first, work.cells[0], work.tape[0], work.z, n.relu, steps)
    for t in range(steps):
        lstm.put(work.first[t + 1][F:], work.top[t])
    for layer in range(1, n.layers):
        a = work.upper[layer - 1]
        for t in range(steps):
            lstm.put(work.top[t], a[t])
        w, b, p = upper_cell(s.weights, n, layer)
        remember(kept[layer], a[0][H:], work.cells[layer][0])
        lstm.forward(w, b, p, a, work.cells[layer], work.tape[layer], work.z, n.relu, steps)
        for t in range(steps):
            lstm.put(a[t + 1][H:], work.top[t])
    for layer in range(n.layers):
        for t in range(steps):
            for j in range(H):
                work.dh[layer, t, j] = 0
    labelled = output(s, m, n, plan, work, start, steps, k)
    if labelled == 0:
        return
    s.labelled += labelled
    for back in range(n.layers - 1):
        layer = n.layers - 1 - back
        w, b, p = upper_cell(s.weights, n, layer)
        gw, gb, gp = upper_cell(s.gradient, n, layer)
        lstm.backward(w, p, work.tape[layer], work.dh[layer], work.dz, work.dh[layer - 1], work.dc, steps, True)
        lstm.weigh(work.upper[layer - 1], work.cells[layer], work.dz, gw, gb, gp, steps)
    w, b, p = first_cell(s.weights, n)
    gw, gb, gp = first_cell(s.gradient, n)
    lstm.backward(w, p, work.tape[0], work.dh[0], work.dz, work.dh[0], work.dc, steps, False)
    lstm.weigh(work.first, work.cells[0], work.dz, gw, gb, gp, steps)


@kernel
def remember(kept, h, c):
    """Unpack a kept state. kept (2H,) 16-bit; h, c (H,)."""
    for j in range(h.shape[0]):
        h[j] = kept[j] / STATE_UNIT
        c[j] = kept[h.shape[0] + j] / STATE_UNIT


@kernel
def output(s, m, n, plan, work, start, steps, k):
    """Forward and back through the heads. Returns how many labels there were."""
    L, memory = n.leads, plan.memory
    v, d = output_layer(s.weights, n)
    gv, gd = output_layer(s.gradient, n)
    total = 0
    for t in range(steps):
        if m.past_mask[(start + t) % memory] == 0:
            continue
        origin = m.past_y[(start + t) % memory]
        lstm.heads(v, d, work.top[t], work.out)
        count = 0
        for j in range(L):
            there = start + t + plan.leads[j]
            known = there <= k and m.past_mask[there % memory] != 0
            if known:
                target = (m.past_y[there % memory] - origin) / work.scales[3 + j]
                target = min(max(target, -TARGET_CLIP), TARGET_CLIP)
                error = work.out[j] - target
                work.out[j] = min(max(error, -1.0), 1.0)  # the slope of Huber's loss, δ = 1
                count += 1
            else:
                work.out[j] = 0
        if count > 0:
            total += count
            lstm.heads_back(v, work.top[t], work.out, gv, gd, work.dh[n.layers - 1][t])
    return total


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
