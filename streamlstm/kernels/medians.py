"""Running medians, by keeping what is in a window in order. Twins: `tests/reference_experts.py`."""

from __future__ import annotations

import math

from streamlstm.kernels import kernel

FEW = 8  # most values that `median_of` takes


@kernel
def slide(ordered, count, old, new):
    """Put `new` into a window in the place of `old`; while the window is still growing, `old` is NaN.

    ordered (W,), ascending in its first `count` places: only what lies between the two values moves, by one place.
    `old` must be in the window, and a growing one must have room; neither value of a full window is NaN.
    Returns how many are in the window now.
    """
    at = count
    if math.isnan(old):
        count += 1
    else:
        at = 0
        while at < count - 1 and ordered[at] < old:
            at += 1
    while at > 0 and ordered[at - 1] > new:
        ordered[at] = ordered[at - 1]
        at -= 1
    while at < count - 1 and ordered[at + 1] < new:
        ordered[at] = ordered[at + 1]
        at += 1
    ordered[at] = new
    return count


@kernel
def middle(ordered, count):
    """The median of a window's `count` values in ascending order, NaN of none; of an even count, the middle two's mean.

    ordered (W,) with W >= count.
    """
    if count == 0:
        return math.nan
    return 0.5 * (ordered[(count - 1) // 2] + ordered[count // 2])


@kernel
def median_of(values, n, scratch):
    """The median of those of the first n values that are finite, NaN if none is.

    The k-th is the largest of those that have at most k below them: no branch to mispredict, and FEW is one vector.
    values (>= n,), scratch (FEW,), n <= FEW.
    """
    there = 0
    for i in range(FEW):
        scratch[i] = math.inf
    for i in range(n):
        if math.isfinite(values[i]):
            scratch[i] = values[i]
            there += 1
    low, high = -math.inf, -math.inf
    for i in range(FEW):
        below = 0
        for j in range(FEW):
            below += 1 if scratch[j] < scratch[i] else 0
        low = max(low, scratch[i] if below <= (there - 1) // 2 else -math.inf)
        high = max(high, scratch[i] if below <= there // 2 else -math.inf)
    return 0.5 * low + 0.5 * high if there > 0 else math.nan
