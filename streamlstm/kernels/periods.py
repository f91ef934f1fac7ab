"""Seasons found: at which periods a series repeats, from nothing but what it has been.

Lines are looked for in the spectrum of its clipped differences, and each is believed only when a running profile at its
period foretells the later half of what is known. What day, week and year are is kept in `timeline/calendar.py`.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, sorting, stage
from streamlstm.kernels.fourier import power, size_for, taper
from streamlstm.kernels.lines import added, best_line, clear, flatten, share, sharpen

LEAST = 48  # values: fewer show no season
CYCLES = 3.0  # a period is seen so often at least
WILD = 6.0  # median absolute differences: beyond this a difference is a spike, or a shift of the level
TRIES = 4  # fundamentals that are looked at
CHANCE = 9.0  # −ln of the odds, for the whole spectrum, at which a line is believed
FEW = 25.0  # so much more, divided by how often the period came round, where it is no usual one: a wave is soon a line
CHANCE_ADDED = 6.0  # the same for the further lines of a multiple, of which few come into question
GAIN = 0.01  # of the absolute error: what a profile must save
MULTIPLE = 0.03  # of the error that is left: what a multiple of a period must save to take its place
NEAR = 0.2  # a second period this near the first is the first, wandering
RATE = 0.1  # of the running profiles


@kernel
def scratch_size(memory):
    """How many float64 of scratch `find_periods` needs for a memory of so many steps."""
    return 4 * memory + 4 * size_for(memory + memory // 2)


@stage
def find_periods(past_y, past_mask, first, k, usual, scratch, found):
    """Up to two periods at which a series repeats, in steps, the shorter first; 0 where there is none.

    past_y (M,)     the series, its own unit; the value of step i is at i % M
    past_mask (M,)  1 real, 0 imputed: those are not looked at
    first, k        the first step there is, and the newest
    usual (U,)      float64, steps: preferred to what is near them, such as a day and a week; 0 is none
    scratch         float64, `scratch_size(M)`
    found (2,)      float64, steps; between whole numbers where the lines say so (52.18 weeks of a year)
    """
    found[:] = 0.0
    M = past_y.shape[0]
    n = min(k - first + 1, M)
    if n < LEAST:
        return
    N = size_for(n + n // 2)
    level, profiles, rest = scratch[:n], scratch[2 * n : 4 * n], scratch[4 * M :]
    if straighten(past_y, past_mask, k, level) < LEAST:
        return
    calm(level, scratch[n : 2 * n])
    re, im, lines = rest[:N], rest[N : 2 * N], rest[3 * N : 3 * N + N // 2 + 1]
    for i in range(n - 1):
        re[i] = level[i + 1] - level[i]
    re[n - 1] = 0.0
    taper(re[:n])
    re[n:] = 0.0
    power(re, im, rest[2 * N : 5 * N // 2], rest[5 * N // 2 : 3 * N], lines)
    width = N / n
    if not flatten(lines, width, re, im):
        return
    count = 0
    for _ in range(TRIES):
        f, chance = best_line(lines, 0.98 * CYCLES * width)
        if chance < CHANCE + math.log(n):
            break
        p, gain = settle(lines, level, sharpen(lines, f, width), width, usual, found[0], profiles)
        if gain < GAIN:  # what is short against its period does not show over a third of it
            gain = saves(level, p, found[0], max(1, int(p / 12.0)), profiles)
        clear(lines, N / p, width)
        if not is_usual(p, n, usual) and chance < CHANCE + math.log(n) + FEW * p / n:
            continue
        if gain >= GAIN and p <= 1.02 * n / CYCLES and (count == 0 or abs(p / found[0] - 1.0) > NEAR):
            found[count] = p
            count += 1
            if count == 2:
                break
    if count == 2 and found[1] < found[0]:
        found[0], found[1] = found[1], found[0]


@stage
def straighten(past_y, past_mask, k, level):
    """The newest n = len(level) values, oldest first; straight lines across what was imputed. How many are real."""
    M, n = past_y.shape[0], level.shape[0]
    real, last = 0, -1
    for i in range(n):
        at = (k - n + 1 + i) % M
        if past_mask[at] == 0 or not math.isfinite(past_y[at]):
            continue
        y = float(past_y[at])
        for j in range(last + 1, i):
            level[j] = y if last < 0 else level[last] + (y - level[last]) * ((j - last) / (i - last))
        level[i] = y
        real, last = real + 1, i
    for j in range(last + 1, n):
        level[j] = level[last] if last >= 0 else 0.0
    return real


@sorting
def calm(level, spare):
    """Clip the differences at `WILD` times their median size, zeros aside: spikes and shifts of level become small."""
    n = level.shape[0]
    count = 0
    for i in range(1, n):
        size = abs(level[i] - level[i - 1])
        if size > 0.0:
            spare[count] = size
            count += 1
    if count == 0:
        return
    spare[:count].sort()
    most = WILD * spare[count // 2]
    before = level[0]
    for i in range(1, n):
        now = level[i]
        level[i] = level[i - 1] + min(max(now - before, -most), most)
        before = now


@stage
def settle(lines, level, f, width, usual, q, profiles):
    """Of a fundamental's period, its fractions and its multiples the one that foretells best, and what it saves.

    A sum of harmonics may have taken in what is not its own: the fifth of the lines are those of a season five times
    shorter (then the longer is looked for again without them), or all that counts is among the even ones. And the first
    line may be the second of its season, when half a day is more like the other half than night like day.
    """
    n = level.shape[0]
    p = n * width / f
    lead = third(p)
    gain = saves(level, p, q, lead, profiles)
    plain = not is_usual(p, n, usual)  # what is usual gives way only to what is usual as well
    chosen = 0
    for m in range(2, 17):
        part = p / m
        if part < 2.0 or not (plain or is_usual(part, n, usual)):
            continue
        stands = share(lines, f, m)
        if stands < (0.7 if m < 5 or q > 0.0 else 0.4):
            continue
        less, whole = saves(level, part, q, third(part), profiles), saves(level, p, q, third(part), profiles)
        if m < 8 and stands > 0.7 and less > whole - GAIN:
            return nearest(level, part, less, q, third(part), usual, profiles)
        if m >= 5 and q == 0.0 and less > max(GAIN, 0.5 * whole) and (chosen == 0 or less > gain):
            chosen, gain = m, less
    if chosen > 0:
        p = n * width / sharpen(lines, f * chosen, width)
        return nearest(level, p, saves(level, p, q, third(p), profiles), q, third(p), usual, profiles)
    longer = True
    while longer and not is_usual(p, n, usual):
        longer = False
        for m in range(2, 5):
            if p * m <= 1.02 * n / CYCLES and added(lines, f / m, m, width) > CHANCE_ADDED:
                more = saves(level, p * m, q, lead, profiles)
                if more > gain + MULTIPLE * (1.0 - gain):
                    f, p, gain, longer = f / m, p * m, more, True
                    break
    return nearest(level, p, gain, q, lead, usual, profiles)


@kernel
def third(p):
    return max(1, int(p / 3.0))


@kernel
def is_usual(p, n, usual):
    """Whether a period is as near to a usual one as n values can tell."""
    near = False
    for u in range(usual.shape[0]):
        near = near or (usual[u] >= 2.0 and abs(usual[u] - p) <= max(p * p / n, 0.02 * p))
    return near


@stage
def nearest(level, p, gain, q, lead, usual, profiles):
    """A period, or the whole number beside it, or a usual one within a bin, if it foretells as well; what it saves."""
    n = level.shape[0]
    best, most = p, gain
    whole = float(math.floor(p + 0.5))  # a float, like p: one compiled `saves`
    if abs(whole - p) < max(0.5 * p * p / n, 0.01 * p):
        g = saves(level, whole, q, lead, profiles)
        if g >= most - GAIN:
            best, most = whole, max(g, most)
    for u in range(usual.shape[0]):
        if usual[u] >= 2.0 and abs(usual[u] - p) <= max(p * p / n, 0.02 * p) and usual[u] <= n / CYCLES:
            g = saves(level, usual[u], q, lead, profiles)
            if g >= 0.8 * most:
                best, most = usual[u], max(g, most)
    return best, most


@stage
def saves(level, p, q, lead, profiles):
    """Share of the absolute error that a running profile at period p saves in the later half of what is known.

    Foretold is the change over `lead` steps less the mean one, c_i, by m/(m + 1) c̄, c̄ the running mean of the m changes
    so far at the same place of a period; against 0, or where there is a shorter season q against its profile, of which
    the one at p then learns what is left. Each change is foretold first and taken in afterwards.
    """
    n = level.shape[0]
    half = n // 2
    drift = (level[n - 1] - level[0]) / (n - 1) * lead
    slots, others = math.ceil(p), math.ceil(q)
    own, seen = profiles[:slots], profiles[half : half + slots]
    other, met = profiles[n : n + others], profiles[n + half : n + half + others]
    own[:], seen[:], other[:], met[:] = 0.0, 0.0, 0.0, 0.0
    without, within = 0.0, 0.0
    at, there = 0.0, 0.0
    for i in range(lead, n):
        change = level[i] - level[i - lead] - drift
        if q > 0.0:
            o = int(there)
            rest = change - other[o] * met[o] / (met[o] + 1.0)
            met[o] += 1.0
            other[o] += max(RATE, 1.0 / met[o]) * (change - other[o])
            change = rest
            there += 1.0
            if there >= q:
                there -= q
        s = int(at)
        if i >= half and seen[s] > 0.0:
            without += abs(change)
            within += abs(change - own[s] * seen[s] / (seen[s] + 1.0))
        seen[s] += 1.0
        own[s] += max(RATE, 1.0 / seen[s]) * (change - own[s])
        at += 1.0
        if at >= p:
            at -= p
    return 1.0 - within / without if without > 0.0 else 0.0
