"""Missing values: nyc_taxi with 30 % of its messages never sent, at random or in blocks of 12 to 144 steps.

A gap is no message at all. A forecast counts when its origin and its target both survive, and the same pairs are
scored in the pass over complete data. So that origins *inside* gaps are heard, too, a second pass is sent a reading
without a value in place of each missing one; there every surviving target counts, whatever its origin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.passes import LEADS, Said, run
from benchmarks.skill.datasets import TAXI
from streamlstm.codec.table import Row
from streamlstm.events import Floats

SHARE = 0.3
BLOCKS = (12, 144)  # steps
FIRST = 10_000  # row of the first target that counts
DRAWS = 3
SCORED = 5  # lead
AFTER = 12  # observations after a block
KINDS = ("at random", "in blocks")
LEVELS = (0.8, 0.95)  # of the intervals: the default
Gone = NDArray[np.bool_]


def gone(kind: str, seed: int, rows: int) -> Gone:
    """Which rows are taken away."""
    dice = np.random.default_rng([seed, *kind.encode()])
    if kind == "at random":
        return dice.random(rows) < SHARE
    out = np.zeros(rows, bool)
    while out.mean() < SHARE:
        width = int(dice.integers(BLOCKS[0], BLOCKS[1] + 1))
        begin = int(dice.integers(1, rows - width))
        if not out[begin - 1 : begin + width + 1].any():  # blocks do not touch
            out[begin : begin + width] = True
    return out


def measure(given: Given) -> list[Figure]:
    rows = given.rows(TAXI)
    whole = run(given, rows)
    j = LEADS.index(SCORED)
    found = []
    for kind in KINDS:
        sent, told = [], []
        for draw in range(1, DRAWS + 1):
            lost = gone(kind, draw, len(rows))
            sent.append(run(given, [row for row, away in zip(rows, lost, strict=True) if not away]))
            told.append(run(given, [empty(row) if away else row for row, away in zip(rows, lost, strict=True)]))
        what = f"30 % removed {kind}, Σ|e|/Σ|y| at lead {SCORED} over complete data"
        for name, passes in ((what, sent), (f"{what}, origins inside gaps too", told)):
            found.append(Figure(name, float(np.mean([ratio(said, whole, j) for said in passes])), 1.08, 1.04))
        if kind == "in blocks":
            after = [covered(said, j, after_gaps(said)) for said in sent]
            inside = [covered(said, j, np.isnan(said.y)) for said in told]
            found += _coverage(f"issued at the first {AFTER} after a block", after)
            found += _coverage("issued inside blocks", inside)
    return found


def _coverage(where: str, shares: list[Floats]) -> list[Figure]:
    return [
        Figure(f"coverage at {level:.0%}, lead {SCORED}, {where}", float(share), 0.05, 0.02, level)
        for level, share in zip(LEVELS, np.mean(shares, axis=0), strict=True)
    ]


def empty(row: Row) -> Row:
    """A reading that says it has no value."""
    return row._replace(values=(np.nan,))


def ratio(ours: Said, whole: Said, j: int, first: int = FIRST) -> float:
    """Σ|e| at the jth lead over that of the pass over complete data, on the pairs of origin and target of both."""
    origins, targets = ours.met(j)
    there = np.searchsorted(whole.time_ns, ours.time_ns)  # every time is in the complete data
    late = there[targets] >= first
    origins, targets = origins[late], targets[late]
    y = ours.y[targets]
    return float(np.abs(y - ours.yhat[origins, j]).sum() / np.abs(y - whole.yhat[there[origins], j]).sum())


def after_gaps(said: Said) -> Gone:
    """Which observations are among the first after a gap as long as the shortest block (N,)."""
    out = np.zeros(len(said.y), bool)
    for begin in np.flatnonzero(np.diff(said.time_ns) > BLOCKS[0] * said.step_ns) + 1:
        out[begin : begin + AFTER] = True
    return out


def covered(said: Said, j: int, issued: Gone, first: int = FIRST) -> Floats:
    """Share of the targets inside each level's interval (Q,), of forecasts issued where it says, at the jth lead."""
    origins, targets = said.met(j)
    chosen = issued[origins] & (said.time_ns[targets] >= said.time_ns[0] + first * said.step_ns)
    y = said.y[targets[chosen], None]
    inside = (said.lower[origins[chosen], :, j] <= y) & (y <= said.upper[origins[chosen], :, j])
    return inside.mean(axis=0)
