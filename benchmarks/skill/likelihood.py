"""The negative log likelihood of taxi demand in buckets, as Cui et al. (2016) measure it."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from benchmarks.skill import protocol
from benchmarks.skill.datasets import Dataset
from benchmarks.skill.measures import LATE
from streamlstm.codec.table import Row
from streamlstm.distribution import cdf
from streamlstm.events import Floats

LEAD = 5
BUCKETS = 22
WIDTH = 40_000 / (BUCKETS - 1)
EDGES = WIDTH * np.arange(0.5, BUCKETS - 1, dtype=np.float64)  # between neighbours: (0.5, 1.5, ..., 20.5) widths
LEAST = 0.01  # probability, so that no single miss decides


def evaluate(dataset: Dataset, rows: Sequence[Row], preset: str) -> float:
    """The mean over the forecasts for rows from 10,000 on, five steps ahead."""
    own = protocol.stream(dataset, preset)
    at = own.leads.index(LEAD)
    numbers = {row.time_ns: row.number for row in rows}
    y = {row.time_ns: row.values[0] for row in rows}
    found = []
    for forecast in protocol.forecasts(rows, own, dataset.targets[0]):
        target_ns = forecast.times_ns[at]
        if numbers.get(target_ns, -1) >= LATE:
            found.append(surprisal(y[target_ns], cdf(forecast, at, EDGES)))
    return float(np.mean(found))


def bucket(y: float) -> int:
    """bucket = int((y + w/2)/w)"""
    return min(int((y + WIDTH / 2) / WIDTH), BUCKETS - 1)


def surprisal(y: float, below: Floats) -> float:
    """-ln max(p(bucket of y), 0.01), where `below` is the distribution function at the edges (BUCKETS - 1,)."""
    p = np.diff(below, prepend=0.0, append=1.0)
    return -log(max(float(p[bucket(y)]), LEAST))
