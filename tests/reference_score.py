"""Slow float64 twins of `streamlstm/kernels/score.py` and `streamlstm/kernels/detect.py`, as a textbook has them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Tail:
    """The upper tail of a positive number, by its tracked quantiles.

    log10 p is linear in x between (0, 1), (q90, .1), (q99, .01), (q999, .001) and linear in log x beyond, as of a
    Pareto tail.
    """

    quantiles: dict[float, float] = field(default_factory=lambda: {0.9: 2.3026, 0.99: 4.6052, 0.999: 6.9078})
    window: float = 1.0
    n: int = 1
    crowd: dict[float, float] = field(default_factory=lambda: {0.99: 0.0, 0.999: 0.0})
    usual: dict[float, float] = field(default_factory=lambda: {0.99: 1.0, 0.999: 1.0})

    def digits(self, x: float) -> float:
        q90, q99, q999 = self.quantiles.values()
        if x <= q999:
            return float(np.interp(x, [0, q90, q99, q999], [0, 1, 2, 3]))
        shape = np.log(10) / np.log(q999 / q99)
        return float(-np.log10(0.001 * (x / q999) ** -shape))

    def take(self, x: float) -> None:
        """Each quantile takes one step down its pinball loss, in units of its distance to the one below."""
        old = dict(self.quantiles)
        self.n += 1
        rate = max(0.01 / self.window, 1 / (self.n + 10))
        rates = {0.9: rate, 0.99: 4 * rate, 0.999: max(0.3, 1 / (1 + self.n / 100)) / self.window}
        below = 0.0
        for tau, q in old.items():
            unit = q - below
            below = q
            share = 1.0
            if tau > 0.9:
                self.crowd[tau] *= 1 - 1 / (24 * self.window)
                if x > q:
                    share = self.usual[tau] / (1 + self.crowd[tau])
                    self.usual[tau] = min(self.usual[tau] + 0.05 * (1 - share), 10)
                    self.crowd[tau] += 1
            step = tau * share if x > q else tau - 1
            self.quantiles[tau] = q + rates[tau] * unit * step
        floor = 0.05
        for tau in self.quantiles:
            self.quantiles[tau] = max(self.quantiles[tau], floor)
            floor = self.quantiles[tau] + 0.05

    def array(self) -> np.ndarray:
        return np.array([self.n, *self.quantiles.values(), *self.crowd.values(), *self.usual.values()])


def window_tail(w: float) -> Tail:
    """Of a mean over w exponentials of which a quarter is independent: one and so many of its deviations."""
    deviation = np.sqrt(2 / w)
    return Tail({tau: 1 + z * deviation for tau, z in ((0.9, 1.6), (0.99, 3.2), (0.999, 4.8))}, window=w)


@dataclass
class Runs:
    """A run of equal values as a geometric; the k-th repetition counts 1/k. What long runs have is expected."""

    values: list[float] = field(default_factory=list)
    chance: dict[str, float] = field(default_factory=lambda: {"first": 0.2, "further": 0.4})
    weight: dict[str, float] = field(default_factory=lambda: {"first": 5.0, "further": 5.0})
    long: float = 0.0

    def digits(self, y: float) -> float:
        """-log10 of p q^(k-1), k the repetitions; less where runs that long have been seen."""
        before = self._repetitions()
        self.long *= 0.9995
        again = bool(self.values) and self.values[-1] == y
        found = self._rare(before + 1) / max(1.0, 2 * self.long / 4.15) if again else 0.0
        if not again and before and self._rare(before) > 4.15:
            seen = self._rare(before)
            self.long += (0.7 if seen > self.long else 0.1) * (seen - self.long)
        self._learn("first" if before == 0 else "further", again, 1 / max(before, 1))
        self.values = [*self.values, y] if again else [y]
        return float(found)

    def _repetitions(self) -> int:
        return max(len(self.values) - 1, 0)

    def _rare(self, k: int) -> float:
        return -np.log10(self.chance["first"]) - (k - 1) * np.log10(self.chance["further"])

    def _learn(self, which: str, again: bool, weight: float) -> None:
        self.weight[which] += weight
        self.chance[which] += weight / min(self.weight[which], 500) * (float(again) - self.chance[which])
        low, high = {"first": (0.005, 0.99), "further": (0.05, 0.995)}[which]
        self.chance[which] = float(np.clip(self.chance[which], low, high))


@dataclass
class Watch:
    """Every lead's tail, two windows over their mean -ln p, the run of equal values; then two limits and patience."""

    leads: int
    first: int = 100
    calm: int = 12
    n: int = 0
    during: bool = False
    strength: float = 0.0

    def __post_init__(self) -> None:
        self.tails = [Tail() for _ in range(self.leads)]
        self.means = {6.0: 1.0, 48.0: 1.0}
        self.windows = {w: window_tail(w) for w in self.means}
        self.runs = Runs()
        self.recent: deque[float] = deque(maxlen=self.calm)

    def take(self, ratios: np.ndarray, y: float) -> str:
        known = [(tail, abs(r)) for tail, r in zip(self.tails, ratios, strict=True) if not np.isnan(r)]
        digits = [tail.digits(r) for tail, r in known]
        for tail, r in known:
            tail.take(r)
        parts = [0.0]
        if not np.isnan(ratios[0]):
            parts.append(digits[0] / 4.15)
        if digits:
            surprise = np.mean(np.minimum(digits, 3)) * np.log(10)
            for w, tail in self.windows.items():
                self.means[w] += (surprise - self.means[w]) / w
                parts.append(tail.digits(self.means[w]) / (4.15 - 1.2 * np.log10(w)))
                tail.take(self.means[w])
        if not np.isnan(y):
            parts.append(self.runs.digits(y) / 4.15)
        self.strength = max(parts)
        return self._tell()

    def _tell(self) -> str:
        self.n += 1
        if not self.during:
            self.during = self.n > self.first and self.strength >= 1
            self.recent.clear()
            return "begins" if self.during else "nothing"
        self.recent.append(self.strength)
        if len(self.recent) == self.calm and max(self.recent) < 0.6:
            self.during = False
            return "ended"
        return "lasts"
