"""The scale of the error to come, learned from matured forecasts: error size now, at shorter leads, usual in that slot.

In its units `kernels.quantiles` tracks the distribution. Twin: `tests/reference.py:ErrorScale`. X scale features.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel

SLOW, FAST, LIFE = 0.002, 0.1, 0.0005  # rates of the running mean errors
FEATURES = 7
# exponents of: fast/slow, the first lead's, short and long season, the shorter lead's, two spreads of the experts
START = (0.4, 0.1, 0.7, 0.2, 0.3, 0.06, 0.06)
RATE = 0.02
WILD, SETTLED = 100.0, 30  # the life-long mean takes an error for at most so many of itself, once it has so many labels
RANGE = 3.0  # the scale stays within e^±RANGE of the slow mean


@kernel
def error_sizes(size, n, e):
    """Take |e| of the n-th label into the running means: size (3,) = life-long, slow and fast, in the series' unit."""
    first = min(e, WILD * size[0]) if n > SETTLED and size[0] > 0.0 else e
    size[0] += max(LIFE, 1.0 / n) * (first - size[0])
    usual = min(e, max(8.0 * size[1], 2.0 * size[0]))  # one wild error must not widen weeks of intervals
    size[1] += max(SLOW, 1.0 / n) * (usual - size[1])
    size[2] += max(FAST, 1.0 / n) * (usual - size[2])


@kernel
def scale(size, exponents, x):
    """The scale of the error to come: S = s₀ exp(clip(θᵀx)), s₀ = max(slow, life/20). x (X,) centred log ratios."""
    base = max(size[1], 0.05 * size[0])
    log_ratio = 0.0
    for j in range(FEATURES):
        log_ratio += exponents[j] * x[j]
    return max(base * math.exp(min(max(log_ratio, -RANGE), RANGE)), 0.05 * size[0])


@kernel
def learn_scale(exponents, squares, x, ratio):
    """Move the exponents by one matured ratio |e|/S: gradient of log S + |e|/S, with AdaGrad's step. All (X,)."""
    pull = 1.0 - min(ratio, 5.0)
    for j in range(FEATURES):
        g = pull * x[j]
        squares[j] += g * g
        exponents[j] -= RATE * g / math.sqrt(1.0 + squares[j])
