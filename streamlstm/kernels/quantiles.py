"""The quantiles of r = (y - F)/S, error over scale, at one lead: learned from matured labels, level by level.

Adaptive conformal inference in its quantile form (Gibbs and Candès 2021), in two parts: a slow one that remembers, and
a fast one that follows a run of misses and then fades. Twin: `tests/reference_interval.py`. T probabilities, M experts.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel

SWIFT, OVERLAP = 0.002, 8.0  # 1/SWIFT labels are remembered, more at leads beyond OVERLAP: their labels say less each
BEGUN, WAIT = 40.0, 16.0  # the start counts as so many labels, and so many more for each step ahead
RARE = 0.05  # steps grow with the rarity of a miss, up to this one
SURGE, LEAK = 0.15, 0.015  # how far a miss at the outermost quantiles pushes them at once, and how fast that fades
LEAN, LEAN_RATE, STEEPEST = 0.2, 0.02, 0.8  # ω at birth, its rate and its bound
SETTLED = 50  # labels before ω moves


@kernel
def laplace(tau):
    """Quantile of the Laplace distribution whose mean absolute value is 1: where tracking starts."""
    return math.log(2.0 * tau) if tau < 0.5 else -math.log(2.0 * (1.0 - tau))


@kernel
def leaning(forecasts, mixture, size):
    """To which side the experts lean: z = mean(E - F)/S within ±1, over those (M,) that have a forecast, not NaN."""
    total, count = 0.0, 0
    for m in range(forecasts.shape[0]):
        if math.isfinite(forecasts[m]):
            total += forecasts[m] - mixture
            count += 1
    if count == 0 or not size > 0.0:
        return 0.0
    return min(max(total / (count * size), -1.0), 1.0)


@kernel
def spread(slow, fast, lean, taus, z, out):
    """Quantiles of r, ascending, none on the other side of 0: (slow + fast)(1 ± ω z), + above the middle, 0 there.

    slow, fast (T,); lean (2,), ω first; taus (T,) ascending; out (T,).
    """
    T = taus.shape[0]
    half = 0
    while half < T and taus[half] < 0.5:
        half += 1
    least, most = 0.0, 0.0
    for back in range(half):  # outwards from the middle, so that a further one contains the nearer ones
        i = half - 1 - back
        least = min(least, (slow[i] + fast[i]) * (1.0 - lean[0] * z))
        out[i] = least
    for i in range(half, T):
        if taus[i] > 0.5:
            most = max(most, (slow[i] + fast[i]) * (1.0 + lean[0] * z))
        out[i] = most


@kernel
def pace(n, lead):
    """How fast the slow part moves after n labels: max(.002 √min(1, 8/h), 1/(n + 40 + 16 h))."""
    return max(SWIFT * math.sqrt(min(1.0, OVERLAP / lead)), 1.0 / (n + BEGUN + WAIT * lead))


@kernel
def track(slow, fast, lean, taus, limits, y, z, n, lead):
    """Teach all quantiles of one lead its n-th label y.

        g = τ - 1[y < limit]        1[y <= limit] above the middle: an interval holds what lies on its ends
        slow <- slow + a g / max(t, .05),    t = min(τ, 1 - τ), a the pace; stays on its own side of 0
        fast <- fast + b (.15 (1 - 2t)² g - .015 fast),    b = min(1, 8/h)
        ω <- ω + .02 d / √(1 + Σ d²), within ±.8,    d = z Σ g |slow + fast|: down the pinball loss

    The slow step is the one for which a sample quantile is efficient, 1/density, here Laplace's; the median stays put.
    slow, fast, taus (T,); lean (2,) = ω, Σ d²; limits (T,) as `spread` and the scale gave them at the origin, in y's
    unit; z as at the origin.
    """
    a, b = pace(n, lead), min(1.0, OVERLAP / lead)
    d = 0.0
    for i in range(taus.shape[0]):
        tau = taus[i]
        if tau == 0.5:
            continue
        above = tau > 0.5
        t = 1.0 - tau if above else tau
        below = y <= limits[i] if above else y < limits[i]
        g = tau - (1.0 if below else 0.0)
        d += g * abs(slow[i] + fast[i])
        moved = slow[i] + a * g / max(t, RARE)
        slow[i] = max(moved, 0.0) if above else min(moved, 0.0)
        outer = 1.0 - 2.0 * t
        fast[i] += b * (SURGE * outer * outer * g - LEAK * fast[i])
    if n > SETTLED:
        d *= z
        lean[1] += d * d
        lean[0] = min(max(lean[0] + LEAN_RATE * d / math.sqrt(1.0 + lean[1]), -STEEPEST), STEEPEST)
