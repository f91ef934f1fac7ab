"""Long memory: values that hang on what was 500 steps before, where no calendar has that season.

An autoregression, y = 0.9 y(t-500) + noise, whose past repeats like a season; and an echo, y = e(t) + 0.8 e(t-500), in
which everything is heard twice and never again. Steps are minutes. Naive are the last value, the day before and the
running mean; beside the ratio stands what who knows the law would reach.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.passes import HOUR_NS, LEADS, rows_of, run
from streamlstm.events import Floats

BACK, KEEP, ECHO = 500, 0.9, 0.8
ROWS, FIRST = 12_000, 4_000
DAY = 1_440  # steps
MINUTE_NS = HOUR_NS // 60


def again(seed: int) -> Floats:
    """50 + 10 times an autoregression over 500 steps with unit deviation."""
    dice = np.random.default_rng([seed, 5])
    y = dice.normal(size=ROWS + 10 * BACK)
    for t in range(BACK, len(y)):
        y[t] = KEEP * y[t - BACK] + sqrt(1 - KEEP**2) * y[t]
    return 50 + 10 * y[-ROWS:]


def echo(seed: int) -> Floats:
    dice = np.random.default_rng([seed, 6])
    e = dice.normal(size=ROWS + BACK)
    return 50 + 10 * (e[BACK:] + ECHO * e[:-BACK]) / sqrt(1 + ECHO**2)


def measure(given: Given) -> list[Figure]:
    found = []
    for name, make, best in (
        ("autoregression over 500 steps", again, sqrt(1 - KEEP**2)),
        ("echo after 500 steps", echo, 1 / sqrt(1 + ECHO**2)),
    ):
        y = make(given.seed)
        said = run(given, rows_of(y, MINUTE_NS))
        average = np.cumsum(y) / np.arange(1, ROWS + 1)
        for j, lead in enumerate(LEADS):
            origins, targets = said.met(j, FIRST)
            naive = min(np.abs(y[targets] - f).mean() for f in (y[origins], y[targets - DAY], average[origins]))
            ours = np.abs(y[targets] - said.yhat[origins, j]).mean()
            # who knows the law can have `best` of the mean's error, and no less: half way there shows that it is seen
            found.append(Figure(f"{name}, MAE over the best naive, lead {lead} (the law: {best:.2f})",
                                float(ours / naive), (1 + best) / 2))  # fmt: skip
    return found
