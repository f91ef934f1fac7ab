"""Truth values, sent as 0 and 1: whether the forecast is a probability. Log loss against running class frequencies.

Two series: whether nyc_taxi is above the median of its last week; and a room that is occupied or not, hour by hour, a
chain whose comings and goings hang on the time of day. The forecast is clipped to 0.01 ... 0.99, and so are the
frequencies, which are those of all values up to the origin.
"""

from __future__ import annotations

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.made import DAY
from benchmarks.kinds.passes import LEADS, Said, rows_of, run, stream
from benchmarks.skill.datasets import TAXI
from streamlstm.codec.table import Row
from streamlstm.events import Floats

FIRST = 1_000
WEEK_ROWS = 336  # of taxi
HOURS = 8_000
CLIP = 0.01


def above(rows: list[Row]) -> list[Row]:
    """1 where a value is above the median of the week before it."""
    y = np.array([row.values[0] for row in rows])
    before = np.lib.stride_tricks.sliding_window_view(y, WEEK_ROWS)[:-1]
    high = (y[WEEK_ROWS:] > np.median(before, axis=1)).astype(float).tolist()
    return [row._replace(values=(v,)) for row, v in zip(rows[WEEK_ROWS:], high, strict=True)]


def room(seed: int) -> Floats:
    """Comes in the morning, leaves in the evening, goes out at noon; hardly at weekends."""
    dice = np.random.default_rng([seed, 10])
    out, here = np.zeros(HOURS), False
    for t in range(HOURS):
        hour, weekend = t % DAY, (t // DAY + 2) % 7 >= 5
        comes = 0.02 if weekend or not 6 <= hour < 20 else 0.45 if hour < 10 else 0.2
        goes = 0.5 if not 7 <= hour < 17 else 0.3 if hour == 12 else 0.08
        here = dice.random() > goes if here else dice.random() < comes
        out[t] = here
    return out


def measure(given: Given) -> list[Figure]:
    series = {
        "taxi above its week's median": above(given.rows(TAXI)),
        "a room occupied or not": rows_of(room(given.seed)),
    }
    found = []
    for name, rows in series.items():
        said = run(given, rows, stream(given, type="boolean"))
        found += [
            Figure(f"{name}, log loss over running frequencies, lead {lead}", against_frequencies(said, j), 0.9, 0.75)
            for j, lead in enumerate(LEADS)
        ]
    return found


def against_frequencies(said: Said, j: int) -> float:
    origins, targets = said.met(j)
    origins, targets = origins[targets >= FIRST], targets[targets >= FIRST]
    ones = (np.cumsum(said.y) + 1) / (np.arange(len(said.y)) + 3)
    y = said.y[targets]
    return log_loss(said.yhat[origins, j], y) / log_loss(ones[origins], y)


def log_loss(p: Floats, y: Floats) -> float:
    """Mean -log of the probability given to what came."""
    p = np.clip(p, CLIP, 1 - CLIP)
    return float(-np.log(np.where(y > 0.5, p, 1 - p)).mean())
