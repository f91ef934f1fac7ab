"""Steps on the clock: where the one begins that a time falls in, and where it ends.

Steps of less than a day are counted from 1970; days and longer ones begin at civil midnights, weeks on Mondays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streamlstm.timeline.calendar import DAY_NS, WEEK_NS

MONDAY_NS = 4 * DAY_NS  # 1970 began on a Thursday


class Grid(NamedTuple):
    """Steps of `step_ns`. civil: event time to civil time, both in ns."""

    step_ns: int
    civil: Callable[[int], int]

    def start_of(self, time_ns: int) -> int:
        """Where the step begins that a time falls in."""
        if self.step_ns % DAY_NS:
            return time_ns - time_ns % self.step_ns
        civil_ns = self.civil(time_ns)
        shift_ns = MONDAY_NS if self.step_ns % WEEK_NS == 0 else 0
        wanted_ns = civil_ns - (civil_ns - shift_ns) % self.step_ns
        begin_ns = time_ns - (civil_ns - wanted_ns)
        return begin_ns - (self.civil(begin_ns) - wanted_ns)  # the clocks may have been changed in between

    def end_of(self, begin_ns: int) -> int:
        """Where a step ends: the next begins. Not all days are of one length."""
        return self.start_of(begin_ns + self.step_ns + self.step_ns // 2)
