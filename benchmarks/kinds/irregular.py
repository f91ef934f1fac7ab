"""Odd times: travel_time_387, whose readings come 10 minutes apart or more, 10 minutes and an hour ahead.

Who asks for "10 minutes ahead" wants to know what a reading would say then. So a forecast from an origin t for the lead
h is held against the first reading at or after t + h: a real one, which cannot have been known at the origin. A mean
between the readings around t + h was never measured, and the last one before it is often the origin itself, which would
make persistence right by definition. After t + 1.5 h and half a step nothing is scored: what comes later says nothing
of that time. Naive are the last value, and the reading nearest to the same time of the last day that has one.
"""

from __future__ import annotations

import numpy as np

from benchmarks.kinds.figure import Figure, Given
from benchmarks.kinds.passes import Places, run, stream
from streamlstm.events import Floats

MINUTE_NS = 60_000_000_000
LEADS = ("10min", "1h", "2h", "4h")
SCORED = {0: ("10 min", 10 * MINUTE_NS), 1: ("1 h", 60 * MINUTE_NS)}  # by place in LEADS
STEP_NS = 10 * MINUTE_NS  # the spacing of most readings
FIRST = 100  # row of the first target that counts
DAY_NS = 1_440 * MINUTE_NS


def measure(given: Given) -> list[Figure]:
    rows = given.rows("travel_time_387")
    said = run(given, rows, stream(given, leads=LEADS))
    found = []
    for j, (name, lead_ns) in SCORED.items():
        origins, targets = labels(said.time_ns, lead_ns)
        origins, targets = origins[targets >= FIRST], targets[targets >= FIRST]
        y = said.y[targets]
        error = {
            "the last value": np.abs(y - said.y[origins]).mean(),
            "the same time of day": np.abs(y - day_before(said.time_ns, said.y, origins, lead_ns)).mean(),
        }
        best = min(error, key=error.__getitem__)
        ours = np.abs(y - said.yhat[origins, j]).mean()
        what = f"travel_time_387, {name} ahead, MAE over the best naive ({best})"
        found.append(Figure(what, float(ours / error[best]), 1.0, 0.9))
    return found


def labels(time_ns: Places, lead_ns: int) -> tuple[Places, Places]:
    """Origins, and the first reading at or after origin + lead of each, where it comes in time."""
    want = time_ns + lead_ns
    at = np.searchsorted(time_ns, want)
    origins = np.flatnonzero(at < len(time_ns))
    targets = at[origins]
    near = time_ns[targets] - want[origins] <= (lead_ns + STEP_NS) // 2
    return origins[near], targets[near]


def day_before(time_ns: Places, y: Floats, origins: Places, lead_ns: int) -> Floats:
    """The reading nearest to the same time of the newest day that has one by the origin, within half a step of it.

    Where no day has one, the last value.
    """
    out = y[origins].copy()
    for i, origin in enumerate(origins):
        want = time_ns[origin] + lead_ns - DAY_NS
        while want >= time_ns[0] - STEP_NS:
            at = int(np.searchsorted(time_ns, want))
            around = [p for p in (at - 1, at) if 0 <= p <= origin]
            nearest = min(around, key=lambda p: abs(int(time_ns[p]) - int(want)), default=-1)
            if nearest >= 0 and abs(int(time_ns[nearest]) - int(want)) <= STEP_NS // 2:
                out[i] = y[nearest]
                break
            want -= DAY_NS
    return out
