"""Learn: truncated BPTT over windows of the past, an update every eighth observation. Numba code.

Windows start where a hidden state was kept. Of an update's windows one is the newest, one the newest whose labels have
all matured, the others are drawn from memory. Inputs and labels are rebuilt from raw values with the statistics of now,
and the windows are run again with the weights of now: their tape is exact, and so is their gradient.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, lstm, stage
from streamlstm.kernels.adam import adam, norm
from streamlstm.kernels.optimiser import ADAM, another
from streamlstm.kernels.season import slot
from streamlstm.model import beside
from streamlstm.model.features import LINEAR_UNIT, features, rise
from streamlstm.model.heads import lay_out, say_back, say_of, take_in
from streamlstm.model.state import B_LINEAR, B_RISE, CYCLE, MADE, SHED, shape
from streamlstm.model.thin import thin, withhold

STATE_UNIT, STATE_MOST = 4095.0, 8.0  # kept states: 16 bits over ±8
CLIP_NORM = 1.0
TARGET_CLIP = 10.0  # in units of the lead's scale
START = 16  # observations before the first window: the running scales mean nothing earlier


@stage
def learn(s, m, plan, work, k):
    """Every eighth observation: choose windows, and let every cell learn from them. k: the newest step recorded.

    Not where learning is shed, or frozen: then the cells go on with the weights that they have.
    """
    s.phase = (s.phase + 1) % CYCLE
    if s.seen < START or s.phase != 0:
        return
    if plan.updates != MADE:
        work.shed += shape(s, work, plan).cells if plan.updates == SHED else 0
        return
    steps = choose_windows(s, plan, work, k)
    if steps <= 0:
        return
    look(s, m, plan, work, steps)
    labels(s, m, plan, work, steps, k)
    n = shape(s, work, plan)
    for cell in range(n.cells):
        if n.outside > 0 and cell == n.own:
            look_beside(s, m, plan, work, steps)
        labelled = gradient(s, m, plan, work, cell, steps)
        update(s, plan, work, cell, labelled)


@kernel
def choose_windows(s, plan, work, k):
    """Fill in the starts of the windows, -1 where there is none. Returns how many steps each has."""
    oldest = -(-s.first // CYCLE) * CYCLE  # the oldest kept hidden state
    newest = max((k - work.gates.shape[1]) // CYCLE * CYCLE, oldest)
    steps = min(k - newest, work.gates.shape[1])
    last = k - plan.longest - steps  # the newest start whose labels have all matured
    work.start[0] = newest
    work.start[1] = last // CYCLE * CYCLE
    if last < oldest:
        last = k - steps
    choices = (last - oldest) // CYCLE + 1
    for r in range(2, work.start.shape[0]):
        work.start[r] = oldest + CYCLE * draw(s, choices) if choices > 0 else -1
    for r in range(work.start.shape[0]):
        if work.start[r] < oldest:
            work.start[r] = -1
    return steps


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
def update(s, plan, work, cell, labelled):
    """Average a cell's gradient over its labels, clip, let an optimiser move the weights; refuse what is not finite."""
    if labelled == 0:
        return
    share = 1.0 / labelled
    if plan.pruning > 0.0:
        withhold(plan.matrices[:], s.weights[cell][:], s.first_moment[cell][:], work.gradient[:])
    size = norm(work.gradient) * share
    s.gradient_norm[cell] = size
    if not math.isfinite(size):
        s.skipped += 1
        for j in range(work.gradient.shape[0]):
            work.gradient[j] = 0
        return
    s.updates[cell] += 1
    updates = s.updates[cell] + s.inherited[cell]
    scale = share * min(1.0, CLIP_NORM / max(size, 1e-30))
    decay = max(0.2, 1.0 / math.sqrt(1.0 + s.seen / 2000.0))
    averaging = max(0.005, 20.0 / (20.0 + updates))
    rate = plan.learning_rate[cell] * decay
    if plan.optimiser == ADAM:
        adam(
            s.weights[cell], s.first_moment[cell], s.second_moment[cell], work.gradient, s.average[cell],
            rate, scale, updates, averaging,
        )  # fmt: skip
    else:
        another(
            plan.optimiser, s.weights[cell][:], s.first_moment[cell][:], s.second_moment[cell][:], work.gradient[:],
            s.average[cell][:], rate, scale, updates, averaging,
        )  # fmt: skip
    if plan.pruning > 0.0:
        thin(plan.matrices[:], s.weights[cell][:], s.average[cell][:], plan.pruning, updates)


@stage
def look(s, m, plan, work, steps):
    """What all cells see of the windows: the inputs of the first layer. A window that is not there is all zeros."""
    F = work.a.shape[0] - s.hidden_state.shape[2]
    for r in range(work.start.shape[0]):
        for t in range(steps):
            if work.start[r] >= 0:
                features(work.first[t, r, :F], s, m, plan, work, work.start[r] + t)
            else:
                for j in range(F):
                    work.first[t, r, j] = 0


@stage
def look_beside(s, m, plan, work, steps):
    """What the cells beside see besides, the covariates, for every window: own cells, which must not, have learned."""
    n = shape(s, work, plan)
    begin = n.features - n.outside
    for r in range(work.start.shape[0]):
        for t in range(steps):
            if work.start[r] >= 0:
                beside.features(work.outside, s, m, plan, work, work.start[r] + t)
                lstm.put(work.outside, work.first[t, r, begin:])


@stage
def gradient(s, m, plan, work, cell, steps):
    """Add to work.gradient the slope of one cell's loss over all windows: Huber, over all leads whose label is known
    and real, from real origins. Returns the number of labels.
    """
    n = shape(s, work, plan)
    H, F = n.hidden, n.features
    weights, slopes = s.weights[cell], work.gradient
    remember(m, plan, work, cell)
    w, b, p = first_cell(weights, n)
    lstm.forward(w, b, p, work.first, work.cells[0], work.gates[0], work.squashed[0], n.relu, steps)
    for layer in range(1, n.layers):
        a = work.upper[layer - 1]
        for t in range(steps):
            for r in range(n.windows):
                if layer == 1:
                    lstm.put(work.first[t + 1, r, F:], a[t, r])
                else:
                    lstm.put(work.upper[layer - 2, t + 1, r, H:], a[t, r])
                    if n.residual:
                        lstm.add(work.upper[layer - 2, t, r, :H], a[t, r])
        w, b, p = upper_cell(weights, n, layer)
        lstm.forward(w, b, p, a, work.cells[layer], work.gates[layer], work.squashed[layer], n.relu, steps)
    labelled = output(s, n, plan, work, cell, steps)
    for back in range(n.layers - 1):
        layer = n.layers - 1 - back
        w, b, p = upper_cell(weights, n, layer)
        gw, gb, gp = upper_cell(slopes, n, layer)
        if n.residual:
            for t in range(steps):
                for r in range(n.windows):
                    lstm.add(work.dh[layer, t, r], work.dh[layer - 1, t, r])
        lstm.backward(
            w, p, work.cells[layer], work.gates[layer], work.squashed[layer], work.dh[layer], work.dh[layer - 1],
            work.dc, work.wt, n.relu, steps, True,
        )  # fmt: skip
        lstm.weigh(work.upper[layer - 1], work.cells[layer], work.gates[layer], gw, gb, gp, steps)
    w, b, p = first_cell(weights, n)
    gw, gb, gp = first_cell(slopes, n)
    lstm.backward(
        w, p, work.cells[0], work.gates[0], work.squashed[0], work.dh[0], work.dh[0],
        work.dc, work.wt, n.relu, steps, False,
    )  # fmt: skip
    lstm.weigh(work.first, work.cells[0], work.gates[0], gw, gb, gp, steps)
    return labelled


@kernel
def remember(m, plan, work, cell):
    """Unpack one cell's kept states into the first step of each window: (2H,) 16 bits each."""
    H = work.dc.shape[1]
    first = work.a.shape[0] - H
    for r in range(work.start.shape[0]):
        start = work.start[r]
        kept = m.past_states[(max(start, 0) // CYCLE) % (plan.memory // CYCLE), cell]
        for layer in range(work.cells.shape[0]):
            for j in range(H):
                h = kept[layer, j] / STATE_UNIT if start >= 0 else 0.0
                if layer == 0:
                    work.first[0, r, first + j] = h
                else:
                    work.upper[layer - 1, 0, r, H + j] = h
                work.cells[layer, 0, r, j] = kept[layer, H + j] / STATE_UNIT if start >= 0 else 0.0


@stage
def labels(s, m, plan, work, steps, k):
    """What the cells' heads should have said at every step of the windows: the rise beyond a cell's base, in scales of
    the base. NaN where the label is not yet known or was not observed, or the origin itself was not.
    """
    n, memory, scales = shape(s, work, plan), plan.memory, work.scales
    L = n.leads
    if n.heads > L:
        beside.labels(s, m, plan, work, steps, k)
    for r in range(n.windows):
        for t in range(steps):
            origin = work.start[r] + t
            here = origin % memory
            there_is = work.start[r] >= 0 and m.past_mask[here] != 0
            at = slot(m.past_time[here], s.season_ns[0], m.season_0.shape[1]) if there_is else 0
            for j in range(L):
                there = (origin + plan.leads[j]) % memory
                if not there_is or origin + plan.leads[j] > k or m.past_mask[there] == 0:
                    for cell in range(n.cells):
                        work.label[cell, t, r, j] = math.nan
                    continue
                step = m.past_y[there] - m.past_y[here]
                for cell in range(n.cells):
                    rest, base = step, plan.base[cell]
                    if base == B_RISE:
                        rest -= rise(m.season_0, at, slot(m.past_time[there], s.season_ns[0], m.season_0.shape[1]))
                    elif base == B_LINEAR:
                        rest -= m.past_linear[here, j] / LINEAR_UNIT * scales[3 + j]
                    label = rest / scales[3 + base * L + j]
                    work.label[cell, t, r, j] = min(max(label, -TARGET_CLIP), TARGET_CLIP)


@kernel
def output(s, n, plan, work, cell, steps):
    """Forward and back through the heads of one cell: fills in work.dh. Returns how many labels there were.

    All further targets together weigh as much as the series itself, and do not count.
    """
    delta, out = plan.huber[cell], work.slope
    total, heads, shared = 0, n.heads if cell >= n.own else n.leads, max(n.heads // n.leads - 1, 1)
    lay_out(n, work, steps)
    for layer in range(n.layers):
        for t in range(steps):
            for r in range(n.windows):
                for j in range(n.hidden):
                    work.dh[layer, t, r, j] = 0
    for t in range(steps):
        for r in range(n.windows):
            label = work.label[cell, t, r]
            count = 0
            for j in range(n.leads):
                count += 0 if math.isnan(label[j]) else 1
            if count == 0:
                continue
            total += count
            say_of(s.weights[cell], n, work, t, r, out)
            for j in range(n.heads):  # the slope of Huber's loss
                error = min(max(out[j] - label[j], -delta), delta)
                share = error if j < n.leads else error / shared
                out[j] = 0.0 if j >= heads or math.isnan(label[j]) else share
            say_back(s.weights[cell], n, work, t, r, out)
    take_in(n, work, steps)
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
