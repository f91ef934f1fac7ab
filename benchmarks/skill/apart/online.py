"""What the scripts in this folder share. They run in environments of their own: nothing of ours is imported here.

    python SCRIPT OBSERVATIONS.csv FORECASTS.csv --leads 1,5,24,48 --step SECONDS [--seed 1]

In: a line an observation, with the civil time in seconds, the steps missed before it, and the value or nothing.
Out: a line for each of them, with what is forecast from it at each lead, or nothing.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import cos, pi, sin, sqrt
from pathlib import Path
from typing import NamedTuple

DAY_S = 86_400
HARMONICS = (
    4  # with one, the LSTM in PyTorch at a rate of 1e-3 errs by 11 % on taxi demand, five steps ahead; with four by 8
)
CALENDAR = 4 * HARMONICS
MOST_MISSED = 1_000  # steps that are walked over

Said = Sequence[float | None]


class Seen(NamedTuple):
    """One observation."""

    civil_s: float
    missed: int
    y: float | None


class Running:
    """Mean and deviation of all that was seen (Welford)."""

    def __init__(self) -> None:
        self.n, self.mean, self.square = 0, 0.0, 0.0

    def learn(self, y: float) -> None:
        self.n += 1
        d = y - self.mean
        self.mean += d / self.n
        self.square += d * (y - self.mean)

    @property
    def deviation(self) -> float:
        return max(sqrt(self.square / max(1, self.n)), 1e-9)


def calendar(civil_s: float) -> list[float]:
    """Sine and cosine of the time of day and of the week, four harmonics each (16,).

    1970 began on a Thursday; the phase is learned.
    """
    turns = [k * civil_s / period for period in (DAY_S, 7 * DAY_S) for k in range(1, HARMONICS + 1)]
    return [wave(2 * pi * turn) for turn in turns for wave in (sin, cos)]


def run(forecasts: Callable[[Iterable[Seen], list[int], float, int], Iterator[Said]]) -> None:
    """Read the command line and the observations, and write what is forecast from each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("observations", type=Path)
    parser.add_argument("forecasts", type=Path)
    parser.add_argument("--leads", required=True)
    parser.add_argument("--step", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    leads = [int(lead) for lead in wanted.leads.split(",")]
    with wanted.observations.open(newline="") as given, wanted.forecasts.open("w", newline="") as answer:
        seen = (
            Seen(
                float(row["civil_seconds"]), min(int(row["missed"]), MOST_MISSED), float(row["y"]) if row["y"] else None
            )
            for row in csv.DictReader(given)
        )
        write = csv.writer(answer)
        for said in forecasts(seen, leads, wanted.step, wanted.seed):
            write.writerow("" if y is None else repr(y) for y in said)
