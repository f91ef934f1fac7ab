"""Look for the seasons of one series, and move it over to others: profiles are rebuilt from what it remembers."""

from __future__ import annotations

import numpy as np

from streamlstm.kernels import stage
from streamlstm.kernels.periods import find_periods, scratch_size
from streamlstm.kernels.season import ERROR
from streamlstm.model.advance import into_seasons
from streamlstm.model.arena import Layout, Rows
from streamlstm.model.state import carve, shape
from streamlstm.timeline import calendar
from streamlstm.timeline.calendar import Standing


class Seeker:
    """What a look needs: scratch for one, shared by all series of a layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._scratch = np.empty(scratch_size.py_func(layout.memory) if layout.looks else 0)
        self._found = np.zeros(2)
        self._usual = np.array(calendar.usual(layout.step_ns))

    def look(self, rows: Rows, at: int, plan: np.ndarray, work: np.ndarray) -> None:
        """Look for periods in a series' memory; where they make its seasons others, rebuild the profiles."""
        layout, s = self._layout, rows.record(at)
        y, mask = rows.ring(at, "past_y"), rows.ring(at, "past_mask")
        first, k = int(s["first"]), int(s["index"])
        find_periods(y, mask, first, k, self._usual, self._scratch, self._found)
        before = Standing(_known(s["season_ns"]), _known(s["rivals_ns"]), int(s["looks"]))
        steps = min(k - first + 1, layout.memory)
        now = calendar.considered(before, self._found.tolist(), layout.step_ns, steps, layout.season_ns)
        s["rivals_ns"], s["looks"] = (*now.rivals_ns, 0, 0)[:2], now.looks
        s["look_at"] = calendar.next_look(k + 1, layout.memory)
        if now.seasons_ns != before.seasons_ns:
            s["season_ns"] = (*now.seasons_ns, 0, 0)[:2]
            s["season_slots"] = layout.cut(now.seasons_ns)
            for which in range(2):
                season = rows.season(at, which)
                season[:] = 0
                season[ERROR] = 1.0
            chunk, row = divmod(at, rows.per_chunk)
            rebuild(*rows.views[chunk], plan, work, row)

    def compile(self) -> None:
        """Have the machine code ready: a memory with nothing in it shows nothing."""
        if self._layout.looks:
            find_periods(np.zeros(8), np.zeros(8, np.int8), 0, 7, self._usual, self._scratch, self._found)


def _known(periods: np.ndarray) -> tuple[int, ...]:
    return tuple(int(period) for period in periods if period > 0)


@stage
def rebuild(records, f8, i8, f4, i2, i1, plans, works, row):
    """Let the profiles of a row live through its memory again."""
    plan, work, s = plans[0], works[0], records[row]
    m = carve(f8[row], i8[row], f4[row], i2[row], i1[row], s, shape(s, work, plan), plan)
    for k in range(s.first, s.index + 1):
        at = k % plan.memory
        if m.past_mask[at] != 0:
            into_seasons(s, m, m.past_y[at], m.past_time[at])
