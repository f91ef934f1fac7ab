"""The slow twin of `streamlstm.kernels.covariates`: means whose rate falls to a limit, and waits between values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Scale:
    """One covariate's running statistics; values and ages come once a step."""

    mean: float = 0.0
    variance: float = 0.0
    square: float = 0.0  # mean of (x - x before)²
    n: int = 0
    ages: list[float] = field(default_factory=list)

    def take(self, x: float, before: float | None) -> None:
        self.n += 1
        rate = max(0.001, 1 / self.n)
        if self.n == 1:
            self.mean = x
            return
        self.variance = (1 - rate) * (self.variance + rate * (x - self.mean) ** 2)
        self.mean = (1 - rate) * self.mean + rate * x
        if before is not None:
            self.square = (1 - rate) * self.square + rate * (x - before) ** 2

    @property
    def wait(self) -> float:
        """Steps from one value to the next, a running mean of fiftieths; 0 before the first."""
        found, last = 0.0, 0.0
        for age in self.ages:
            if age <= last:
                steps = last + 1 - age
                found = 0.98 * found + 0.02 * steps if found else steps
            last = age
        return found

    def fading(self, age: float) -> float:
        usual = 3 * max(self.wait, 1)
        return 1.0 if age <= usual else usual / age

    def standard(self, away: float, square: float) -> float:
        return float(np.clip(away / max(np.sqrt(square), 1e-9 * abs(self.mean) + 1e-30), -6, 6))
