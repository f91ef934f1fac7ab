"""The slow twin of `streamlstm.kernels.logit`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_odds(forecasts: NDArray, near: float) -> NDArray:
    """Of forecasts (M,) between 0 and 1, NaN where there is none; and the constant."""
    q = np.clip(np.where(np.isfinite(forecasts), forecasts, 0.5), near, 1 - near)
    return np.append(np.log(q / (1 - q)), 1.0)


def probability(w: NDArray, x: NDArray, sure: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(w @ x, -sure, sure))))


def loss(w: NDArray, x: NDArray, y: float) -> float:
    """-log of the probability of y."""
    p = 1 / (1 + np.exp(-(w @ x)))
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


class Adagrad:
    """Duchi, Hazan and Singer (2011), with diagonal matrices: algorithm 1, and sums that do not begin at 0."""

    def __init__(self, w: NDArray, start: float, rate: float) -> None:
        self.w, self.squares, self.rate = w.copy(), np.full(w.shape, start), rate

    def step(self, gradient: NDArray) -> None:
        self.squares += gradient**2
        self.w -= self.rate * gradient / np.sqrt(self.squares)
