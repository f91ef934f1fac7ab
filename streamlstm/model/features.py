"""What the cell and the linear branch see of one step, built from raw memory with the statistics of now.

The same function serves the step that has just come and a step replayed from years ago: stored are only raw values, so
a replayed window is seen with today's scale and today's profiles. Numba code.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, stage
from streamlstm.kernels.season import COUNT, PROFILE, harmonics, slot, usual
from streamlstm.kernels.unit import clip
from streamlstm.model.state import shape

LAGS = 12  # differences that the linear branch regresses on
SHORT_TERMS, LONG_TERMS = 8, 6  # Fourier terms of the shorter and the longer season
# z, last difference, deviation from both profiles; Fourier terms; mask, log missed steps
FIXED_FEATURES = 4 + SHORT_TERMS + LONG_TERMS + 2
MOST_SHOWN = 8  # leads at which the cells and the linear branch look ahead
LINEAR_UNIT = 20.0  # stored forecasts of the linear branch: 8 bits, in twentieths of a lead's scale
MOST_LOOKED_BACK = 64  # steps in search of the last real observation


@kernel
def deviation(y, season, at):
    """y against what is usual in its slot; nothing before the slot has been seen."""
    return y - season[PROFILE, at] if season[COUNT, at] > 0.0 else 0.0


@kernel
def slots(s, m, civil):
    """Into which slots of both seasons a time falls."""
    return slot(civil, s.season_ns[0], m.season_0.shape[1]), slot(civil, s.season_ns[1], m.season_1.shape[1])


@kernel
def profile_value(s, m, at):
    """The usual value in the slots `at`, of the season whose profile errs less; NaN where none has seen that slot."""
    short = usual(m.season_0, at[0]) if s.season_ns[0] > 0 else math.nan
    long = usual(m.season_1, at[1]) if s.season_ns[1] > 0 else math.nan
    if math.isnan(short) or (m.season_1[COUNT, at[1]] > 1.0 and s.profile_error[1] < s.profile_error[0]):
        return long
    return short


@kernel
def rise(season, here, there):
    """How much higher the profile is there than here; nothing where either has not been seen."""
    known = season[COUNT, here] > 0.0 and season[COUNT, there] > 0.0
    return season[PROFILE, there] - season[PROFILE, here] if known else 0.0


@stage
def features(x, s, m, plan, work, k):
    """Fill x (F,) for step k. s: the row's record, m: its rings."""
    n, scales = shape(s, work, plan), work.scales
    mean, spread, jump = scales[0], scales[1], scales[2]
    here = k % plan.memory
    before = (k - 1) % plan.memory if k > s.first else here
    y, civil = m.past_y[here], m.past_time[here]
    at0, at1 = slots(s, m, civil)
    x[0] = clip((y - mean) / spread)
    x[1] = clip((y - m.past_y[before]) / jump)
    x[2] = clip(deviation(y, m.season_0, at0) / spread)
    x[3] = clip(deviation(y, m.season_1, at1) / spread)
    for i in range(n.shown):
        j = plan.shown[i]
        x[4 + i] = m.past_linear[here, j] / LINEAR_UNIT
        there = slot(civil + plan.leads[j] * plan.step_ns, s.season_ns[0], m.season_0.shape[1])
        x[4 + n.shown + i] = clip(rise(m.season_0, at0, there) / spread)
    place = 4 + 2 * n.shown
    for j in range(SHORT_TERMS + LONG_TERMS):
        x[place + j] = 0.0
    if s.season_ns[0] > 0:
        harmonics((civil % s.season_ns[0]) / s.season_ns[0], x[place : place + SHORT_TERMS])
    place += SHORT_TERMS
    if s.season_ns[1] > 0:
        harmonics((civil % s.season_ns[1]) / s.season_ns[1], x[place : place + LONG_TERMS])
    place += LONG_TERMS
    x[place] = m.past_mask[here]
    unseen = missed(s, m, plan, k)
    x[place + 1] = clip(math.log1p(unseen)) if unseen > 0.0 else 0.0
    place += 2
    for j in range(n.outside):  # covariates are for the cells beside: `beside.features`
        x[place + j] = 0.0


@kernel
def missed(s, m, plan, k):
    """Steps, or their length in time, that passed unseen between the last real observation and step k."""
    back = k - 1
    while back > s.first and back > k - MOST_LOOKED_BACK and m.past_mask[back % plan.memory] == 0:
        back -= 1
    if back < s.first:
        return 0.0
    return max((m.past_time[k % plan.memory] - m.past_time[back % plan.memory]) / plan.step_ns - 1.0, 0.0)


@stage
def regressors(x, s, m, plan, work, k):
    """Fill x (P,) of the linear branch for step k, in units of the running deviation."""
    n = shape(s, work, plan)
    mean, spread = work.scales[0], work.scales[1]
    here = k % plan.memory
    y, civil = m.past_y[here], m.past_time[here]
    at0, at1 = slots(s, m, civil)
    x[0] = 1.0
    x[1] = clip((y - mean) / spread)
    for j in range(LAGS):
        back = k - 1 - j
        x[2 + j] = clip((y - m.past_y[back % plan.memory]) / spread) if back >= s.first else 0.0
    place = 2 + LAGS
    for j in range(3):
        x[place + j], x[place + 3 + j] = 0.0, 0.0
        if k - j >= s.first:
            back = (k - j) % plan.memory
            s0, s1 = slots(s, m, m.past_time[back])
            x[place + j] = clip(deviation(m.past_y[back], m.season_0, s0) / spread)
            x[place + 3 + j] = clip(deviation(m.past_y[back], m.season_1, s1) / spread)
    place += 6
    shown = n.shown
    for j in range(shown):
        there = civil + plan.leads[plan.shown[j]] * plan.step_ns
        there0, there1 = slots(s, m, there)
        x[place + j] = clip(rise(m.season_0, at0, there0) / spread)
        x[place + shown + j] = clip(rise(m.season_1, at1, there1) / spread)
