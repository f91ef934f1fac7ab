"""What each expert forecasts from an origin, as differences to the origin's value. Numba code.

The learned ones have a base that they learn the rest of: the last value, a profile, the linear branch.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, linear, stage
from streamlstm.kernels.analogue import analogue
from streamlstm.kernels.medians import median_of, middle, slide
from streamlstm.kernels.season import latest, latest_few, usual
from streamlstm.model.features import deviation, profile_value, rise, slots
from streamlstm.model.heads import say
from streamlstm.model.state import (
    B_LINEAR,
    B_LONG,
    B_RISE,
    B_SHORT,
    E_ANALOGUE,
    E_CELL,
    E_LAST,
    E_LINEAR,
    E_LINEAR_LONG,
    E_LINEAR_SHORT,
    E_LONG,
    E_LONG_MEDIAN,
    E_LONG_RISE,
    E_LONG_USUAL,
    E_MEDIAN_3,
    E_SHORT,
    E_SHORT_MEDIAN,
    E_SHORT_RISE,
    E_SHORT_USUAL,
    shape,
)

MARGIN = 0.1  # of the range seen so far: how far beyond it a learner may forecast


@kernel
def take_recent(s, plan, y):
    """A real value into the window of the running medians: the newest first, and the same in order."""
    old, count = math.nan, s.recent_count
    if count == plan.window:
        old = s.recent[count - 1]
    s.recent_count = slide(s.ordered, count, old, y)
    for i in range(s.recent_count - 1, 0, -1):
        s.recent[i] = s.recent[i - 1]
    s.recent[0] = y


@stage
def prepare(s, m, plan, work, k):
    """What the experts of all leads share: the heads of the cells, the analogue's forecasts, the running medians."""
    n = shape(s, work, plan)
    work.middles[0] = median_of(s.recent, min(s.recent_count, 3), work.sorted)
    work.middles[1] = median_of(s.recent, min(s.recent_count, 7), work.sorted)
    work.middles[2] = middle(s.ordered, s.recent_count)
    for cell in range(n.cells):
        say(s, n, work, cell)
    period = s.season_ns[0] // plan.step_ns
    if period >= 2:
        analogue(
            m.past_y, m.past_mask, s.imputed < s.first, s.first, k, period, plan.most_periods, plan.leads,
            work.distance, work.nearest, work.analogue,
        )  # fmt: skip
    else:
        for j in range(n.leads):
            work.analogue[j] = math.nan


@stage
def experts(s, m, plan, work, j, y, here, there, turn, out):
    """Fill out (M,) for lead j: each expert's forecast less y; NaN where it has none.

    here, there: the slots of both seasons at the origin and at the target; turn: see `turned`.
    """
    n = shape(s, work, plan)
    reach = MARGIN * (s.highest - s.lowest)
    low, high = max(s.lowest - reach, plan.lowest) - y, min(s.highest + reach, plan.highest) - y
    (at0, at1), (t0, t1) = here, there
    for i in range(E_CELL):
        out[i] = math.nan
    out[E_LAST] = 0.0
    if s.season_ns[0] > 0:
        out[E_SHORT] = latest(m.season_0, t0) - y
        out[E_SHORT_USUAL] = usual(m.season_0, t0) - y
        out[E_SHORT_RISE] = out[E_SHORT_USUAL] + deviation(y, m.season_0, at0)
        out[E_SHORT_MEDIAN] = median_of(work.few, latest_few(m.season_0, t0, work.few), work.sorted) - y
    if s.season_ns[1] > 0:
        out[E_LONG] = latest(m.season_1, t1) - y
        out[E_LONG_USUAL] = usual(m.season_1, t1) - y
        out[E_LONG_RISE] = out[E_LONG_USUAL] + deviation(y, m.season_1, at1)
        out[E_LONG_MEDIAN] = median_of(work.few, latest_few(m.season_1, t1, work.few), work.sorted) - y
    moved, day = turn
    out[E_ANALOGUE] = work.analogue[j] - y + moved
    for i in range(3):
        out[E_MEDIAN_3 + i] = work.middles[i] - y
    L, scales = n.leads, work.scales
    for base in range(3):
        start = 0.0 if base == 0 else out[E_SHORT_USUAL] if base == B_SHORT else out[E_LONG_USUAL]
        value = start + linear.inner(s.coefficients[base, j], work.x) * scales[3 + base * L + j]
        if not math.isnan(value):
            out[E_LINEAR if base == 0 else E_LINEAR_SHORT if base == B_SHORT else E_LINEAR_LONG] = min(
                max(value, low), high
            )
    own, seeing, first = 0.0, 0.0, mean_of_cells(n) + 1
    for cell in range(n.cells):
        base = plan.base[cell]
        start = 0.0
        if base == B_RISE:
            start = rise(m.season_0, at0, t0)
        elif base == B_LINEAR:
            start = out[E_LINEAR]
        value = start + work.out[cell, j] * scales[3 + base * L + j]
        value = min(max(value, low), high) + (moved - day if base == B_RISE else moved)
        if cell < n.own:
            out[E_CELL + cell] = value
            own += value
        else:
            out[first + cell - n.own] = value
            seeing += value
    out[E_LINEAR] += moved  # now that the cells have begun from what it said
    if n.own > 1:
        out[E_CELL + n.own] = own / n.own
    if n.beside_cells > 1:
        out[first + n.beside_cells] = seeing / n.beside_cells
    first += n.beside_cells + (1 if n.beside_cells > 1 else 0)
    for base in range(n.beside_bases):
        start = 0.0 if base == 0 else out[E_SHORT_USUAL]
        x = work.beside[min(j, n.beside_gains - 1)]
        value = start + linear.inner(s.beside_coefficients[base, j], x) * scales[3 + base * L + j]
        by = moved if base == 0 else 0.0  # its profile is that of the target
        out[first + base] = min(max(value, low), high) + by if not math.isnan(value) else math.nan


@kernel
def mean_of_cells(n):
    """Where their mean is among the experts, or the only cell. What sees covariates comes after it."""
    return E_CELL + (n.own if n.own > 1 else 0)


@kernel
def turned(s, m, target, there, usually):
    """Across a change of the clocks: how much what counts steps is moved, and how much of that is the shorter season's.

    Linear branches, analogues and cells have learned what follows so many steps later, in ordinary days. Where the
    target is an hour earlier or later on the wall than it would be, they are moved by what the profile says of that
    hour. there: the target's slots; usually: the civil time that it would have on an ordinary day.
    """
    if target == usually:
        return 0.0, 0.0
    instead = slots(s, m, usually)
    moved = profile_value(s, m, there) - profile_value(s, m, instead)
    return (0.0, 0.0) if math.isnan(moved) else (moved, rise(m.season_0, instead[0], there[0]))


@kernel
def base_of(base, forecasts):
    """What a base says, out of the experts' forecasts; where the profile is not known, it is the last value."""
    found = 0.0
    if base == B_SHORT:
        found = forecasts[E_SHORT_USUAL]
    elif base == B_LONG:
        found = forecasts[E_LONG_USUAL]
    elif base == B_RISE:
        found = forecasts[E_SHORT_RISE]
        if math.isnan(found):
            found = 0.0
    elif base == B_LINEAR:
        found = forecasts[E_LINEAR]
    return found
