"""Values in units of a scale that is never zero, and outliers held at a bound."""

from __future__ import annotations

from streamlstm.kernels import kernel

CLIP = 6.0  # features beyond it are outliers, and are clipped


@kernel
def clip(value):
    return min(max(value, -CLIP), CLIP)


@kernel
def floored(size, level):
    """A scale that is safe to divide by: a constant series has none."""
    return max(size, 1e-9 * abs(level) + 1e-30)
