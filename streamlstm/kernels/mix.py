"""Which expert to believe, at one lead: weights learned from matured labels, second-order as in Wintenberger's BOA.

Gains are of a smoothed absolute loss, in units of the mixture's usual error, so nothing here has a unit. An expert that
had no forecast (NaN) neither gains nor loses. Twin: `tests/reference_mix.py`. M experts, ROWS numbers for each.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel

ROWS = 6
S, V, R, P, RBAR, B = range(ROWS)  # see `settle` and `news`; zeros at birth
DISCOUNT = 0.9998
HALF = 0.5  # below so many usual errors the loss is a square's
REACH = 5.0  # of one gain
ETA = 0.5  # times 1/B: the largest learning rate, and half of it ever: an expert never seen has no B
GROWN = 300.0  # labels until the penalty of a learner has gone
HEARD = 30  # labels that a shorter lead needs before it is listened to
FAINT = -60.0  # logarithm of the least weight against the largest: alone, it must still sum to 1
WILD = 6.0  # the usual error takes an error for at most so many of itself


@kernel
def usual_error(size, n, error):
    """The running mean |error| after the n-th label: s + max(.003, 1/n) (min(|error|, 6 s) - s)."""
    e = abs(error)
    if size > 0.0:
        e = min(e, WILD * size)
    return size + max(0.003, 1.0 / n) * (e - size)


@kernel
def learning_rate(v, b, experts):
    """η = min(.5/B, √(ln(M+1)/V)), with B of at least 1."""
    fastest = ETA / max(b, 1.0)
    if v * fastest * fastest <= math.log(experts + 1.0):
        return fastest
    return math.sqrt(math.log(experts + 1.0) / v)


@kernel
def weigh(state, prior, penalty, n, out):
    """Weights of all experts after n labels, as if all had a forecast; they sum to 1.

        w ∝ prior η exp(η (R + P)) exp(-penalty max(0, 1 - n/300))

    state (ROWS, M), prior (M,) not negative and not all 0, penalty (M,), out (M,).
    """
    M = out.shape[0]
    youth = max(0.0, 1.0 - n / GROWN)
    top = -math.inf
    for m in range(M):
        eta = learning_rate(state[V, m], state[B, m], M)
        out[m] = -math.inf
        if prior[m] > 0.0:
            out[m] = math.log(prior[m] * eta) + eta * (state[R, m] + state[P, m]) - penalty[m] * youth
        top = max(top, out[m])
    total = 0.0
    for m in range(M):
        out[m] = math.exp(max(out[m] - top, FAINT)) if prior[m] > 0.0 else 0.0
        total += out[m]
    for m in range(M):
        out[m] /= total


@kernel
def blend(weights, forecasts):
    """(F, share): the weighted mean of the experts that have a forecast, and how much of the weight is theirs.

    weights and forecasts (M,), the latter NaN where there is none. With no expert at all F is NaN, share 0.
    """
    total, share = 0.0, 0.0
    for m in range(weights.shape[0]):
        if math.isfinite(forecasts[m]):
            total += weights[m] * forecasts[m]
            share += weights[m]
    return (total / share if share > 0.0 else math.nan), share


@kernel
def settle(state, forecasts, mixture, y, size, lead, regret):
    """Take in one matured label y: what each expert E would have gained on the mixture F, and how surely.

        e = F - y,   g = clip(e / .5s, ±1),   r = g clip((F - E)/s, ±5)
        v = max(0, r² + 2 λ S r),   S <- λ S + r,   λ = exp(-1/(.1 h))     delayed labels correlate the gains
        V <- d V + v,   B <- max(B, |r|),   R <- d R + r - η v,   d = .9998

    After Wintenberger, "Optimal learning with Bernstein online aggregation" (2017), with r linearised at F.
    state (ROWS, M); forecasts (M,) as made at the origin, NaN where there was none; mixture as made there; size s, the
    mixture's usual error before this label; lead h in steps; regret (M,) receives r, 0 where there was no forecast.
    """
    M = forecasts.shape[0]
    error = mixture - y
    s = size if size > 0.0 else abs(error)  # the first error is its own measure
    g = min(max(error / (HALF * s), -1.0), 1.0) if s > 0.0 else 0.0
    memory = math.exp(-10.0 / lead)
    for m in range(M):
        regret[m] = 0.0
        if not math.isfinite(forecasts[m]) or g == 0.0:
            continue
        r = g * min(max((mixture - forecasts[m]) / s, -REACH), REACH)
        v = max(0.0, r * r + 2.0 * memory * state[S, m] * r)
        state[S, m] = memory * state[S, m] + r
        state[V, m] = DISCOUNT * state[V, m] + v
        state[B, m] = max(state[B, m], abs(r))
        eta = learning_rate(state[V, m], state[B, m], M)
        state[R, m] = DISCOUNT * state[R, m] + r - eta * v
        regret[m] = r


@kernel
def news(state, regret, lead, shorter, n):
    """Tell lead h what lead p < h has just learned, of origins that h's own labels have not reached yet.

        P <- (1 - 1/(3 (h - p) + 1)) P + r - r̄,   r̄ <- r̄ + max(.002, 1/n) (r - r̄)

    state (ROWS, M) of lead h; regret (M,) of the n-th label of lead p.
    """
    keep = 1.0 - 1.0 / (3.0 * (lead - shorter) + 1.0)
    rate = max(0.002, 1.0 / n)
    for m in range(regret.shape[0]):
        if n > HEARD:
            state[P, m] = keep * state[P, m] + regret[m] - state[RBAR, m]
        state[RBAR, m] += rate * (regret[m] - state[RBAR, m])
