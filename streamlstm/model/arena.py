"""Where the series' states live: flat, versioned rows of bytes side by side, in chunks that never move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamlstm.config import Stream
from streamlstm.kernels import conformal, linear, score
from streamlstm.model.features import FIXED_FEATURES, LAGS, MOST_PROFILE_LEADS
from streamlstm.model.state import CYCLE, ERROR, FORMAT, LATEST, Views, plan_dtype, record, rings

MAX_SLOTS = (288, 2016)  # of the shorter and the longer season: five minutes of a day, of a week
CHUNK_BYTES = 4 * 2**20


class Sizes(NamedTuple):
    """What is compiled in, by the shapes of records: a stream's settings decide it, whatever step its series have."""

    hidden: int
    layers: int
    truncation: int
    leads: int
    levels: int
    inputs: int  # covariates
    features: int  # F: inputs of the first layer
    regressors: int  # P: of the linear branch
    weights: int  # per layer w, b and peepholes, then the heads

    @classmethod
    def of(cls, stream: Stream) -> Sizes:
        m, L, C = stream.model, len(stream.leads), stream.inputs
        features = FIXED_FEATURES + 2 * L + 3 * C
        regressors = 2 + LAGS + 6 + 2 * min(L, MOST_PROFILE_LEADS) + 2 * C
        below = [features] + [m.hidden] * (m.layers - 1)
        cells = sum((d + m.hidden) * 4 * m.hidden + 7 * m.hidden for d in below)
        return cls(
            m.hidden, m.layers, m.truncation, L, len(stream.levels), C, features, regressors, cells + L * (m.hidden + 1)
        )


@dataclass(frozen=True)
class Layout:
    """A row's shape: the compiled sizes, and what depends on the step that was found."""

    sizes: Sizes
    step_ns: int
    leads: tuple[int, ...]  # in steps
    levels: tuple[float, ...]  # nominal coverage
    season_ns: tuple[int, ...]
    memory: int  # steps kept for replay
    regular: bool  # steps on a grid; else one step an observation

    @classmethod
    def of(cls, stream: Stream, step_ns: int, regular: bool) -> Layout:
        leads = tuple(lead if lead > 0 else max(1, round(-lead / step_ns)) for lead in stream.leads)
        memory = max(stream.model.memory, 2 * max(leads) + 4 * stream.model.truncation)
        return cls(
            Sizes.of(stream), step_ns, leads, stream.levels, stream.seasons, -(-memory // CYCLE) * CYCLE, regular
        )

    @property
    def inputs(self) -> int:
        """How many covariates come with the target."""
        return self.sizes.inputs

    @property
    def pending(self) -> int:
        """How many origins wait for their labels."""
        return max(self.leads) + 1

    @property
    def slots(self) -> tuple[int, int]:
        """Slots of each season: a step each, down to five minutes of a day or a week."""
        found = [max(1, min(round(p / self.step_ns), most)) for p, most in zip(self.season_ns, MAX_SLOTS, strict=False)]
        short, long, *_ = (*found, 1, 1)
        return short, long

    @cached_property
    def fingerprint(self) -> int:
        """A digest of the whole row: states of another shape are refused."""
        text = repr((FORMAT, self, record(self.sizes).descr, rings(self)))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)

    @cached_property
    def begins(self) -> dict[str, int]:
        """Where each ring begins, in elements of its own type. Every one at a multiple of 64 bytes."""
        begins, _ = self._places
        return begins

    @property
    def row_bytes(self) -> int:
        _, end = self._places
        return end

    @cached_property
    def _places(self) -> tuple[dict[str, int], int]:
        begins, end = {}, aligned(record(self.sizes).itemsize)
        for name, (dtype, shape) in rings(self).items():
            width = np.dtype(dtype).itemsize
            begins[name] = end // width
            end = aligned(end + prod(shape) * width)
        return begins, end

    def plan(self, stream: Stream) -> NDArray[np.void]:
        """The numbers that the compiled code reads; a record array of one."""
        plan = np.zeros(1, plan_dtype(self.sizes.leads))
        longest = max(self.season_ns, default=100 * max(self.leads) * self.step_ns)
        plan["begins"] = list(self.begins.values())
        plan["memory"], plan["pending"], plan["slots"] = self.memory, self.pending, self.slots
        plan["leads"], plan["step_ns"] = self.leads, self.step_ns
        plan["season_ns"] = (*self.season_ns, self.step_ns, self.step_ns)[:2]
        plan["rate"] = 1.0 - 0.5 ** (self.step_ns / (4 * longest))
        plan["lowest"], plan["highest"] = stream.bounds or (-np.inf, np.inf)
        plan["inputs"], plan["seasons"] = stream.inputs, len(self.season_ns)
        plan["relu"], plan["replay"] = stream.model.activation == "relu", stream.model.replay
        plan["learning_rate"] = stream.model.learning_rate
        return plan


def aligned(size: int) -> int:
    return -(-size // 64) * 64


class Rows:
    """All series of one layout: chunks of rows, filled slot by slot."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.per_chunk = max(1, CHUNK_BYTES // layout.row_bytes)
        self.chunks: list[NDArray[np.uint8]] = []
        self.views: list[Views] = []
        self.used = 0  # slots ever opened

    def add(self, birth: bytes) -> int:
        """A slot with a newborn row; its first weights are drawn from `birth`."""
        slot = self.used
        self.used += 1
        if slot == len(self.chunks) * self.per_chunk:
            self.reserve()
        self.row(slot)[:] = 0
        self._fill(slot, birth)
        return slot

    def row(self, slot: int) -> NDArray[np.uint8]:
        return self.chunks[slot // self.per_chunk][slot % self.per_chunk]

    def record(self, slot: int) -> np.void:
        """The fixed part of a row, by name; a view."""
        found: np.void = self.views[slot // self.per_chunk].records[slot % self.per_chunk]
        return found

    def ring(self, slot: int, name: str) -> NDArray[Any]:
        """One ring of a row, in its shape; a view."""
        dtype, shape = rings(self.layout)[name]
        begin = self.layout.begins[name]
        view: NDArray[Any] = self.row(slot).view(dtype)[begin : begin + prod(shape)].reshape(shape)
        return view

    def export(self, slot: int) -> bytes:
        """The whole state of a series."""
        return self.row(slot).tobytes()

    def restore(self, slot: int, state: bytes) -> None:
        """Put an exported state back. ValueError when it is of another format or layout."""
        need = self.layout.row_bytes
        if len(state) != need:
            raise ValueError(f"a state of {len(state)} bytes: need {need} for this configuration")
        head = np.frombuffer(state, np.int64, count=2)
        if head[0] != FORMAT or head[1] != self.layout.fingerprint:
            raise ValueError(f"a state of format {head[0]}: need format {FORMAT} and the layout of this configuration")
        self.row(slot)[:] = np.frombuffer(state, np.uint8)

    def reserve(self) -> None:
        """Room for one more chunk of series. Zero pages: memory is taken as rows are used."""
        chunk = np.zeros((self.per_chunk, self.layout.row_bytes), np.uint8)
        self.chunks.append(chunk)
        self.views.append(self._views(chunk))

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles keep the bytes; the views are made anew, or they would no longer be views."""
        return {name: value for name, value in self.__dict__.items() if name != "views"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.views = [self._views(chunk) for chunk in self.chunks]

    def _views(self, chunk: NDArray[np.uint8]) -> Views:
        records = np.ndarray(self.per_chunk, record(self.layout.sizes), chunk, strides=(self.layout.row_bytes,))
        return Views(records, *(chunk.view(t) for t in ("f8", "i8", "f4", "i2", "i1")))

    def _fill(self, slot: int, birth: bytes) -> None:
        """What is not zero at birth. Glorot's uniform for the cells, zero for biases, peepholes and heads.

        With heads at zero the first forecast is persistence, and every lead learns from there.
        """
        n, s = self.layout.sizes, self.record(slot)
        dice = np.random.Generator(np.random.PCG64(int.from_bytes(birth, "little")))
        drawn, inputs = [], n.features
        for _ in range(n.layers):
            rows = inputs + n.hidden
            edge = np.sqrt(6.0 / (rows + n.hidden))
            drawn += [dice.uniform(-edge, edge, rows * 4 * n.hidden), np.zeros(7 * n.hidden)]
            inputs = n.hidden
        drawn.append(np.zeros(n.leads * (n.hidden + 1)))
        s["weights"] = s["average"] = np.concatenate(drawn)
        s["format"], s["fingerprint"] = FORMAT, self.layout.fingerprint
        s["position"] = s["index"] = -1
        s["random"] = int.from_bytes(birth[:7], "little") | 1
        s["covariance"] = np.eye(n.regressors) * linear.START
        s["exponents"], s["tail"] = conformal.START, score.START
        for level, share in enumerate(self.layout.levels):
            s["quantile_low"][level] = conformal.laplace.py_func(0.5 - 0.5 * share)
            s["quantile_high"][level] = conformal.laplace.py_func(0.5 + 0.5 * share)
        self.ring(slot, "origin")[:] = -1
        for name in ("season_0", "season_1"):
            season = self.ring(slot, name)
            season[LATEST], season[ERROR] = np.nan, 1.0


def row_bytes(stream: Stream, step_ns: int) -> int:
    """What one series of a stream takes, at a given step."""
    return Layout.of(stream, step_ns, True).row_bytes


def birth(seed: int, series: str) -> bytes:
    """Where a series' first weights come from: the same on every machine and in every process."""
    return blake2b(series.encode("utf-8", "surrogatepass"), digest_size=16, key=seed.to_bytes(8, "little")).digest()
