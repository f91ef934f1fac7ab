"""The tracked quantiles again, slowly: float64, one formula a line. See `tests/reference.py` for the rest."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def laplace(tau: float) -> float:
    return float(-np.sign(tau - 0.5) * np.log(1 - 2 * abs(tau - 0.5)))


def leaning(forecasts: Floats, mixture: float, size: float) -> float:
    known = forecasts[~np.isnan(forecasts)]
    return float(np.clip(np.mean(known - mixture) / size, -1, 1)) if len(known) and size > 0 else 0.0


@dataclass
class Quantiles:
    """Quantiles of error over scale: stochastic approximation, a fast part that fades, and a lean of all of them."""

    taus: Floats
    lead: float
    swift: float
    overlap: float
    begun: float
    wait: float
    rare: float
    surge: float
    leak: float
    lean: float
    lean_rate: float
    steepest: float
    settled: int
    n: int = 0
    squares: float = 0.0
    slow: Floats = field(init=False)
    fast: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.slow = np.array([laplace(tau) for tau in self.taus])
        self.fast = np.zeros(len(self.taus))

    def spread(self, z: float) -> Floats:
        side = np.sign(self.taus - 0.5)
        raw = (self.slow + self.fast) * (1 + side * self.lean * z)
        lower = np.minimum.accumulate(np.minimum(raw, 0)[side < 0][::-1])[::-1]
        upper = np.maximum.accumulate(np.maximum(raw, 0)[side > 0])
        return np.concatenate([lower, np.zeros(np.count_nonzero(side == 0)), upper])

    def take(self, limits: Floats, y: float, z: float) -> None:
        self.n += 1
        share = min(1.0, self.overlap / self.lead)
        pace = max(self.swift * np.sqrt(share), 1 / (self.n + self.begun + self.wait * self.lead))
        side = np.sign(self.taus - 0.5)
        rarity = np.minimum(self.taus, 1 - self.taus)
        below = np.where(side > 0, y <= limits, y < limits)
        g = np.where(side == 0, 0, self.taus - below)
        d = z * np.sum(g * np.abs(self.slow + self.fast))
        self.slow = self.slow + pace * g / np.maximum(rarity, self.rare)
        self.slow = side * np.maximum(side * self.slow, 0)
        self.fast = (1 - self.leak * share) * self.fast + self.surge * share * (1 - 2 * rarity) ** 2 * g
        if self.n > self.settled:
            self.squares += d**2
            step = self.lean_rate * d / np.sqrt(1 + self.squares)
            self.lean = float(np.clip(self.lean + step, -self.steepest, self.steepest))
