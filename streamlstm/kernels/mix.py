"""Which expert to believe, at one lead: weights learned from matured labels, second-order as in Wintenberger's BOA.

Gains are of a smoothed absolute loss, in units of the mixture's usual error, so nothing here has a unit. An expert that
has no forecast (NaN) neither gains nor loses, and one that never had any is taken for an average one. The last three of
the M experts are committees of the others: `consult` fills in two, `streamlstm.kernels.stack` the last.
Twin: `tests/reference_mix.py`. M experts, ROWS numbers for each.
"""

from __future__ import annotations

import math

import numpy as np

from streamlstm.kernels import kernel
from streamlstm.kernels.activation import exp32

ROWS = 9  # of a lead's state, zeros at birth
S, V, R, B = 0, 1, 2, 3  # correlated gains, their squares, their sum less what their scatter feigns, the largest
STEP = 4  # η, 0 before the first label
P, RBAR = 5, 6  # news from the next shorter lead, and the mean of what it says
SEEN, MISS = 7, 8  # labels that found a forecast; recent mean |error|, in the series' unit
COMMITTEES = 3  # median of all, mean by recent error, best linear combination: the last experts, in this order

DISCOUNT = 0.9998
HALF = 0.1  # below so many usual errors the loss is a square's
REACH = 10.0  # of one gain: smaller, and a series whose error is a few great ones learns from none of them
ETA = 0.5  # times 1/B: the largest learning rate
GROWN = 300.0  # labels until a learner's penalty has gone
MEMORY = 0.15  # leads over which gains are correlated
HEARD = 30  # labels that a lead needs before it speaks, and before it listens, to another lead
FAINT = -60.0  # logarithm of the least share against the largest: alone, it must still sum to 1
FAR = 8.0  # usual errors from the weighted mean, from where on a forecast pulls no harder
WILD = 3.0  # the usual error takes an error for at most so many of itself
USUAL, RECENT = 0.01, 0.1  # rates of the mixture's usual error and of an expert's recent one
STEADY = 0.05  # rate of the running share of naive experts
FALL, RETURN = 0.6, 0.4  # shares from where on, and until where, a forecast counts as naive
NOTHING = 1e-200  # a usual error below this is none: its inverse times a gain would not be a number


@kernel
def usual_error(size, n, error):
    """The running mean |error| after the n-th label: s + max(.01, 1/n) (min(|error|, 3 s) - s)."""
    e = abs(error)
    if size > 0.0:
        e = min(e, WILD * size)
    return size + max(USUAL, 1.0 / n) * (e - size)


@kernel
def consult(state, forecasts, scratch, voters):
    """Fill in two committees' forecasts: the median of the first, and the mean of all with weights (recent error)^-8.

    The median has no memory: experts that may be noise have no vote in it. state (ROWS, M); forecasts (M,), of which
    the last but one and two are written, NaN where nobody can be asked; scratch (M,); voters, up to M - COMMITTEES.
    """
    M = forecasts.shape[0] - COMMITTEES
    there, least = 0, math.inf
    for m in range(M):
        known = math.isfinite(forecasts[m])
        scratch[m] = forecasts[m] if known and m < voters else math.inf
        there += 1 if known and m < voters else 0
        least = min(least, state[MISS, m] if known and state[SEEN, m] > 0.0 else math.inf)
    low, high = -math.inf, -math.inf
    for i in range(voters):  # the k-th is the largest of those that have at most k below them: no branch to mispredict
        below = 0
        for j in range(voters):
            below += 1 if scratch[j] < scratch[i] else 0
        low = max(low, scratch[i] if below <= (there - 1) // 2 else -math.inf)
        high = max(high, scratch[i] if below <= there // 2 else -math.inf)
    total, weight = 0.0, 0.0
    for m in range(M):
        if math.isfinite(forecasts[m]) and state[SEEN, m] > 0.0:
            ratio = least / state[MISS, m] if state[MISS, m] > NOTHING else 1.0
            ratio *= ratio
            ratio *= ratio
            total += ratio * ratio * forecasts[m]
            weight += ratio * ratio
    forecasts[M] = 0.5 * low + 0.5 * high if there > 0 else math.nan
    forecasts[M + 1] = total / weight if weight > 0.0 else math.nan


@kernel
def weigh(state, prior, penalty, out):
    """Weights of all experts, as if all had a forecast; they sum to 1.

        w ∝ prior η exp(η (R + P)) exp(-penalty max(0, 1 - seen/300))

    state (ROWS, M), prior (M,) not negative and not all 0, penalty (M,), out (M,).
    """
    M = out.shape[0]
    top = -math.inf
    for m in range(M):
        eta = state[STEP, m] if state[STEP, m] > 0.0 else ETA
        out[m] = eta * (state[R, m] + state[P, m]) - penalty[m] * max(0.0, 1.0 - state[SEEN, m] / GROWN)
        top = max(top, out[m] if prior[m] > 0.0 else -math.inf)
    for m in range(M):
        eta = state[STEP, m] if state[STEP, m] > 0.0 else ETA
        out[m] = prior[m] * eta * exp32(np.float32(min(max(out[m] - top, FAINT), 0.0)))
    total = 0.0
    for m in range(M):
        total += out[m]
    for m in range(M):
        out[m] /= total


@kernel
def blend(weights, forecasts, size):
    """(F, share): the mean of the experts that have a forecast, and how much of the weight is theirs.

        F₀ = Σ w E / Σ w,   F = Σ w' E / Σ w',   w' = w min(1, 8 s / |E - F₀|)

    One step from the weighted mean towards Huber's estimate of location. weights and forecasts (M,), the latter NaN
    where there is none; size s, the mixture's usual error, 0 before the first. Without an expert F is NaN, share 0.
    """
    first, share = math.nan, 0.0
    for m in range(weights.shape[0]):
        there = math.isfinite(forecasts[m])
        share += weights[m] if there else 0.0
        first = forecasts[m] if there else first
    if not share > 0.0:
        return math.nan, 0.0
    centre = 0.0
    for m in range(weights.shape[0]):  # differences, so that the mean of equal forecasts is what they are
        centre += weights[m] * (forecasts[m] - first) if math.isfinite(forecasts[m]) else 0.0
    centre /= share
    if not size > NOTHING:
        return first + centre, share
    total, near = 0.0, 0.0
    for m in range(weights.shape[0]):
        there = math.isfinite(forecasts[m])
        away = forecasts[m] - first if there else 0.0
        w = weights[m] * (FAR * size / max(abs(away - centre), FAR * size)) if there else 0.0
        total += w * away
        near += w
    return first + total / near, share


@kernel
def settle(state, forecasts, mixture, y, size, lead, weights, regret):
    """Take in one matured label y: what each expert E would have gained on the mixture F, and how surely.

        e = F - y,   g = clip(e / .1s, ±1),   r = g clip((F - E)/s, ±10)
        v = max(0, r² + 2 λ S r),   S <- λ S + r,   λ = exp(-1/(.15 h))     delayed labels correlate the gains
        V <- d V + v,   B <- max(B, |r|),   η = min(.5 / max(B, 1), √(ln(M+1)/V)),   R <- d R + r - η v,   d = .9998
        without a forecast:  r = v = 0;  who never had one:  r = 0,  v = the mean v of those who had, by weight

    After Wintenberger, "Optimal learning with Bernstein online aggregation" (2017), with r linearised at F. If nothing
    were held against those who never had a forecast, a newcomer would take most of the weight before it has earned any.

    state (ROWS, M); forecasts (M,) as made at the origin, NaN where there was none; mixture as made there; size s, the
    mixture's usual error before this label; lead h in steps; weights (M,) as last weighed; regret (M,) receives r.
    """
    M = forecasts.shape[0]
    error = mixture - y
    s = size if size > NOTHING else abs(error)  # the first error is its own measure
    per = 1.0 / s if s > NOTHING else 0.0
    g = min(max(error * per / HALF, -1.0), 1.0)
    memory = math.exp(-1.0 / (MEMORY * lead))
    logarithm = math.log(M + 1.0)
    for m in range(M):
        there = math.isfinite(forecasts[m])
        miss = abs(forecasts[m] - y) - state[MISS, m] if there else 0.0
        state[SEEN, m] += 1.0 if there else 0.0
        state[MISS, m] += max(RECENT, 1.0 / max(state[SEEN, m], 1.0)) * miss
        regret[m] = g * min(max((mixture - forecasts[m]) * per, -REACH), REACH) if there else 0.0
        state[B, m] = max(state[B, m], abs(regret[m]))
    scatter, weight = 0.0, 0.0
    for m in range(M):
        if math.isfinite(forecasts[m]):
            scatter += weights[m] * max(0.0, regret[m] * (regret[m] + 2.0 * memory * state[S, m]))
            weight += weights[m]
    usual = scatter / weight if weight > 0.0 else 0.0
    for m in range(M):  # in three loops, or the compiler gives up on telling the rows apart, and takes them one by one
        v = max(0.0, regret[m] * (regret[m] + 2.0 * memory * state[S, m])) if state[SEEN, m] > 0.0 else usual
        state[V, m] = DISCOUNT * state[V, m] + v
    for m in range(M):
        square, bound = max(state[V, m], NOTHING), max(state[B, m], 1.0)
        state[STEP, m] = math.sqrt(min(ETA * ETA * square, logarithm * bound * bound) / (square * bound * bound))
    for m in range(M):
        r = regret[m]
        v = max(0.0, r * (r + 2.0 * memory * state[S, m])) if state[SEEN, m] > 0.0 else usual
        state[S, m] = memory * state[S, m] + r
        state[R, m] = DISCOUNT * state[R, m] + r - state[STEP, m] * v


@kernel
def news(state, regret, lead, shorter, n, own):
    """Tell lead h what lead p < h has just learned, of origins that h's own labels have not reached yet.

        P <- (1 - 1/(h - p + 1)) P + r - r̄,   r̄ <- r̄ + max(.002, 1/n) (r - r̄)

    Only changes count: what is good at p need not be at h. state (ROWS, M) of lead h; regret (M,) of the n-th label of
    lead p, the largest lead up to h/2; own, how many labels h has had.
    """
    keep = 1.0 - 1.0 / (lead - shorter + 1.0)
    rate = max(0.002, 1.0 / n)
    for m in range(regret.shape[0]):
        if n > HEARD and own >= HEARD:
            state[P, m] = keep * state[P, m] + regret[m] - state[RBAR, m]
        state[RBAR, m] += rate * (regret[m] - state[RBAR, m])


@kernel
def naive_share(share, weights, forecasts, naives):
    """The running share of the first `naives` experts in what is published: u + .05 (their weight - u), 1 at birth.

    weights and forecasts (M,), NaN where there is none; absent experts' weight is nobody's.
    """
    theirs, whole = 0.0, 0.0
    for m in range(weights.shape[0]):
        if math.isfinite(forecasts[m]):
            whole += weights[m]
            theirs += weights[m] if m < naives else 0.0
    return share + STEADY * (theirs / whole - share) if whole > 0.0 else share


@kernel
def falls_back(fallen, share):
    """Whether the forecast counts as naive: from a share above .6 on, until it is below .4. True at birth."""
    return share > RETURN if fallen else share > FALL
