"""Time of season: which slot a time falls in, its phase, and what is usual in that slot."""

from __future__ import annotations

import math

from streamlstm.kernels import kernel

# Rows of a season's ring: the profile, how many values a slot has seen, its usual error ratio; then its latest values.
PROFILE, COUNT, ERROR, FIXED = range(4)


@kernel
def slot(civil_ns, period_ns, slots):
    """Which of `slots` equal parts of the period a time falls in."""
    if period_ns <= 0:
        return 0  # there is no such season
    within = civil_ns % period_ns  # never negative: the divisor is positive
    # within · slots overflows 64 bits for periods beyond a century of nanoseconds: divide first
    width = period_ns // slots
    return min(within // max(width, 1), slots - 1)


@kernel
def turn(phase):
    """(sin 2πφ, cos 2πφ) of a phase in [0, 1): folded to an eighth of a turn, then Taylor; error < 1e-9.

    Our own, because the C library's last digits change with its version.
    """
    q = math.floor(4.0 * phase + 0.5)
    r = (phase - 0.25 * q) * (2.0 * math.pi)  # |r| <= π/4
    s = r * r
    sine = r * (1.0 - s / 6.0 * (1.0 - s / 20.0 * (1.0 - s / 42.0 * (1.0 - s / 72.0 * (1.0 - s / 110.0)))))
    tail = 1.0 - s / 56.0 * (1.0 - s / 90.0 * (1.0 - s / 132.0))
    cosine = 1.0 - s / 2.0 * (1.0 - s / 12.0 * (1.0 - s / 30.0 * tail))
    quarter = int(q) % 4
    if quarter == 1:
        return cosine, -sine
    if quarter == 2:
        return -sine, -cosine
    if quarter == 3:
        return -cosine, sine
    return sine, cosine


@kernel
def harmonics(phase, out):
    """Fourier terms sin 2πkφ, cos 2πkφ, k = 1 ... len(out)/2, turning on by (s, c) <- (s c₁ + c s₁, c c₁ - s s₁)."""
    s1, c1 = turn(phase)
    s, c = s1, c1
    for k in range(0, out.shape[0], 2):
        out[k] = s
        out[k + 1] = c
        s, c = s * c1 + c * s1, c * c1 - s * s1


@kernel
def settle_slot(season, at, y, rate):
    """Take a value into its slot of a season (FIXED + D, slots): usual value, count, error ratio, the D latest values.

    The usual value is a plain mean until 1/count falls below the rate, exponential after it.
    """
    depth = season.shape[0] - FIXED
    seen = season[COUNT, at]
    season[FIXED + int(seen) % depth, at] = y
    season[COUNT, at] = seen + 1.0
    season[PROFILE, at] += max(rate, 1.0 / (seen + 1.0)) * (y - season[PROFILE, at])


@kernel
def usual(season, at):
    """The profile in a slot; NaN before the slot has been seen."""
    return season[PROFILE, at] if season[COUNT, at] > 0.0 else math.nan


@kernel
def latest(season, at):
    """The latest value in a slot; NaN before the slot has been seen."""
    seen = int(season[COUNT, at])
    return season[FIXED + (seen - 1) % (season.shape[0] - FIXED), at] if seen > 0 else math.nan


@kernel
def latest_few(season, at, out):
    """The latest values in a slot, at most D of them, in no order, into out; returns how many."""
    depth = season.shape[0] - FIXED
    count = min(int(season[COUNT, at]), depth)
    for i in range(count):
        out[i] = season[FIXED + i, at]
    return count
