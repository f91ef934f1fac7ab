"""What is known of one covariate, as of any time not long ago: for observations that come late, or wait.

Nothing is drawn between two values: each holds until the next begins. Tariffs and schedules are meant so, and between
two words of a map there is no third.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import NamedTuple

from streamlstm.events import Known

FOREVER_NS = 2**63 - 1
VALUES = 512  # newest values of a covariate that are kept, for observations that come or wait so much later
VINTAGES = 32  # the same of messages that hold many values
ENTRIES = 40_000  # values of all those together; the newest message is kept however long it is
SCHEDULED = 1_024  # times, of a schedule that is sent one by one, whose value is kept
VERSIONS = 8  # and corrections of each


class PastState(NamedTuple):
    """What a `Past` knows."""

    times_ns: tuple[int, ...]
    values: tuple[float, ...]


class VintagesState(NamedTuple):
    """What `Vintages` know: of each message since when it is known, and its times, values and ends."""

    messages: tuple[tuple[int, tuple[int, ...], tuple[float, ...], tuple[int, ...]], ...]


class ScheduleState(NamedTuple):
    """What a `Schedule` knows: of each time, the last told last, since when which value was known."""

    versions: tuple[tuple[int, tuple[tuple[int, float], ...]], ...]


class Past:
    """The newest values of one covariate, each from its own time on. A reading that says "no value" changes nothing."""

    def __init__(self) -> None:
        self.times_ns = array("q")  # ascending
        self.values = array("d")

    def take(self, known: Known) -> None:
        time_ns, value = known.since_ns, known.values[0]
        place = bisect_left(self.times_ns, time_ns)
        if value != value:
            return
        if place < len(self.times_ns) and self.times_ns[place] == time_ns:
            self.values[place] = value
        elif place or len(self.times_ns) < VALUES:
            self.times_ns.insert(place, time_ns)
            self.values.insert(place, value)
            if len(self.times_ns) > VALUES:
                del self.times_ns[0], self.values[0]

    def export(self) -> PastState:
        """All that it knows."""
        return PastState(tuple(self.times_ns), tuple(self.values))

    def restore(self, known: PastState) -> None:
        """Know what an exported one knew."""
        self.times_ns, self.values = array("q", known.times_ns), array("d", known.values)

    def at(self, as_of_ns: int) -> tuple[float, int]:
        """The value that counts, and since when; NaN where there is none."""
        place = bisect_right(self.times_ns, as_of_ns) - 1
        return (self.values[place], self.times_ns[place]) if place >= 0 else (math.nan, as_of_ns)


class Vintage(NamedTuple):
    """One message's values, from when each and until when."""

    begin_ns: array[int]  # ascending
    values: array[float]
    end_ns: array[int]


class Vintages:
    """Messages with values for many times each, as a weather forecast.

    The newest that was known and reaches a time answers for it. hold_ns: how long a value holds at most; None: until
    the next begins, and the last of a message as long as the one before it.
    """

    def __init__(self, hold_ns: int | None) -> None:
        self.hold_ns = hold_ns
        self.since_ns: list[int] = []  # ascending
        self.kept: list[Vintage] = []

    def take(self, known: Known) -> None:
        place = bisect_right(self.since_ns, known.since_ns)
        times_ns, values = array("q", known.times_ns), array("d", known.values)
        if place and _same(self.kept[place - 1], times_ns, values):
            return  # sent again
        self.since_ns.insert(place, known.since_ns)
        self.kept.insert(place, Vintage(times_ns, values, self._ends_ns(times_ns)))
        while len(self.kept) > 1 and (len(self.kept) > VINTAGES or sum(len(one.values) for one in self.kept) > ENTRIES):
            del self.since_ns[0], self.kept[0]

    def export(self) -> VintagesState:
        """All that it knows."""
        kept = zip(self.since_ns, self.kept, strict=True)
        return VintagesState(
            tuple((since_ns, tuple(one.begin_ns), tuple(one.values), tuple(one.end_ns)) for since_ns, one in kept)
        )

    def restore(self, known: VintagesState) -> None:
        """Know what an exported one knew."""
        self.since_ns = [message[0] for message in known.messages]
        self.kept = [Vintage(array("q", b), array("d", v), array("q", e)) for _, b, v, e in known.messages]

    def at(self, as_of_ns: int, time_ns: int) -> float:
        """The value for a time, as it was known; NaN where none was."""
        for known in range(bisect_right(self.since_ns, as_of_ns) - 1, -1, -1):
            times_ns, values, ends_ns = self.kept[known]
            place = bisect_right(times_ns, time_ns) - 1
            if place >= 0 and time_ns < ends_ns[place]:
                return values[place]
        return math.nan

    def _ends_ns(self, times_ns: array[int]) -> array[int]:
        last_ns, before_ns = times_ns[-1], times_ns[-2] if len(times_ns) > 1 else None
        ends_ns = array("q", [_until(begin_ns, self.hold_ns, next_ns) for begin_ns, next_ns in pairwise(times_ns)])
        ends_ns.append(min(last_ns + _alone(last_ns, self.hold_ns, before_ns), FOREVER_NS))
        return ends_ns


class Schedule:
    """Messages with the value for one time each, as a tariff may come: together they say what holds when.

    hold_ns: how long a value holds at most; None: until the next begins, and the last as long as the one before it.
    """

    def __init__(self, hold_ns: int | None) -> None:
        self.hold_ns = hold_ns
        self.times_ns: list[int] = []  # ascending
        self.versions: dict[int, list[tuple[int, float]]] = {}  # of each: since when known, value; the last told last

    def take(self, known: Known) -> None:
        time_ns, since_ns, value = known.times_ns[0], known.since_ns, known.values[0]
        versions = self.versions.pop(time_ns, None)
        if versions is None:
            self.times_ns.insert(bisect_left(self.times_ns, time_ns), time_ns)
            versions = []
        self.versions[time_ns] = versions
        place = bisect_right(versions, since_ns, key=lambda version: version[0])
        if not place or str(versions[place - 1][1]) != str(value):  # else it is sent again; no NaN equals another
            versions.insert(place, (since_ns, value))
            del versions[:-VERSIONS]
        if len(self.times_ns) > SCHEDULED:
            oldest_ns = next(iter(self.versions))  # not the earliest: a time far ahead by mistake must go as well
            del self.versions[oldest_ns], self.times_ns[bisect_left(self.times_ns, oldest_ns)]

    def export(self) -> ScheduleState:
        """All that it knows."""
        return ScheduleState(tuple((time_ns, tuple(versions)) for time_ns, versions in self.versions.items()))

    def restore(self, known: ScheduleState) -> None:
        """Know what an exported one knew."""
        self.versions = {time_ns: list(versions) for time_ns, versions in known.versions}
        self.times_ns = sorted(self.versions)

    def at(self, as_of_ns: int, time_ns: int) -> float:
        """The value for a time, as it was known; NaN where none was."""
        after = bisect_right(self.times_ns, time_ns)
        own = self._known(range(after - 1, -1, -1), as_of_ns)
        if own is None:
            return math.nan
        begin_ns = self.times_ns[own]
        following = self._known(range(after, len(self.times_ns)), as_of_ns)
        if following is not None:
            end_ns = _until(begin_ns, self.hold_ns, self.times_ns[following])
        else:
            before = self._known(range(own - 1, -1, -1), as_of_ns)
            end_ns = begin_ns + _alone(begin_ns, self.hold_ns, None if before is None else self.times_ns[before])
        return self._value(own, as_of_ns) if time_ns < end_ns else math.nan

    def _known(self, places: range, as_of_ns: int) -> int | None:
        """The first of these places whose value was known."""
        return next((place for place in places if self.versions[self.times_ns[place]][0][0] <= as_of_ns), None)

    def _value(self, place: int, as_of_ns: int) -> float:
        return next(v for since_ns, v in reversed(self.versions[self.times_ns[place]]) if since_ns <= as_of_ns)


def _same(vintage: Vintage, times_ns: array[int], values: array[float]) -> bool:
    return vintage.begin_ns == times_ns and vintage.values.tobytes() == values.tobytes()  # no NaN equals another


def _until(begin_ns: int, hold_ns: int | None, next_ns: int) -> int:
    return next_ns if hold_ns is None else min(next_ns, begin_ns + hold_ns)


def _alone(begin_ns: int, hold_ns: int | None, before_ns: int | None) -> int:
    """How long a value holds that none comes after. Of a single one nothing is known but at its very time."""
    if hold_ns is not None:
        return hold_ns
    return 1 if before_ns is None else begin_ns - before_ns
