"""The aggregation of experts again, slowly: float64, one formula a line, for all experts of a lead at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tests.reference import RecursiveLeastSquares

Floats = NDArray[np.float64]


def states(shares: Floats, fall: float, back: float) -> list[bool]:
    """A relay with hysteresis: on above `fall`, off at `back` or below, and as it was between them. On at first."""
    known = [True, *(True if u > fall else False if u <= back else None for u in shares)]
    return [next(k for k in reversed(known[: n + 2]) if k is not None) for n in range(len(shares))]


@dataclass
class Mixture:
    """Second-order aggregation of M experts at a lead of h steps; an expert without a forecast is a NaN."""

    prior: Floats
    penalty: Floats
    lead: int
    S: Floats = field(init=False)  # correlated gains
    V: Floats = field(init=False)  # their square
    B: Floats = field(init=False)  # the largest
    R: Floats = field(init=False)  # their sum, less what their scatter might feign
    P: Floats = field(init=False)  # news from the shorter lead
    mean_news: Floats = field(init=False)
    seen: Floats = field(init=False)  # labels of each expert
    miss: Floats = field(init=False)  # its recent mean |error|
    heard: int = 0
    s: float = 0.0  # the usual error
    n: int = 0

    def __post_init__(self) -> None:
        arrays = np.zeros((8, len(self.prior)))
        self.S, self.V, self.B, self.R, self.P, self.mean_news, self.seen, self.miss = arrays

    def committees(self, E: Floats) -> tuple[float, float]:
        """The median of the forecasts, and their mean weighted by recent error to the power of -8."""
        there = np.isfinite(E)
        known = there & (self.seen[: len(E)] > 0)
        median = np.median(E[there]) if there.any() else np.nan
        if not known.any():
            return median, np.nan
        miss = np.maximum(self.miss[: len(E)][known], 1e-300)
        w = np.exp(-8 * (np.log(miss) - np.log(miss.min())))
        return median, w @ E[known] / w.sum()

    def rate(self) -> Floats:
        V = np.maximum(self.V, 1e-300)
        return np.minimum(0.5 / np.maximum(self.B, 1), np.sqrt(np.log(len(self.prior) + 1) / V))

    def weights(self) -> Floats:
        youth = np.maximum(0, 1 - self.seen / 300)
        exponent = self.rate() * (self.R + self.P) - self.penalty * youth
        w = self.prior * self.rate() * np.exp(exponent - exponent[self.prior > 0].max())
        return w / w.sum()

    def forecast(self, E: Floats) -> float:
        there = np.isfinite(E)
        w, E = self.weights()[there], E[there]
        if not len(E):
            return np.nan
        mean = w @ E / w.sum()
        away = np.maximum(abs(E - mean), 1e-300)
        w = w * np.minimum(1, 8 * self.s / away) if self.s > 0 else w
        return w @ E / w.sum()

    def settle(self, E: Floats, F: float, y: float) -> Floats:
        """The gain of each expert on the mixture's forecast F, after they are taken in."""
        self.n += 1
        w = self.weights()
        e = F - y
        s = self.s if self.s > 0 else abs(e)
        there = np.isfinite(E)
        self.seen = self.seen + there
        rate = np.maximum(0.1, 1 / np.maximum(self.seen, 1))
        self.miss = np.where(there, self.miss + rate * (abs(E - y) - self.miss), self.miss)
        r = np.zeros(len(E))
        if e != 0:
            r[there] = np.clip(e / (0.1 * s), -1, 1) * np.clip((F - E[there]) / s, -10, 10)
        memory = np.exp(-1 / (0.15 * self.lead))
        v = np.maximum(0, r**2 + 2 * memory * self.S * r)
        v = np.where(self.seen > 0, v, w[there] @ v[there] / w[there].sum())
        self.S = memory * self.S + r
        self.V = 0.9998 * self.V + v
        self.B = np.maximum(self.B, abs(r))
        self.R = 0.9998 * self.R + r - self.rate() * v
        usual = min(abs(e), 3 * self.s) if self.s > 0 else abs(e)
        self.s += max(0.01, 1 / self.n) * (usual - self.s)
        return r

    def hear(self, r: Floats, shorter: int) -> None:
        """What the experts gained at a shorter lead."""
        self.heard += 1
        if self.heard > 30 and self.n >= 30:
            self.P = (1 - 1 / (self.lead - shorter + 1)) * self.P + r - self.mean_news
        self.mean_news = self.mean_news + max(0.002, 1 / self.heard) * (r - self.mean_news)


@dataclass
class Stack:
    """Least squares, with forgetting, of what the median misses on how the K experts differ from it."""

    least_squares: RecursiveLeastSquares
    reach: float = 4.0

    def x(self, E: Floats, median: float, s: float) -> Floats:
        return np.where(np.isfinite(E), np.clip((E - median) / (2 * s), -self.reach, self.reach), 0)

    def forecast(self, E: Floats, median: float, s: float) -> float:
        return median + 2 * s * np.clip(self.least_squares.theta @ self.x(E, median, s), -self.reach, self.reach)
