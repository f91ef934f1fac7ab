"""What a person says of a series, and how well alarms agree with it. For `benchmarks/anomalies.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

# Windows of the Numenta Anomaly Benchmark (labels/combined_windows.json of its repository), first and last row.
NAB = {
    "nyc_taxi": (
        ("2014-10-30 15:30", "2014-11-03 22:30"),  # marathon
        ("2014-11-25 12:00", "2014-11-29 19:00"),  # Thanksgiving
        ("2014-12-23 11:30", "2014-12-27 18:30"),  # Christmas
        ("2014-12-29 21:30", "2015-01-03 04:30"),  # New Year
        ("2015-01-24 20:30", "2015-01-29 03:30"),  # snow storm
    ),
    "ambient_temperature": (
        ("2013-12-15 07:00", "2013-12-30 09:00"),
        ("2014-03-29 15:00", "2014-04-20 22:00"),
    ),
    "travel_time_387": (
        ("2015-07-27 10:56", "2015-07-31 18:01"),
        ("2015-08-17 11:51", "2015-08-20 01:54"),
        ("2015-08-31 13:34", "2015-09-01 10:46"),
    ),
}


@dataclass(slots=True)
class Verdict:
    """Counts of one detector on one series, or on several."""

    rows: int = 0
    labels: int = 0
    hits: int = 0
    false: int = 0
    repeats: int = 0  # further alarms for what has been told
    nab: float = 0.0  # not yet normalised: 0 for no alarm at all, 2 a label for all at once
    delays: list[int] = field(default_factory=list)  # rows from the beginning of a window to its first alarm

    def add(self, other: Verdict) -> None:
        for name in ("rows", "labels", "hits", "false", "repeats", "nab", "delays"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def alarms(self) -> int:
        return self.hits + self.false + self.repeats

    @property
    def precision(self) -> float:
        return self.hits / (self.hits + self.false) if self.hits + self.false else math.nan

    @property
    def recall(self) -> float:
        return self.hits / self.labels if self.labels else math.nan

    @property
    def f1(self) -> float:
        return 2 * self.hits / (self.hits + self.false + self.labels) if self.labels else math.nan

    @property
    def nab_score(self) -> float:
        return 100 * self.nab / (2 * self.labels) if self.labels else math.nan


def judge(alarms: Sequence[int], windows: Sequence[tuple[int, int]], rows: int, first: int) -> Verdict:
    """Hold the rows at which events began against windows [begin, end); rows before `first` are not judged.

    The benchmark's standard profile: an alarm in a window is worth 1 at its left edge, falling to 0 at its right; none,
    -1; a false alarm costs 0.11, less just behind a window (Lavin and Ahmad 2015).
    """
    told: dict[int, int] = {}
    verdict = Verdict(rows=rows - first, labels=len(windows))
    for at in alarms:
        if at < first:
            continue
        inside = next((i for i, (begin, end) in enumerate(windows) if begin <= at < end), None)
        if inside is not None:
            verdict.repeats += inside in told
            told.setdefault(inside, at)
            continue
        verdict.false += 1
        past = [(at - end + 1) / max(end - begin - 1, 1) for begin, end in windows if end <= at]
        verdict.nab += 0.11 * _sigmoid(min(past, default=3.0))
    verdict.hits = len(told)
    for i, at in told.items():
        begin, end = windows[i]
        verdict.nab += 1 + _sigmoid((at - end) / (end - begin)) / _sigmoid(-1.0)
        verdict.delays.append(at - begin)
    return verdict


def _sigmoid(position: float) -> float:
    """1 far left of a window's right edge, 0 on it, -1 far behind. In widths of the window."""
    return -1.0 if position >= 3.0 else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0
