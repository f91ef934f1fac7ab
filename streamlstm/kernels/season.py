"""Time of season: which slot a time falls in, its phase, and what is usual in that slot."""

from __future__ import annotations

import math

from streamlstm.kernels import kernel


@kernel
def slot(civil_ns, period_ns, slots):
    """Which of `slots` equal parts of the period a time falls in."""
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
def settle_slot(profile, seen, latest, at, y, rate):
    """Take a value into its slot: the exponentially weighted profile, how many it has seen, and the latest."""
    seen[at] += 1.0
    profile[at] += max(rate, 1.0 / seen[at]) * (y - profile[at])
    latest[at] = y
