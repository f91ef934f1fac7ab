"""What was set out to be reached, line by line: the floor, the aim, and ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isnan, nan

from benchmarks.skill import datasets, protocol
from benchmarks.skill.measures import Figures

LONG_ROWS = 5_000  # a series whose intervals are held to account
NEAR = 6  # steps: up to here the worst windows have the narrower aim


@dataclass(frozen=True, slots=True)
class Line:
    """One figure beside its floor and aim, all in `unit`."""

    measure: str
    preset: str
    floor: float
    aim: float
    ours: float
    unit: str = ""
    higher: bool = False  # is better

    @property
    def reached(self) -> str:
        """Which of the two; of a figure that was not measured, neither."""
        if isnan(self.ours):
            return ""
        for name, bound in (("aim", self.aim), ("floor", self.floor)):
            if (self.ours >= bound) if self.higher else (self.ours <= bound):
                return name
        return "below the floor"


@dataclass(frozen=True)
class Measured:
    """What one preset did, beside its figures by series and lead."""

    preset: str
    us_per_observation: float
    bytes_per_series: float
    likelihood: float  # of taxi; NaN where that was not run
    ettm: Mapping[str, float]  # of ETTh1; empty where that was not run


COST = {"full": (100, 30), "fleet": (30, 10)}
ETTM = {
    "mse": ("MSE", {1: (0.20, 0.18), 24: (0.61, 0.56), 48: (0.73, 0.67)}),
    "mae": ("MAE", {1: (0.27, 0.25), 24: (0.49, 0.45), 48: (0.54, 0.50)}),
}
WORST = {"0.8": (64, 72, 68), "0.95": (86, 90, 88)}  # floor, aim near, aim beyond


def lines(measured: Measured, figures: Iterable[Figures]) -> list[Line]:
    """The lines of one preset."""
    own = [f for f in figures if f.preset == measured.preset and f.lead in protocol.LEADS]
    long = [f for f in own if f.rows > LONG_ROWS]

    def line(measure: str, floor: float, aim: float, ours: float, unit: str = "", higher: bool = False) -> Line:
        return Line(measure, measured.preset, floor, aim, ours, unit, higher)

    taxi = next((f.wape for f in own if f.dataset == datasets.TAXI and f.lead == 5), {})
    found = [
        line("nyc_taxi, lead 5, Σ|e|/Σ|y|, rows from 10,000", 4.9, 4.6, 100 * taxi.get("10000", nan), "%"),
        line("nyc_taxi, lead 5, Σ|e|/Σ|y|, whole stream", 5.8, 5.3, 100 * taxi.get("0", nan), "%"),
        line("nyc_taxi, lead 5, negative log likelihood, rows from 10,000", 0.85, 0.78, measured.likelihood),
    ]
    for key, (name, bounds) in ETTM.items():
        found += [
            line(f"ETTh1, all variates, {name}, H = {H}", floor, aim, measured.ettm.get(f"{key}_{H}", nan))
            for H, (floor, aim) in bounds.items()
        ]
    found += [
        line("MAE / best naive, rows from 100: worst", 1.13, 1.03, most(f.ratio for f in own)),
        line("MAE / best naive, rows from 100: mean", 0.82, 0.78, mean(f.ratio for f in own)),
    ]
    for level, (floor, near, beyond) in WORST.items():
        nominal, name = float(level), f"{100 * float(level):g} %"
        off = most(100 * abs(f.coverage.get(level, nan) - nominal) for f in long)
        found.append(line(f"coverage at {name}: furthest from it", 1.5, 1.0, off, "points"))
        for what, aim, those in (
            (f"up to lead {NEAR}", near, [f for f in long if f.lead <= NEAR]),
            ("beyond", beyond, [f for f in long if f.lead > NEAR]),
        ):
            worst = 100 * least(f.worst.get(level, nan) for f in those)
            found.append(line(f"worst 500 observations at {name}, {what}", floor, aim, worst, "%", True))
    if measured.preset in COST:
        found.append(line("µs an observation, one core", *COST[measured.preset], measured.us_per_observation, "µs"))
    return found


def mean(values: Iterable[float]) -> float:
    """Of what is known, as the next two."""
    known = [v for v in values if not isnan(v)]
    return sum(known) / len(known) if known else nan


def most(values: Iterable[float]) -> float:
    return max((v for v in values if not isnan(v)), default=nan)


def least(values: Iterable[float]) -> float:
    return min((v for v in values if not isnan(v)), default=nan)
