"""The optimiser: guard, norm clip, Adam, and the running average of the weights that forecasts are made with."""

from __future__ import annotations

import math

from streamlstm.kernels import kernel

BETA1, BETA2 = 0.9, 0.99
EPSILON = 1e-8


@kernel
def norm(g):
    """Euclidean norm of a gradient (P,). Not finite as soon as one entry is not.

    In eight sums of a fixed order. Left to the compiler, the order was another one where the machine code came from the
    cache than where it had just been compiled: the last bit, and with it the bytes of a state, differed by it.
    """
    zero = g.dtype.type(0)
    a = b = c = d = e = f = h = k = zero
    whole = g.shape[0] // 8 * 8
    for j in range(0, whole, 8):
        a += g[j] * g[j]
        b += g[j + 1] * g[j + 1]
        c += g[j + 2] * g[j + 2]
        d += g[j + 3] * g[j + 3]
        e += g[j + 4] * g[j + 4]
        f += g[j + 5] * g[j + 5]
        h += g[j + 6] * g[j + 6]
        k += g[j + 7] * g[j + 7]
    rest = zero
    for j in range(whole, g.shape[0]):
        rest += g[j] * g[j]
    return math.sqrt(((a + e) + (b + f)) + ((c + h) + (d + k)) + rest)


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
