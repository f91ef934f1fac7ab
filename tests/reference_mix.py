"""The aggregation of experts again, slowly: float64, one formula a line, for all experts of a lead at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
    heard: int = 0
    s: float = 0.0  # the usual error
    n: int = 0

    def __post_init__(self) -> None:
        self.S, self.V, self.B, self.R, self.P, self.mean_news = np.zeros((6, len(self.prior)))

    def rate(self) -> Floats:
        V = np.maximum(self.V, 1e-300)
        return np.minimum(0.5 / np.maximum(self.B, 1), np.sqrt(np.log(len(self.prior) + 1) / V))

    def weights(self) -> Floats:
        eta = self.rate()
        youth = max(0, 1 - self.n / 300)
        with np.errstate(divide="ignore"):
            exponent = np.log(self.prior * eta) + eta * (self.R + self.P) - self.penalty * youth
        w = np.where(self.prior > 0, np.exp(np.maximum(exponent - exponent.max(), -60)), 0)
        return w / w.sum()

    def forecast(self, E: Floats) -> float:
        there = np.isfinite(E)
        w = self.weights()[there]
        return w @ E[there] / w.sum() if w.sum() > 0 else np.nan

    def settle(self, E: Floats, F: float, y: float) -> Floats:
        """The gain of each expert on the mixture's forecast F, after they are taken in."""
        self.n += 1
        e = F - y
        s = self.s if self.s > 0 else abs(e)
        r = np.zeros(len(E))
        there = np.isfinite(E) & (e != 0)
        r[there] = np.clip(e / (0.5 * s), -1, 1) * np.clip((F - E[there]) / s, -5, 5) if there.any() else 0
        memory = np.exp(-1 / (0.1 * self.lead))
        v = np.maximum(0, r**2 + 2 * memory * self.S * r)
        self.S = np.where(there, memory * self.S + r, self.S)
        self.V = np.where(there, 0.9998 * self.V + v, self.V)
        self.B = np.maximum(self.B, abs(r))
        self.R = np.where(there, 0.9998 * self.R + r - self.rate() * v, self.R)
        usual = min(abs(e), 6 * self.s) if self.s > 0 else abs(e)
        self.s += max(0.003, 1 / self.n) * (usual - self.s)
        return r

    def hear(self, r: Floats, shorter: int) -> None:
        """What the experts gained at a shorter lead."""
        self.heard += 1
        if self.heard > 30:
            self.P = (1 - 1 / (3 * (self.lead - shorter) + 1)) * self.P + r - self.mean_news
        self.mean_news = self.mean_news + max(0.002, 1 / self.heard) * (r - self.mean_news)
