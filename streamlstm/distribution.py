"""The predictive distribution of a forecast: quantiles at a fixed grid of probabilities and at the intervals' ends.

The model tracks these quantiles one by one; here they become intervals, and a distribution function between them.
"""

from __future__ import annotations

import math
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

    Linear between the quantiles, exponential beyond the outermost, with the slope that the outer two give.
    """
    at = np.asarray(values, dtype=float)
    taus, quantiles = np.array(forecast.taus), forecast.quantiles[:, lead]
    inside: Floats = np.interp(at, quantiles, taus)
    low, high = at < quantiles[0], at > quantiles[-1]
    inside[low] = taus[0] * _decay(quantiles[0] - at[low], quantiles[1] - quantiles[0], taus[1] / taus[0])
    gone = (1 - taus[-2]) / (1 - taus[-1])
    inside[high] = 1 - (1 - taus[-1]) * _decay(at[high] - quantiles[-1], quantiles[-1] - quantiles[-2], gone)
    return inside


def _decay(beyond: Floats, width: float, ratio: float) -> Floats:
    """How much of a tail is left so far beyond it, when over `width` it fell by `ratio`."""
    if not width > 0:
        return np.zeros_like(beyond)
    return np.exp(-math.log(ratio) * beyond / width)
