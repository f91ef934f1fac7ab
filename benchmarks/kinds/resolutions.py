"""nyc_taxi by half-hours and by two hours, in agreement, over each forecast by itself. Sums of passengers."""

from __future__ import annotations

from typing import Any

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.passes import Said, mean, said_of, stream
from benchmarks.skill.datasets import TAXI
from streamlstm.codec.table import Row
from streamlstm.engine import Engine
from streamlstm.events import Forecast, Observation

FIRST = 1_000  # half-hour of the first target that counts
FINE: dict[str, Any] = {"step": "30min", "aggregate": "sum", "leads": (1, 2, 3, 4)}
COARSE: dict[str, Any] = {"step": "2h", "leads": (1, 3, 6, 12)}  # four half-hours make up the first


def measure(given: Given) -> list[Figure]:
    rows = given.rows(TAXI)
    together = _run(given, rows, {**FINE, "resolutions": [COARSE]})
    alone = {"kinds": _run(given, rows, FINE)["kinds"], "kinds/2h": _run(given, rows, {**FINE, **COARSE})["kinds"]}
    found = []
    for series, first, leads, step in (
        ("kinds", FIRST, FINE["leads"], "30 min"),
        ("kinds/2h", FIRST // 4, (1,), "2 h"),
    ):
        for j, lead in enumerate(leads):
            ours, theirs = (mean(made[series].errors(j)[first:]) for made in (together, alone))
            what = f"taxi by {step} in agreement over by itself, MAE, lead {lead}"
            found.append(Figure(what, ours / theirs, 1.005, 1.0))
    return found


def _run(given: Given, rows: list[Row], settings: dict[str, Any]) -> dict[str, Said]:
    """What was said of each series."""
    engine = Engine((stream(given, **settings),), seed=given.seed, max_series=2)
    made: dict[str, list[Forecast]] = {}
    for output in engine.feed(Observation("kinds", "kinds", row.time_ns, row.values, i) for i, row in enumerate(rows)):
        if isinstance(output, Forecast):
            made.setdefault(output.series, []).append(output)
    return {series: said_of(forecasts) for series, forecasts in made.items()}
