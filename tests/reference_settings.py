"""Twins of the textbook's settings: residual connections, attention, pruning, optimisers. Slow, and never tuned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tests.reference import Adam, Cell, Floats


def softmax(scores: Floats) -> Floats:
    e = np.exp(scores - scores.max())
    return e / e.sum()


def attend(w: Floats, h: Floats, tape: Floats) -> Floats:
    """The context of h (H,) among the states (R, H): Luong et al. (2015, eq. 8), scaled as Vaswani et al. (2017)."""
    if len(tape) == 0:
        return np.zeros_like(h)
    return softmax(tape @ (h @ w) / np.sqrt(len(h))) @ tape


@dataclass(frozen=True)
class Network:
    """Cells on top of one another, each above the first with its input added to its output where `residual` (He et al.
    2016, Wu et al. 2016, eq. 6); and linear heads on [the topmost state, its context among the `reach` before it].
    """

    cells: tuple[Cell, ...]
    query: Floats
    v: Floats
    d: Floats
    residual: bool
    reach: int

    @classmethod
    def of(
        cls,
        flat: Floats,
        inputs: int,
        hidden: int,
        layers: int,
        leads: int,
        activation: Callable[..., Floats] = np.tanh,
        residual: bool = False,
        reach: int = 0,
    ) -> Network:
        """Views of all weights in one array: w, b, p of each layer from the bottom up, then the query, then v, d."""
        shapes: list[tuple[int, ...]] = []
        for below in (inputs, *[hidden] * (layers - 1)):
            shapes += [(below + hidden, 4 * hidden), (4 * hidden,), (3 * hidden,)]
        shapes.append((hidden, hidden) if reach else (0, 0))
        shapes += [(leads, 2 * hidden if reach else hidden), (leads,)]
        ends = np.cumsum([0, *(np.prod(shape, dtype=int) for shape in shapes)])
        assert ends[-1] == len(flat), f"{len(flat)} weights: need {ends[-1]}"
        parts = [flat[a:b].reshape(shape) for (a, b), shape in zip(pairwise(ends), shapes, strict=True)]
        cells = tuple(Cell(*parts[3 * n : 3 * n + 3], activation) for n in range(layers))
        return cls(cells, *parts[-3:], residual, reach)

    def run(self, xs: Floats, h: Floats, c: Floats) -> Floats:
        """The heads' outputs (K, L) along inputs xs (K, D), from the states h, c (N, H) before the first step."""
        h, c = h.copy(), c.copy()
        outputs: list[Floats] = []
        tape = np.empty((0, h.shape[1]))
        for x in xs:
            for n, cell in enumerate(self.cells):
                h[n], c[n] = cell.step(x, h[n], c[n])
                x = h[n] + x if self.residual and n > 0 else h[n]
            seen = np.concatenate([x, attend(self.query, x, tape[-self.reach :])]) if self.reach else x
            outputs.append(self.v @ seen + self.d)
            tape = np.vstack([tape, x])
        return np.array(outputs)


def sparsity(update: int, begin: int, duration: int, final: float) -> float:
    """Zhu and Gupta (2017), eq. 1, from none to `final`."""
    if update < begin:
        return 0.0
    if update > begin + duration:
        return final
    return final + (0 - final) * (1 - (update - begin) / duration) ** 3


def prune(w: Floats, share: float) -> Floats:
    """The smallest int(share · P) weights by magnitude set to zero."""
    w, flat = w.copy(), np.argsort(np.abs(w), kind="stable")
    w[flat[: int(share * len(w))]] = 0
    return w


@dataclass
class AdamW(Adam):
    """Loshchilov and Hutter (2019), algorithm 2, the schedule multiplier one."""

    decay: float = 0.0

    def update(self, g: Floats, averaging: float) -> None:
        before, average = self.weights, self.average
        super().update(g, averaging)
        self.weights = self.weights - self.rate * self.decay * before
        self.average = (1 - averaging) * average + averaging * self.weights


@dataclass
class Nadam(Adam):
    """Dozat (2016), algorithm 8, with the momentum's schedule constant."""

    def update(self, g: Floats, averaging: float) -> None:
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        m_hat = self.beta1 * self.m / (1 - self.beta1 ** (self.t + 1)) + (1 - self.beta1) * g / (1 - self.beta1**self.t)
        v_hat = self.v / (1 - self.beta2**self.t)
        self.weights = self.weights - self.rate * m_hat / (np.sqrt(v_hat) + self.epsilon)
        self.average = (1 - averaging) * self.average + averaging * self.weights


@dataclass
class RMSprop:
    """Tieleman and Hinton (2012), lecture 6.5."""

    weights: Floats
    rate: float
    smoothing: float
    epsilon: float

    def __post_init__(self) -> None:
        self.v, self.average = np.zeros_like(self.weights), self.weights.copy()

    def update(self, g: Floats, averaging: float) -> None:
        self.v = self.smoothing * self.v + (1 - self.smoothing) * g**2
        self.weights = self.weights - self.rate * g / (np.sqrt(self.v) + self.epsilon)
        self.average = (1 - averaging) * self.average + averaging * self.weights


@dataclass
class Momentum:
    """Sutskever, Martens, Dahl and Hinton (2013), equations 1 and 2."""

    weights: Floats
    rate: float
    momentum: float

    def __post_init__(self) -> None:
        self.m, self.average = np.zeros_like(self.weights), self.weights.copy()

    def update(self, g: Floats, averaging: float) -> None:
        self.m = self.momentum * self.m - self.rate * g
        self.weights = self.weights + self.m
        self.average = (1 - averaging) * self.average + averaging * self.weights
