"""Recursive least squares on delayed labels: one covariance and one gain for all leads, in float64.

The gain of an origin depends on its regressors only, not on the label. It is computed at once, kept, and applied when
the label matures, which is exact. Twin: `tests/reference.py:RecursiveLeastSquares`. P regressors.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, reduction

FORGETTING = 0.9995
START = 0.01  # of the covariance's diagonal
CAP = 1.0  # on the diagonal: without it, directions that are never excited grow without bound
CLIP = 1.0  # on an innovation, in units of the label's scale


@reduction
def product(matrix, x, out):
    """out = matrix x. matrix (P, P) symmetric, x and out (P,)."""
    for i in range(x.shape[0]):
        row = matrix[i]
        s = 0.0
        for j in range(x.shape[0]):
            s += row[j] * x[j]
        out[i] = s


@reduction
def inner(a, b):
    """Σ a b, in float64 whatever b is stored in."""
    s = 0.0
    for j in range(a.shape[0]):
        s += a[j] * b[j]
    return s


@kernel
def gain(covariance, x, px, out):
    """The gain of regressors x, and the covariance after them.

        k = C x / (λ + xᵀ C x),   C <- (C - k xᵀ C) / λ,   then rows and columns shrunk where the diagonal passes CAP

    covariance (P, P), x (P,), px (P,) scratch, out (P,) the gain.
    """
    n = x.shape[0]
    product(covariance, x, px)
    scale = 1.0 / (FORGETTING + inner(px, x))
    for i in range(n):
        out[i] = px[i] * scale
    for i in range(n):
        row, p = covariance[i], px[i]
        for j in range(n):  # p px[j] is the same both ways: what is not symmetric would grow by 1/λ a step
            row[j] = (row[j] - (p * px[j]) * scale) * (1.0 / FORGETTING)
    for i in range(n):
        if covariance[i, i] > CAP:
            shrink = math.sqrt(CAP / covariance[i, i])
            for j in range(n):
                covariance[i, j] *= shrink
            for j in range(n):
                covariance[j, i] *= shrink


@kernel
def correct(theta, kept, x, label):
    """Move one lead's coefficients by a matured label, in scales: θ <- θ + k clip(label - θᵀx, ±CLIP). All (P,)."""
    error = min(max(label - inner(theta, x), -CLIP), CLIP)
    for j in range(theta.shape[0]):
        theta[j] += kept[j] * error
