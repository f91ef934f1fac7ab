"""Forecast: what is said of each lead now, with intervals; and what is imputed where nothing came. Numba code."""

from __future__ import annotations

import math

import numpy as np

from streamlstm.kernels import conformal, kernel, logit, mix, quantiles, stack, stage
from streamlstm.kernels.medians import median_of
from streamlstm.kernels.season import ERROR
from streamlstm.model.experts import experts, mean_of_cells, prepare, turned
from streamlstm.model.features import profile_value, slots
from streamlstm.model.state import (
    E_CELL,
    E_LONG,
    E_SHORT,
    NAIVES,
    P_EXPERT,
    P_LEANING,
    P_PUBLISHED,
    P_SCALE,
    SOURCES,
    shape,
    target_civil,
)

EARLY = 5.0  # labels' worth of trust in the random walk's scale


@stage
def forecast(s, m, plan, work, k, y, civil, real, out):
    """Fill `out` (see `columns`) for origin k, and keep what its labels will be held against."""
    n = shape(s, work, plan)
    L, M, T = n.leads, n.experts, n.taus
    shares = out[(3 + T + 2 * n.levels) * L :]
    prepare(s, m, plan, work, k)
    for g in range(len(SOURCES)):
        shares[g] = 0.0
    here = slots(s, m, civil)
    for j in range(L):
        place = plan.place[j] + k % plan.leads[j]
        kept = m.pending[place if real else m.pending.shape[0] - 1]  # no label is held against what was imputed
        if real:
            m.origin[place] = k
        target = target_civil(s, plan, s.time_ns, civil, plan.leads[j])
        said = work.expert
        there = slots(s, m, target)
        turn = turned(s, m, target, there, civil + plan.leads[j] * plan.step_ns)
        experts(s, m, plan, work, j, y, here, there, turn, said)
        mix.consult(s.mix[j], said, work.asked, mean_of_cells(n) + 1)
        stack.combine(s.stack[j], said, s.mixture_error[j], work.differences)
        weights = s.mix_weights[j]
        mix.weigh(s.mix[j], plan.prior, plan.penalty, weights)
        mixture, share = mix.blend(weights, said, s.mixture_error[j])
        published = min(max(y + mixture, plan.lowest), plan.highest)
        if n.binary > 0:
            logit.log_odds(said, y, work.odds)
            published = logit.probability(s.logit[j, logit.WEIGHTS], work.odds)
            logit.shares(s.logit[j, logit.WEIGHTS], said, weights)
            share = 1.0
        s.naive_share[j] = mix.naive_share(s.naive_share[j], weights, said, NAIVES)
        s.naive[j] = 1 if mix.falls_back(s.naive[j] != 0, s.naive_share[j]) else 0
        spread = 0.0
        for i in range(M):
            kept[P_EXPERT + i] = said[i]
            if math.isfinite(said[i]):
                weight = weights[i] / share
                spread += weight * abs(said[i] - mixture)
                shares[plan.group[i]] += weight / L
        x = kept[P_EXPERT + M + T :]
        look_ahead(s, m, j, there, spread, middling(said, mixture, work), x)
        size = width(s, plan, work.scales, j, x) * blindness(s, plan, j, k - s.observed)
        kept[P_PUBLISHED] = published - y
        kept[P_SCALE] = size
        out[j] = published
        out[L + j] = y + said[mean_of_cells(n)]
        out[2 * L + j] = y + choose(s, j, said[E_SHORT], said[E_LONG])
        leaning = quantiles.leaning(said, published - y, size)
        kept[P_LEANING] = leaning
        limits = kept[P_EXPERT + M : P_EXPERT + M + T]
        if n.binary > 0:
            truths(s, plan, j, published, out[3 * L :])
        else:
            spread_out(s, plan, work, j, published, size, leaning, out[3 * L :], limits, y)


@kernel
def middling(said, mixture, work):
    """The median distance of a few experts of different kinds from the mixture: all of them would cost too much."""
    count = 0
    for i in (0, 1, 5, 7, 10, 12, E_CELL):
        work.few[count] = abs(said[i] - mixture)
        count += 1
    return median_of(work.few, count, work.sorted)


@kernel
def spread_out(s, plan, work, j, published, size, leaning, out, kept, y):
    """The quantiles of lead j into out and kept (T,): ascending, around the forecast. out (T + 2Q, L) flattened."""
    L, T = s.slow.shape
    quantiles.spread(s.slow[j], s.fast[j], s.lean[j], plan.taus, leaning, work.multiples)
    for i in range(T):
        value = min(max(published + work.multiples[i] * size, plan.lowest), plan.highest)
        out[i * L + j] = value
        kept[i] = value - y
    Q = s.covered.shape[0]
    for level in range(Q):
        low, high = out[plan.levels[0, level] * L + j], out[plan.levels[1, level] * L + j]
        out[(T + level) * L + j] = outward(plan, low, -1.0)
        out[(T + Q + level) * L + j] = outward(plan, high, 1.0)


@kernel
def outward(plan, end, side):
    """An interval's end: of values that are whole numbers, the next one outward; side -1 or 1."""
    return side * np.ceil(side * end) if plan.whole != 0 else end


@kernel
def truths(s, plan, j, p, out):
    """The same for a truth value that is 1 with probability p; its intervals are the fewest values that hold enough."""
    L, T = s.slow.shape
    Q = s.covered.shape[0]
    for i in range(T):
        out[i * L + j] = logit.quantile(p, plan.taus[i])
    for level in range(Q):
        nominal = plan.taus[plan.levels[1, level]] - plan.taus[plan.levels[0, level]]
        out[(T + level) * L + j], out[(T + Q + level) * L + j] = logit.interval(p, nominal)


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
def look_ahead(s, m, j, there, spread, middling, x):
    """What the size of the error at lead j hangs on, as log ratios, each less its own running mean. x (X,).

    there: the slots of both seasons at the target; spread: Σ w |E - F|; middling: median |E - F|.
    """
    size, first = s.error_size[j], s.error_size[0]
    base = max(size[1], 0.05 * size[0])
    x[0] = log_ratio(size[2], base)
    x[1] = log_ratio(first[2], first[1])
    x[2] = log_ratio(m.season_0[ERROR, there[0]], 1.0)
    x[3] = log_ratio(m.season_1[ERROR, there[1]], 1.0)
    x[4] = log_ratio(s.error_size[j - 1, 2], s.error_size[j - 1, 1]) if j > 0 else 0.0
    x[5] = log_ratio(middling, size[0])
    x[6] = log_ratio(spread, size[0])
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
def blindness(s, plan, j, unseen):
    """How much larger errors are at lead j when nothing was seen for so many steps: as at the lead that much longer.

    Between leads errors grow by a power of the lead. Beyond the longest they go on so, at most by its root, and not
    beyond what the series strays from its mean.
    """
    own = s.error_size[j, 1]
    if unseen <= 0 or not own > 0.0:
        return 1.0
    h = plan.leads[j] + unseen
    before, after, shorter = j, -1, -1
    for i in range(s.labels.shape[0]):
        if s.labels[i] > EARLY and s.error_size[i, 1] > 0.0:
            if plan.leads[i] <= h:
                before = i if plan.leads[i] > plan.leads[before] else before
            elif after < 0 or plan.leads[i] < plan.leads[after]:
                after = i
    for i in range(s.labels.shape[0]):
        known = s.labels[i] > EARLY and s.error_size[i, 1] > 0.0
        if known and plan.leads[i] < plan.leads[before] and (shorter < 0 or plan.leads[i] > plan.leads[shorter]):
            shorter = i
    error, power = s.error_size[before, 1], 0.5
    if after >= 0:
        power = growth(s, plan, before, after)
    elif shorter >= 0:
        power = min(growth(s, plan, shorter, before), 0.5)
    grown = error * math.exp(max(power, 0.0) * math.log(h / plan.leads[before]))
    if after < 0:
        grown = min(grown, max(error, math.sqrt(2.0 / math.pi * s.variance)))
    return max(grown / own, 1.0)


@kernel
def growth(s, plan, i, j):
    """The power of the lead by which errors grow from lead i to lead j."""
    return math.log(s.error_size[j, 1] / s.error_size[i, 1]) / math.log(plan.leads[j] / plan.leads[i])


@kernel
def between(s, m, n, plan, published, y, civil, ahead):
    """The forecast `ahead` steps from an origin: between the leads linear *relative to the seasonal profile*.

    published (L,) the forecasts at the leads; y the origin's value. Beyond the last lead the deviation from the profile
    stays as it was there; where the profile is the better forecast of the two at that lead, it fades.
    """
    before, value_before, nearest = 0, y, 0
    after, value_after = -1, y
    for j in range(n.leads):
        h = plan.leads[j]
        if h <= ahead and h >= before:
            before, value_before, nearest = h, published[j], j
        if h >= ahead and (after < 0 or h < after):
            after, value_after = h, published[j]
    usual = profile_value(s, m, slots(s, m, civil + ahead * plan.step_ns))
    b0 = profile_value(s, m, slots(s, m, civil + before * plan.step_ns))
    if after < 0:
        if math.isnan(usual) or math.isnan(b0):
            return value_before
        fades = min(s.profile_error[0], s.profile_error[1]) < s.mae_persistence[nearest]
        return usual + (value_before - b0) * (math.exp(-(ahead - before) / before) if fades and before > 0 else 1.0)
    share = (ahead - before) / (after - before) if after > before else 0.0
    b1 = profile_value(s, m, slots(s, m, civil + after * plan.step_ns))
    if math.isnan(usual) or math.isnan(b0) or math.isnan(b1):
        return value_before + share * (value_after - value_before)
    return usual + (1.0 - share) * (value_before - b0) + share * (value_after - b1)
