"""Covariates: eight random walks beside nyc_taxi, which know nothing; and each variate of ETTh1 beside the others.

Of ETTh1 the targets in rows 3600 to 14399 count, as in FSNet's split, each variate's errors in units of the deviation
of its first 2880 rows; forecasts are those at the leads, not the mean over all steps up to them.
"""

from __future__ import annotations

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.passes import LEADS, Said, run, stream
from benchmarks.skill.datasets import ETTH1, TAXI
from streamlstm.codec.table import Row

WALKS = 8
FIRST = 1_000  # row of taxi's first target that counts
SPLIT, UNIT_ROWS = (3_600, 14_400), 2_880


def placebo(given: Given) -> list[Figure]:
    rows = given.rows(TAXI)
    walks = np.random.default_rng([given.seed, 7]).normal(size=(len(rows), WALKS)).cumsum(axis=0)
    beside = [row._replace(values=(*row.values, *walk)) for row, walk in zip(rows, walks.tolist(), strict=True)]
    alone, with_walks = run(given, rows), run(given, beside, stream(given, inputs=WALKS))
    found = []
    for j, lead in enumerate(LEADS):
        a, b = errors(alone, j, (FIRST, len(rows))), errors(with_walks, j, (FIRST, len(rows)))
        found += [
            Figure(f"taxi with {WALKS} random walks over alone, {name}, lead {lead}", float(of(b) / of(a)), 1.005, 1.0)
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
            own = stream(given, inputs=beside * (variates - 1))
            said = run(given, [turned(row, place, bool(beside)) for row in rows], own)
            for j in range(len(LEADS)):
                square[beside, j, place] = ((errors(said, j, SPLIT) / unit[place]) ** 2).mean()
    ratios = square[1].mean(axis=1) / square[0].mean(axis=1)
    return [
        Figure(f"ETTh1, each variate beside the others over alone, MSE, lead {lead}", float(r), 0.995, 0.98)
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
