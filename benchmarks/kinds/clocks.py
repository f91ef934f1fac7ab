"""Clocks that are changed: an hourly load that lives by the clock on the wall, in UTC messages, both ways.

The load is nyc_taxi's mean week, hour by hour of civil time in Europe/Berlin, times noise, part of which stays. A
forecast counts for the 24 hours that begin with the change ("after") or end there ("before"), at any lead. A Sunday is
not a Saturday: beside the ratio stands that of the two Sundays next to it, when no clock is changed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.made import DAY, WEEK, stays
from benchmarks.kinds.passes import BEGIN_NS, HOUR_NS, Places, Said, rows_of, run, stream
from benchmarks.skill.datasets import TAXI
from streamlstm.codec.table import Row
from streamlstm.events import SECOND_NS, Floats

ZONE = "Europe/Berlin"
HOURS = 3 * 366 * DAY
DRAWS = 3
FIRST = 24 * WEEK  # hours before the first change that counts


def week(rows: list[Row]) -> Floats:
    """Mean of each hour of the week, Monday first (168,)."""
    hour = np.array([row.time_ns // HOUR_NS for row in rows])
    at = (hour + 3 * DAY) % WEEK  # 1970 began on a Thursday
    return np.bincount(at, [row.values[0] for row in rows]) / np.bincount(at)


def wall(hours: int) -> tuple[Places, Places]:
    """The hour of the civil week at each hour of UTC from the beginning (hours,), and where the offset changes."""
    zone = ZoneInfo(ZONE)
    times = [datetime.fromtimestamp(BEGIN_NS / SECOND_NS + 3600 * i, UTC).astimezone(zone) for i in range(hours)]
    offset = [time.utcoffset() for time in times]
    turns = [i for i in range(1, hours) if offset[i] != offset[i - 1]]
    return np.array([DAY * time.weekday() + time.hour for time in times]), np.array(turns)


def measure(given: Given) -> list[Figure]:
    usual = week(given.rows(TAXI))
    at, turns = wall(HOURS)
    spring = at[turns] > at[turns - 1] + 1
    turns, spring = turns[turns >= FIRST], spring[turns >= FIRST]
    own = stream(given, timezone=ZONE)
    passes = []
    for draw in range(1, DRAWS + 1):
        dice = np.random.default_rng([draw, 3])
        load = usual[at] * np.exp(0.05 * stays(dice, HOURS, 0.9) + dice.normal(0, 0.02, HOURS))
        passes.append(run(given, rows_of(load), own))
    found = []
    for name, chosen in (("forward", turns[spring]), ("back", turns[~spring])):
        what = f"clocks put {name}, error on the day after against the day before"
        found.append(Figure(f"{what}, all leads", after_before(passes, chosen), 1.2, 1.05))
        found += [
            Figure(f"{what}, lead {lead}", after_before(passes, chosen, (j,)), 1.2, 1.05)
            for j, lead in enumerate(passes[0].leads)
        ]
        beside = np.concatenate((chosen - WEEK, chosen + WEEK))
        found.append(Figure("the same on the Sundays next to it, all leads", after_before(passes, beside)))
    return found


def after_before(passes: list[Said], turns: Places, which: tuple[int, ...] | None = None) -> float:
    """Σ|e|/Σ|y| of the targets in the 24 h from each turn on, over that in the 24 h before; mean over leads."""
    ratios = []
    for j in which if which is not None else range(len(passes[0].leads)):
        error = np.zeros(2)
        for side in range(2):
            size = 0.0
            for said in passes:
                origins, targets = said.met(j)
                by_target = np.full(len(said.y), np.nan)
                by_target[targets] = np.abs(said.y[targets] - said.yhat[origins, j])
                places = (turns[:, None] + np.arange(DAY) - (0 if side else DAY)).ravel()
                error[side] += np.nansum(by_target[places])
                size += np.abs(said.y[places]).sum()
            error[side] /= size
        ratios.append(error[1] / error[0])
    return float(np.mean(ratios))
