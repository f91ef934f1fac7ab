"""A regime that comes back: the first two weeks of it after 2,000 hours of another one, against its own first time.

Hourly, around tens: by turns a working day of two humps and a night shift, whose level and noise are others, too.
other, regime, other, regime: 2,000 hours each.
"""

from __future__ import annotations

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.made import DAY, WEEK, humps, stays
from benchmarks.kinds.passes import LEADS, mean, rows_of, run
from streamlstm.events import Floats

LASTS = 2_000  # hours
COUNTED = 2 * WEEK  # forecasts from a regime's beginning
DRAWS = 5


def made(seed: int) -> Floats:
    dice, t = np.random.default_rng([seed, 4]), np.arange(4 * LASTS)
    day, night = 40 * humps(t % DAY * 1.0), 25 * humps((t + DAY / 2) % DAY * 1.0) + 15
    noise = stays(dice, len(t), 0.9) * 0.06 + dice.normal(0, 0.03, len(t))
    return np.where(t // LASTS % 2 == 0, night, day) * np.exp(noise)


def measure(given: Given) -> list[Figure]:
    first, again = np.empty((DRAWS, len(LEADS))), np.empty((DRAWS, len(LEADS)))
    for draw in range(DRAWS):
        said = run(given, rows_of(made(draw + 1)))
        for j in range(len(LEADS)):
            error = said.errors(j)
            first[draw, j] = mean(error[LASTS : LASTS + COUNTED])
            again[draw, j] = mean(error[3 * LASTS : 3 * LASTS + COUNTED])
    ratios = again.mean(axis=0) / first.mean(axis=0)
    what = f"a regime that returns after {LASTS} steps, MAE of its first {COUNTED} forecasts against the first time"
    return [
        Figure(f"{what}, all leads", float(ratios.mean()), 0.9, 0.7),
        *(Figure(f"{what}, lead {lead}", float(r), 0.9, 0.7) for lead, r in zip(LEADS, ratios, strict=True)),
    ]
