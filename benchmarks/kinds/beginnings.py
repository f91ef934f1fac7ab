"""A new member of a group, rows 50 to 500: on its own, and among the others, which have learned for four months.

Fifty alike series: hourly, one week in common of which each has its own share, level and noise. MAE over the best of
three naive forecasts in hindsight (last value, day before, week before), mean over members and leads.
"""

from __future__ import annotations

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.made import DAY, WEEK, humps, stays
from benchmarks.kinds.passes import LEADS, rows_of, run, stream
from streamlstm.engine import Engine
from streamlstm.events import Floats

MEMBERS, NEW = 50, 10  # of the group; of them that are measured as new ones
ROWS, FIRST, OLD_ROWS = 500, 50, 3000


def member(number: int, rows: int) -> Floats:
    """One of the group, at any length the same beginning."""
    dice, t = np.random.default_rng([number, 8]), np.arange(rows)
    level, late, share, quiet = np.exp(dice.normal(3, 1)), dice.normal(0, 0.7), dice.uniform(0.5, 1.0), dice.uniform()
    weekend = np.isin((t // DAY + 2) % 7, (5, 6))
    usual = (1 - share) + share * humps((t - late) % DAY) * np.where(weekend, 1 - 0.5 * quiet, 1.0)
    return (
        level * usual * np.exp(0.1 * stays(np.random.default_rng([number, 9]), rows, 0.9) + dice.normal(0, 0.05, rows))
    )


def measure(given: Given) -> list[Figure]:
    group = Engine((stream(given, group=True),), seed=given.seed, max_series=2 * MEMBERS)
    for number in range(MEMBERS - NEW):
        run(given, rows_of(member(number, OLD_ROWS)), engine=group, series=f"old{number}")
    among = np.empty((NEW, len(LEADS)))
    ratios, naives = np.empty((NEW, len(LEADS))), np.empty((NEW, len(LEADS)))
    for i in range(NEW):
        y = member(MEMBERS - NEW + i, ROWS)
        said = run(given, rows_of(y))
        told = run(given, rows_of(y), engine=group, series=f"new{i}")
        for j, lead in enumerate(LEADS):
            origins, targets = said.met(j, FIRST)
            naives[i, j] = min(np.abs(y[targets] - f).mean() for f in _naive(y, origins, targets, lead))
            ratios[i, j] = np.abs(y[targets] - said.yhat[origins, j]).mean() / naives[i, j]
            among[i, j] = np.abs(y[targets] - told.yhat[origins, j]).mean() / naives[i, j]
    in_group = f"a new member of a group of {MEMBERS}, rows {FIRST} to {ROWS}, MAE over that of one alone"
    ratio = among.mean(axis=0) / ratios.mean(axis=0)
    what = f"a new member alone, rows {FIRST} to {ROWS}, MAE over the best naive"
    return [
        Figure(f"{what}, all leads", float(ratios.mean())),
        *(Figure(f"{what}, lead {lead}", float(r)) for lead, r in zip(LEADS, ratios.mean(axis=0), strict=True)),
        Figure(f"{in_group}, all leads", float(among.mean() / ratios.mean()), 0.95, 0.85),
        *(Figure(f"{in_group}, lead {lead}", float(r), 0.95, 0.85) for lead, r in zip(LEADS, ratio, strict=True)),
    ]


def _naive(y: Floats, origins: np.ndarray, targets: np.ndarray, lead: int) -> list[Floats]:
    """Seasonal ones go back as many seasons as the lead needs; before one has been seen, the last value stands in."""
    found = [y[origins]]
    for season in (DAY, WEEK):
        back = targets - season * -(-lead // season)
        found.append(np.where(back >= 0, y[np.maximum(back, 0)], found[-1]))
    return found
