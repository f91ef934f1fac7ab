"""Forecasts made by hand, for whoever writes, shows or keeps them."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlstm.events import Forecast, Frame, Observation, Part
from streamlstm.model.forecaster import columns
from streamlstm.model.several import Category
from streamlstm.model.state import SOURCES

OF_THE_FRAME = ("step_ns", "leads", "levels", "taus")
BY_LEAD = tuple(n for n, part in vars(Forecast).items() if isinstance(part, Part) and n != "classes")  # of any type


def made(*, series: str, stream: str, position: int, origin_ns: int, y: float, state: Any, **said: Any) -> Forecast:
    """A forecast with every part given by its name, `weights` as shares by source; what is left out is NaN.

    `classes` makes it one of a category: probabilities (L,) by class.
    """
    given = {name: said.pop(name) for name in OF_THE_FRAME}
    parts = columns(len(given["leads"]), len(given["levels"]), len(given["taus"]))
    classes = said.pop("classes", {})
    if classes:
        parts = Category(len(classes), len(given["leads"])).parts(parts)
        said["classes"] = list(classes.values())
    numbers = np.full(max(part.stop for part in parts.values()), np.nan)
    weights = said.pop("weights", {})
    numbers[parts["weights"]] = [weights.get(source, 0.0) for source in SOURCES]
    numbers[parts["seen"]] = said.pop("n_seen", np.nan)
    for name, value in said.items():
        numbers[parts[name]] = np.ravel(value)
    frame = Frame(**given, parts=parts, sources=SOURCES, classes=tuple(classes))
    return Forecast(Observation(series, stream, origin_ns, (y,), position), frame, numbers, state)


def changed(forecast: Forecast, **said: Any) -> Forecast:
    """The same forecast but for some parts."""
    names = ["series", "stream", "position", "origin_ns", "y", "state", "n_seen", "weights", "anomaly_score"]
    names += [*OF_THE_FRAME, *BY_LEAD]
    return made(**{name: getattr(forecast, name) for name in names} | said)
