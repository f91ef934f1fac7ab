"""Directions: the wind of a place with a prevailing one, weather systems and a breeze by day. Angular error.

Beside the better of two naive forecasts, the last direction and that of the day before; and what the same engine makes
of the direction unwrapped, a number that goes on beyond 360 and below 0.
"""

from __future__ import annotations

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.made import DAY, stays
from benchmarks.kinds.passes import LEADS, rows_of, run, stream
from streamlstm.events import Floats

FIRST = 1_000
HOURS = 5_000


def wind(seed: int) -> Floats:
    """Degrees, hourly: a mean wind, one that stays for days, a breeze that turns with the sun, and gusts."""
    dice, hour = np.random.default_rng([seed, 20]), np.arange(HOURS) % DAY
    breeze = 1.1 * np.clip(np.sin((hour - 9) / DAY * 2 * np.pi), -0.5, 1)
    east = stays(dice, HOURS, 0.985) - 0.55 + 0.8 * breeze
    north = stays(dice, HOURS, 0.985) - 0.35 - 0.6 * breeze
    return (np.degrees(np.arctan2(north, east)) + dice.normal(0, 8, HOURS)) % 360


def apart(one: Floats, other: Floats) -> Floats:
    """How far two directions are apart, degrees, the shorter way around."""
    return np.abs((one - other + 180) % 360 - 180)


def measure(given: Given) -> list[Figure]:
    true = wind(given.seed)
    unwrapped = true[0] + np.cumsum(np.concatenate([[0], (np.diff(true) + 180) % 360 - 180]))
    angle = run(given, rows_of(true), stream(given, type="angle"))
    number = run(given, rows_of(unwrapped))
    found = []
    for j, lead in enumerate(LEADS):
        origins = np.arange(FIRST, HOURS - lead)
        came = true[origins + lead]
        day_before = true[origins + lead - DAY * -(-lead // DAY)]
        naive = min(apart(true[origins], came).mean(), apart(day_before, came).mean())
        ours, theirs = (apart(said.yhat[origins, j], came).mean() for said in (angle, number))
        found += [
            Figure(f"wind, angular error over the best naive, lead {lead}", ours / naive, 1.0, 0.9),
            Figure(f"wind, over the direction unwrapped, lead {lead}", ours / theirs, 1.0),
        ]
        for q, level in enumerate((0.8, 0.95)):
            half = 0.5 * (angle.upper - angle.lower)[origins, q, j]
            inside = apart(angle.yhat[origins, j], came) <= half
            found.append(Figure(f"wind, coverage of the {level:.0%} interval, lead {lead}", inside.mean(), near=level))
    return found
