"""Settle: what a new observation says of the forecasts that were made for it. Numba code.

Everything here is scored with the scale and the quantiles that were known before the observation.
"""

from __future__ import annotations

import math

from streamlstm.kernels import conformal, kernel, linear, score, stage
from streamlstm.kernels.season import slot
from streamlstm.model.features import floored
from streamlstm.model.state import (
    ERROR,
    LSTM,
    P_LOWER,
    P_LSTM,
    P_PUBLISHED,
    P_SCALE,
    P_SHORT,
    PERSISTENCE,
    SEASONAL,
    shape,
)

ERROR_RATE = 0.002  # of the running mean absolute errors: the skill of about the last five hundred labels
SCALE_RATE = 0.001  # of persistence's mean square error at each lead
SLOT_RATE = 0.05  # of the usual error in a slot of the season
BETTER = 0.98  # a naive forecast takes over when its error is below this share of the LSTM's; the LSTM returns below 1
SETTLED = 20  # labels before anything is preferred to the LSTM


@kernel
def running(mean, value, n, rate):
    """An expanding mean that turns exponential: n counts the values, this one included."""
    return mean + max(rate, 1.0 / n) * (value - mean)


@stage
def settle(s, m, plan, work, levels, k, y, civil):
    """Score every forecast made for step k. Returns the surprise at the shortest lead, NaN where there was none."""
    n = shape(s, work, plan)
    surprise = math.nan
    ratios, count = 0.0, 0
    for j in range(n.leads):
        h = plan.leads[j]
        place = (k - h) % plan.pending
        if k - h < 0 or m.origin[place] != k - h:
            continue
        kept, y0 = m.pending[place, j], m.pending_y[place]
        step = y - y0  # persistence's error; all kept forecasts are differences to the origin's value, too
        error = abs(step - kept[P_PUBLISHED])
        s.labels[j] += 1
        labels = s.labels[j]
        scale = math.sqrt(s.lead_square[j])
        judge(s, j, labels, step, kept)
        bounded = min(abs(step), 10.0 * scale) if labels > 30 else abs(step)
        s.lead_square[j] = running(s.lead_square[j], bounded * bounded, labels, SCALE_RATE)
        size = floored(kept[P_SCALE] * 1.0, y)
        if j == 0 and s.seen > SETTLED:
            surprise = score.surprise(s.tail, error / size)
        if labels > 10:
            ratios += min(error / floored(s.error_size[j, 1], y), 5.0)
            count += 1
        calibrate(s, n, levels, j, labels, step, kept, size, h)
        conformal.error_sizes(s.error_size[j], labels, error)
        # the linear branch learns in units of the lead's scale, as its regressors are in units of the deviation
        gain = m.pending_gain[place]
        linear.correct(s.coefficients[j], gain[0], gain[1], step / floored(math.sqrt(s.lead_square[j]), y))
    if count > 0:
        at0 = slot(civil, plan.season_ns[0], m.season_0.shape[1])
        at1 = slot(civil, plan.season_ns[1], m.season_1.shape[1])
        m.season_0[ERROR, at0] += SLOT_RATE * (ratios / count - m.season_0[ERROR, at0])
        m.season_1[ERROR, at1] += 3.0 * SLOT_RATE * (ratios / count - m.season_1[ERROR, at1])
    return surprise


@kernel
def judge(s, j, labels, step, kept):
    """Running errors of the rivals at one lead, and whose forecast is published from now on."""
    s.mae_published[j] = running(s.mae_published[j], abs(step - kept[P_PUBLISHED]), labels, ERROR_RATE)
    s.mae_lstm[j] = running(s.mae_lstm[j], abs(step - kept[P_LSTM]), labels, ERROR_RATE)
    s.mae_persistence[j] = running(s.mae_persistence[j], abs(step), labels, ERROR_RATE)
    best, naive = s.mae_persistence[j], PERSISTENCE
    for season in range(2):
        difference = kept[P_SHORT + season]
        if not math.isnan(difference):
            s.seasonal_labels[season, j] += 1.0
            seen = s.seasonal_labels[season, j]
            s.mae_seasonal[season, j] = running(s.mae_seasonal[season, j], abs(step - difference), seen, ERROR_RATE)
            if seen > SETTLED and s.mae_seasonal[season, j] < best:
                best, naive = s.mae_seasonal[season, j], SEASONAL
    if labels > SETTLED:
        if best < BETTER * s.mae_lstm[j]:
            s.source[j] = naive
        elif s.source[j] != LSTM:
            s.source[j] = LSTM if s.mae_lstm[j] < best else naive


@kernel
def calibrate(s, n, levels, j, labels, step, kept, size, h):
    """Whether the intervals held, and what their quantiles and scale learn from it."""
    ratio = (step - kept[P_PUBLISHED]) / size
    for level in range(n.levels):
        inside = kept[P_LOWER + level] <= step <= kept[P_LOWER + n.levels + level]
        s.covered[level, j] = running(s.covered[level, j], 1.0 if inside else 0.0, labels, ERROR_RATE)
        below = 0.5 - 0.5 * levels[level]
        s.quantile_low[level, j] = conformal.track(s.quantile_low[level, j], below, ratio, labels, h)
        s.quantile_high[level, j] = conformal.track(s.quantile_high[level, j], 1.0 - below, ratio, labels, h)
    if labels > 10:
        x = kept[P_LOWER + 2 * n.levels :]
        conformal.learn_scale(s.exponents[j], s.exponent_squares[j], x, abs(ratio))
