"""The slow twin of `streamlstm.kernels.doubt`, on the whole history of readings."""

from __future__ import annotations

from collections.abc import Sequence

from streamlstm.kernels import doubt


def answers(readings: Sequence[float], window: int) -> list[int]:
    """What is said of each reading; the believed ones alone make up the ranges."""
    believed: list[float] = []
    found: list[int] = []
    wild = 0
    share = before = 0.05
    for at, y in enumerate(readings):
        same = 1
        while same <= at and readings[at - same] == y:
            same += 1
        before = share if same == 1 else before
        enough = next(n for n in range(doubt.FEWEST, 99) if n >= doubt.SAME or before ** (n - 1) <= doubt.CHANCE)
        stuck = before < doubt.SELDOM and enough <= same < doubt.STANDS
        if not stuck:
            share += doubt.RATE * ((same > 1) - share)
        recent = believed[-window:]
        far = False
        if len(believed) >= doubt.KNOWN:
            low, high, lowest, highest = min(recent), max(recent), min(believed), max(believed)
            near, wide = doubt.RANGES * (high - low), doubt.BEYOND * (highest - lowest)
            beyond_recent = y < low - near or y > high + near
            beyond_all = y < lowest - wide or y > highest + wide
            far = beyond_recent and beyond_all and highest > lowest
        wild = wild + 1 if far else 0
        if far and wild < doubt.BELIEVED:
            found.append(doubt.WILD)
            continue
        answer = doubt.STUCK if stuck and not far else doubt.NONE
        wild = 0
        found.append(answer)
        if answer == doubt.NONE:
            believed.append(y)
    return found
