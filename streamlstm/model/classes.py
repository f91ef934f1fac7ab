"""A category as a truth value a class, each with a row of its own, and what they say together as one forecast.

K classes, L leads. All is in the numbers of one observation: nothing is kept here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from streamlstm.events import Floats
from streamlstm.model.forecaster import ANOMALY_BEGINS, ANOMALY_ENDS, FALLBACK_BEGINS, FALLBACK_ENDS
from streamlstm.model.state import ACTIVE, FALLBACK

Parts = Mapping[str, slice]
Bools = NDArray[np.bool_]


def one_hot(values: Sequence[float], classes: int) -> list[tuple[float, ...]]:
    """An observation's values for each class: 1 for the one that the target names, 0 for the others; NaN for no class.

    >>> one_hot((1.0, 7.5), 3)
    [(0.0, 7.5), (1.0, 7.5), (0.0, 7.5)]
    """
    target, *others = values
    known = target in range(classes)
    return [(float(target == k) if known else math.nan, *others) for k in range(classes)]


def with_classes(parts: Parts, leads: int, classes: int) -> dict[str, slice]:
    """The parts of a forecast's numbers, and the probabilities of the classes (K, L) behind them."""
    begin = parts["all"].stop
    return {**parts, "classes": slice(begin, begin + classes * leads)}


def combined(rows: Floats, odd: Bools, fallen: Bools, parts: Parts, target: float) -> Floats:
    """One forecast of the K rows of numbers, which came with the class `target`; it may be none.

    odd, fallen (K,): which classes have an anomaly now, and for which naive forecasts are published.

    yhat is the most probable class, by its place; there is no order among classes, and so there are no intervals.
    The probabilities are the rows', made to add up to 1. The skill is that of Brier's score over all classes.
    """
    out = np.full(parts["classes"].stop, np.nan)
    p = rows[:, parts["yhat"]]
    p = p / p.sum(axis=0)
    out[parts["classes"]] = p.ravel()
    if not np.isnan(p).any():
        out[parts["yhat"]] = p.argmax(axis=0)
    out[parts["weights"]] = rows[:, parts["weights"]].mean(axis=0)
    error = rows[:, parts["absolute_error"]]
    out[parts["absolute_error"]] = error.sum(axis=0)
    for name in ("skill_persistence", "skill_seasonal"):
        skill = rows[:, parts[name]]  # 1 - error/rival; NaN of a rival that never errs: that adds nothing
        known = skill < 1.0
        rival = (error / np.where(known, 1.0 - skill, np.inf)).sum(axis=0)
        out[parts[name]] = np.where(rival > 0, 1.0 - error.sum(axis=0) / np.where(rival > 0, rival, 1.0), np.nan)
    out[parts["naive"]] = rows[:, parts["naive"]].min(axis=0)
    seen, state, happened, strength = (parts[name].start for name in ("seen", "state", "happened", "strength"))
    if target in range(len(rows)):
        out[parts["anomaly_score"]] = rows[int(target), parts["anomaly_score"]]
    out[seen] = rows[0, seen]
    stands = rows[:, state]
    out[state] = FALLBACK if (stands == FALLBACK).all() else ACTIVE if (stands == ACTIVE).any() else stands[0]
    out[happened] = _happened(rows[:, happened].astype(int), odd, fallen)
    out[strength] = rows[:, strength].max()
    return out


def _happened(codes: NDArray[np.int64], odd: Bools, fallen: Bools) -> int:
    """What began or ended for the category: an anomaly is one of any class, a fallback one of all of them."""
    was_odd = (odd | (codes & ANOMALY_ENDS > 0)) & (codes & ANOMALY_BEGINS == 0)
    was_fallen = (fallen | (codes & FALLBACK_ENDS > 0)) & (codes & FALLBACK_BEGINS == 0)
    out = 0
    for before, after, begins, ends in (
        (was_odd.any(), odd.any(), ANOMALY_BEGINS, ANOMALY_ENDS),
        (was_fallen.all(), fallen.all(), FALLBACK_BEGINS, FALLBACK_ENDS),
    ):
        out += begins if after and not before else ends if before and not after else 0
    return out
