"""ETTh1 by FSNet's split, without its leak: all seven variates, every step from 1 to H.

Pham et al. (2023) learn on the whole window of targets before the next forecast; here a target is learned when it has
come, as in any live stream.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.skill import protocol
from benchmarks.skill.datasets import Dataset
from streamlstm.codec.table import Row
from streamlstm.engine import Engine
from streamlstm.estimator import heads
from streamlstm.events import Floats, Forecast

UNIT = 2_880  # rows whose standard deviation is the unit of errors
FIRST, END = 3_600, 14_400  # rows of the targets
HORIZONS = (1, 24, 48)
STEPS = max(HORIZONS)


def evaluate(dataset: Dataset, rows: Sequence[Row], preset: str) -> dict[str, dict[str, float]]:
    """MSE and MAE by horizon: ours, and persistence's for a check of the split."""
    rows = rows[:END]
    y = np.array([row.values for row in rows])
    last = np.broadcast_to(y[FIRST - 1 : END - 1, :, None], (END - FIRST, y.shape[1], STEPS))
    return {
        "streamlstm": errors(y, paths(dataset, rows, preset)),
        "persistence": errors(y, last),
    }


def paths(dataset: Dataset, rows: Sequence[Row], preset: str) -> Floats:
    """The forecasts of every step, from each origin FIRST - 1 ... END - 2 (origins, variates, steps)."""
    own = protocol.stream(dataset, preset, heads(STEPS))
    V = len(dataset.targets)
    engine = Engine((own,), seed=protocol.SEED, max_series=V)
    columns = [protocol.observations(rows, v, name) for v, name in enumerate(dataset.targets)]
    found = np.empty((END - FIRST, V, STEPS))
    for i in range(len(rows) - 1):
        newest = [out for out in engine.feed([column[i] for column in columns]) if isinstance(out, Forecast)]
        if i >= FIRST - 1:
            for v, forecast in enumerate(newest):
                found[i - FIRST + 1, v] = _path(engine, forecast)
    return found


def errors(y: Floats, forecasts: Floats) -> dict[str, float]:
    """Means over variates, steps and those windows whose targets all lie in FIRST ... END - 1.

    y (T, V); forecasts (origins, V, steps), the first made at row FIRST - 1.
    """
    unit = y[:UNIT].std(axis=0)[:, None]
    found = {}
    for H in HORIZONS:
        windows = END - FIRST - H + 1
        targets = np.stack([y[FIRST + h : FIRST + h + windows] for h in range(H)], axis=2)
        e = (forecasts[:windows, :, :H] - targets) / unit
        found[f"mse_{H}"], found[f"mae_{H}"] = float((e**2).mean()), float(np.abs(e).mean())
    return found


def _path(engine: Engine, forecast: Forecast) -> Floats:
    """Steps between the learned leads come from the learner; at the leads it is what was published."""
    held = engine.learner(forecast.series)
    assert held is not None, "a series that forecasts has its row"
    learner, slot = held
    path = learner.path(slot, STEPS)
    path[np.array(forecast.leads) - 1] = forecast.yhat
    return path
