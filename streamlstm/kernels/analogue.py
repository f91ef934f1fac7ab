"""Forecasts by analogy: what followed, at the same time of season, in the past periods most like the present one.

Nearest neighbours of a pattern (Lorenz 1969). Twin: `tests/reference_experts.py:analogue`. M steps kept, L leads.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, stage

NEAR = 10  # so many periods are averaged
FEWEST = 3  # fewer say nothing
PATTERN = (0, 1, 2, 4, 7, 12, 18, 24)  # steps back that are compared: a long pattern for the price of a short one
ENOUGH = 4  # of these must have been observed
LEVEL = 0.5  # of a difference in level is forgiven
ALIKE = 1e-3  # of the farthest one's distance: below it, all are equally near


@stage
def analogue(past_y, past_mask, whole, first, k, period, most, leads, distance, nearest, out):
    """The forecasts of the NEAR of the last `most` periods that are nearest to the present one.

        d(t) = mean (e_i - LEVEL ē)²,  e_i = y[t-i] - y[k-i],  i in PATTERN,  t = k - period, k - 2 period, ...
        out[l] = y[k] + Σ w(t) (y[t+leads[l]] - y[t]) / Σ w(t),  w = 1 / (d + ALIKE max d)

    The sums are over the nearest t that have this label by now; NaN where fewer than FEWEST have. The means are over
    what was observed of the past pattern: ENOUGH of it, and step t. Of the present one, what stands in for a missing
    observation serves, too.

    past_y (M,), past_mask (M,) int8, 1 where observed: step i at i % M, from `first` to the newest, k
    whole: every value in the ring was observed, which need not be looked up then, and saves half of the time
    period and leads (L,) int64 in steps; distance (NEAR,), nearest (NEAR,) int64 scratch; out (L,) in the unit of y
    """
    count = search(past_y, past_mask, whole, first, k, period, most, distance, nearest)
    weigh(distance, count)
    memory = past_y.shape[0]
    for j in range(leads.shape[0]):
        known, total, change = 0, 0.0, 0.0
        for n in range(count):
            t = nearest[n]
            label = (t + leads[j]) % memory
            if t + leads[j] <= k and past_mask[label] != 0:
                known += 1
                total += distance[n]
                change += distance[n] * (past_y[label] - past_y[t % memory])
        out[j] = past_y[k % memory] + change / total if known >= FEWEST else math.nan


@kernel
def search(past_y, past_mask, whole, first, k, period, most, distance, nearest):
    """The steps whose patterns are nearest to step k's, nearest first, the later before an equal; returns how many."""
    memory = past_y.shape[0]
    now = k % memory
    count, t, then = 0, k, now
    for _ in range(min(most, (k - first - PATTERN[-1]) // period)):
        t -= period
        then -= period  # at most memory, since t is in the ring
        if then < 0:
            then += memory
        far = apart(past_y, then, now) if whole else apart_observed(past_y, past_mask, then, now)
        if far < math.inf and (count < NEAR or far < distance[count - 1]):
            count = min(count + 1, NEAR)
            at = count - 1
            while at > 0 and distance[at - 1] > far:
                distance[at] = distance[at - 1]
                nearest[at] = nearest[at - 1]
                at -= 1
            distance[at] = far
            nearest[at] = t
    return count


@kernel
def apart(past_y, then, now):
    """mean (e_i - LEVEL ē)² of two patterns, as mean e² - LEVEL (2 - LEVEL) ē².

    then, now: places of their newest steps. Before the ring's beginning comes its end, as negative indices have it.
    """
    total, squares = 0.0, 0.0
    for back in PATTERN:
        e = past_y[then - back] - past_y[now - back]
        total += e
        squares += e * e
    n = len(PATTERN)
    return (squares - LEVEL * (2.0 - LEVEL) * total * total / n) / n


@kernel
def apart_observed(past_y, past_mask, then, now):
    """The same over what was observed of the past pattern; NaN if that is too little."""
    n, total, squares = 0, 0.0, 0.0
    for back in PATTERN:
        if past_mask[then - back] != 0:
            e = past_y[then - back] - past_y[now - back]
            n += 1
            total += e
            squares += e * e
    if n < ENOUGH or past_mask[then] == 0:
        return math.nan
    return (squares - LEVEL * (2.0 - LEVEL) * total * total / n) / n


@kernel
def weigh(distance, count):
    """Turn the distances of the nearest, in ascending order, into weights."""
    floor = ALIKE * distance[count - 1] if count > 0 else 0.0
    for n in range(count):
        distance[n] = 1.0 / (distance[n] + floor) if floor > 0.0 else 1.0
