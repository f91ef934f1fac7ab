"""Pruning by magnitude: ever more of the smallest weights become zero, and what is zero stays zero.

Zhu and Gupta (2017, "To prune, or not to prune"): from update `begin`, every so many updates the smallest weights of a
matrix are masked until a share

    s_t = s_final + (s_initial - s_final) (1 - (t - begin) / duration)³,  s_initial = 0

of it is. Departing from the paper in one place: there is no mask. A masked weight is a zero, and a zero is a masked
weight: that needs no memory, and weights that are drawn at birth from a continuous distribution are not zero by chance.
Only matrices that begin so are pruned; biases, peepholes and heads begin at zero, and are few.

Twin: `tests/reference_settings.py`: `sparsity` and `prune`. Arrays float32 in production.
"""

from __future__ import annotations

from streamlstm.kernels import kernel, reduction

HALVINGS = 40  # from the largest weight down: past the last bit of a float32 for all but the very smallest thresholds


@kernel
def sparsity(update, begin, duration, final):
    """The share of a matrix to be zero by an update."""
    if update <= begin:
        return 0.0
    left = max(0.0, 1.0 - (update - begin) / duration)
    return final * (1.0 - left * left * left)


@reduction
def count_below(w, threshold):
    """How many |w| are smaller than the threshold. w (P,)."""
    found = 0
    for j in range(w.shape[0]):
        found += 1 if abs(w[j]) < threshold else 0
    return found


@kernel
def largest(w):
    """The largest |w|. w (P,)."""
    most = w.dtype.type(0)
    for j in range(w.shape[0]):
        most = max(most, abs(w[j]))
    return most


@kernel
def prune(w, average, share):
    """Mask the smallest weights of a matrix, never more than a share of it, counting those that are zero already.

    The threshold is found by halving: a pass over the weights each time, no sort, no scratch. w and average (P,): the
    weights learn, their average forecasts.
    """
    zero, half = w.dtype.type(0), w.dtype.type(0.5)
    wanted = int(share * w.shape[0])
    low, high = zero, largest(w)
    for _ in range(HALVINGS):
        middle = low + (high - low) * half
        if count_below(w, middle) <= wanted:
            low = middle
        else:
            high = middle
    for j in range(w.shape[0]):
        if abs(w[j]) < low:
            w[j] = zero
            average[j] = zero


@kernel
def hold(w, m, g):
    """Before an update: masked weights have no gradient and no momentum, so every optimiser leaves them at zero.

    w, m, g (P,): weights, first moment, gradient.
    """
    zero = w.dtype.type(0)
    for j in range(w.shape[0]):
        keep = w[j] != zero
        m[j] = m[j] if keep else zero
        g[j] = g[j] if keep else zero
