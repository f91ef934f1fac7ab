"""Civil time: what the clock on the wall shows, in nanoseconds, since days and weeks are lived by it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from streamlstm.events import SECOND_NS

QUARTER_S = 900  # zones change at whole quarters of an hour
KEPT = 4096  # quarters whose offset is remembered


class CivilTime:
    """Shifts event times to a zone."""

    def __init__(self, timezone: str) -> None:
        self._is_utc = timezone == "UTC"
        self._zone = ZoneInfo(timezone)
        self._offsets_ns: dict[int, int] = {}

    def of(self, time_ns: int) -> int:
        if self._is_utc:
            return time_ns
        quarter = time_ns // (QUARTER_S * SECOND_NS)
        if quarter not in self._offsets_ns:
            if len(self._offsets_ns) >= KEPT:
                self._offsets_ns.clear()
            self._offsets_ns[quarter] = self._look_up(quarter)
        return time_ns + self._offsets_ns[quarter]

    def _look_up(self, quarter: int) -> int:
        offset = datetime.fromtimestamp(quarter * QUARTER_S, UTC).astimezone(self._zone).utcoffset()
        assert offset is not None, "a zone of the database always has an offset"
        return round(offset.total_seconds()) * SECOND_NS
