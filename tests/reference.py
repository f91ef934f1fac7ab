"""The kernels' arithmetic again, slowly: float64, one formula a line, as the papers print them.

What is a setting (a rate, a cap) is an argument; what is part of a definition is a number here, too. The tests hold the
kernels to this file, so it is never tuned to agree with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def relu(x: Floats) -> Floats:
    return np.maximum(x, 0)


@dataclass(frozen=True)
class Cell:
    """An LSTM cell with peepholes (Gers and Schmidhuber 2000), the output gate's on the previous cell state, too.

    w (D+H, 4H) on [x, h], b (4H,); columns: input, forget, output gate, candidate. p (3H,): peepholes of the gates.
    """

    w: Floats
    b: Floats
    p: Floats
    activation: Callable[[Floats], Floats] = np.tanh

    def step(self, x: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats]:
        """The hidden and cell state after one step."""
        z_i, z_f, z_o, z_g = (np.concatenate([x, h]) @ self.w + self.b).reshape(4, -1)
        p_i, p_f, p_o = self.p.reshape(3, -1)
        i = sigmoid(z_i + p_i * c)
        f = sigmoid(z_f + p_f * c)
        o = sigmoid(z_o + p_o * c)
        g = self.activation(z_g)
        c = f * c + i * g
        return o * self.activation(c), c


@dataclass(frozen=True)
class Network:
    """Cells on top of one another and a linear head a lead: v (L, H), d (L,) on the topmost hidden state."""

    cells: tuple[Cell, ...]
    v: Floats
    d: Floats

    @classmethod
    def of(
        cls,
        flat: Floats,
        inputs: int,
        hidden: int,
        layers: int,
        leads: int,
        activation: Callable[..., Floats] = np.tanh,
    ) -> Network:
        """Views of all weights in one array: w, b, p of each layer from the bottom up, then v, d."""
        shapes: list[tuple[int, ...]] = []
        for below in (inputs, *[hidden] * (layers - 1)):
            shapes += [(below + hidden, 4 * hidden), (4 * hidden,), (3 * hidden,)]
        shapes += [(leads, hidden), (leads,)]
        ends = np.cumsum([0, *(np.prod(shape, dtype=int) for shape in shapes)])
        assert ends[-1] == len(flat), f"{len(flat)} weights: need {ends[-1]}"
        parts = [flat[a:b].reshape(shape) for (a, b), shape in zip(pairwise(ends), shapes, strict=True)]
        cells = (Cell(*parts[3 * n : 3 * n + 3], activation) for n in range(layers))
        return cls(tuple(cells), *parts[-2:])

    def run(self, xs: Floats, h: Floats, c: Floats) -> Floats:
        """The heads' outputs (K, L) along inputs xs (K, D), from the states h, c (N, H) before the first step."""
        h, c = h.copy(), c.copy()
        outputs = []
        for x in xs:
            for n, cell in enumerate(self.cells):
                h[n], c[n] = cell.step(x, h[n], c[n])
                x = h[n]
            outputs.append(self.v @ x + self.d)
        return np.array(outputs)


def huber(error: Floats, delta: float) -> Floats:
    """Huber (1964)."""
    return np.where(np.abs(error) <= delta, error**2 / 2, delta * (np.abs(error) - delta / 2))


def window_loss(network: Network, xs: Floats, h: Floats, c: Floats, labels: Floats, delta: float) -> float:
    """Huber's loss of a window, summed over the labels (K, L); NaN marks those that nobody knows."""
    known = ~np.isnan(labels)
    return float(huber((network.run(xs, h, c) - labels)[known], delta).sum())


def central_differences(loss: Callable[[Floats], float], at: Floats, step: float) -> Floats:
    """The gradient of a loss, one coordinate after the other."""
    gradient = np.zeros_like(at)
    for j in range(len(at)):
        ahead, behind = at.copy(), at.copy()
        ahead[j] += step
        behind[j] -= step
        gradient[j] = (loss(ahead) - loss(behind)) / (2 * step)
    return gradient


def clipped(gradient: Floats, most: float) -> Floats:
    """Scaled down as a whole until its norm is at most `most` (Pascanu et al. 2013)."""
    return gradient * min(1, most / np.linalg.norm(gradient))


@dataclass
class Adam:
    """Kingma and Ba (2015), algorithm 1, and a running average of the weights beside it (Polyak and Juditsky 1992)."""

    weights: Floats
    rate: float
    beta1: float
    beta2: float
    epsilon: float

    def __post_init__(self) -> None:
        self.m, self.v = np.zeros_like(self.weights), np.zeros_like(self.weights)
        self.average = self.weights.copy()
        self.t = 0

    def update(self, g: Floats, averaging: float) -> None:
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        m_hat = self.m / (1 - self.beta1**self.t)
        v_hat = self.v / (1 - self.beta2**self.t)
        self.weights = self.weights - self.rate * m_hat / (np.sqrt(v_hat) + self.epsilon)
        self.average = (1 - averaging) * self.average + averaging * self.weights


@dataclass
class RecursiveLeastSquares:
    """Least squares with exponential forgetting (Haykin, Adaptive Filter Theory), its label possibly late.

    The gain is worked out at the origin, the correction when the label has matured. The covariance's diagonal is
    capped: C <- D C D with the largest diagonal D <= 1 that allows.
    """

    covariance: Floats
    theta: Floats
    forgetting: float
    cap: float = np.inf
    clip: float = np.inf

    def gain(self, x: Floats) -> Floats:
        C = self.covariance
        k = C @ x / (self.forgetting + x @ C @ x)
        C = (C - np.outer(k, x @ C)) / self.forgetting
        D = np.diag(np.sqrt(np.minimum(1, self.cap / np.diag(C))))
        self.covariance = D @ C @ D
        return k

    def correct(self, k: Floats, x: Floats, label: float) -> None:
        self.theta = self.theta + k * np.clip(label - self.theta @ x, -self.clip, self.clip)


def weighted_least_squares(xs: Floats, labels: Floats, forgetting: float, start: float) -> Floats:
    """What recursive least squares must arrive at: Σ λ^age (label - θᵀx)² + λⁿ |θ|²/start at its minimum."""
    weights = forgetting ** np.arange(len(xs) - 1, -1, -1.0)
    ridge = np.eye(xs.shape[1]) * forgetting ** len(xs) / start
    return np.linalg.solve(ridge + (xs.T * weights) @ xs, (xs.T * weights) @ labels)


def slot(time: int, period: int, slots: int) -> int:
    """Which part of a period a time falls in: each is period // slots long, and the last takes what is left."""
    return min(time % period // (period // slots), slots - 1)


def fourier(phase: float, terms: int) -> Floats:
    """sin 2πφ, cos 2πφ, sin 4πφ, cos 4πφ, ..."""
    k = np.arange(1, terms // 2 + 1)
    return np.column_stack([np.sin(2 * np.pi * k * phase), np.cos(2 * np.pi * k * phase)]).ravel()


@dataclass
class Profile:
    """The usual value of each slot: a plain mean until the weight 1/n falls below the rate, exponential after it."""

    slots: int
    rate: float

    def __post_init__(self) -> None:
        self.usual, self.latest = np.zeros(self.slots), np.full(self.slots, np.nan)
        self.seen = np.zeros(self.slots, int)

    def take(self, at: int, y: float) -> None:
        self.seen[at] += 1
        weight = max(self.rate, 1 / self.seen[at])
        self.usual[at] = (1 - weight) * self.usual[at] + weight * y
        self.latest[at] = y


def tracked(q: float, tau: float, r: float, rate: float) -> float:
    """One step down the pinball loss of quantile τ (Gibbs and Candès 2021)."""
    return q + rate * tau if r >= q else q - rate * (1 - tau)


def tracking_rate(n: int, lead: int) -> float:
    """Swift at first; later slower, and slowest at long leads, whose labels overlap."""
    return max(0.003, 0.05 * min(1, 8 / lead), 0.5 / (n + 10))


@dataclass
class ErrorScale:
    """The size S of the error to come: exp(θᵀx) times the usual one, clipped.

    θ goes down log S + |e|/S, Laplace's likelihood, by AdaGrad (Duchi et al. 2011).
    """

    theta: Floats
    slow_rate: float
    fast_rate: float
    life_rate: float
    step: float
    reach: float
    life: float = 0.0
    slow: float = 0.0
    fast: float = 0.0
    n: int = 0
    squares: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.squares = np.zeros_like(self.theta)

    def take(self, e: float) -> None:
        """The running means of |e|: none believes in a wild one, the life-long one only beyond a hundred of itself."""
        self.n += 1
        settled = self.n > 30 and self.life > 0
        self.life = mean_so_far(self.life, min(e, 100 * self.life) if settled else e, self.n, self.life_rate)
        believed = min(e, max(8 * self.slow, 2 * self.life))
        self.slow = mean_so_far(self.slow, believed, self.n, self.slow_rate)
        self.fast = mean_so_far(self.fast, believed, self.n, self.fast_rate)

    def of(self, x: Floats) -> float:
        usual = max(self.slow, self.life / 20)
        return max(usual * np.exp(np.clip(self.theta @ x, -self.reach, self.reach)), self.life / 20)

    def learn(self, x: Floats, ratio: float) -> None:
        gradient = (1 - min(ratio, 5)) * x
        self.squares = self.squares + gradient**2
        self.theta = self.theta - self.step * gradient / np.sqrt(1 + self.squares)


def mean_so_far(mean: float, value: float, n: int, rate: float) -> float:
    weight = max(rate, 1 / n)
    return (1 - weight) * mean + weight * value
