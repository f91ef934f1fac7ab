"""How good forecasts were: pairs of forecast and observation to measures, and those to JSON and CSV.

All contestants are compared on the same pairs of origin and lead: those for which each of them had a forecast.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamlstm.codec.encode import rfc3339
from streamlstm.events import Floats

OURS, PERSISTENCE, SEASONAL = "streamlstm", "persistence", "seasonal"


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Forecasts of one target at one lead that met their observation, in the order of the observations. N pairs."""

    origin_ns: NDArray[np.int64]  # (N,)
    time_ns: NDArray[np.int64]  # (N,)
    y: Floats  # (N,)
    forecasts: Mapping[str, Floats]  # by contestant (N,); NaN where it had none
    lower: Floats  # (Q, N)
    upper: Floats  # (Q, N)
    classes: tuple[str, ...] = ()  # of a category, whose values are their places
    turn: float = 0.0  # of an angle: once around

    def error(self, contestant: str) -> Floats:
        """How far off each forecast was (N,): of a category 1 where another class came, of an angle the shorter way."""
        off = self.y - self.forecasts[contestant]
        if self.classes:
            return np.where(np.isnan(off), nan, (off != 0).astype(np.float64))
        return np.abs(self._shorter(off))

    @property
    def inside(self) -> Floats:
        """1 where an interval held what came, 0 where not, NaN where there was none (Q, N)."""
        held = (self.lower <= self.y) & (self.y <= self.upper)
        if self.turn:
            half = 0.5 * (self.upper - self.lower)
            held = np.abs(self._shorter(self.y - self.lower - half)) <= half
        return np.where(np.isnan(self.lower), nan, held)

    def _shorter(self, way: Floats) -> Floats:
        return way - self.turn * np.round(way / self.turn) if self.turn else way

    @property
    def comparable(self) -> NDArray[np.bool_]:
        """Where we had a forecast, and so had every rival that ever has one (N,)."""
        both: NDArray[np.bool_] = ~np.isnan(self.forecasts[OURS])
        for forecast in self.forecasts.values():
            made = ~np.isnan(forecast)
            if made.any():
                both &= made
        return both


@dataclass(frozen=True, slots=True)
class Score:
    """How good the forecasts of one target at one lead were. NaN where there was nothing to score."""

    target: str
    lead: int
    n: int
    mae: float
    mse: float
    wape: float
    coverage: Mapping[str, float]
    interval_width: Mapping[str, float]
    rivals: Mapping[str, float]  # their mean absolute error on the same pairs

    def skill(self, rival: str) -> float:
        return 1 - self.mae / self.rivals[rival] if self.rivals.get(rival, 0.0) > 0 else nan


def score(target: str, lead: int, pairs: Pairs, levels: Sequence[float]) -> Score:
    """Measure one lead, every contestant on the same pairs."""
    same = pairs.comparable
    y, n = pairs.y[same], int(same.sum())

    def mean(values: Floats) -> float:
        return float(values.mean()) if n else nan

    errors = {name: pairs.error(name)[same] for name in pairs.forecasts}
    mae = {name: mean(error) for name, error in errors.items()}
    inside = pairs.inside[:, same]
    has_size = not (pairs.classes or pairs.turn)  # else to divide by the sum of the values means nothing
    width = pairs.upper[:, same] - pairs.lower[:, same]
    return Score(
        target=target,
        lead=lead,
        n=n,
        mae=mae.pop(OURS),
        mse=mean(errors[OURS] ** 2),
        wape=float(errors[OURS].sum() / np.abs(y).sum()) if has_size and np.abs(y).sum() > 0 else nan,
        coverage={str(level): mean(inside[q]) for q, level in enumerate(levels)},
        interval_width={str(level): mean(width[q]) for q, level in enumerate(levels)},
        rivals=mae,
    )


def document(scores: Sequence[Score]) -> dict[str, Any]:
    """The measures as plain values for JSON: `leads`, and `rivals` by name and lead (by target too if there are more).

    A number that is not finite becomes null.
    """
    targets = {s.target for s in scores}
    rivals: dict[str, dict[str, float | None]] = defaultdict(dict)
    for s in scores:
        for name, mae in s.rivals.items():
            rivals[name if len(targets) == 1 else f"{s.target}/{name}"][str(s.lead)] = plain(mae)
    return {
        "leads": [
            {
                "target": s.target,
                "lead": s.lead,
                "n": s.n,
                "mae": plain(s.mae),
                "mse": plain(s.mse),
                "rmse": plain(sqrt(s.mse)),
                "wape": plain(s.wape),
                "skill_persistence": plain(s.skill(PERSISTENCE)),
                "skill_seasonal": plain(s.skill(SEASONAL)),
                "coverage": {level: plain(share) for level, share in s.coverage.items()},
                "interval_width": {level: plain(width) for level, width in s.interval_width.items()},
            }
            for s in scores
        ],
        "rivals": rivals,
    }


def plain(value: float) -> float | None:
    """A number as JSON has it."""
    return value if isfinite(value) else None


def predictions(
    pairs: Mapping[str, Mapping[int, Pairs]], levels: Sequence[float]
) -> Iterator[Sequence[str | int | float]]:
    """A table, headed, of all forecasts by target and lead; times in RFC 3339 UTC. A category is told in its words."""
    words = any(p.classes for by_lead in pairs.values() for p in by_lead.values())
    bounds = [] if words else [f"{side}_{level}" for level in levels for side in ("lower", "upper")]
    yield ("origin", "time", "target", "lead", "y", "yhat", *bounds)
    for target, by_lead in pairs.items():
        for lead, p in by_lead.items():
            ours = p.forecasts[OURS]
            limits = np.stack((p.lower, p.upper), axis=1).reshape(-1, len(ours))  # lower and upper by turns
            for k in np.flatnonzero(~np.isnan(ours)):
                times = rfc3339(int(p.origin_ns[k])), rfc3339(int(p.time_ns[k]))
                if p.classes:
                    yield (*times, target, lead, p.classes[int(p.y[k])], p.classes[int(ours[k])])
                    continue
                yield (*times, target, lead, float(p.y[k]), float(ours[k]), *limits[:, k].tolist())


def short(value: float) -> str:
    """A number in a table for people: four digits, or all those before the point."""
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}" if isfinite(value) else "–"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %" if isfinite(share) else "–"
