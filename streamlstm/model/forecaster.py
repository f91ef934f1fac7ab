"""The order in which a series moves: settle, learn, advance, forecast. One compiled entry for one observation and for many.

`compiled(sizes)` closes over a stream's sizes, so that they are constants in the machine code; everything below it is
inlined. The step is pure: (row, observation) -> (row, forecast), with no clock and no dice outside the row.
"""

from __future__ import annotations

import math
from streamlstm.kernels import stage
from streamlstm.model.advance import advance, keep_state, record, take_scales
from streamlstm.model.forecast import between, forecast
from streamlstm.model.learn import learn
from streamlstm.model.settle import settle
from streamlstm.model.state import P_PUBLISHED, carve, shape


def columns(leads: int, levels: int) -> dict[str, slice]:
    """The places of an output row, by name: (L,) or (Q, L) flattened, in the series' unit unless it is a ratio."""
    L, Q, at = leads, levels, 0
    out: dict[str, slice] = {}
    for name, width in (
        ("yhat", L), ("lstm", L), ("seasonal", L), ("lower", Q * L), ("upper", Q * L), ("coverage", Q * L),
        ("absolute_error", L), ("mae_lstm", L), ("mae_persistence", L), ("mae_seasonal", L), ("source", L),
        ("anomaly_score", 1), ("seen", 1), ("labels", L), ("origin_y", 1),
    ):  # fmt: skip
        out[name] = slice(at, at + width)
        at += width
    out["all"] = slice(0, at)
    return out


@stage
def feed(records, f8, i8, f4, i2, i1, plans, works, levels, rows, times, missed, reset, values, positions, out):
    """Take observations of one chunk's series, in order.

    records ... i1   a chunk's rows (state.Views)
    plans, works     one state.plan_dtype, one state.work_dtype
    levels (Q,)      nominal coverage
    rows (B,)        whose observation
    times (B, 2)     event time, UTC and civil, ns
    missed (B,)      steps nobody reported before it
    reset (B,)       whether the hidden state is forgotten first
    values (B, 1+C)  target, covariates; NaN missing
    positions (B,)   the host's sequence
    out (B, ...)     see `columns`; NaN where nothing can be said
    """
    plan, work = plans[0], works[0]
    for b in range(rows.shape[0]):
        r = rows[b]
        s, m = records[r], carve(f8[r], i8[r], f4[r], i2[r], i1[r], shape(records[r], work, plan), plan)
        y, civil = values[b, 0], times[b, 1]
        out[b, :] = math.nan
        real = not math.isnan(y)
        s.position = positions[b]
        s.time_ns = times[b, 0]
        if not real:
            s.missing += 1
            if s.index < 0:
                continue  # not even a value to go on from
        take_scales(s, plan, work.scales)
        last = s.index
        k = walk(s, m, plan, work, missed[b], reset[b], civil)
        if not real:
            y = imputed(s, m, plan, work, last, k - last)
        record(s, m, plan, k, y, real, civil, values[b, 1:])
        surprise = math.nan
        if real:
            surprise = settle(s, m, plan, work, levels, k, y, civil)
            take_scales(s, plan, work.scales)
            learn(s, m, plan, work, k)
        advance(s, m, plan, work, k, y, real, k - last, civil)
        forecast(s, m, plan, work, k, y, civil, real, out[b])
        report(s, out[b], values[b, 0], surprise)


@stage
def walk(s, m, plan, work, missed, reset, civil):
    """Go through the steps that nobody reported, and return the step that has come.

    Each is imputed by the path of the newest forecast, and moves the hidden state with mask 0. After a reset the hidden
    state is zero, and so many empty steps are recorded that no window and no forecast reaches across.
    """
    last = s.index
    if last < 0 or (missed == 0 and not reset):
        return last + 1
    s.gaps += 1
    before = m.past_time[last % plan.memory]
    steps = plan.pending if reset else missed
    for i in range(1, steps + 1):
        k = last + i
        if reset:
            record(s, m, plan, k, s.y, False, before + (civil - before) // (steps + 1) * i, work.no_inputs)
            s.hidden_state[:] = 0
            s.cell_state[:] = 0
            keep_state(s, m, plan, k)
        else:
            at, y = before + i * plan.step_ns, imputed(s, m, plan, work, last, i)
            record(s, m, plan, k, y, False, at, work.no_inputs)
            advance(s, m, plan, work, k, y, False, 1, at)
    return last + steps + 1


@stage
def imputed(s, m, plan, work, last, ahead):
    """What stands in for the step `ahead` of the step `last`: the path of the forecast made there."""
    n = shape(s, work, plan)
    place = last % plan.pending
    y = m.pending_y[place]
    for j in range(n.leads):
        work.path[j] = m.pending[place, j, P_PUBLISHED] + y
    return between(s, m, n, plan, work.path, y, m.past_time[last % plan.memory], ahead)


@stage
def report(s, out, y, surprise):
    """What is known of the forecasts so far, behind the forecasts in the output row."""
    L, Q = s.covered.shape[1], s.covered.shape[0]
    at = (3 + 2 * Q) * L
    for level in range(Q):
        for j in range(L):
            out[at + level * L + j] = s.covered[level, j] if s.labels[j] > 0 else math.nan
    at += Q * L
    for j in range(L):
        known = s.labels[j] > 0
        out[at + j] = s.mae_published[j] if known else math.nan
        out[at + L + j] = s.mae_lstm[j] if known else math.nan
        out[at + 2 * L + j] = s.mae_persistence[j] if known else math.nan
        best = math.nan
        for season in range(2):
            if s.seasonal_labels[season, j] > 0.0 and not s.mae_seasonal[season, j] >= best:
                best = s.mae_seasonal[season, j]
        out[at + 3 * L + j] = best
        out[at + 4 * L + j] = s.source[j]
    at += 5 * L
    out[at] = surprise
    out[at + 1] = s.seen
    for j in range(L):
        out[at + 2 + j] = s.labels[j]
    out[at + 2 + L] = y
