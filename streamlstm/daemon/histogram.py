"""Counts of durations, for one thread to add to and to copy from."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate


class Histogram:
    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.total_s = 0.0
        self._bounds_s = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)

    def add(self, seconds: float) -> None:
        self.total_s += seconds
        self._counts[bisect_left(self._bounds_s, seconds)] += 1

    @property
    def cumulative(self) -> tuple[int, ...]:
        """How many were at most each bound, and how many there were.

        >>> latencies = Histogram((0.1, 1.0))
        >>> for each in (0.05, 0.1, 0.2, 9.0):
        ...     latencies.add(each)
        >>> latencies.cumulative
        (2, 3, 4)
        """
        return tuple(accumulate(self._counts))
