"""Pairs of forecast and observation to figures: against the best naive in hindsight, and whether intervals held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamlstm.events import Floats
from streamlstm.scores import OURS, PERSISTENCE, SEASONAL, Pairs

FROM = 100  # the row of the observation from which on we are held to account
EARLY = (100, 600)
LATE = 10_000  # where Cui et al. (2016) begin to count
WINDOW = 500


@dataclass(frozen=True, slots=True)
class Figures:
    """One series at one lead. Rows count observations from 0; NaN where there is nothing to measure."""

    preset: str
    dataset: str
    series: str
    lead: int
    rows: int  # of the series
    n: int  # forecasts for rows from 100 that met their observation
    mae: float
    wape: Mapping[str, float]  # Σ|e|/Σ|y| by the first row that is counted
    naive: str  # the best naive forecast in hindsight
    naive_mae: Mapping[str, float]  # of each of them
    ratio: float  # our MAE over its own
    early: float  # the same for rows 100 to 600 alone, against the best naive there
    coverage: Mapping[str, float]  # by level
    worst: Mapping[str, float]  # of all windows of 500 consecutive observations
    worst_row: Mapping[str, int]  # where that one begins
    rivals: Mapping[str, float]  # MAE over ours, on the pairs that all contestants have
    late_wape: Mapping[str, float]  # Σ|e|/Σ|y| of every contestant on those of them that are for rows from 10,000


def measure(
    pairs: Pairs, at: NDArray[np.int64], levels: Sequence[float], seasons: Sequence[str], rivals: Sequence[str]
) -> dict[str, Any]:
    """The figures of one lead. `at` is each pair's row (N,); `seasons` names the seasonal naive ones, shorter first."""
    made = ~np.isnan(pairs.forecasts[OURS])
    naive = naives(pairs, seasons)
    late, early = made & (at >= FROM), made & (at >= EARLY[0]) & (at < EARLY[1])
    best, ratio = against_best(pairs, naive, late)
    inside = (pairs.lower <= pairs.y) & (pairs.y <= pairs.upper)
    worst = [worst_window(hits[late], WINDOW) for hits in inside]
    rows = at[late]
    return {
        "n": int(late.sum()),
        "mae": _mean(np.abs(pairs.y - pairs.forecasts[OURS])[late]),
        "wape": {str(first): wape(pairs, made & (at >= first)) for first in (0, FROM, LATE)},
        "naive": best,
        "naive_mae": {name: _mean(np.abs(pairs.y - f)[late]) for name, f in naive.items()},
        "ratio": ratio,
        "early": against_best(pairs, naive, early)[1],
        "coverage": {str(level): _mean(hits[late]) for level, hits in zip(levels, inside, strict=True)},
        "worst": {str(level): share for level, (share, _) in zip(levels, worst, strict=True)},
        "worst_row": {
            str(level): int(rows[i]) if len(rows) else -1 for level, (_, i) in zip(levels, worst, strict=True)
        },
        "rivals": against_rivals(pairs, rivals, at >= FROM),
        "late_wape": {
            name: wape(pairs, pairs.comparable & (at >= LATE), name) for name in (OURS, PERSISTENCE, *seasons, *rivals)
        },
    }


def naives(pairs: Pairs, seasons: Sequence[str]) -> dict[str, Floats]:
    """The naive forecasts. Each seasonal one says, until it has seen its season, what the next shorter one says."""
    last = pairs.forecasts[PERSISTENCE]
    found = {PERSISTENCE: last}
    for name in seasons or (SEASONAL,):
        own = pairs.forecasts[name]
        last = np.where(np.isnan(own), last, own)
        found[name] = last
    return found


def against_best(pairs: Pairs, naive: Mapping[str, Floats], where: NDArray[np.bool_]) -> tuple[str, float]:
    """The naive forecast with the least MAE on these pairs, and our MAE over its own."""
    if not where.any():
        return "", nan
    error = {name: float(np.abs(pairs.y - f)[where].mean()) for name, f in naive.items()}
    best = min(error, key=error.__getitem__)
    ours = float(np.abs(pairs.y - pairs.forecasts[OURS])[where].mean())
    return best, ours / error[best] if error[best] > 0 else nan


def worst_window(hits: NDArray[np.bool_], width: int) -> tuple[float, int]:
    """The smallest share of hits among `width` consecutive ones, and where it begins; NaN where there are fewer."""
    if len(hits) < width:
        return nan, 0
    total = np.concatenate(([0], np.cumsum(hits)))
    inside = total[width:] - total[:-width]
    at = int(np.argmin(inside))
    return float(inside[at]) / width, at


def wape(pairs: Pairs, where: NDArray[np.bool_], name: str = OURS) -> float:
    """Σ|e|/Σ|y| on these pairs."""
    size = float(np.abs(pairs.y[where]).sum())
    return float(np.abs(pairs.y - pairs.forecasts[name])[where].sum()) / size if size else nan


def against_rivals(pairs: Pairs, names: Sequence[str], where: NDArray[np.bool_]) -> dict[str, float]:
    """Each rival's MAE over ours, on the same pairs for all: those that every one of them has."""
    same = pairs.comparable & where
    ours = _mean(np.abs(pairs.y - pairs.forecasts[OURS])[same])
    errors = {name: _mean(np.abs(pairs.y - pairs.forecasts[name])[same]) for name in names}
    return {name: error / ours if ours > 0 else nan for name, error in errors.items()}


def _mean(values: Floats | NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else nan
