"""The other optimisers that users of LSTMs expect; the usual one is in `adam.py`, and the guard and the clip are there.

All have one signature, and Adam's manners: one pass over all weights of a series, in place; the gradient is scaled
first and cleared; the running average of the weights moves along. What one of them does not need it leaves alone.

    w, m, v, g, average (P,)    weights, first and second moment, gradient, average; float32 in production
    rate                        learning rate
    scale                       what the gradient is multiplied by
    updates                     how many there have been, with this one
    averaging                   the average's rate

Twins: `tests/reference_settings.py`, by the same names.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, stage
from streamlstm.kernels.adam import BETA1, BETA2, EPSILON

ADAM, ADAMW, NADAM, RMSPROP, SGD = range(5)
NAMES = ("adam", "adamw", "nadam", "rmsprop", "sgd")
DECAY = 0.01  # of the weights, AdamW's
MOMENTUM = 0.9  # SGD's
SMOOTHING = 0.9  # RMSprop's


@kernel
def adamw(w, m, v, g, average, rate, scale, updates, averaging):
    """Adam with decoupled weight decay: Loshchilov and Hutter (2019), algorithm 2.

    w <- w - rate · (m/(1-β₁ᵗ) / (√(v/(1-β₂ᵗ)) + ε) + λ w)
    """
    real = w.dtype.type
    zero, one, b1, b2, epsilon = real(0), real(1), real(BETA1), real(BETA2), real(EPSILON)
    step = real(rate / (1.0 - BETA1**updates))
    spread = real(1.0 / (1.0 - BETA2**updates))
    stay = real(1.0 - rate * DECAY)
    shrink, keep = real(scale), real(averaging)
    for j in range(w.shape[0]):
        gj = g[j] * shrink
        g[j] = zero
        mj = b1 * m[j] + (one - b1) * gj
        vj = b2 * v[j] + (one - b2) * gj * gj
        m[j] = mj
        v[j] = vj
        new = stay * w[j] - step * mj / (math.sqrt(vj * spread) + epsilon)
        w[j] = new
        average[j] += keep * (new - average[j])


@kernel
def nadam(w, m, v, g, average, rate, scale, updates, averaging):
    """Adam with Nesterov's momentum: Dozat (2016), algorithm 8 with a constant β₁.

    w <- w - rate · (β₁ m/(1-β₁ᵗ⁺¹) + (1-β₁) g/(1-β₁ᵗ)) / (√(v/(1-β₂ᵗ)) + ε)
    """
    real = w.dtype.type
    zero, one, b1, b2, epsilon = real(0), real(1), real(BETA1), real(BETA2), real(EPSILON)
    ahead = real(rate * BETA1 / (1.0 - BETA1 ** (updates + 1)))
    here = real(rate * (1.0 - BETA1) / (1.0 - BETA1**updates))
    spread = real(1.0 / (1.0 - BETA2**updates))
    shrink, keep = real(scale), real(averaging)
    for j in range(w.shape[0]):
        gj = g[j] * shrink
        g[j] = zero
        mj = b1 * m[j] + (one - b1) * gj
        vj = b2 * v[j] + (one - b2) * gj * gj
        m[j] = mj
        v[j] = vj
        new = w[j] - (ahead * mj + here * gj) / (math.sqrt(vj * spread) + epsilon)
        w[j] = new
        average[j] += keep * (new - average[j])


@kernel
def rmsprop(w, v, g, average, rate, scale, averaging):
    """Tieleman and Hinton (2012, lecture 6.5): v <- ρ v + (1-ρ) g²,  w <- w - rate · g / (√v + ε)."""
    real = w.dtype.type
    zero, one, rho, epsilon = real(0), real(1), real(SMOOTHING), real(EPSILON)
    step, shrink, keep = real(rate), real(scale), real(averaging)
    for j in range(w.shape[0]):
        gj = g[j] * shrink
        g[j] = zero
        vj = rho * v[j] + (one - rho) * gj * gj
        v[j] = vj
        new = w[j] - step * gj / (math.sqrt(vj) + epsilon)
        w[j] = new
        average[j] += keep * (new - average[j])


@kernel
def sgd(w, m, g, average, rate, scale, averaging):
    """Stochastic gradient descent with momentum: Sutskever et al. (2013, eq. 1, 2). m <- μ m - rate g,  w <- w + m."""
    real = w.dtype.type
    zero, mu = real(0), real(MOMENTUM)
    step, shrink, keep = real(rate), real(scale), real(averaging)
    for j in range(w.shape[0]):
        gj = g[j] * shrink
        g[j] = zero
        mj = mu * m[j] - step * gj
        m[j] = mj
        new = w[j] + mj
        w[j] = new
        average[j] += keep * (new - average[j])


@stage
def another(which, w, m, v, g, average, rate, scale, updates, averaging):
    """One update by an optimiser other than Adam. A function of its own, so that Adam's users need not wait for it."""
    if which == ADAMW:
        adamw(w, m, v, g, average, rate, scale, updates, averaging)
    elif which == NADAM:
        nadam(w, m, v, g, average, rate, scale, updates, averaging)
    elif which == RMSPROP:
        rmsprop(w, v, g, average, rate, scale, averaging)
    else:
        sgd(w, m, g, average, rate, scale, averaging)
