"""The optimiser: guard, norm clip, Adam, and the running average of the weights that forecasts are made with."""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, reduction

BETA1, BETA2 = 0.9, 0.99
EPSILON = 1e-8


@reduction
def norm(g):
    """Euclidean norm of a gradient (P,). Not finite as soon as one entry is not."""
    s = g.dtype.type(0)
    for j in range(g.shape[0]):
        s += g[j] * g[j]
    return math.sqrt(s)


@kernel
def adam(w, m, v, g, average, rate, scale, updates, averaging):
    """One update of all weights of a series, in place; clears the gradient.

        g <- scale g
        m <- β₁ m + (1-β₁) g,   v <- β₂ v + (1-β₂) g²
        w <- w - rate · m/(1-β₁ᵗ) / (√(v/(1-β₂ᵗ)) + ε)
        average <- average + averaging · (w - average)

    Kingma and Ba (2015), t = updates counted from 1. All arrays (P,), float32 in production.
    """
    real = w.dtype.type
    zero, one, b1, b2, epsilon = real(0), real(1), real(BETA1), real(BETA2), real(EPSILON)
    step = real(rate / (1.0 - BETA1**updates))
    spread = real(1.0 / (1.0 - BETA2**updates))
    shrink, keep = real(scale), real(averaging)
    for j in range(w.shape[0]):
        gj = g[j] * shrink
        g[j] = zero
        mj = b1 * m[j] + (one - b1) * gj
        vj = b2 * v[j] + (one - b2) * gj * gj
        m[j] = mj
        v[j] = vj
        new = w[j] - step * mj / (math.sqrt(vj * spread) + epsilon)
        w[j] = new
        average[j] += keep * (new - average[j])
