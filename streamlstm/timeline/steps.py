"""Many readings, one value a step: a coarser grid than a stream is sent on, and values that hold until the next.

A step is named by its beginning. Its value is known when a later reading comes, or when the clock says it is over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

from streamlstm.events import BEGINNING, Discarded, Observation, Reason
from streamlstm.timeline.grid import Grid
from streamlstm.timeline.meter import Meter

How = Literal["mean", "last", "sum", "min", "max", "count"]


class Tallied(NamedTuple):
    """What a `Tally` knows, in the order of its own fields."""

    readings: int
    sum: float
    least: float
    most: float
    last: float
    held: float
    held_ns: int


NOTHING = Tallied(0, 0.0, math.inf, -math.inf, math.nan, 0.0, 0)


class Gathered(NamedTuple):
    """What `Steps` know: the open step, and the newest reading."""

    newest: Observation | None
    begin_ns: int
    end_ns: int
    from_ns: int
    tallies: tuple[Tallied, ...]
    level: float
    unknown: int


class Steps:
    """Gathers one series' observations, in order of event time, into steps of `grid`.

    A reading counts in the step that it falls in. With `hold_ns` it also stands for all the time until the next one,
    but no longer than that: a sensor that speaks only of changes is heard so long after its last word, a dead one not.
    The mean is then over time, and steps without a reading have the value that holds. `count` knows zero readings.

    meter: of a counter. A step's value is then what was added from its beginning to its end, each read off the line
    between the readings around it; where they are more than a step and a half apart, it is missing. Spread evenly over
    the steps of a gap, a difference would be learned from as if it had been seen.
    """

    def __init__(
        self,
        grid: Grid,
        how: How,
        hold_ns: int,
        gap_ns: int,
        meter: Meter | None = None,
    ) -> None:
        self.grid = grid
        self.how: How = how
        self.hold_ns = hold_ns
        self.gap_ns = gap_ns
        self.newest: Observation | None = None  # of all readings
        self.meter = meter
        self.apart_ns = grid.step_ns * 3 // 2 if meter else 0  # at most, the readings that a line is drawn between
        self._begin_ns = BEGINNING  # of the open step; BEGINNING: none is open
        self._end_ns = BEGINNING  # of the open step, or of the last one
        self._from_ns = BEGINNING  # since when `newest` holds in the open step
        self._tallies: list[Tally] = []
        self._level, self._unknown = math.nan, 0  # of the meter, at the open step's beginning

    def feed(self, obs: Observation) -> Iterator[Observation | Discarded]:
        """Take one reading; what it ends are the steps before its own."""
        if obs.time_ns < self.over_ns:
            yield Discarded(obs.series, obs.time_ns, Reason.LATE, "its step is over")
            return
        if self.meter:
            self.meter.feed(obs.time_ns, obs.values[0])
        yield from self._until(obs.time_ns)
        if self._begin_ns == BEGINNING:
            self._open(obs.time_ns)
        self._hold(obs.time_ns)
        if not self._tallies:
            self._tallies = [Tally() for _ in obs.values]
        for tally, value in zip(self._tallies, obs.values, strict=True):
            tally.take(value)
        self.newest, self._from_ns = obs, obs.time_ns

    @property
    def over_ns(self) -> int:
        """The steps before this time are over."""
        return self._end_ns if self._begin_ns == BEGINNING else self._begin_ns

    def resume(self, over_ns: int) -> None:
        """Go on after what another one has gathered, with nothing of it."""
        self._end_ns = over_ns

    def export(self) -> Gathered:
        """All that it knows; of a meter, what was known where the open step begins."""
        tallies = tuple(tally.export() for tally in self._tallies)
        bounds = self._begin_ns, self._end_ns, self._from_ns
        return Gathered(self.newest, *bounds, tallies, self._level, self._unknown)

    def restore(self, known: Gathered) -> None:
        """Know what an exported one knew."""
        self.newest, self._begin_ns, self._end_ns, self._from_ns, tallies, self._level, self._unknown = known
        self._tallies = [Tally(tallied) for tallied in tallies]

    def expire(self, now_ns: int) -> Iterator[Observation]:
        """End the steps that are over by the host's clock. Recorded data knows none, and does not expire."""
        if self.newest is not None and self.newest.received_ns:
            yield from self._until(now_ns - self.apart_ns)  # a reading until then would still say where a meter stood

    def _until(self, time_ns: int) -> Iterator[Observation]:
        """Close every step that ends at or before a time: those that something is known of."""
        while self._begin_ns != BEGINNING and self._end_ns <= time_ns:
            assert self.newest is not None, "a step is opened by a reading"
            self._hold(self._end_ns)
            if self._tallies or self._knows_more() or (self.meter and not math.isnan(self._added())):
                yield self._closed()
            self._tallies = []
            if self._knows_more():
                self._open(self._end_ns)
            else:
                self._begin_ns = BEGINNING  # the next reading opens its own

    def _knows_more(self) -> bool:
        """Whether something can be said of a step without a reading, from the open step's end on."""
        newest = self.newest
        assert newest is not None, "a step is opened by a reading"
        if self.meter:
            return self._end_ns < self.meter.time_ns and not math.isnan(self.meter.at(self._end_ns, self.apart_ns))
        lasts_ns = self.gap_ns if self.how == "count" else self.hold_ns
        return self._end_ns < newest.time_ns + lasts_ns

    def _open(self, time_ns: int) -> None:
        self._begin_ns = self.grid.start_of(time_ns)
        self._end_ns = self.grid.end_of(self._begin_ns)
        self._from_ns = self._begin_ns
        if self.meter:
            self._level, self._unknown = self.meter.at(self._begin_ns, self.apart_ns), self.meter.unknown

    def _hold(self, until_ns: int) -> None:
        """Let the newest reading count for the time that it held in the open step."""
        if self.newest is None or not self.hold_ns or self.how == "count":
            return
        until_ns = min(until_ns, self.newest.time_ns + self.hold_ns)
        if until_ns > self._from_ns:
            if not self._tallies:
                self._tallies = [Tally() for _ in self.newest.values]
            for tally, value in zip(self._tallies, self.newest.values, strict=True):
                tally.hold(value, until_ns - self._from_ns)
            self._from_ns = until_ns

    def _closed(self) -> Observation:
        """The open step as an observation."""
        newest = self.newest
        assert newest is not None, "a step is opened by a reading"
        tallies = self._tallies or [Tally() for _ in newest.values]
        first, *others = tallies
        own = self._added() if self.meter else first.value(self.how)
        values = (own, *[tally.value("last" if self.how == "last" else "mean") for tally in others])
        return newest._replace(time_ns=self._begin_ns, values=values)

    def _added(self) -> float:
        """What the meter counted in the open step."""
        assert self.meter is not None, "asked of a counter only"
        known = self.meter.unknown == self._unknown
        return self.meter.at(self._end_ns, self.apart_ns) - self._level if known else math.nan


class Tally:
    """What is known of one value in one step. Missing readings (NaN) say nothing."""

    def __init__(self, known: Tallied = NOTHING) -> None:
        self.count, self.sum, self.least, self.most, self.last = known[:5]
        self.held, self.held_ns = known.held, known.held_ns  # value × ns, ns

    def export(self) -> Tallied:
        """All that it knows."""
        return Tallied(self.count, self.sum, self.least, self.most, self.last, self.held, self.held_ns)

    def take(self, value: float) -> None:
        if value == value:
            self.count += 1
            self.sum += value
            self._see(value)

    def hold(self, value: float, for_ns: int) -> None:
        if value == value:
            self.held += value * for_ns
            self.held_ns += for_ns
            self._see(value)

    def value(self, how: How) -> float:
        """NaN where nothing was seen; but a count is then zero."""
        if how == "count":
            return float(self.count)
        if self.last != self.last:
            return math.nan
        if how == "mean":
            return self.held / self.held_ns if self.held_ns else self.sum / self.count
        if how == "sum":
            return self.sum if self.count else math.nan
        return {"last": self.last, "min": self.least, "max": self.most}[how]

    def _see(self, value: float) -> None:
        self.least, self.most, self.last = min(self.least, value), max(self.most, value), value
