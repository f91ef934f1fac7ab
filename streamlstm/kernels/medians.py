"""Running medians, by keeping what is in a window in order. Twins: `tests/reference_experts.py`."""

from __future__ import annotations

import math

from streamlstm.kernels import kernel


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
    """The median of those of the first n values that are finite, NaN if none is. Meant for few: it sorts by insertion.

    values (>= n,), scratch (>= n,).
    """
    count = 0
    for i in range(n):
        if math.isfinite(values[i]):
            count = slide(scratch, count, math.nan, values[i])
    return middle(scratch, count)
