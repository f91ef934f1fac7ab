"""Covariates: what a series' own cells and linear branch never see, and cells and a branch beside them do.

Numba code. A value that is not known is 0 once standardised, which is the mean; one that is overdue fades towards it.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, linear, stage
from streamlstm.kernels.covariates import MEAN, SEEN, SQUARE, VARIANCE, WAIT, clipped, fading, take_value, waited
from streamlstm.kernels.season import COUNT, PROFILE, slot
from streamlstm.model.state import shape

PAST_FEATURES = 4  # of the cell, for each past covariate: level, two differences, whether it is known
PAST_REGRESSORS = 3  # level, last difference, difference to a season ago
AHEAD_REGRESSORS = 3  # level at the lead, rise from now to then, level times the profile


@kernel
def take(m, n, plan, work, k, values):
    """What came with the target into memory and scratch. values (V,), the target first; see `forecaster.feed`."""
    C, here = n.inputs, k % plan.memory
    for j in range(2 * C + n.ahead * n.leads):
        work.given[j] = values[1 + j]
    for j in range(2 * C):
        m.past_inputs[here, j] = values[1 + j]
    for q in range(n.ahead):
        for i in range(n.shown):
            m.past_inputs[here, 2 * C + q * n.shown + i] = values[1 + 2 * C + q * n.leads + plan.shown[i]]


@kernel
def measure(s, m, n, plan, k):
    """Running scales of all covariates, and how long one waits for the next value of each."""
    C, here, before = n.inputs, k % plan.memory, (k - 1) % plan.memory
    for j in range(C):
        value, age = m.past_inputs[here, j] * 1.0, m.past_inputs[here, C + j] * 1.0
        last = m.past_inputs[before, j] * 1.0 if k > s.first else math.nan
        if not (math.isnan(value) or math.isnan(age)):
            take_value(s.inputs[j], value, last)
            waited(s.inputs[j], age)
    for q in range(n.ahead):
        at = 2 * C + q * n.shown
        value = m.past_inputs[here, at] * 1.0
        last = m.past_inputs[before, at] * 1.0 if k > s.first else math.nan
        if not math.isnan(value):
            take_value(s.ahead[q], value, last)


@kernel
def past(s, m, n, plan, j, k):
    """A past covariate at step k: level, last difference and that to a season ago, standardised and faded, and how much
    it is known.
    """
    scale, here = s.inputs[j], k % plan.memory
    value, age = m.past_inputs[here, j] * 1.0, m.past_inputs[here, n.inputs + j] * 1.0
    if scale[SEEN] == 0.0 or math.isnan(value) or math.isnan(age):
        return 0.0, 0.0, 0.0, 0.0
    fade = fading(age, scale[WAIT])
    level = fade * clipped(value - scale[MEAN], scale[VARIANCE], scale[MEAN])
    last = m.past_inputs[(k - 1) % plan.memory, j] * 1.0 if k > s.first else math.nan
    usual = a_season_ago(s, m, plan, j, k)
    rise = 0.0 if math.isnan(last) else fade * clipped(value - last, scale[SQUARE], scale[MEAN])
    change = 0.0 if math.isnan(usual) else fade * clipped(value - usual, scale[VARIANCE], scale[MEAN])
    return level, rise, change, fade


@kernel
def a_season_ago(s, m, plan, j, k):
    """A past covariate one of the target's shorter seasons before step k; NaN where no step was just then."""
    steps = s.season_ns[0] // plan.step_ns
    if steps == 0 or k - steps < s.first:
        return math.nan
    then = (k - steps) % plan.memory
    apart = m.past_time[k % plan.memory] - m.past_time[then] - s.season_ns[0]
    return m.past_inputs[then, j] * 1.0 if 2 * abs(apart) < plan.step_ns else math.nan


@kernel
def standard(scale, value):
    """What is known ahead, standardised; 0 where it is not known."""
    if math.isnan(value) or scale[SEEN] == 0.0:
        return 0.0
    return clipped(value - scale[MEAN], scale[VARIANCE], scale[MEAN])


@kernel
def told(s, m, n, plan, q, k):
    """What the nearest lead of a covariate said of step k itself, when it was that far ahead; NaN unknown."""
    back = k - plan.leads[0]
    return m.past_inputs[back % plan.memory, 2 * n.inputs + q * n.shown] * 1.0 if back >= s.first else math.nan


@stage
def features(x, s, m, plan, work, k):
    """Fill x (O,), what the cells beside see besides, for step k. Rebuilt from memory with the scales of now."""
    n = shape(s, work, plan)
    place = 0
    for j in range(n.inputs):
        x[place], x[place + 1], x[place + 2], x[place + 3] = past(s, m, n, plan, j, k)
        place += PAST_FEATURES
    for q in range(n.ahead):
        x[place] = standard(s.ahead[q], told(s, m, n, plan, q, k))
        for i in range(n.shown):
            value = m.past_inputs[k % plan.memory, 2 * n.inputs + q * n.shown + i] * 1.0
            x[place + 1 + i] = standard(s.ahead[q], value)
        place += 1 + n.shown


@stage
def labels(s, m, plan, work, steps, k):
    """What the heads of further targets should have said: how much each has risen by each lead. NaN unknown.

    In units of what a walk would rise by, √(h q), until that is as far as two of its values usually are apart, √(2 v):
    h steps, q its mean square difference, v its variance.
    """
    n = shape(s, work, plan)
    L, C = n.leads, n.inputs
    for r in range(n.windows):
        for t in range(steps):
            origin = work.start[r] + t
            for place in range(n.heads - L):
                c, lead = place // L, plan.leads[place % L]
                here, there, scale = origin % plan.memory, (origin + lead) % plan.memory, s.inputs[c]
                label = math.nan
                if work.start[r] >= 0 and origin + lead <= k and m.past_inputs[there, C + c] == 0.0:
                    rise = m.past_inputs[there, c] * 1.0 - m.past_inputs[here, c]
                    if not math.isnan(rise):
                        square = min(lead * scale[SQUARE], 2.0 * scale[VARIANCE])
                        label = clipped(rise, square, scale[MEAN])
                for cell in range(n.own, n.cells):
                    work.label[cell, t, r, L + place] = label


@stage
def regress(s, m, plan, work, k, civil, real):
    """The regressors of the branch beside at step k, for every lead, and, when the step is real, their gains.

    work.x holds the own branch's. What is known ahead is seen by the lead it belongs to.
    """
    n = shape(s, work, plan)
    P, C, L = n.regressors, n.inputs, n.leads
    seen = P + PAST_REGRESSORS * C
    first = work.beside[0]
    for i in range(P):
        first[i] = work.x[i]
    for j in range(C):
        at = P + PAST_REGRESSORS * j
        first[at], first[at + 1], first[at + 2], _ = past(s, m, n, plan, j, k)
    for g in range(n.beside_gains):
        x = work.beside[g]
        if g > 0:
            for i in range(seen):
                x[i] = first[i]
        at = slot(civil + plan.leads[g] * plan.step_ns, s.season_ns[0], m.season_0.shape[1])
        known = s.season_ns[0] > 0 and m.season_0[COUNT, at] > 0.0
        profile = (m.season_0[PROFILE, at] - work.scales[0]) / work.scales[1] if known else 0.0
        for q in range(n.ahead):
            value = work.given[2 * C + q * L + g]
            now, place = told(s, m, n, plan, q, k), seen + AHEAD_REGRESSORS * q
            if math.isnan(now):
                now = work.given[2 * C + q * L]
            level = standard(s.ahead[q], value)
            x[place] = level
            x[place + 1] = level - standard(s.ahead[q], now) if not (math.isnan(value) or math.isnan(now)) else 0.0
            x[place + 2] = level * min(max(profile, -3.0), 3.0)
        if real:
            linear.gain(s.beside_covariance[g], x, work.beside_px, work.beside_gain)
            for j in range(L):
                if j == g or n.beside_gains == 1:
                    kept = m.pending_beside[plan.place[j] + k % plan.leads[j]]
                    for i in range(n.beside):
                        kept[0, i] = work.beside_gain[i]
                        kept[1, i] = x[i]
