"""Detectors to be compared with, each a score per row from the rows before it. For `benchmarks/anomalies.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WINDOW = 500  # rows that a z-score knows
GRACE = 100  # rows before a score is given


def z_score(y: Floats, _day: int) -> Floats:
    """|y - mean| / deviation of the last WINDOW rows."""
    return _standardised(y)


def z_difference(y: Floats, _day: int) -> Floats:
    """The z-score of the change since the row before."""
    return _standardised(np.diff(y, prepend=y[0]))


def z_season(y: Floats, day: int) -> Floats:
    """The z-score of the change since the same time yesterday."""
    return _standardised(y - np.concatenate([y[:day], y[:-day]]))


def ewma_chart(y: Floats, day: int) -> Floats:
    """Roberts' chart (1959): an exponentially weighted mean, weight 0.1, of the standardised change since yesterday."""
    z, out, mean = _standardised(y - np.concatenate([y[:day], y[:-day]]), signed=True), np.zeros(len(y)), 0.0
    for i, value in enumerate(z):
        mean += 0.1 * (min(max(value, -10.0), 10.0) - mean)
        out[i] = abs(mean)
    return out


def cusum(y: Floats, day: int) -> Floats:
    """Page's sums (1954) above and below, slack 0.5, of the standardised change since yesterday."""
    z, out, up, down = _standardised(y - np.concatenate([y[:day], y[:-day]]), signed=True), np.zeros(len(y)), 0.0, 0.0
    for i, value in enumerate(z):
        bounded = min(max(value, -10.0), 10.0)
        up, down = max(0.0, up + bounded - 0.5), max(0.0, down - bounded - 0.5)
        out[i] = max(up, down)
    return out


def gaussian(y: Floats, _day: int) -> Floats:
    """river's GaussianScorer over the last WINDOW rows."""
    from river.anomaly import GaussianScorer

    scorer, out = GaussianScorer(window_size=WINDOW, grace_period=GRACE), np.zeros(len(y))
    for i, value in enumerate(y):
        out[i] = scorer.score_one(None, value)
        scorer.learn_one(None, value)
    return out


def half_space_trees(y: Floats, day: int) -> Floats:
    """river's HalfSpaceTrees on the value, its last change and the change since yesterday."""
    from river.anomaly import HalfSpaceTrees
    from river.preprocessing import MinMaxScaler

    changes = np.stack([y, np.diff(y, prepend=y[0]), y - np.concatenate([y[:day], y[:-day]])], 1)
    model, out = MinMaxScaler() | HalfSpaceTrees(n_trees=10, height=8, window_size=250, seed=7), np.zeros(len(y))
    for i, row in enumerate(changes):
        x = dict(enumerate(row.tolist()))
        out[i] = model.score_one(x) if i >= GRACE else 0.0
        model.learn_one(x)
    return out


CHARTS: Mapping[str, Callable[[Floats, int], Floats]] = {
    "z-score": z_score,
    "z-score of the last change": z_difference,
    "z-score of the change in a day": z_season,
    "EWMA chart": ewma_chart,
    "CUSUM": cusum,
    "river GaussianScorer": gaussian,
    "river HalfSpaceTrees": half_space_trees,
}


def _standardised(x: Floats, *, signed: bool = False) -> Floats:
    """Every value by mean and deviation of the WINDOW before it; 0 for the first GRACE."""
    sums, squares = np.cumsum(np.append(0.0, x)), np.cumsum(np.append(0.0, x * x))
    end = np.arange(len(x))
    begin = np.maximum(0, end - WINDOW)
    n = np.maximum(1, end - begin)
    mean = (sums[end] - sums[begin]) / n
    deviation = np.sqrt(np.maximum((squares[end] - squares[begin]) / n - mean**2, 1e-9 * (1 + mean**2)))
    z = np.where(end < GRACE, 0.0, (x - mean) / deviation)
    return z if signed else np.abs(z)
