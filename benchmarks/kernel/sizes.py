"""How large an update is, and the memory that it works in: one record, the same for ours and for the twin in C."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamlstm.config import Model, Stream
from streamlstm.model import arena
from streamlstm.model.state import aligned

LINE = 16  # float32 in a cache line
LEADS = (1, 5, 24, 48)  # of the presets, where nothing else is meant


class Sizes(NamedTuple):
    """K steps of B windows side by side, of one cell with H units, D inputs and L linear heads."""

    hidden: int
    inputs: int
    leads: int
    steps: int
    windows: int

    @property
    def weights(self) -> int:
        """P: w, b and peepholes, the heads; rounded up to whole cache lines, as in a series' own record."""
        H = self.hidden
        used = (self.inputs + H) * 4 * H + 7 * H + self.leads * (H + 1)
        return -(-used // LINE) * LINE


PLAIN = Sizes(hidden=32, inputs=8, leads=8, steps=16, windows=1)


def of_preset(name: str) -> Sizes:
    """One cell's update in a preset: what is compiled for a stream of its own."""
    n = arena.Sizes.of(Stream(name="s", topic="s", leads=LEADS, model=Model.model_validate({"preset": name})))
    return Sizes(n.hidden, n.features, n.leads, n.truncation, n.windows)


def state(n: Sizes, seed: int = 1) -> NDArray[np.void]:
    """A series before its first observation. twin.c has the same record, field by field."""
    H, D, L, K, B, P = *n, n.weights
    single = np.float32
    kind = aligned(
        [
            ("updates", np.int64),
            ("weights", single, (P,)),
            ("average", single, (P,)),
            ("first_moment", single, (P,)),
            ("second_moment", single, (P,)),
            ("gradient", single, (P,)),
            ("first", single, (K + 1, B, D + H)),  # from here on as in `streamlstm.kernels.lstm`
            ("cells", single, (K + 1, B, H)),
            ("gates", single, (K, B, 4 * H)),
            ("squashed", single, (K, B, H)),
            ("dh", single, (K, B, H)),
            ("dc", single, (B, H)),
            ("wt", single, (4 * H, H)),
            ("out", single, (L,)),
            ("a", single, (D + H,)),  # of the forecast's step
            ("c", single, (H,)),
            ("z", single, (4 * H,)),
        ]
    )
    rows = _zeros(kind)
    dice = np.random.default_rng(seed)
    w = (D + H) * 4 * H
    rows["weights"][0, :w] = dice.normal(0, 1 / np.sqrt(D + H), w)
    rows["weights"][0, w + H : w + 2 * H] = 1.0  # the forget gate's bias
    rows["weights"][0, w + 7 * H : w + 7 * H + L * H] = dice.normal(0, 1 / np.sqrt(H), L * H)
    rows["average"] = rows["weights"]
    return rows


def copy(rows: NDArray[np.void]) -> NDArray[np.void]:
    """The same, with fields that begin at whole cache lines, too."""
    found = _zeros(rows.dtype)
    found[:] = rows
    return found


def _zeros(kind: np.dtype) -> NDArray[np.void]:
    return arena.zeros(kind.itemsize).view(kind)


def observations(n: Sizes, count: int, seed: int = 2) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs (count, D) and what the heads should have said (count, L): waves and noise."""
    dice = np.random.default_rng(seed)
    at = np.arange(count)[:, None]
    x = np.sin(at / (3.0 + np.arange(n.inputs))) + dice.normal(0, 0.1, (count, n.inputs))
    y = np.sin((at + 1 + np.arange(n.leads)) / 7.0) + dice.normal(0, 0.1, (count, n.leads))
    return x.astype(np.float32), y.astype(np.float32)
