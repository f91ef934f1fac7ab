"""Settle: what a new observation says of the forecasts that were made for it. Numba code.

Everything here is scored with the scale, the weights and the quantiles that were known before the observation.
"""

from __future__ import annotations

import math

from streamlstm.kernels import conformal, detect, drift, kernel, linear, logit, mix, quantiles, stack, stage
from streamlstm.kernels.season import ERROR
from streamlstm.kernels.unit import floored
from streamlstm.model.experts import base_of
from streamlstm.model.features import slots
from streamlstm.model.state import (
    BASES,
    E_SHORT,
    P_EXPERT,
    P_LEANING,
    P_PUBLISHED,
    P_SCALE,
    shape,
)

ERROR_RATE = 0.002  # of the running mean absolute errors: the skill of about the last five hundred labels
SCALE_RATE = 0.001  # of the bases' mean square errors at each lead
SLOT_RATE = 0.05  # of the usual error in a slot of the season
SETTLED = 20  # observations before an error is called surprising


@kernel
def running(mean, value, n, rate):
    """An expanding mean that turns exponential: n counts the values, this one included."""
    return mean + max(rate, 1.0 / n) * (value - mean)


@stage
def settle(s, m, plan, work, k, y, civil):
    """Score every forecast made for step k. Returns the surprise at the nearest lead, NaN where there was none."""
    n = shape(s, work, plan)
    M, T = n.experts, n.taus
    ratios, count = 0.0, 0
    for j in range(n.leads):
        h = plan.leads[j]
        work.ratios[j] = math.nan
        place = plan.place[j] + (k - h) % h
        if k - h < 0 or m.origin[place] != k - h:
            continue
        kept = m.pending[place]
        step = y - m.past_y[(k - h) % plan.memory]  # all kept forecasts are differences to the origin's value, too
        error = abs(step - kept[P_PUBLISHED])
        s.labels[j] += 1
        labels = s.labels[j]
        said = kept[P_EXPERT : P_EXPERT + M]
        regress_labels(s, m, plan, j, k, step, said)
        judge(s, j, labels, step, error * error if n.binary > 0 else error, kept)
        usual = s.mixture_error[j]
        mix.settle(s.mix[j], said, kept[P_PUBLISHED], step, usual, h * 1.0, s.mix_weights[j], work.regret[j])
        stack.learn(
            s.stack[j], s.stack_covariance[j], said, step, usual, work.differences, work.product, work.stack_gain
        )
        s.mixture_error[j] = mix.usual_error(usual, labels, error)
        size = floored(kept[P_SCALE] * 1.0, y)
        work.ratios[j] = error / size
        if n.binary > 0:
            work.ratios[j] = settle_truth(s, plan, work, j, labels, y - step, y, kept, said)
        if labels > 10:
            ratios += min(error / floored(s.error_size[j, 1], y), 5.0)
            count += 1
        if n.binary == 0:
            calibrate(s, n, plan, j, labels, step, y, kept, h)
        if labels > 10:
            conformal.learn_scale(s.exponents[j], s.exponent_squares[j], kept[P_EXPERT + M + T :], error / size)
        if j == 0:
            watch(s, labels, error)
        conformal.error_sizes(s.error_size[j], labels, error)
    tell(s, m, plan, work, k)
    surprise = math.nan
    if s.seen > SETTLED:
        s.alarm = detect.watch(s.tails, s.windows, s.runs, s.event, work.ratios, math.nan if n.binary > 0 else y)
        surprise = s.event[4] / 3.0
    if count > 0:
        at0, at1 = slots(s, m, civil)
        m.season_0[ERROR, at0] += SLOT_RATE * (ratios / count - m.season_0[ERROR, at0])
        m.season_1[ERROR, at1] += 3.0 * SLOT_RATE * (ratios / count - m.season_1[ERROR, at1])
    return surprise


@kernel
def watch(s, labels, error):
    """Whether the errors of the first lead drift."""
    size = s.error_size[0]
    if labels <= SETTLED or not size[1] > 0.0:
        return
    if drift.begins(s.drift, min(error / size[1], drift.WILD)):
        s.drifting = 1
        s.seen_at_drift = s.seen
        s.drifts += 1
    elif s.drifting == 1 and s.seen - s.seen_at_drift > SETTLED and size[2] <= drift.SETTLED * size[1]:
        s.drifting = 0


@kernel
def tell(s, m, plan, work, k):
    """Each lead hears what the longest lead of at most half of it has just learned."""
    for j in range(s.labels.shape[0]):
        p = plan.shorter[j]
        if p >= 0 and k >= plan.leads[p] and m.origin[plan.place[p] + k % plan.leads[p]] == k - plan.leads[p]:
            mix.news(s.mix[j], work.regret[p], plan.leads[j] * 1.0, plan.leads[p] * 1.0, s.labels[p], s.labels[j])


@kernel
def regress_labels(s, m, plan, j, k, step, said):
    """Move the bases' scales, and teach the linear branch what was left of each base, in its scale."""
    for base in range(len(BASES)):
        start = base_of(base, said)
        if math.isnan(start):
            continue
        rest = step - start
        s.base_labels[base, j] += 1.0
        seen = s.base_labels[base, j]
        usual = math.sqrt(s.base_square[base, j])
        bounded = min(abs(rest), 10.0 * usual) if seen > 30.0 and usual > 0.0 else abs(rest)  # or 0 would stay 0
        s.base_square[base, j] = running(s.base_square[base, j], bounded * bounded, seen, SCALE_RATE)
        if base < 3:
            gain = m.pending_gain[(k - plan.leads[j]) % plan.longest]
            unit = floored(math.sqrt(s.base_square[base, j]), s.mean)
            linear.correct(s.coefficients[base, j], gain[0], gain[1], rest / unit)
            if base < s.beside_coefficients.shape[0]:
                gain = m.pending_beside[plan.place[j] + (k - plan.leads[j]) % plan.leads[j]]
                linear.correct(s.beside_coefficients[base, j], gain[0], gain[1], rest / unit)


@kernel
def settle_truth(s, plan, work, j, labels, before, y, kept, said):
    """A truth value against the probability that it was given. Returns how surprising it is: -log p.

    before: the origin's value.
    """
    p = kept[P_PUBLISHED] + before
    for level in range(s.covered.shape[0]):
        low, high = logit.interval(p, plan.taus[plan.levels[1, level]] - plan.taus[plan.levels[0, level]])
        s.covered[level, j] = running(s.covered[level, j], 1.0 if low <= y <= high else 0.0, labels, ERROR_RATE)
    logit.log_odds(said, before, work.odds)
    logit.learn(s.logit[j], work.odds, y)
    return logit.surprise(p, y)


@kernel
def judge(s, j, labels, step, error, kept):
    """Running errors of what was published and of the naive forecasts at one lead; of truth values their squares.

    A probability is judged by Brier's score, the mean square; that of a forecast of 0 or 1 is its absolute error.
    """
    s.mae_published[j] = running(s.mae_published[j], error, labels, ERROR_RATE)
    s.mae_persistence[j] = running(s.mae_persistence[j], abs(step), labels, ERROR_RATE)
    for season in range(2):
        difference = kept[P_EXPERT + E_SHORT + season]
        if not math.isnan(difference):
            s.seasonal_labels[season, j] += 1.0
            seen = s.seasonal_labels[season, j]
            s.mae_seasonal[season, j] = running(s.mae_seasonal[season, j], abs(step - difference), seen, ERROR_RATE)


@kernel
def calibrate(s, n, plan, j, labels, step, y, kept, h):
    """Whether the intervals held, and what the quantiles learn from it."""
    first = P_EXPERT + n.experts
    for level in range(n.levels):
        low, high = kept[first + plan.levels[0, level]], kept[first + plan.levels[1, level]]
        inside = low <= step <= high
        if plan.whole != 0:  # as they were published: between whole numbers
            inside = y + 1.0 > y - step + low and y - 1.0 < y - step + high
        s.covered[level, j] = running(s.covered[level, j], 1.0 if inside else 0.0, labels, ERROR_RATE)
    limits = kept[first : first + n.taus]
    quantiles.track(s.slow[j], s.fast[j], s.lean[j], plan.taus, limits, step, kept[P_LEANING], labels, h * 1.0)
