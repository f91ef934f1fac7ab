"""Detection: from surprises to events that a person is told of once. Twins in `tests/reference_score.py`.

A value can be odd at once (the shortest lead's error), for some hours or for some days (all leads' errors, averaged),
or for being the same again and again. Each is a number of digits, -log10 p; an event begins when one of them passes its
limit, and ends when all have been well below theirs for a while. L leads, W windows.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, score, stage

WINDOWS = (6.0, 48.0)  # observations that the averages look back on (W,)
TOLD = 4.15  # digits at which a single value is told: 1 in 14,000
LONGER = 1.2  # fewer per factor of ten in a window's length: its values come in clusters of that length
MOST = 3.0  # digits that one error can bring to an average: one spike is no bad day
ENDS = 0.6  # share of the limit below which nothing is odd any more
CALM = 12.0  # observations it must stay there before the event ends
HABIT, RISE, FALL, FORGET = 2.0, 0.7, 0.1, 0.9995  # of long runs: limit; rates a run; what an observation leaves
FIRST = 100.0  # observations before anything is told: the tails must be known

# an average, and its tail as `score.START`: of a mean of w/4 independent exponentials, since errors come in clusters
WINDOWS_START = tuple(
    (1.0, 1.0, *(1.0 + z * math.sqrt(2.0 / w) for z in (1.6, 3.2, 4.8)), *score.START[4:]) for w in WINDOWS
)
# last value; repetitions so far; chance of a first repetition, of a further one; their weights; digits of a long run
RUNS_START = (math.nan, 0.0, 0.2, 0.4, 5.0, 5.0, 0.0)
# observations; 1 during an event; calm ones in a row; strength now; digits of the shortest lead's error now
EVENT_START = (0.0, 0.0, 0.0, 0.0, math.nan)
NOTHING, BEGINS, LASTS, ENDED = 0, 1, 2, 3  # what `watch` returns


@stage
def watch(tails, windows, runs, event, r, y):
    """Take the ratios of one observation; return whether an event begins, lasts or has ended.

    tails (L, 8)    each lead's tail, started at `score.START`
    windows (W, 9)  started at WINDOWS_START
    runs (7,)       started at RUNS_START
    event (5,)      started at EVENT_START; event[3] becomes the largest of digits/limit: from 1 on it is told
    r (L,)          |y - F|/S of the forecasts of this observation by lead, NaN where there was none
    y               the observation, in the series' own unit
    """
    total, count, strength = 0.0, 0.0, 0.0
    event[4] = math.nan
    for j in range(r.shape[0]):
        if not math.isnan(r[j]):
            digits = score.rarity(tails[j], abs(r[j]), 1.0)
            total += min(digits, MOST)
            count += 1.0
            if j == 0:
                event[4], strength = digits, digits / TOLD
    if count > 0.0:
        mean = math.log(10.0) * total / count  # of -ln p: 1 where the tails are right
        for i in range(len(WINDOWS)):
            w = WINDOWS[i]
            windows[i, 0] += (mean - windows[i, 0]) / w
            digits = score.rarity(windows[i, 1:], windows[i, 0], w)
            strength = max(strength, digits / (TOLD - LONGER * math.log10(w)))
    strength = max(strength, repeat(runs, y) / TOLD)
    return tell(event, strength)


@kernel
def repeat(runs, y):
    """-log10 p of the run of equal values that y makes, in units of what long runs usually have; then take y in.

    A first repetition has chance p, each further one q, both learned; the k-th counts 1/k, so that one stuck week does
    not make the next one usual. The lengths of some series' runs have a longer tail than that: so runs[6] keeps the
    digits of long runs, quick to rise and slow to fall, and a run is told when it has HABIT times as many.
    """
    if math.isnan(y):
        return 0.0
    again = y == runs[0]
    length = runs[1]
    i = 0 if length == 0.0 else 1
    digits = -math.log10(runs[2]) - length * math.log10(runs[3]) if again else 0.0
    runs[6] *= FORGET
    told = digits / max(1.0, HABIT * runs[6] / TOLD)
    ended = -math.log10(runs[2]) - (length - 1.0) * math.log10(runs[3])
    if not again and length > 0.0 and ended > TOLD:
        runs[6] += (RISE if ended > runs[6] else FALL) * (ended - runs[6])
    weight = 1.0 / max(1.0, length)
    runs[4 + i] += weight
    step = weight / min(runs[4 + i], 500.0)
    runs[2 + i] += step * ((1.0 if again else 0.0) - runs[2 + i])
    runs[2] = min(max(runs[2], 0.005), 0.99)
    runs[3] = min(max(runs[3], 0.05), 0.995)
    runs[0] = y
    runs[1] = length + 1.0 if again else 0.0
    return told


@kernel
def tell(event, strength):
    """Two limits and patience: begin at 1, end after CALM in a row below ENDS. What is going on is not told again."""
    event[0] += 1.0
    event[3] = strength
    if event[1] == 0.0:
        if event[0] > FIRST and strength >= 1.0:
            event[1], event[2] = 1.0, 0.0
            return BEGINS
        return NOTHING
    event[2] = event[2] + 1.0 if strength < ENDS else 0.0
    if event[2] >= CALM:
        event[1] = 0.0
        return ENDED
    return LASTS
