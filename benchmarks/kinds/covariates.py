"""Covariates: eight random walks beside nyc_taxi, which know nothing, and one that is forecast jointly with it; each
variate of ETTh1 beside the others; and bicycle hires with the weather and working days known ahead.

Of ETTh1 the targets in rows 3600 to 14399 count, as in FSNet's split, each variate's errors in units of the deviation
of its first 2880 rows; forecasts are those at the leads, not the mean over all steps up to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

import numpy as np

from benchmarks.kinds import bikes
from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.passes import LEADS, Said, run, stream
from benchmarks.skill.datasets import ETTH1, TAXI
from streamlstm.codec.table import Row
from streamlstm.engine import Engine
from streamlstm.events import Known

WALKS = 8
LONG = 24  # steps: a long lead
FIRST = 1_000  # row of the first target that counts, of taxis and bicycles
JOINT = {"joint": True, "name": "kinds/{value}"}
SPLIT, UNIT_ROWS = (3_600, 14_400), 2_880


def placebo(given: Given) -> list[Figure]:
    rows = given.rows(TAXI)
    walks = np.random.default_rng([given.seed, 7]).normal(size=(len(rows), WALKS)).cumsum(axis=0)
    beside = [row._replace(values=(*row.values, *walk)) for row, walk in zip(rows, walks.tolist(), strict=True)]
    alone, with_walks = run(given, rows), run(given, beside, stream(given, inputs=WALKS))
    pair = [row._replace(values=row.values[:2]) for row in beside]
    with_target = run(given, pair, stream(given, inputs=1, **JOINT))
    return [
        *ratios(f"taxi with {WALKS} random walks over alone", alone, with_walks, [(1.005, 1.0)] * len(LEADS)),
        *ratios("taxi jointly with a random walk over alone", alone, with_target, [(1.005, 1.0)] * len(LEADS)),
    ]


def helpful(given: Given) -> list[Figure]:
    """The floor is for long leads: a fifth of the error. MSE falls faster than MAE does."""
    rows = bikes.rows(given)
    hires = [row._replace(values=row.values[:1]) for row in rows]
    ahead = [
        {"topic": f"weather/{name}", "values": "hourly[].x", "times": "hourly[].t", "known_ahead": True}
        for name in bikes.WEATHER
    ]
    engine = Engine((stream(given, covariates=ahead),), seed=given.seed, max_series=1)
    times = tuple(row.time_ns for row in rows)  # all is known from the beginning: forecasts that are never wrong
    weather = (tuple(row.values[1 + q] for row in rows) for q in range(len(ahead)))
    engine.feed(Known("kinds", q, (), 0, times, values) for q, values in enumerate(weather))
    alone, told = run(given, hires), run(given, hires, engine=engine)
    floors = [(0.8, nan) if lead >= LONG else (nan, nan) for lead in LEADS]
    return ratios("bicycles with weather known ahead over alone", alone, told, floors)


def ratios(what: str, alone: Said, beside: Said, bounds: Sequence[tuple[float, float]]) -> list[Figure]:
    """Errors beside covariates over errors alone, at each lead; bounds: floor and aim at each."""
    found = []
    for j, (lead, (floor, aim)) in enumerate(zip(LEADS, bounds, strict=True)):
        a, b = (errors(said, j, (FIRST, len(said.y))) for said in (alone, beside))
        found += [
            Figure(f"{what}, {name}, lead {lead}", float(of(b) / of(a)), floor, aim)
            for name, of in (("MAE", lambda e: np.abs(e).mean()), ("MSE", lambda e: (e * e).mean()))
        ]
    return found


def joint(given: Given) -> list[Figure]:
    rows = given.rows(ETTH1)
    variates = len(rows[0].values)
    unit = np.array([row.values for row in rows[:UNIT_ROWS]]).std(axis=0)
    square = np.zeros((2, len(LEADS), variates))
    for place in range(variates):
        for beside in range(2):
            own = stream(given, inputs=variates - 1, **JOINT) if beside else stream(given)
            said = run(given, [turned(row, place, bool(beside)) for row in rows], own)
            for j in range(len(LEADS)):
                square[beside, j, place] = ((errors(said, j, SPLIT) / unit[place]) ** 2).mean()
    ratios = square[1].mean(axis=1) / square[0].mean(axis=1)
    return [
        Figure(f"ETTh1, all variates jointly over each alone, MSE, lead {lead}", float(r), 0.995, 0.98)
        for lead, r in zip(LEADS, ratios, strict=True)
    ]


def turned(row: Row, place: int, beside: bool) -> Row:
    """One variate as the target, the others as covariates or left out."""
    others = row.values[:place] + row.values[place + 1 :] if beside else ()
    return row._replace(values=(row.values[place], *others))


def errors(said: Said, j: int, rows: tuple[int, int]) -> np.ndarray:
    origins, targets = said.met(j)
    chosen = (targets >= rows[0]) & (targets < rows[1])
    return said.y[targets[chosen]] - said.yhat[origins[chosen], j]
