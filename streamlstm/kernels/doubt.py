"""Whether to believe a reading: one far beyond all that has been, or the same again from a sensor that never repeats.

A reading in doubt is not learned from; what the model expected stands in for it. Doubt ends: the third wild one in a
row is believed, since a unit may have been changed, and a value that has stood for long enough may be the new state.
Twin: `tests/reference_doubt.py`.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel

NONE, WILD, STUCK = 0, 1, 2
# wild ones in a row; equal ones in a row; running share of repetitions, now and before these; last reading
START = (0.0, 0.0, 0.05, 0.05, math.nan)
KNOWN = 30  # observations before anything is doubted
RANGES = 10.0  # of the recent values: how far beyond them a reading is wild, if it is also
BEYOND = 1.0  # ranges of all values ever beyond those
BELIEVED = 3  # wild ones in a row: the last of them is believed
FEWEST, SAME, STANDS = 5, 12, 384  # equal readings in a row that are doubted from, at the earliest and latest; until
SELDOM = 0.02  # share of repetitions below which a series never repeats
CHANCE = 1e-12  # of that many in a row, were repetitions independent
RATE = 0.002  # of that share


@kernel
def too_many(share):
    """How many equal readings in a row are no chance: the first n with shareⁿ⁻¹ <= CHANCE, within FEWEST and SAME."""
    n = 1.0 + math.ceil(math.log(CHANCE) / math.log(min(max(share, 1e-6), 0.5)))
    return min(max(n, FEWEST), SAME)


@kernel
def question(state, y, seen, low, high, lowest, highest):
    """What there is to say against the reading y, after `seen` that were believed: NONE, WILD or STUCK.

    state (5,) as START; low, high: the range of the latest readings that were believed; lowest, highest: of all.
    """
    again = y == state[4]
    state[1] = state[1] + 1.0 if again else 1.0
    state[3] = state[3] if again else state[2]
    state[4] = y
    stuck = state[3] < SELDOM and state[1] < STANDS and state[1] >= FEWEST and state[1] >= too_many(state[3])
    if not stuck:
        state[2] += RATE * ((1.0 if again else 0.0) - state[2])
    recent, ever = RANGES * (high - low), BEYOND * (highest - lowest)
    beyond = max(low - y - recent, y - high - recent) > 0.0 and max(lowest - y - ever, y - highest - ever) > 0.0
    if seen < KNOWN or not beyond or ever == 0.0:
        state[0] = 0.0
        return STUCK if stuck else NONE
    state[0] += 1.0
    if state[0] < BELIEVED:
        return WILD
    state[0] = 0.0
    return NONE
