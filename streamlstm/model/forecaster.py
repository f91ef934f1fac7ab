"""The order in which a series moves: settle, learn, advance, forecast. One compiled entry for one and for many.

The sizes of a stream are constants in the machine code, since they come from the types of the records; what hangs on
the step that was found is data. A step is pure: (row, observation) -> (row, forecast), with no clock and no dice
outside the row.
"""

from __future__ import annotations

import math

from streamlstm.kernels import stage
from streamlstm.model.advance import advance, keep_state, record, take_scales
from streamlstm.model.forecast import between, forecast
from streamlstm.model.learn import schedule, update, window
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
        s = records[r]
        m = carve(f8[r], i8[r], f4[r], i2[r], i1[r], shape(s, work, plan), plan)
        y, civil = values[b, 0], times[b, 1]
        real = not math.isnan(y)
        for j in range(out.shape[1]):
            out[b, j] = math.nan
        s.position, s.time_ns = positions[b], times[b, 0]
        if not real:
            s.missing += 1
            if s.index < 0:
                continue  # not even a value to go on from
        if missed[b] > 0 or reset[b]:
            s.gaps += 1
        if reset[b]:
            forget(s, m, plan, civil)
        last, k = s.index, s.index + 1 + missed[b]
        surprise = settle(s, m, plan, work, levels, k, y, civil) if real else math.nan
        take_scales(s, plan, work.scales)
        # steps that nobody reported move the hidden state with mask 0; the last one is the observation
        for step in range(last + 1, k + 1):
            newest = step == k
            now = civil if newest else m.past_time[last % plan.memory] + (step - last) * plan.step_ns
            value = y if newest and real else imputed(s, m, plan, work, last, step - last)
            record(s, m, plan, step, value, newest and real, now)
            if newest:
                for j in range(plan.inputs):
                    m.past_inputs[k % plan.memory, j] = values[b, 1 + j]
            if newest and real:
                start, steps = schedule(s, plan, work, k)
                if steps > 0:
                    window(s, m, plan, work, start, steps, k)
                elif steps < 0:
                    update(s, plan.learning_rate)
            alone = missed[b] == 0 and not reset[b]
            advance(s, m, plan, work, step, value, newest and real, alone, now)
        forecast(s, m, plan, work, k, m.past_y[k % plan.memory], civil, real, out[b])
        report(s, out[b], values[b, 0], surprise)


@stage
def forget(s, m, plan, civil):
    """After too long a gap: the hidden state is zero, and enough empty steps go by that nothing reaches across."""
    last = s.index
    before = m.past_time[last % plan.memory]
    for layer in range(s.hidden_state.shape[0]):
        for j in range(s.hidden_state.shape[1]):
            s.hidden_state[layer, j], s.cell_state[layer, j] = 0, 0
    for i in range(1, plan.pending + 1):
        record(s, m, plan, last + i, s.y, False, before + (civil - before) // (plan.pending + 1) * i)
        keep_state(s, m, plan, last + i)
    s.index = last + plan.pending


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


@stage
def path(records, f8, i8, f4, i2, i1, plans, works, row, out):
    """Fill out (H,) with the forecasts 1 ... H steps from a row's last step; changes nothing but scratch."""
    plan, work, s = plans[0], works[0], records[row]
    m = carve(f8[row], i8[row], f4[row], i2[row], i1[row], shape(s, work, plan), plan)
    for ahead in range(out.shape[0]):
        out[ahead] = imputed(s, m, plan, work, s.index, ahead + 1)
