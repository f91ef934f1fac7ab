"""Drift: whether errors have grown for good. Page-Hinkley, as river has it, on errors in units of their slow mean.

Oracle: `river.drift.PageHinkley` (mode "up").
"""

from __future__ import annotations

from streamlstm.kernels import kernel

START = (0.0, 0.0, 0.0, 0.0)  # values, their mean, the sum of what was above it, the least that this has been
FEWEST = 100  # values before anything is told
ALLOWED = 0.1  # above the mean, at no charge
LIMIT = 60.0  # of the sum above its least; errors of twice the size reach it in some 70 values
KEEP = 0.9999
WILD = 5.0  # one error counts for at most so much
SETTLED = 1.15  # of the slow mean, from where down drift is over


@kernel
def begins(state, x):
    """Take in x >= 0 and tell whether drift begins with it; then all starts anew.

        m <- .9999 m + x - mean - .1,   alarm when m - min m > 60

    After Page, "Continuous inspection schemes" (1954). state (4,) as START.
    """
    state[0] += 1.0
    state[1] += (x - state[1]) / state[0]
    state[2] = KEEP * state[2] + x - state[1] - ALLOWED
    state[3] = min(state[3], state[2]) if state[0] > 1.0 else state[2]
    if state[0] < FEWEST or state[2] - state[3] <= LIMIT:
        return False
    for i in range(4):
        state[i] = 0.0
    return True
