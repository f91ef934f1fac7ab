"""The experts' arithmetic again, slowly: what `tests/reference.py` is to the other kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def median(values: Floats) -> float:
    """Of what is finite; NaN of nothing."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else np.nan


def analogue(
    y: Floats,
    observed: NDArray[np.bool_],
    period: int,
    most: int,
    leads: NDArray[np.int64],
    pattern: tuple[int, ...],
    near: int,
    fewest: int,
    enough: int,
    level: float,
    alike: float,
) -> Floats:
    """Nearest neighbours at the same time of season (Lorenz 1969), from the last step of y (N,); NaN: too few.

    Distances are mean squares of what was observed of the patterns' difference, less a part of its mean; weights are
    their inverses.
    """
    k = len(y) - 1
    back = np.array(pattern)
    candidates = [t for t in k - period * np.arange(1, most + 1) if t >= back.max()]
    periods = [t for t in candidates if observed[t] and observed[t - back].sum() >= enough]
    differences = [(y[t - back] - y[k - back])[observed[t - back]] for t in periods]
    distances = np.array([np.mean((e - level * e.mean()) ** 2) for e in differences])
    order = np.argsort(distances, kind="stable")[:near]
    out = np.full(len(leads), np.nan)
    for j, lead in enumerate(leads):
        known = [n for n in order if periods[n] + lead <= k and observed[periods[n] + lead]]
        if len(known) < fewest:
            continue
        softened = distances[known] + alike * distances[order].max()
        weights = 1 / softened if softened.min() > 0 else np.ones(len(known))
        changes = [y[periods[n] + lead] - y[periods[n]] for n in known]
        out[j] = y[k] + np.average(changes, weights=weights)
    return out
