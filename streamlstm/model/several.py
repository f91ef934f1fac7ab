"""Series that take several rows, since their values are no numbers on a line: what the rows say as one forecast.

A category takes a row for each class, an angle one for its sine and one for its cosine. The rows learn by themselves;
all of this is made anew from the numbers of one observation, and nothing is kept here. K rows, L leads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from streamlstm.config import Stream
from streamlstm.events import Floats, Kind
from streamlstm.model.forecaster import HAPPENINGS
from streamlstm.model.state import ACTIVE, FALLBACK, QUARANTINED

Parts = Mapping[str, slice]
Bools = NDArray[np.bool_]


class Now(NamedTuple):
    """How each of the rows (K,) stands after the observation."""

    odd: Bools  # during an anomaly
    fallen: Bools  # naive forecasts are published
    doubted: Bools  # readings are not believed
    drifting: Bools  # errors are larger than they used to be


class Face(Protocol):
    """How one value is shown to several rows, and their numbers are read as one forecast."""

    @property
    def rows(self) -> int: ...

    def parts(self, own: Parts) -> Parts:
        """The parts of the forecast's numbers; own: those of a row's."""

    def shown(self, values: Sequence[float]) -> list[tuple[float, ...]]:
        """An observation's values for each row."""

    def combined(self, said: Floats, now: Now, parts: Parts, target: float) -> Floats:
        """One forecast of the K rows' numbers, which came with the value `target`, NaN missing."""


def face(stream: Stream) -> Face | None:
    """None of a stream whose series take a row each, as most do."""
    if stream.type == "category":
        return Category(len(stream.classes), len(stream.leads))
    return Angle(stream.turn) if stream.type == "angle" else None


def rows_of(stream: Stream) -> int:
    """How many rows a series of the stream takes."""
    shown = face(stream)
    return shown.rows if shown else 1


@dataclass(frozen=True)
class Category:
    """A truth value for each class, and their probabilities made to add up to 1.

    yhat is the most probable class, by its place; there is no order among classes, and so there are no intervals.
    """

    rows: int
    leads: int

    def parts(self, own: Parts) -> Parts:
        begin = own["all"].stop
        return {**own, "classes": slice(begin, begin + self.rows * self.leads)}

    def shown(self, values: Sequence[float]) -> list[tuple[float, ...]]:
        """1 for the class that the target names, 0 for the others; NaN for no class.

        >>> Category(3, 1).shown((1.0, 7.5))
        [(0.0, 7.5), (1.0, 7.5), (0.0, 7.5)]
        """
        target, *others = values
        known = target in range(self.rows)
        return [(float(target == k) if known else math.nan, *others) for k in range(self.rows)]

    def combined(self, said: Floats, now: Now, parts: Parts, target: float) -> Floats:
        out = together(said, now, parts, parts["classes"].stop)
        p = said[:, parts["yhat"]]
        p = p / p.sum(axis=0)
        out[parts["classes"]] = p.ravel()
        if not np.isnan(p).any():
            out[parts["yhat"]] = p.argmax(axis=0)
        out[parts["absolute_error"]] = said[:, parts["absolute_error"]].sum(axis=0)
        if target in range(self.rows):
            out[parts["anomaly_score"]] = said[int(target), parts["anomaly_score"]]
        return out


@dataclass(frozen=True)
class Angle:
    """The direction that the forecasts of sine and cosine point to, from 0, below `turn`.

    An interval's ends lie around it, so the lower may be below 0 and the upper beyond the turn. How much of the truth
    it holds is known of sine and cosine alone, and so it is not said. Measured beside forecasts of the angle unwrapped:
    docs/types.md.
    """

    turn: float
    rows: int = 2

    def parts(self, own: Parts) -> Parts:
        return own

    def shown(self, values: Sequence[float]) -> list[tuple[float, ...]]:
        """Sine and cosine.

        >>> Angle(4.0).shown((1.0,))
        [(1.0,), (0.0,)]
        """
        target, *others = values
        around = target * math.tau / self.turn
        return [(round(math.sin(around), 15), *others), (round(math.cos(around), 15), *others)]

    def combined(self, said: Floats, now: Now, parts: Parts, target: float) -> Floats:  # noqa: ARG002  as of the others
        out = together(said, now, parts, parts["all"].stop)
        per = self.turn / math.tau
        sine, cosine = (row[parts["yhat"]] for row in said)
        at = np.arctan2(sine, cosine)
        out[parts["yhat"]] = self._around(at * per)
        for name in ("lstm", "seasonal"):
            out[parts[name]] = self._around(np.arctan2(*said[:, parts[name]]) * per)
        Q = said[0, parts["lower"]].size // at.size
        lower, upper = (said[:, parts[name]].reshape(2, Q, -1) for name in ("lower", "upper"))
        half = self._half(0.5 * (upper - lower), at, np.hypot(sine, cosine)) * per
        out[parts["lower"]] = (out[parts["yhat"]] - half).ravel()
        out[parts["upper"]] = (out[parts["yhat"]] + half).ravel()
        out[parts["absolute_error"]] = np.hypot(*said[:, parts["absolute_error"]]) * per
        # the rarer of two: by chance one of them is, twice as often
        score = said[:, parts["anomaly_score"]].max() - math.log10(2.0) / 3.0
        out[parts["anomaly_score"]] = max(score, 0.0) if score == score else score
        return out

    def _half(self, half: Floats, at: Floats, length: Floats) -> Floats:
        """Half the interval's width (Q, L), radians, from those of sine and cosine, w (2, Q, L).

        arcsin((w_s |cos| + w_c |sin|) / R): an error across the forecast, of length R, moves both at once. All around
        where it is as long as that.
        """
        across = half[0] * np.abs(np.cos(at)) + half[1] * np.abs(np.sin(at))
        return np.where(across < length, np.arcsin(np.minimum(across / np.maximum(length, 1e-9), 1.0)), math.pi)

    def _around(self, value: Floats) -> Floats:
        around = np.mod(value, self.turn)
        found: Floats = np.where(around >= self.turn, 0.0, around)  # of -1e-300, mod gives the turn itself
        return found


def together(said: Floats, now: Now, parts: Parts, size: int) -> Floats:
    """What all such series have in common, in a forecast's numbers (size,); NaN elsewhere."""
    out = np.full(size, np.nan)
    out[parts["weights"]] = said[:, parts["weights"]].mean(axis=0)
    error = said[:, parts["absolute_error"]]
    for name in ("skill_persistence", "skill_seasonal"):
        skill = said[:, parts[name]]  # 1 - error/rival; NaN of a rival that never errs: that adds nothing
        known = skill < 1.0
        rival = (error / np.where(known, 1.0 - skill, np.inf)).sum(axis=0)
        out[parts[name]] = np.where(rival > 0, 1.0 - error.sum(axis=0) / np.where(rival > 0, rival, 1.0), np.nan)
    out[parts["naive"]] = said[:, parts["naive"]].min(axis=0)
    seen, state, happened, strength = (parts[name].start for name in ("seen", "state", "happened", "strength"))
    out[seen] = said[0, seen]
    out[state] = stands(said[:, state])
    out[happened] = whole(np.nan_to_num(said[:, happened]).astype(int), now)  # NaN: nothing to go on from yet
    out[strength] = said[:, strength].max()
    return out


def stands(states: Floats) -> float:
    """The state of the whole: in doubt with any of the rows, fallen back with all of them."""
    if (states == QUARANTINED).any():
        return QUARANTINED
    if (states == FALLBACK).all():
        return FALLBACK
    return ACTIVE if (states == ACTIVE).any() else float(states[0])


def whole(codes: NDArray[np.int64], now: Now) -> int:
    """What began or ended for the whole: a fallback is one of all rows, all else is told of any."""
    out = 0
    for kind, after, of in (
        (Kind.ANOMALY, now.odd, np.any),
        (Kind.FALLBACK, now.fallen, np.all),
        (Kind.QUARANTINE, now.doubted, np.any),
        (Kind.DRIFT, now.drifting, np.any),
    ):
        begins, ends = HAPPENINGS[kind]
        before = of((after | (codes & ends > 0)) & (codes & begins == 0))
        out += begins if of(after) and not before else ends if before and not of(after) else 0
    return out
