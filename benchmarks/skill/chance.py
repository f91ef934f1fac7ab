"""What chance alone does to the worst window of an interval: a forecaster that knows the law of a random walk.

    python -m benchmarks.skill.chance

Its intervals are exact. But a forecast h steps ahead shares its next h - 1 steps with the one after it, so that misses
come in runs of about h, and some window of 500 among 17,320 has many. A floor above these figures asks for intervals
that are wider than what they say.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from benchmarks.skill.measures import WINDOW, worst_window
from benchmarks.skill.protocol import LEADS

ROWS, RUNS, SEED = 17_320, 60, 0  # as many rows as ETTh1's longest count


def walks(lead: int, level: float, dice: np.random.Generator) -> list[float]:
    """The worst window of each of RUNS random walks with normal steps."""
    half = NormalDist().inv_cdf(0.5 + level / 2) * lead**0.5
    found = []
    for _ in range(RUNS):
        y = np.concatenate([[0.0], dice.standard_normal(ROWS + lead).cumsum()])
        found.append(worst_window(np.abs(y[lead:] - y[:-lead]) <= half, WINDOW)[0])
    return found


def main() -> None:
    dice = np.random.default_rng(SEED)
    print(f"seed {SEED}, {RUNS} walks of {ROWS} rows: median of the worst {WINDOW} in a row")
    for lead in LEADS:
        told = [100 * float(np.median(walks(lead, level, dice))) for level in (0.8, 0.95)]
        print(f"lead {lead}: {told[0]:.1f} % of 80, {told[1]:.1f} % of 95")


if __name__ == "__main__":
    main()
