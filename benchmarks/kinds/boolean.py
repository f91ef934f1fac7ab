"""Truth values and a category of three classes: log loss of their probabilities against running class frequencies.

Two series of truth values: whether nyc_taxi is above the median of its last week; and a room that is occupied or not,
hour by hour, a chain whose comings and goings hang on the time of day. And one of classes: what keeps a room warm,
heating in the morning, cooling in the afternoons of warm spells, else off, and at times what somebody has set by hand.
Probabilities are clipped to 0.01 ... 0.99, and so are the frequencies, which are those of all values up to the origin.
"""

from __future__ import annotations

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.made import DAY, stays
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


def climate(seed: int) -> Floats:
    """0 heat, 1 cool, 2 off, hour by hour: by the hour, the weather of these days, and who has set it by hand."""
    dice, out = np.random.default_rng([seed, 11]), np.full(HOURS, 2.0)
    warmth = stays(dice, HOURS, 0.99)
    by_hand = 0
    for t in range(HOURS):
        hour = t % DAY
        wanted = 0.0 if 5 <= hour < 9 and warmth[t] < 0.5 else 1.0 if 12 <= hour < 19 and warmth[t] > 0.3 else 2.0
        if by_hand == 0 and dice.random() < 0.03:
            by_hand, set_to = int(dice.integers(2, 7)), float(dice.integers(0, 3))
        out[t] = set_to if by_hand > 0 else wanted
        by_hand = max(0, by_hand - 1)
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
    modes = rows_of(climate(given.seed))
    said = run(given, modes, stream(given, type="category", classes=("heat", "cool", "off")))
    found += [
        Figure(f"heat, cool or off, log loss over running frequencies, lead {lead}", of_classes(said, j), 0.9, 0.75)
        for j, lead in enumerate(LEADS)
    ]
    return found


def against_frequencies(said: Said, j: int) -> float:
    origins, targets = said.met(j, FIRST)
    ones = (np.cumsum(said.y) + 1) / (np.arange(len(said.y)) + 3)
    y = said.y[targets]
    return log_loss(said.yhat[origins, j], y) / log_loss(ones[origins], y)


def of_classes(said: Said, j: int) -> float:
    """The same for a category of K classes, from the probabilities (N, K, L)."""
    origins, targets = said.met(j, FIRST)
    K = said.classes.shape[1]
    counts = np.cumsum(said.y[:, None] == np.arange(K), axis=0) + 1
    often = counts / counts.sum(axis=1, keepdims=True)
    at, came = np.arange(len(targets)), said.y[targets].astype(int)
    ours, theirs = (p[origins][at, came] for p in (said.classes[:, :, j], often))
    return float(np.log(np.clip(ours, CLIP, 1)).mean() / np.log(np.clip(theirs, CLIP, 1)).mean())


def log_loss(p: Floats, y: Floats) -> float:
    """Mean -log of the probability given to what came."""
    p = np.clip(p, CLIP, 1 - CLIP)
    return float(-np.log(np.where(y > 0.5, p, 1 - p)).mean())
