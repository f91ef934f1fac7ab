"""Civil time: what the clock on the wall shows, in nanoseconds, since days and weeks are lived by it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from streamlstm.events import SECOND_NS

QUARTER_S = 900  # zones change at whole quarters of an hour


class CivilTime:
    """Shifts event times to a zone."""

    def __init__(self, timezone: str) -> None:
        self._is_utc = timezone == "UTC"
        self._zone = ZoneInfo(timezone)
        self._offset_ns = lru_cache(maxsize=1024)(self._look_up)

    def of(self, time_ns: int) -> int:
        return time_ns if self._is_utc else time_ns + self._offset_ns(time_ns // (QUARTER_S * SECOND_NS))

    def _look_up(self, quarter: int) -> int:
        offset = datetime.fromtimestamp(quarter * QUARTER_S, UTC).astimezone(self._zone).utcoffset()
        assert offset is not None, "a zone of the database always has an offset"
        return round(offset.total_seconds()) * SECOND_NS
