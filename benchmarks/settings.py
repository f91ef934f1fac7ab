"""What each setting of the cells changes: the default beside one thing changed, on series that hang on them most.

    python benchmarks/settings.py --data DIR [--seeds 3] [--preset full] [--only NAME ...]

DIR holds nyc_taxi.csv and ETTh1.csv. One pass of the engine for each setting, seed and series, leads 1, 5 and 24; the
error is Σ|e|/Σ|y| in % over forecasts for rows after 10,000, of the cells alone (their mean) and of what is published.
Prints a table in Markdown: medians over the seeds, and of the default how far the seeds lie apart.
"""

from __future__ import annotations

import argparse
import csv
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from streamlstm.config import Model, Stream
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Forecast, Observation

LEADS, FIRST_ROW, CHUNK = (1, 5, 24), 10_000, 256
SERIES = {"taxi": ("nyc_taxi.csv", "passenger_count", "30min"), "OT": ("ETTh1.csv", "OT", "1h")}
DEFAULT = "default"
# name: settings, and what to multiply the preset's learning rates by, for optimisers whose steps are of another size
SETTINGS: dict[str, tuple[dict[str, Any], float]] = {
    DEFAULT: ({}, 1),
    "activation relu": ({"activation": "relu"}, 1),
    "hidden 32": ({"hidden": 32}, 1),
    "layers 2": ({"layers": 2}, 1),
    "layers 2, residual": ({"layers": 2, "residual": True}, 1),
    "layers 3": ({"layers": 3}, 1),
    "layers 3, residual": ({"layers": 3, "residual": True}, 1),
    "attention 8": ({"attention": 8}, 1),
    "attention 16": ({"attention": 16}, 1),
    "pruning 0.5": ({"pruning": 0.5}, 1),
    "pruning 0.8": ({"pruning": 0.8}, 1),
    "optimiser adamw": ({"optimiser": "adamw"}, 1),
    "optimiser nadam": ({"optimiser": "nadam"}, 1),
    "optimiser rmsprop": ({"optimiser": "rmsprop"}, 1),
    "optimiser rmsprop, rates × 0.5": ({"optimiser": "rmsprop"}, 0.5),
    "optimiser sgd": ({"optimiser": "sgd"}, 1),
    "optimiser sgd, rates × 10": ({"optimiser": "sgd"}, 10),
    "optimiser sgd, rates × 100": ({"optimiser": "sgd"}, 100),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--preset", default="full")
    parser.add_argument("--only", nargs="*", default=[], choices=list(SETTINGS))
    wanted = parser.parse_args()
    series = {name: read(wanted.data / file, column) for name, (file, column, _) in SERIES.items()}
    print(f"{platform.processor() or platform.machine()}, numba {version('numba')}, preset {wanted.preset}\n")
    print("| |", " | ".join(f"{name} {lead}" for name in series for lead in LEADS), "| µs |")
    print("|---|" + "---|" * (len(series) * len(LEADS) + 1))
    for name, (changed, times) in SETTINGS.items():
        if wanted.only and name not in (DEFAULT, *wanted.only):
            continue
        model = settings(wanted.preset, changed, times)
        errors, took = measure(series, model, range(1, wanted.seeds + 1))
        print(row(name, np.median(errors, axis=0), f"{took:.0f}"), flush=True)
        if name == DEFAULT:
            print(row("its seeds apart by", np.ptp(errors, axis=0), ""), flush=True)


def settings(preset: str, changed: dict[str, Any], times: float) -> Model:
    usual = Model(preset=preset)
    return Model(preset=preset, **changed, learning_rate=tuple(times * rate for rate in usual.learning_rate))


def read(path: Path, column: str) -> list[tuple[int, float]]:
    """Time in ns and value of each row; the first column is the time."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        at = next(rows).index(column)
        return [
            (round(datetime.fromisoformat(row[0]).replace(tzinfo=UTC).timestamp()) * SECOND_NS, float(row[at]))
            for row in rows
        ]


def measure(series: dict[str, list[tuple[int, float]]], model: Model, seeds: Sequence[int]) -> tuple[np.ndarray, float]:
    """Errors (seeds, [cells, published], series × leads) in %, and µs an observation."""
    found, took, count = np.empty((len(seeds), 2, len(series) * len(LEADS))), 0.0, 0
    for number, seed in enumerate(seeds):
        for place, (name, rows) in enumerate(series.items()):
            stream = Stream(name=name, topic=name, step=SERIES[name][2], leads=LEADS, model=model)
            engine = Engine([stream], seed=seed, max_series=1)
            engine.warm_up()
            began_s = time.process_time()  # other work on the machine does not count
            forecasts = run(engine, name, rows)
            took, count = took + time.process_time() - began_s, count + len(rows)
            found[number, :, place * len(LEADS) : (place + 1) * len(LEADS)] = score(rows, forecasts)
    return found, took / count * 1e6


def run(engine: Engine, name: str, rows: list[tuple[int, float]]) -> list[Forecast]:
    forecasts: list[Forecast] = []
    for begin in range(0, len(rows), CHUNK):
        part = rows[begin : begin + CHUNK]
        batch = [Observation(name, name, at, (y,), begin + i) for i, (at, y) in enumerate(part)]
        forecasts += [output for output in engine.feed(batch) if isinstance(output, Forecast)]
    return forecasts


def score(rows: list[tuple[int, float]], forecasts: list[Forecast]) -> np.ndarray:
    """Σ|e|/Σ|y| in % of the cells and of what is published (2, L), over rows from FIRST_ROW on."""
    y = np.array([value for _, value in rows])
    said = np.full((2, len(y), len(LEADS)), np.nan)
    for forecast in forecasts:
        said[0, forecast.position], said[1, forecast.position] = forecast.lstm, forecast.yhat
    labels = np.arange(FIRST_ROW, len(y))
    error = np.stack([np.abs(said[:, labels - h, j] - y[labels]).sum(axis=1) for j, h in enumerate(LEADS)], axis=1)
    return 100 * error / np.abs(y[labels]).sum()


def row(name: str, errors: np.ndarray, took: str) -> str:
    cells, published = errors
    each = [f"{a:.2f} / {b:.2f}" for a, b in zip(cells, published, strict=True)]
    return f"| {' | '.join([name, *each, took])} |"


if __name__ == "__main__":
    main()
