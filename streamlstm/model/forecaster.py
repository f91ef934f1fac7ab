"""The order in which a series moves: settle, learn, advance, forecast. One compiled entry for one and for many.

The sizes of a stream are constants in the machine code, since they come from the types of the records; what hangs on
the step that was found is data. A step is pure: (row, observation) -> (row, forecast), with no clock and no dice
outside the row.
"""

from __future__ import annotations

import math

from streamlstm.events import Kind
from streamlstm.kernels import detect, doubt, kernel, stage
from streamlstm.model import beside
from streamlstm.model.advance import advance, keep_state, record, take_scales
from streamlstm.model.forecast import between, forecast
from streamlstm.model.learn import learn
from streamlstm.model.settle import settle
from streamlstm.model.state import ACTIVE, FALLBACK, GAP, P_PUBLISHED, QUARANTINED, SOURCES, WARMING, carve, shape

# What an observation brought about, as one number: their sum.
FALLBACK_BEGINS, FALLBACK_ENDS, ANOMALY_BEGINS, ANOMALY_ENDS = 1, 2, 4, 8
QUARANTINE_BEGINS, QUARANTINE_ENDS, DRIFT_BEGINS, DRIFT_ENDS = 16, 32, 64, 128
HAPPENINGS = {
    Kind.FALLBACK: (FALLBACK_BEGINS, FALLBACK_ENDS),
    Kind.ANOMALY: (ANOMALY_BEGINS, ANOMALY_ENDS),
    Kind.QUARANTINE: (QUARANTINE_BEGINS, QUARANTINE_ENDS),
    Kind.DRIFT: (DRIFT_BEGINS, DRIFT_ENDS),
}  # in the order in which they are told
READY_AFTER = 12  # observations: before that nothing honest can be said, and the state is WARMING


def columns(leads: int, levels: int, taus: int) -> dict[str, slice]:
    """The places of an output row, by name: (L,), (Q, L) or (T, L) flattened; in the series' unit, or ratios."""
    L, Q, T, at = leads, levels, taus, 0
    out: dict[str, slice] = {}
    for name, width in (
        ("yhat", L), ("lstm", L), ("seasonal", L), ("quantiles", T * L), ("lower", Q * L), ("upper", Q * L),
        ("weights", len(SOURCES)),
        ("coverage", Q * L), ("absolute_error", L), ("skill_persistence", L), ("skill_seasonal", L), ("naive", L),
        ("anomaly_score", 1), ("seen", 1), ("state", 1), ("happened", 1), ("strength", 1),
    ):  # fmt: skip
        out[name] = slice(at, at + width)
        at += width
    out["tail"] = slice(out["anomaly_score"].start, at)  # single numbers
    out["all"] = slice(0, at)
    return out


@stage
def feed(records, f8, i8, f4, i2, i1, plans, works, rows, times, missed, reset, values, positions, updates, out):
    """Take observations of one chunk's series, in order.

    records ... i1   a chunk's rows (state.Views)
    plans, works     one state.plan_dtype, one state.work_dtype
    rows (B,)        whose observation
    times (B, 4)     event time, UTC and civil; when civil time changes next, and by how much; all ns
    missed (B,)      steps nobody reported before it
    reset (B,)       whether the hidden state is forgotten first
    values (B, V)    target; past covariates (C), their ages in steps (C), those known ahead (K), each for every lead
                     (L); NaN missing
    positions (B,)   the host's sequence
    updates (B,)     what becomes of the weights of the cells: MADE, SHED or FROZEN
    out (B, ...)     see `columns`; NaN where nothing can be said

    Returns how many were taken: it stops behind one after which seasons are to be looked for.
    """
    plan, work = plans[0], works[0]
    for b in range(rows.shape[0]):
        r = rows[b]
        s = records[r]
        plan.updates = updates[b]
        n = shape(s, work, plan)
        m = carve(f8[r], i8[r], f4[r], i2[r], i1[r], s, n, plan)
        if s.index < 0:
            s.anchor_ns = times[b, 1] - plan.step_ns // 2
        y, civil = values[b, 0], times[b, 1] - s.anchor_ns
        why = question(s, y) if n.binary == 0 else doubt.NONE
        real = not math.isnan(y) and why == doubt.NONE
        for j in range(out.shape[1]):
            out[b, j] = math.nan
        s.position, s.time_ns = positions[b], times[b, 0]
        s.turn_ns, s.turn_by_ns = times[b, 2], times[b, 3]
        if not real:
            s.missing += 1 if why == doubt.NONE else 0
            if s.index < 0:
                continue  # not even a value to go on from
        if missed[b] > 0 or reset[b]:
            s.gaps += 1
        if reset[b]:
            forget(s, m, plan, civil)
        last, k = s.index, s.index + 1 + missed[b]
        alone = missed[b] == 0 and not reset[b] and s.observed == last
        surprise = settle(s, m, plan, work, k, y, civil) if real else math.nan
        take_scales(s, plan, work.scales)
        # steps that nobody reported move the hidden state with mask 0; the last one is the observation
        for step in range(last + 1, k + 1):
            newest = step == k
            now = civil if newest else m.past_time[last % plan.memory] + (step - last) * plan.step_ns
            value = y if newest and real else imputed(s, m, plan, work, last, step - last)
            record(s, m, plan, step, value, newest and real, now)
            if newest:
                beside.take(m, n, plan, work, k, values[b])
            if newest and real:
                learn(s, m, plan, work, k)
            advance(s, m, plan, work, step, value, newest and real, alone, now)
        if n.beside > 0:
            beside.regress(s, m, plan, work, k, civil, real)
        forecast(s, m, plan, work, k, m.past_y[k % plan.memory], civil, real, out[b])
        report(s, out[b], real, why, surprise)
        if k + 1 >= s.look_at:
            return b + 1
    return rows.shape[0]


@kernel
def question(s, y):
    """Whether a reading is to be believed; one without a value asks nothing."""
    if math.isnan(y):
        return doubt.NONE
    n = s.recent_count
    low, high = (s.ordered[0], s.ordered[n - 1]) if n > 0 else (y, y)
    return doubt.question(s.doubt, y, s.seen, low, high, s.lowest, s.highest)


@stage
def forget(s, m, plan, civil):
    """After too long a gap: the hidden state is zero, and enough empty steps go by that nothing reaches across."""
    last = s.index
    before = m.past_time[last % plan.memory]
    cells, layers, H = s.hidden_state.shape
    for cell in range(cells):
        for layer in range(layers):
            for j in range(H):
                s.hidden_state[cell, layer, j], s.cell_state[cell, layer, j] = 0, 0
    s.taped = 0
    empty = plan.longest + 1
    for i in range(1, empty + 1):
        record(s, m, plan, last + i, s.y, False, before + (civil - before) // (empty + 1) * i)
        keep_state(s, m, plan, last + i)
    s.index = last + empty


@stage
def imputed(s, m, plan, work, last, ahead):
    """What stands in for the step `ahead` of the step `last`: the path of the last observed one's forecast."""
    n = shape(s, work, plan)
    origin = s.observed if last - s.observed < plan.memory else last
    y = m.past_y[origin % plan.memory]
    for j in range(n.leads):
        work.path[j] = m.pending[plan.place[j] + s.observed % plan.leads[j], P_PUBLISHED] + y
    return between(s, m, n, plan, work.path, y, m.past_time[origin % plan.memory], last + ahead - origin)


@stage
def report(s, out, real, why, surprise):
    """What is known of the forecasts so far, behind the forecasts in the output row."""
    Q, L = s.covered.shape
    said = (3 + s.slow.shape[1] + 2 * Q) * L + len(SOURCES)
    if s.seen < READY_AFTER:
        for j in range(said):
            out[j] = math.nan
    at = said
    for level in range(Q):
        for j in range(L):
            out[at + level * L + j] = s.covered[level, j] if s.labels[j] > 0 else math.nan
    at += Q * L
    naive = 0
    for j in range(L):
        best = math.nan
        for season in range(2):
            if s.seasonal_labels[season, j] > 0.0 and not s.mae_seasonal[season, j] >= best:
                best = s.mae_seasonal[season, j]
        out[at + j] = s.mae_published[j] if s.labels[j] > 0 else math.nan
        out[at + L + j] = skill(out[at + j], s.mae_persistence[j])
        out[at + 2 * L + j] = skill(out[at + j], best)
        out[at + 3 * L + j] = s.naive[j]
        naive += s.naive[j]
    at += 4 * L
    out[at] = surprise
    out[at + 1] = s.seen
    fallen = 1 if 2 * naive > L else 0
    stands = FALLBACK if fallen == 1 else ACTIVE
    if not real:
        stands = GAP if why == doubt.NONE else QUARANTINED
    out[at + 2] = WARMING if s.seen < READY_AFTER else stands
    happened = 0
    if s.seen >= READY_AFTER and fallen != s.told:
        happened += FALLBACK_BEGINS if fallen == 1 else FALLBACK_ENDS
        s.told = fallen
    if real and s.alarm == detect.BEGINS:
        happened += ANOMALY_BEGINS
    elif real and s.alarm == detect.ENDED:
        happened += ANOMALY_ENDS
    s.alarm = detect.NOTHING
    if s.drifting != s.drift_told:
        happened += DRIFT_BEGINS if s.drifting == 1 else DRIFT_ENDS
        s.drift_told = s.drifting
    if why != doubt.NONE and s.quarantined == 0:
        happened += QUARANTINE_BEGINS
        s.quarantined = 1
    elif real and s.quarantined == 1:
        happened += QUARANTINE_ENDS
        s.quarantined = 0
    out[at + 3] = happened
    out[at + 4] = s.event[3]


@kernel
def skill(error, rival):
    """1 - MAE/MAE(rival); NaN where the rival is perfect or unknown."""
    return 1.0 - error / rival if rival > 0.0 else math.nan


@stage
def path(records, f8, i8, f4, i2, i1, plans, works, row, out):
    """Fill out (H,) with the forecasts 1 ... H steps from a row's last step; changes nothing but scratch."""
    plan, work, s = plans[0], works[0], records[row]
    m = carve(f8[row], i8[row], f4[row], i2[row], i1[row], s, shape(s, work, plan), plan)
    for ahead in range(out.shape[0]):
        out[ahead] = imputed(s, m, plan, work, s.index, ahead + 1)
