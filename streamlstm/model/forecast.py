"""Forecast: what is said of each lead now, with intervals; and what is imputed where nothing came. Numba code."""

from __future__ import annotations

import math

from streamlstm.kernels import conformal, kernel, lstm, stage
from streamlstm.kernels.season import slot
from streamlstm.model.learn import output_layer
from streamlstm.model.state import (
    COUNT,
    ERROR,
    LATEST,
    LSTM,
    P_LONG,
    P_LOWER,
    P_LSTM,
    P_PUBLISHED,
    P_SCALE,
    P_SHORT,
    PROFILE,
    SEASONAL,
    shape,
)

MARGIN = 0.1  # of the range seen so far: how far beyond it the LSTM may forecast
EARLY = 5.0  # labels' worth of trust in the random walk's scale


@stage
def forecast(s, m, plan, work, k, y, civil, real, out):
    """Fill `out` (see `columns`) for origin k, and keep what its labels will be held against."""
    n = shape(s, work, plan)
    L, Q, scales = n.leads, n.levels, work.scales
    v, d = output_layer(s.average, n)
    lstm.heads(v, d, s.hidden_state[n.layers - 1], work.out)
    reach = MARGIN * (s.highest - s.lowest)
    low, high = max(s.lowest - reach, plan.lowest), min(s.highest + reach, plan.highest)
    place = k % plan.pending
    m.origin[place] = k if real else -1
    m.pending_y[place] = y
    for j in range(L):
        kept = m.pending[place, j]
        target = civil + plan.leads[j] * plan.step_ns
        learned = min(max(y + work.out[j] * scales[3 + j], low), high)
        at0 = slot(target, plan.season_ns[0], m.season_0.shape[1])
        at1 = slot(target, plan.season_ns[1], m.season_1.shape[1])
        short, long = m.season_0[LATEST, at0], m.season_1[LATEST, at1]
        seasonal = choose(s, j, short, long)
        published = y
        if s.source[j] == LSTM:
            published = learned
        elif s.source[j] == SEASONAL and not math.isnan(seasonal):
            published = seasonal
        x = kept[P_LOWER + 2 * Q :]
        look_ahead(s, m, j, at0, at1, x)
        size = width(s, plan, scales, j, x)
        kept[P_PUBLISHED] = published - y
        kept[P_LSTM] = learned - y
        kept[P_SHORT] = short - y
        kept[P_LONG] = long - y
        kept[P_SCALE] = size
        out[j] = published
        out[L + j] = learned
        out[2 * L + j] = seasonal
        below, above = 0.0, 0.0  # a wider level contains the narrower ones
        for level in range(Q):
            below = min(below, s.quantile_low[level, j])
            above = max(above, s.quantile_high[level, j])
            lower = max(published + below * size, plan.lowest)
            upper = min(published + above * size, plan.highest)
            kept[P_LOWER + level] = lower - y
            kept[P_LOWER + Q + level] = upper - y
            out[(3 + level) * L + j] = lower
            out[(3 + Q + level) * L + j] = upper


@kernel
def choose(s, j, short, long):
    """The seasonal naive forecast: of the season that has erred less at this lead."""
    if math.isnan(long):
        return short
    if math.isnan(short):
        return long
    if s.seasonal_labels[1, j] == 0.0 or s.mae_seasonal[0, j] <= s.mae_seasonal[1, j]:
        return short
    return long


@kernel
def log_ratio(a, b):
    """log a/b within ±4, 0 where either is not yet known."""
    return min(max(math.log(a / b), -4.0), 4.0) if a > 0.0 and b > 0.0 else 0.0


@kernel
def look_ahead(s, m, j, at0, at1, x):
    """What the size of the error at lead j hangs on, as log ratios, each less its own running mean. x (X,)."""
    size, first = s.error_size[j], s.error_size[0]
    base = max(size[1], 0.05 * size[0])
    x[0] = log_ratio(size[2], base)
    x[1] = log_ratio(first[2], first[1])
    x[2] = log_ratio(m.season_0[ERROR, at0], 1.0)
    x[3] = log_ratio(m.season_1[ERROR, at1], 1.0)
    x[4] = log_ratio(s.error_size[j - 1, 2], s.error_size[j - 1, 1]) if j > 0 else 0.0
    rate = max(0.001, 1.0 / (1.0 + s.labels[j]))
    for i in range(conformal.FEATURES):
        s.ratio_mean[j, i] += rate * (x[i] - s.ratio_mean[j, i])
        x[i] -= s.ratio_mean[j, i]


@kernel
def width(s, plan, scales, j, x):
    """The scale of the error at lead j. Until its own labels say more, a random walk's: 0.8 RMS difference × √lead."""
    walk = 0.8 * scales[2] * math.sqrt(plan.leads[j] * 1.0)
    labels = s.labels[j] * 1.0
    if labels == 0.0:
        return walk
    own = conformal.scale(s.error_size[j], s.exponents[j], x)
    return (labels * own + EARLY * walk) / (labels + EARLY)


@kernel
def base(s, m, n, plan, civil):
    """The usual value at a time, of the season whose profile errs less; NaN where none has seen that slot."""
    at0 = slot(civil, plan.season_ns[0], m.season_0.shape[1])
    at1 = slot(civil, plan.season_ns[1], m.season_1.shape[1])
    known0 = n.seasons > 0 and m.season_0[COUNT, at0] > 0.0
    known1 = n.seasons > 1 and m.season_1[COUNT, at1] > 0.0
    if known1 and (not known0 or (m.season_1[COUNT, at1] > 1.0 and s.profile_error[1] < s.profile_error[0])):
        return m.season_1[PROFILE, at1]
    return m.season_0[PROFILE, at0] if known0 else math.nan


@kernel
def between(s, m, n, plan, published, y, civil, ahead):
    """The forecast `ahead` steps from an origin: between the leads linear *relative to the seasonal profile*.

    published (L,) the forecasts at the leads; y the origin's value. Beyond the last lead the deviation from the profile
    stays as it was there.
    """
    before, value_before = 0, y
    after, value_after = -1, y
    for j in range(n.leads):
        h = plan.leads[j]
        if h <= ahead and h >= before:
            before, value_before = h, published[j]
        if h >= ahead and (after < 0 or h < after):
            after, value_after = h, published[j]
    usual = base(s, m, n, plan, civil + ahead * plan.step_ns)
    b0 = base(s, m, n, plan, civil + before * plan.step_ns)
    if after < 0:
        return value_before + (usual - b0) if not (math.isnan(usual) or math.isnan(b0)) else value_before
    share = (ahead - before) / (after - before) if after > before else 0.0
    b1 = base(s, m, n, plan, civil + after * plan.step_ns)
    if math.isnan(usual) or math.isnan(b0) or math.isnan(b1):
        return value_before + share * (value_after - value_before)
    return usual + (1.0 - share) * (value_before - b0) + share * (value_after - b1)
