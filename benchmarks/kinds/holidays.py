"""nyc_taxi with the holidays of New York known ahead, over without: on those days, and over all."""

from __future__ import annotations

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.passes import LEADS, run, stream
from benchmarks.skill.datasets import TAXI
from streamlstm.timeline.holiday import Holidays

PLACE = "US-NY"
FIRST = 1_000  # row of the first target that counts


def measure(given: Given) -> list[Figure]:
    rows = given.rows(TAXI)
    alone, told = run(given, rows), run(given, rows, stream(given, holidays=PLACE))
    known = Holidays(PLACE, lambda time_ns: time_ns)  # the file's times are those on the wall
    off = np.array([known.at(0, row.time_ns) > 0 for row in rows])
    found = []
    for j, lead in enumerate(LEADS):
        origins, targets = alone.met(j, FIRST)
        without, within = (np.abs(one.y[targets] - one.yhat[origins, j]) for one in (alone, told))
        days = off[targets]
        what = f"taxi with the holidays of {PLACE} known ahead over without, MAE"
        found += [
            Figure(f"{what}, on holidays, lead {lead}", float(within[days].mean() / without[days].mean()), 1.0),
            Figure(f"{what}, all days, lead {lead}", float(within.mean() / without.mean()), 1.005, 1.0),
        ]
    return found
