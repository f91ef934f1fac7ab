"""A counter that only grows, such as an energy meter: what was added from one reading to the next.

A fall is a new start or, with a `rollover`, the way past the end of the dial. What cannot be told is missing (NaN),
never a guess.
"""

from __future__ import annotations

import math
import struct

from streamlstm.events import BEGINNING, Observation

PLAUSIBLE = 2.0  # largest differences so far: what a meter may have counted since it fell
KEPT = struct.Struct("<4d3q?")
WILD = 10.0  # a difference counts as the largest for at most so many of the one before it


class Meter:
    """One series' readings, in order of event time, as differences; and what had been added up at any time between.

    limits: the lowest and the highest difference that there can be. rollover: the value at which it begins at 0 again.
    """

    def __init__(self, limits: tuple[float, float], rollover: float | None) -> None:
        self.limits = limits
        self.rollover = rollover
        self.reading = math.nan  # the newest that had a value
        self.time_ns = BEGINNING  # its
        self.largest = math.nan  # difference so far
        self.total = 0.0  # of the differences that are known
        self.unknown = 0  # how many were not
        self.blank = False  # the last reading had no value
        self.since_ns = BEGINNING  # of the reading before the newest, and the total there; what is between is a line
        self.since = math.nan

    def step(self, obs: Observation) -> Observation:
        """A reading that is a step of its own, as what was added in it; after one without a value that is of two."""
        reading, *others = obs.values
        after, self.blank = self.blank, reading != reading
        added = self.feed(obs.time_ns, reading)
        return obs._replace(values=(math.nan if after else added, *others))

    def feed(self, time_ns: int, reading: float) -> float:
        """Take a reading; returns what was added since the last one, NaN where that is not known."""
        if reading != reading:
            return math.nan
        before, self.reading = self.reading, reading
        self.since_ns, self.since, self.time_ns = self.time_ns, self.total, time_ns
        if before != before:
            self.since_ns = time_ns  # nothing is known of the time before the first
            return math.nan
        added = self._added(before, reading)
        if added != added:
            self.unknown += 1
            self.since = math.nan
            return math.nan
        self.largest = added if not self.largest > 0.0 else max(self.largest, min(added, WILD * self.largest))
        self.total += added
        return added

    def at(self, time_ns: int, longest_ns: int) -> float:
        """The total at a time from the last reading but one on; NaN where it is not known.

        Between these two it grew evenly, if they are no further apart than `longest_ns`.
        """
        if time_ns == self.time_ns:
            return self.total
        elapsed_ns = self.time_ns - self.since_ns
        if not self.since_ns <= time_ns < self.time_ns or elapsed_ns > longest_ns:
            return math.nan
        return self.since + (self.total - self.since) * ((time_ns - self.since_ns) / elapsed_ns)

    def export(self) -> bytes:
        """All that it knows."""
        known = (self.reading, self.largest, self.total, self.since)
        return KEPT.pack(*known, self.time_ns, self.unknown, self.since_ns, self.blank)

    def restore(self, state: bytes) -> None:
        """Know what an exported one knew. ValueError when it is of another size."""
        if len(state) != KEPT.size:
            raise ValueError(f"a meter of {len(state)} bytes: need {KEPT.size}")
        (*known, self.time_ns, self.unknown, self.since_ns, self.blank) = KEPT.unpack(state)
        self.reading, self.largest, self.total, self.since = known

    def _added(self, before: float, reading: float) -> float:
        lowest, highest = self.limits
        if reading >= before:
            return reading - before if lowest <= reading - before <= highest else math.nan
        most = min(highest, PLAUSIBLE * self.largest) if self.largest == self.largest else -math.inf
        if self.rollover is not None and lowest <= reading + self.rollover - before <= most:
            return reading + self.rollover - before
        return reading if lowest <= reading <= most else math.nan
