"""What each stage of an update has to do at least: operations, and bytes to and from the caches.

An operation is one instruction on one number: a fused multiply-add is one, and so are a product, a sum, a minimum. A
division or a root is an estimate and a step of Newton's, the least that it can be in vectors. Bytes beyond the first
cache are those of what a stage meets for the first time since Adam went through all of it; the others come from L1.
What could stay in registers all the time is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.kernel.sizes import Sizes

FLOAT = 4
INVERSE, ROOT = 3, 4  # estimate, then Newton: two multiply-adds; of a root's inverse one product more
EXP = 16  # clip 2, n 2, r 2, polynomial 6, power of two 3, product 1: `activation.exp32`
SIGMOID = EXP + 1 + INVERSE
TANH = 1 + EXP + 1 + INVERSE + 1
GATES = 3 * (1 + SIGMOID) + TANH + 2 + TANH + 1  # peepholes, four gates, cell state, φ of it, hidden state
GATES_BACK = 22  # `lstm.cell_back`, line by line: 3 + 4 + 1 + 4 + 3 + 4 + 3
ADAM = 1 + 2 + 3 + 1 + ROOT + 1 + 1 + INVERSE + 2 + 2  # clip, moments, √v̂, + ε, inverse, step, average


@dataclass(frozen=True)
class Work:
    """Of one stage. near: bytes to and from L1; far: beyond it."""

    operations: int
    near: int
    far: int

    def seconds(self, fma_per_s: float, near_per_s: float, far_per_s: float) -> float:
        """At full rates, with nothing waiting for anything: the slowest of the three."""
        return max(self.operations / fma_per_s, self.near / near_per_s, self.far / far_per_s)

    def bound(self, fma_per_s: float, near_per_s: float, far_per_s: float) -> str:
        """Which of the three that is."""
        took = {"FMA": self.operations / fma_per_s, "L1": self.near / near_per_s, "L2": self.far / far_per_s}
        return max(took, key=lambda name: took[name])


def stages(n: Sizes) -> Mapping[str, Work]:
    """By the names of `stages.STAGES`."""
    H, D, L, K, B = n
    rows, W, M = K * B, D + H, 4 * H
    recurrent, heads = H * M, L * H
    return {
        "forward products": Work(
            rows * W * M, FLOAT * ((K - 1) * recurrent + rows * (W + M)), FLOAT * (W * M + M)
        ),  # the inputs' half of w once, the hidden states' at each step
        "gates": Work(rows * H * GATES, FLOAT * rows * (2 * M + 4 * H), FLOAT * 3 * H),
        "heads": Work(rows * 3 * heads, FLOAT * rows * 2 * H, FLOAT * 3 * heads),
        "backward products": Work((K - 1) * B * recurrent, FLOAT * (K - 1) * (recurrent + B * (M + 2 * H)), 0),
        "gates back": Work(rows * H * GATES_BACK, FLOAT * rows * (2 * M + 3 * H), 0),
        "weight gradient": Work(
            rows * (W * M + M + 3 * H), FLOAT * rows * (W + M + H), FLOAT * 2 * (W * M + M + 3 * H)
        ),
        "norm and Adam": Work(
            n.weights * (1 + ADAM), 0, FLOAT * n.weights * (1 + 5 + 5)
        ),  # the norm reads the gradient, too
    }


def forecast(n: Sizes) -> Work:
    """One step on and the heads, with weights that are in the second cache."""
    H, D, L, _, _ = n
    products = (D + H) * 4 * H + L * H
    return Work(products + H * GATES, 0, FLOAT * products)


def record_bytes(n: Sizes) -> int:
    """What an update reads and writes of a series: weights, their average, both moments; without scratch."""
    return 2 * 4 * FLOAT * n.weights
