"""The predictive distribution of a forecast: quantiles at a fixed grid of probabilities and at the intervals' ends.

The model tracks these quantiles one by one; here they become intervals, and a distribution function between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from streamlstm.events import Floats, Forecast

GRID = (0.005, 0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975, 0.995)


def probabilities(levels: Sequence[float]) -> tuple[float, ...]:
    """The probabilities whose quantiles are tracked: the grid's, and both ends of each interval.

    >>> probabilities([0.5])[3:6]
    (0.2, 0.25, 0.3)
    """
    found = {round(tau, 12) for level in levels for tau in (0.5 - 0.5 * level, 0.5 + 0.5 * level)}
    return tuple(sorted({*GRID, *found}))


def ends(levels: Sequence[float]) -> tuple[list[int], list[int]]:
    """Where the lower and the upper ends of the intervals stand among the probabilities."""
    at = {tau: i for i, tau in enumerate(probabilities(levels))}
    return [at[round(0.5 - 0.5 * q, 12)] for q in levels], [at[round(0.5 + 0.5 * q, 12)] for q in levels]


def cdf(forecast: Forecast, lead: int, values: ArrayLike) -> Floats:
    """The probability that the actual value at the lead-th of the leads stays at or below each of `values`.

    See `between`.
    """
    return between(np.array(forecast.taus), forecast.quantiles[:, lead], values)


def interval(forecast: Forecast, level: float) -> tuple[Floats, Floats]:
    """Lower and upper ends (L,) of the central interval of any level; of a level that is tracked, its own ends."""
    if level in forecast.levels:
        q = forecast.levels.index(level)
        return forecast.lower[q], forecast.upper[q]
    odds = _log_odds(np.array(forecast.taus))
    return (
        _inverse(odds, forecast.quantiles, float(_log_odds(np.array(0.5 - 0.5 * level)))),
        _inverse(odds, forecast.quantiles, float(_log_odds(np.array(0.5 + 0.5 * level)))),
    )


def _inverse(odds: Floats, quantiles: Floats, wanted: float) -> Floats:
    """The quantile (L,) at a log odds: the inverse of `between`, lead by lead."""
    piece = int(np.clip(np.searchsorted(odds, wanted), 1, len(odds) - 1))
    share = (wanted - odds[piece - 1]) / (odds[piece] - odds[piece - 1])
    found: Floats = quantiles[piece - 1] + share * (quantiles[piece] - quantiles[piece - 1])
    return found


def _log_odds(p: Floats) -> Floats:
    return np.log(p / (1 - p))


def between(taus: Floats, quantiles: Floats, values: ArrayLike) -> Floats:
    """The distribution function through quantiles (T,) at taus (T,), both ascending: linear in log(p/(1-p)).

    So it bends as densities with one hump do, and its tails are a logistic distribution's, exponential, going on as the
    outer two quantiles have it. Where quantiles coincide, at a bound or on a series that stands still, it jumps.
    """
    at = np.asarray(values, dtype=float)
    odds = _log_odds(taus)
    after = np.searchsorted(quantiles, at, side="right")  # how many quantiles are at or below each value
    piece = np.clip(after, 1, len(taus) - 1)
    q0, q1, z0, z1 = quantiles[piece - 1], quantiles[piece], odds[piece - 1], odds[piece]
    width = q1 - q0
    flat = ~(width > 0)  # only beyond the outermost: elsewhere the piece begins at the last of equal quantiles
    slope = (z1 - z0) / np.where(flat, 1, width)
    z = np.where(flat, np.where(after == 0, -np.inf, np.inf), z0 + slope * (at - q0))
    with np.errstate(over="ignore"):
        found: Floats = 1 / (1 + np.exp(-z))
    return np.where(np.isnan(at), np.nan, found)
