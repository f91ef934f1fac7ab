"""Civil time: what the clock on the wall shows, in nanoseconds, since days and weeks are lived by it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streamlstm.events import SECOND_NS

QUARTER_S = 900  # zones change at whole quarters of an hour
KEPT = 4096  # quarters whose offset is remembered
NEVER_NS = 2**62
END_S = 253_402_128_000  # two days before the calendar of datetime ends; 64 bits of ns end in 2262


class Civil(NamedTuple):
    """What the clock on the wall shows, and when it will be changed next, if within the horizon."""

    time_ns: int
    turn_ns: int  # UTC; NEVER_NS: not within the horizon
    turn_by_ns: int


class CivilTime:
    """Shifts event times to a zone; looks `horizon_ns` ahead for a change of the clocks."""

    def __init__(self, timezone: str, horizon_ns: int = 0) -> None:
        self._is_utc = timezone == "UTC"
        self._zone = ZoneInfo(timezone)
        self._horizon = -(-horizon_ns // (QUARTER_S * SECOND_NS))
        self._known: dict[int, tuple[int, int, int]] = {}

    def of(self, time_ns: int) -> Civil:
        if self._is_utc:
            return Civil(time_ns, NEVER_NS, 0)
        quarter = time_ns // (QUARTER_S * SECOND_NS)
        if quarter not in self._known:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[quarter] = (self._offset_ns(quarter), *self._next_turn(quarter))
        offset_ns, turn_ns, turn_by_ns = self._known[quarter]
        return Civil(time_ns + offset_ns, turn_ns, turn_by_ns)

    def _next_turn(self, quarter: int) -> tuple[int, int]:
        """The first change after a quarter, by bisection: a zone seldom has two within a horizon."""
        begin, end = quarter, min(quarter + self._horizon + 1, END_S // QUARTER_S)
        before, after = self._offset_ns(begin), self._offset_ns(end)
        if before == after:
            return NEVER_NS, 0
        while end - begin > 1:
            middle = (begin + end) // 2
            if self._offset_ns(middle) == before:
                begin = middle
            else:
                end = middle
        turn_ns = end * QUARTER_S * SECOND_NS
        return (turn_ns, self._offset_ns(end) - before) if turn_ns < 2**63 else (NEVER_NS, 0)

    def _offset_ns(self, quarter: int) -> int:
        offset = datetime.fromtimestamp(quarter * QUARTER_S, UTC).astimezone(self._zone).utcoffset()
        assert offset is not None, "a zone of the database always has an offset"
        return round(offset.total_seconds()) * SECOND_NS
