"""Series made here, each a function of its seed alone: hourly, around tens, with a day, a week and noise that stays."""

from __future__ import annotations

import numpy as np

from streamlstm.events import Floats

DAY, WEEK = 24, 168  # hours


def stays(dice: np.random.Generator, rows: int, keep: float) -> Floats:
    """AR(1) with unit deviation (rows,)."""
    out, x = np.empty(rows), float(dice.normal())
    for i, shock in enumerate(dice.normal(0, np.sqrt(1 - keep**2), rows)):
        out[i] = x
        x = keep * x + shock
    return out


def humps(hour: Floats) -> Floats:
    """A working day, 0.15 to about 1.5: one hump in the morning, a higher one in the evening."""
    return 0.15 + np.exp(-(((hour - 9) / 3.0) ** 2)) + 1.3 * np.exp(-(((hour - 19) / 3.5) ** 2))


def demand(seed: int, rows: int) -> Floats:
    """People, in tens: the humps, less at the weekend, noise in proportion. Row 0 is a Wednesday's midnight."""
    dice, t = np.random.default_rng([seed, 1]), np.arange(rows)
    weekend = np.isin((t // DAY + 2) % 7, (5, 6))
    level = 40 * humps(t % DAY * 1.0) * np.where(weekend, 0.7, 1.0)
    return level * np.exp(0.08 * stays(dice, rows, 0.95) + dice.normal(0, 0.04, rows))
