"""One wild value, a sensor that sticks or begins stuck, a level that shifts, a unit that changes, units of any size.

All on hourly demand in tens, against a pass over the same series without it.
"""

from __future__ import annotations

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.made import DAY, WEEK, demand
from benchmarks.kinds.passes import LEADS, Said, mean, rows_of, run
from streamlstm.events import Floats

ROWS, AT = 6_000, 3_000  # of a series; the row at which it happens
HUNDRED = 100
WILD, TIMES = 1e9, 1_000.0
SCALES = (1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9, 1e12)
DRAWS = 3


def measure(given: Given) -> list[Figure]:
    clean = [demand(draw, ROWS) for draw in range(1, DRAWS + 1)]
    plain = [run(given, rows_of(y)) for y in clean]
    return [
        *_wild(given, clean, plain),
        *_stuck(given, clean, plain),
        *_lasting(given, clean, plain),
        *_scales(given, clean[0], plain[0]),
    ]


def _wild(given: Given, clean: list[Floats], plain: list[Said]) -> list[Figure]:
    passes = []
    for y in clean:
        y = y.copy()
        y[AT] = WILD
        passes.append(run(given, rows_of(y)))
    what = f"one {WILD:g} among tens, MAE of the next {HUNDRED} forecasts over none"
    return [
        Figure(f"{what}, the one issued with it among them", worse(passes, plain, AT), 1.05),
        Figure(f"{what}, from the next observation on", worse(passes, plain, AT + 1), 1.05),
    ]


def _stuck(given: Given, clean: list[Floats], plain: list[Said]) -> list[Figure]:
    """A stuck sensor has nothing to say; what counts is how it is forecast once it speaks again."""
    found = []
    for what, begin, counted in (
        (f"stuck for {HUNDRED} values, MAE of the {HUNDRED} forecasts after it over none", AT - HUNDRED, AT),
        (f"the first {HUNDRED} values all the same, MAE of {HUNDRED} forecasts from row {AT} on over none", 0, AT),
    ):
        passes = []
        for y in clean:
            y = y.copy()
            y[begin : begin + HUNDRED] = y[begin]
            passes.append(run(given, rows_of(y)))
        found.append(Figure(what, worse(passes, plain, counted), 1.05))
    return found


def _lasting(given: Given, clean: list[Floats], plain: list[Said]) -> list[Figure]:
    found = []
    for what, change in (
        ("level shifts by 5 deviations", lambda y: y + 5 * y[:AT].std()),
        (f"unit changes (× {TIMES:g})", lambda y: TIMES * y),
    ):
        waits = []
        for y, usual in zip(clean, plain, strict=True):
            unit = TIMES if "unit" in what else 1.0
            changed = np.concatenate((y[:AT], change(y)[AT:]))
            waits.append(recovery(run(given, rows_of(changed)), usual, AT, unit))
        found += [
            Figure(f"{what}: observations until the day's MAE is within 1.2 of what it would be, lead {lead}", float(w))
            for lead, w in zip(LEADS, np.median(waits, axis=0), strict=True)
        ]
    return found


def _scales(given: Given, y: Floats, plain: Said) -> list[Figure]:
    off = []
    for scale in SCALES:
        said = run(given, rows_of(y * scale))
        off.append(float(np.nanmax(np.abs(said.yhat / scale / plain.yhat - 1))))
    return [
        Figure(f"forecasts in units × {scale:g}: furthest from those in tens, relative", worst, 0.01)
        for scale, worst in zip(SCALES, off, strict=True)
    ]


def worse(passes: list[Said], plain: list[Said], begin: int) -> float:
    """MAE of the hundred forecasts issued from a row on over the same without what happened; mean over the leads."""
    here = slice(begin, begin + HUNDRED)
    ratios = [
        np.mean([mean(said.errors(j)[here]) for said in passes])
        / np.mean([mean(said.errors(j)[here]) for said in plain])
        for j in range(len(LEADS))
    ]
    return float(np.mean(ratios))


def recovery(said: Said, plain: Said, at: int, unit: float) -> list[int]:
    """Observations after `at` until the MAE of a day of forecasts, in old units, is within 1.2 of the plain pass's.

    And so is a week's. As many as there are left where it never is. By lead.
    """
    out = []
    for j, lead in enumerate(said.leads):
        ours, usual = said.errors(j)[at:] / unit, plain.errors(j)[at:]
        left = len(ours) - WEEK - lead
        good = (
            i for i in range(left) if all(mean(ours[i : i + n]) <= 1.2 * mean(usual[i : i + n]) for n in (DAY, WEEK))
        )
        out.append(next(good, left))
    return out
