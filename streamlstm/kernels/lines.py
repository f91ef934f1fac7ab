"""Lines of a spectrum: the floor they stand on, the fundamentals they belong to, and how likely chance alone is.

A spectrum is `lines` (N/2 + 1,), power at frequencies 0 ... ½ a step; `width` is how many of its bins (N, padded) go to
one bin of the series (n), so that a period of p steps has its fundamental at f = N/p and comes round f/width times.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, sorting, stage
from streamlstm.kernels.season import turn

TREND = 1.5  # bins: below this is the trend, not a season
QUANTILE = 0.4  # of a neighbourhood: that high is its floor, since lines are among the upper ones
NEIGHBOURS = (12.0, 0.15)  # how far a neighbourhood reaches to either side: bins, or share of the frequency if further
SAMPLED = 300  # of a wide neighbourhood so many are enough
DEEP = 1e-5  # of the highest line: no floor is lower, for there begin what the taper itself leaves beside a line
SUMS = (1, 2, 3, 4, 6, 8, 12, 16)  # so many harmonics are added up
MOST = 16
CLEAR = 6.0  # times the floor: a line
OWN = 2.5  # bins to either side that are a line's own: the taper's width, and what wanders


@sorting
def flatten(lines, width, knots, window):
    """Divide a spectrum by its floor: now chance alone would make each an exponential variable of mean one.

    The floor is a low quantile of the neighbourhood, which is wider the higher the frequency, at knots and between them
    on straight lines. knots, window (N,) scratch. False where there is nothing but zeros.
    """
    top = lines.shape[0] - 1
    lowest = int(TREND * width)
    highest = 0.0
    for i in range(lowest, top + 1):
        highest = max(highest, lines[i])
    if highest <= 0.0:
        return False
    bleach(lines, width, window)
    highest = 0.0
    for i in range(lowest, top + 1):
        highest = max(highest, lines[i])
    count, at = 0, TREND * width
    least = int(2.0 * NEIGHBOURS[0] * width)  # at the ends of the spectrum the neighbours are on one side
    while True:
        reach = max(NEIGHBOURS[0] * width, NEIGHBOURS[1] * at)
        a = max(lowest, int(at - reach))
        b = min(top, max(int(at + reach), a + least))
        a = max(lowest, min(a, b - least))
        size = 0
        for i in range(a, b + 1, 1 + (b - a) // SAMPLED):
            window[size] = lines[i]
            size += 1
        window[:size].sort()
        # of an exponential variable the quantile u is −ln(1 − u)
        knots[2 * count], knots[2 * count + 1] = at, window[int(QUANTILE * size)] / -math.log(1.0 - QUANTILE)
        count += 1
        if at >= top:
            break
        at = min(top, at + max(2.0 * width, 0.05 * at))
    c = 0
    for i in range(top + 1):
        while c + 2 < count and i > knots[2 * c + 2]:
            c += 1
        x0, y0, x1, y1 = knots[2 * c], knots[2 * c + 1], knots[2 * c + 2], knots[2 * c + 3]
        between = min(max((i - x0) / (x1 - x0), 0.0), 1.0)
        lines[i] /= max(y0 + (y1 - y0) * between, DEEP * highest)
    lines[: lowest + 1] = 0.0
    return True


@sorting
def bleach(lines, width, window):
    """Divide by 1 + θ² − 2θ cos ω, the colour of differences when a level walks under noise (an IMA(1,1) process).

    θ from 0 (a random walk) to 1 (white noise) is the one that leaves the octaves most alike. Without it the floor at
    the lowest frequencies, where there are no lower neighbours, would be that of the frequencies above.
    """
    top = lines.shape[0] - 1
    floors = window[window.shape[0] - 16 :]
    octaves, high = 0, top
    while high > 8.0 * width and octaves < 16:
        low = max(high // 2, int(TREND * width))
        for i in range(low, high):
            window[i - low] = lines[i]
        window[: high - low].sort()
        floors[octaves] = math.log(window[int(QUANTILE * (high - low))] + 1e-300)
        octaves, high = octaves + 1, low
    theta, least = 0.0, math.inf
    for t in range(11):
        trial = 1.0 - 0.5**t if t < 10 else 1.0
        total, squares, high = 0.0, 0.0, top
        for o in range(octaves):
            _, c = turn(0.5 * 0.75 * high / top)
            r = floors[o] - math.log(1.0 + trial * trial - 2.0 * trial * c)
            total, squares, high = total + r, squares + r * r, high // 2
        spread = squares - total * total / max(octaves, 1)
        if spread < least:
            theta, least = trial, spread
    for i in range(1, top + 1):
        _, c = turn(0.5 * i / top)
        lines[i] /= 1.0 + theta * theta - 2.0 * theta * c


@stage
def best_line(lines, lowest):
    """The fundamental, at least `lowest`, whose harmonics stand out the most, and −ln of the odds of such a sum.

    Sums of 1, 2, 3, 4, 6 ... harmonics, each placed by its highest (so are pulsars found: Taylor and Huguenin 1969).
    """
    top = lines.shape[0] - 1
    f, chance = 0.0, 0.0
    for H in SUMS:
        most, at = 0.0, 0
        for j in range(math.ceil(lowest * H), top + 1):
            s = 0.0
            for h in range(1, H + 1):
                s += lines[int(j * (h / H) + 0.5)]
            if s > most:
                most, at = s, j
        if at > 0:
            odds = tail(H, most) - math.log(H)
            if odds > chance:
                f, chance = at / H, odds
    return f, chance


@kernel
def tail(h, s):
    """−ln P(the sum of h exponential variables > s) = s − ln Σ_{i<h} sⁱ/i!, nested, so that nothing overflows."""
    if s <= 0.0:
        return 0.0
    total, scale = 1.0, 0.0  # 1 + s/1 (1 + s/2 (1 + ...)), in units of exp(scale)
    for i in range(h - 1, 0, -1):
        total = math.exp(-scale) + total * s / i
        if total > 1e100:
            total, scale = total * 1e-100, scale + 100.0 * math.log(10.0)
    return s - math.log(total) - scale


@stage
def sharpen(lines, f, width):
    """A fundamental between the bins: least squares Σ w_h (x_h − h f)² over its lines, x_h the top of a parabola.

    Through the logarithms of three bins, that is: exact for a Gaussian line and nearly so for Hann's. What is higher
    weighs more (w_h), up to a limit: beyond it noise is not what moves a line.
    """
    top = lines.shape[0] - 1
    up, down = 0.0, 0.0
    h = 1
    while h <= MOST and h * f + width + 1.0 < top:
        at = int(h * f + 0.5)
        for i in range(max(1, int(h * f - 0.7 * width + 0.5)), int(h * f + 0.7 * width + 0.5) + 1):
            if lines[i] > lines[at]:
                at = i
        if lines[at] > CLEAR and lines[at] >= lines[at - 1] and lines[at] >= lines[at + 1]:
            a, b, c = math.log(lines[at - 1] + 1e-9), math.log(lines[at]), math.log(lines[at + 1] + 1e-9)
            x = at + min(max(0.5 * (a - c) / min(a - 2.0 * b + c, -1e-9), -0.5), 0.5)
            w = min(lines[at], 50.0)
            up += w * h * x
            down += w * h * h
        h += 1
    return up / down if down > 0.0 else f


@stage
def share(lines, f, m):
    """How much of what stands out among the lines of f belongs to the multiples of m f."""
    top = lines.shape[0] - 1
    those, every = 0.0, 1e-9
    h = 1
    while h <= 3 * MOST and h * f + 1.0 < top:
        x = max(lines[int(h * f + 0.5)] - 4.0, 0.0)
        every += x
        if h % m == 0:
            those += x
        h += 1
    return those / every


@stage
def added(lines, f, m, width):
    """−ln of the odds that the lines of f that are no multiples of m f came about by chance: the best of 1, 2, 4 ..."""
    top = lines.shape[0] - 1
    best, s, count, sums = 0.0, 0.0, 0, 0
    h = 1
    while count < MOST and h * f + 0.5 * width < top:
        if h % m != 0:
            peak = 0.0
            for i in range(int(h * f - 0.5 * width + 0.5), int(h * f + 0.5 * width + 0.5) + 1):
                peak = max(peak, lines[i])
            s += peak - 0.7  # the highest of a few bins is that much higher, about
            count += 1
            if count & (count - 1) == 0:
                sums += 1
                best = max(best, tail(count, s))
        h += 1
    return best - math.log(max(sums, 1))


@stage
def clear(lines, f, width):
    """Level the lines of a fundamental; beyond `MOST` harmonics only what stands where it should, to a bin's half."""
    top = lines.shape[0] - 1
    h = 1
    while h * f < top + OWN * width:
        a, b = max(0, int(h * f - OWN * width)), min(top, int(h * f + OWN * width + 1.0))
        at = a
        for i in range(a, b + 1):
            if lines[i] > lines[at]:
                at = i
        if h <= MOST or abs(at - h * f) < 0.6 * width:
            for i in range(a, b + 1):
                lines[i] = min(lines[i], 1.0)
        h += 1
