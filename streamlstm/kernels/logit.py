"""The probability that a truth value will be 1: the experts' forecasts as log odds, added up with learned weights.

Logistic regression on their log odds, one gradient step a label with AdaGrad's rates (Duchi, Hazan and Singer 2011).
A sum of log odds can be surer than every expert, or less sure than all: a median says 0 or 1, this says how likely.
Twin: `tests/reference_logit.py`. M experts, K = M + 1 with the constant.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, linear

WEIGHTS, SQUARES = 0, 1  # rows of a lead's state (2, K)
START = 10.0  # of the sums of squares
RATE = 0.05
NEAR = 0.02  # a forecast is held this far from 0 and from 1, where its log odds would be infinite
SURE = 12.0  # log odds of the surest probability: 1 in 160,000


@kernel
def log_odds(forecasts, y, out):
    """x = log(q/(1-q)), q = y + forecast within NEAR ... 1 - NEAR; 0 where there is none; last the constant 1.

    forecasts (M,) less the origin's value y, NaN where there is none; out (K,).
    """
    M = forecasts.shape[0]
    for m in range(M):
        there = math.isfinite(forecasts[m])
        q = min(max(y + forecasts[m], NEAR), 1.0 - NEAR) if there else 0.5
        out[m] = math.log(q / (1.0 - q))
    out[M] = 1.0


@kernel
def probability(weights, x):
    """p = 1/(1 + exp(-wᵀx)), wᵀx within ±SURE. weights and x (K,)."""
    return 1.0 / (1.0 + math.exp(-min(max(linear.inner(weights, x), -SURE), SURE)))


@kernel
def learn(state, x, y):
    """One matured label y, 0 or 1, of an origin with log odds x (K,):  of its loss -log p(y)

        g = (p - y) x,   G <- G + g²,   w <- w - RATE g/√G

    state (2, K): weights, 1/M each and 0 for the constant at birth; sums of squares, START at birth.
    """
    miss = probability(state[WEIGHTS], x) - y
    for m in range(x.shape[0]):
        g = miss * x[m]
        state[SQUARES, m] += g * g
        state[WEIGHTS, m] -= RATE * g / math.sqrt(state[SQUARES, m])


@kernel
def shares(weights, forecasts, out):
    """How much of a probability is whose: |w| of the experts that have a forecast, over their sum; else as out was.

    weights (K,), forecasts and out (M,).
    """
    total = 0.0
    for m in range(out.shape[0]):
        total += abs(weights[m]) if math.isfinite(forecasts[m]) else 0.0
    if total > 0.0:
        for m in range(out.shape[0]):
            out[m] = abs(weights[m]) / total if math.isfinite(forecasts[m]) else 0.0


@kernel
def quantile(p, tau):
    """The least value at or below which the truth value lies with probability tau, when it is 1 with probability p."""
    return 1.0 if tau > 1.0 - p else 0.0


@kernel
def interval(p, level):
    """The ends of the fewest values that hold the truth value with at least that probability: {0}, {1} or both."""
    return (1.0 if p >= level and p >= 0.5 else 0.0), (0.0 if 1.0 - p >= level and p < 0.5 else 1.0)


@kernel
def surprise(p, y):
    """-log of the probability that was given to y, 0 or 1."""
    return -math.log(max(p if y > 0.5 else 1.0 - p, 1e-12))
