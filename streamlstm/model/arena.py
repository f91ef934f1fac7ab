"""Where the series' states live: flat, versioned rows of bytes side by side, in chunks that never move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from heapq import heappop, heappush
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamlstm.config import Stream
from streamlstm.distribution import ends, probabilities
from streamlstm.kernels import conformal, detect, doubt, linear, logit, mix, optimiser, quantiles, score, stack
from streamlstm.kernels.season import ERROR, FIXED
from streamlstm.model.beside import AHEAD_REGRESSORS, PAST_FEATURES, PAST_REGRESSORS
from streamlstm.model.features import FIXED_FEATURES, LAGS, MOST_SHOWN
from streamlstm.model.several import rows_of
from streamlstm.model.state import (
    B_LAST,
    B_LINEAR,
    B_RISE,
    COMMITTEE,
    COVARIATES,
    CYCLE,
    DEPTH,
    E_CELL,
    E_LINEAR,
    FORMAT,
    GROUP,
    LSTM,
    SOURCES,
    WINDOW,
    Views,
    plan_dtype,
    record,
    rings,
)
from streamlstm.timeline import calendar

MAX_SLOTS = (288, 2016)  # of the shorter and the longer season: five minutes of a day, of a week
MIN_SLOTS = (96, 366)  # room there is for them where they may be found
NEVER = 2**62
CHUNK_BYTES = 4 * 2**20
DAY_NS = 86_400 * 10**9
HUBER = 0.25  # δ of the cells' loss, in RMS errors of the base: near the median, which the intervals surround
CELL_BASES = (B_LAST, B_RISE, B_LINEAR)  # of the first cell, the second ...
INHERITED = ("weights", "average", "first_moment", "second_moment", "coefficients", "covariance")
LEARNED = 1000  # observations, after which a member may pass on what it has learned
UNSURE = 20.0  # how much less sure of its coefficients a newborn's linear branch is
# What the mixture believes before it has seen anything: the naive forecasts most; learners have to learn first.
PRIOR = {"persistence": 5.0, "seasonal": 3.0}
PENALTY = {"linear": 3.0, "lstm": 1.5, "covariates": 3.0}
# Beside these are what sees covariates: cells, with the largest learning rate, and a linear branch.
BESIDE_CELL_BASES = (B_LAST, B_RISE)
BESIDE_HUBER = (1.0, HUBER)  # one near the mean, one near the median
BESIDE_BASES = 2  # of the linear branch: the last value, the shorter season's profile
BESIDE_START = 0.001  # of its covariance's diagonal where covariates are: as a tenth of linear.START, they move it late


class Sizes(NamedTuple):
    """What is compiled in, by the shapes of records: a stream's settings decide it, whatever step its series have."""

    hidden: int
    layers: int
    cells: int
    beside_cells: int  # of them, the last: those that see covariates
    heads: int  # A, of a cell: one a lead; and as many for each further target, which those beside learn to forecast
    truncation: int
    windows: int  # B: side by side in an update
    leads: int
    levels: int
    taus: int  # T: probabilities whose quantiles are tracked
    inputs: int  # past covariates
    ahead: int  # covariates known ahead
    given: int  # values kept of them a step: past values, their ages, what is known of the leads that are shown
    outside: int  # features of the cells that see them
    beside: int  # D: regressors of the linear branch that sees them
    beside_bases: int
    beside_gains: int  # as many as there are different regressors: what is known ahead is another at each lead
    shown: int  # leads at which the cells and the linear branch look ahead
    experts: int
    features: int  # F: inputs of the first layer
    regressors: int  # P: of the linear branch
    attention: int  # R: past hidden states that the heads look back at
    binary: int  # 1: the values are 0 and 1, and what is forecast is a probability
    weights: int  # of one cell: per layer w, b and peepholes, attention's, the heads; rounded up to whole cache lines

    @classmethod
    def of(cls, stream: Stream) -> Sizes:
        m, L, C, K = stream.model, len(stream.leads), stream.inputs, stream.ahead
        shown = min(L, MOST_SHOWN)
        any_at_all, own = C + K > 0, len(m.learning_rate)
        outside = PAST_FEATURES * C + (1 + shown) * K
        features = FIXED_FEATURES + 2 * shown + outside
        regressors = 2 + LAGS + 6 + 2 * shown
        bases = BESIDE_BASES if any_at_all else 0
        beside_cells = min(own, len(BESIDE_CELL_BASES)) if any_at_all else 0
        below = [features] + [m.hidden] * (m.layers - 1)
        heads = L * (len(stream.value) if stream.joint else 1)
        in_cells = sum((d + m.hidden) * 4 * m.hidden + 7 * m.hidden for d in below)
        in_heads = heads * (m.hidden + 1) + (m.hidden**2 + heads * m.hidden if m.attention else 0)
        return cls(
            hidden=m.hidden,
            layers=m.layers,
            cells=own + beside_cells,
            beside_cells=beside_cells,
            heads=heads,
            truncation=m.truncation,
            windows=2 + m.replay,
            leads=L,
            levels=len(stream.levels),
            taus=len(probabilities(stream.levels)),
            inputs=C,
            ahead=K,
            given=2 * C + K * shown,
            outside=outside,
            beside=regressors + PAST_REGRESSORS * C + AHEAD_REGRESSORS * K if any_at_all else 0,
            beside_bases=bases,
            beside_gains=L if K else 1 if C else 0,
            shown=shown,
            experts=E_CELL + own + (own > 1) + beside_cells + (beside_cells > 1) + bases + mix.COMMITTEES,
            features=features,
            regressors=regressors,
            attention=m.attention,
            binary=int(stream.type in ("boolean", "category")),
            weights=-(-(in_cells + in_heads) // 16) * 16,
        )

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """Where each layer's w begins and ends among a cell's weights."""
        found, begin, below = [], 0, self.features
        for _ in range(self.layers):
            end = begin + (below + self.hidden) * 4 * self.hidden
            found.append((begin, end))
            begin, below = end + 7 * self.hidden, self.hidden
        return found


@dataclass(frozen=True)
class Layout:
    """A row's shape: the compiled sizes, and what depends on the step that was found."""

    sizes: Sizes
    step_ns: int
    leads: tuple[int, ...]  # in steps
    levels: tuple[float, ...]  # nominal coverage
    season_ns: tuple[int, ...]  # at birth
    memory: int  # steps kept for replay
    regular: bool  # steps on a grid; else one step an observation
    looks: bool  # for seasons in the values

    @classmethod
    def of(cls, stream: Stream, step_ns: int, regular: bool) -> Layout:
        leads = tuple(lead if lead > 0 else max(1, round(-lead / step_ns)) for lead in stream.leads)
        memory = max(stream.model.memory, 2 * max(leads) + 4 * stream.model.truncation)
        memory = -(-memory // CYCLE) * CYCLE
        if stream.seasons is None:
            seasons, looks = calendar.expected(step_ns) if stream.calendar else (), regular
        else:
            seasons, looks = stream.seasons, False
        return cls(Sizes.of(stream), step_ns, leads, stream.levels, seasons, memory, regular, looks)

    @property
    def given(self) -> int:
        """How many values come with the target: past covariates, their ages, what is known ahead for each lead."""
        n = self.sizes
        return 2 * n.inputs + n.ahead * n.leads

    @property
    def pending(self) -> int:
        """Places for origins that wait for their labels: as many a lead as it has steps."""
        return sum(self.leads)

    @property
    def slots(self) -> tuple[int, int]:
        """Room for each season's slots: a step each, down to five minutes of a day or a week."""
        short, long = (
            max(min(round(period / self.step_ns), MAX_SLOTS[which]), MIN_SLOTS[which] if self.looks else 1)
            for which, period in enumerate((*self.season_ns, 0, 0)[:2])
        )
        return short, long

    def cut(self, seasons_ns: Sequence[int]) -> list[int]:
        """Into how many slots seasons are cut: a step each, as far as there is room."""
        pairs = zip((*seasons_ns, 0, 0)[:2], self.slots, strict=True)
        return [max(1, min(round(period / self.step_ns), room)) for period, room in pairs]

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
        n, m, step = self.sizes, stream.model, self.step_ns
        plan = np.zeros(1, plan_dtype(n))
        longest = max(self.season_ns, default=168 * step)
        plan["begins"] = list(self.begins.values())
        plan["memory"], plan["leads"], plan["step_ns"] = self.memory, self.leads, step
        plan["place"] = np.cumsum([0, *self.leads[:-1]])
        plan["shorter"] = [self._shorter(lead) for lead in self.leads]
        plan["longest"] = max(self.leads)
        plan["shown"] = [j * (n.leads - 1) // max(n.shown - 1, 1) for j in range(n.shown)]
        plan["window"] = max(8, min(round(DAY_NS / step), WINDOW))
        plan["rate"] = 1.0 - 0.5 ** (step / (4 * min(longest, 2016 * step)))
        plan["lowest"], plan["highest"] = stream.limits
        plan["whole"], plan["relu"] = stream.type == "count", m.activation == "relu"
        plan["residual"], plan["optimiser"] = m.residual, optimiser.NAMES.index(m.optimiser)
        plan["pruning"], plan["matrices"] = m.pruning, n.matrices
        plan["most_periods"] = min(max(m.memory // 48, 8), 120)
        own = len(m.learning_rate)
        plan["base"] = [*[CELL_BASES[cell % 3] for cell in range(own)], *BESIDE_CELL_BASES[: n.beside_cells]]
        plan["huber"] = [*[HUBER] * own, *BESIDE_HUBER[: n.beside_cells]]
        plan["learning_rate"] = [*m.learning_rate, *[max(m.learning_rate)] * n.beside_cells]
        cells, beside = own + (own > 1), n.beside_cells + (n.beside_cells > 1) + n.beside_bases
        group = [*GROUP, *[LSTM] * cells, *[COVARIATES] * beside, *[COMMITTEE] * mix.COMMITTEES]
        plan["group"] = group
        plan["prior"] = [PRIOR.get(SOURCES[g], 1.0) for g in group]
        plan["penalty"] = [PENALTY.get(SOURCES[g], 0.0) for g in group]
        plan["penalty"][..., -1] = PENALTY["linear"]  # the last committee is a linear one
        plan["taus"], plan["levels"] = probabilities(self.levels), ends(self.levels)
        return plan

    def _shorter(self, lead: int) -> int:
        found = [j for j, other in enumerate(self.leads) if 2 * other <= lead]
        return max(found, key=lambda j: self.leads[j], default=-1)


def zeros(size: int) -> NDArray[np.uint8]:
    """So many bytes, from a multiple of 64 on: a cache line."""
    raw = np.zeros(size + 64, np.uint8)
    begin = -raw.ctypes.data % 64
    return raw[begin : begin + size]


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
        self.vacant: list[int] = []  # of them, a heap: those that were closed

    def add(self, birth: bytes) -> int:
        """A slot with a newborn row; its first weights are drawn from `birth`."""
        slot = self.place()
        self._fill(slot, birth)
        return slot

    def place(self) -> int:
        """A slot whose row is all zeros."""
        slot = heappop(self.vacant) if self.vacant else self.used
        self.used += slot == self.used
        if slot == len(self.chunks) * self.per_chunk:
            self.reserve()
        self.row(slot)[:] = 0
        return slot

    @property
    def held(self) -> int:
        """Slots in use."""
        return self.used - len(self.vacant)

    def remove(self, slot: int) -> None:
        """Free a slot: its place is used again, the first one first, so that chunks at the end may become empty."""
        self.row(slot)[:] = 0  # also, no newborn should inherit from it
        heappush(self.vacant, slot)
        chunk = slot // self.per_chunk
        begin, end = chunk * self.per_chunk, min((chunk + 1) * self.per_chunk, self.used)
        if sum(begin <= one < end for one in self.vacant) == end - begin:
            self.chunks[chunk] = self._chunk()  # zero pages: the memory goes back
            self.views[chunk] = self._views(self.chunks[chunk])

    def donor(self, candidates: Iterable[int]) -> int | None:
        """Whose weights a newborn should begin with: of these slots, whose mixture trusts its own most.

        So a member that went mad, or has nothing to learn, is not the one. None before any has learned for long enough.
        """
        best, most = None, 0.0
        for slot in candidates:
            s = self.record(slot)
            learned = s["mix_weights"][:, E_LINEAR], s["mix_weights"][:, E_CELL : -mix.COMMITTEES]
            trust = float(learned[0].mean() + learned[1].sum(axis=1).mean())
            if s["seen"] >= LEARNED and trust > most and all(np.isfinite(s[name]).all() for name in INHERITED):
                best, most = slot, trust
        return best

    def inherit(self, slot: int, donor: int) -> None:
        """Give a newborn what another one's cells and linear branch have learned: nothing of it has a unit."""
        child, parent = self.record(slot), self.record(donor)
        for name in INHERITED:
            child[name] = parent[name]
        child["covariance"] *= UNSURE
        child["inherited"] = parent["updates"] + parent["inherited"]

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

    def season(self, slot: int, which: int) -> NDArray[np.float64]:
        """The ring of one season, in as many slots as it has now; a view."""
        room: NDArray[np.float64] = self.ring(slot, f"season_{which}").reshape(-1)
        rows, slots = FIXED + DEPTH[which], int(self.record(slot)["season_slots"][which])
        return room[: rows * slots].reshape(rows, slots)

    def export(self, slot: int) -> bytes:
        """The whole state of a series."""
        return self.row(slot).tobytes()

    def restore(self, slot: int, state: bytes) -> None:
        """Put an exported state back. ValueError when it is of another format or layout."""
        need = self.layout.row_bytes
        if len(state) != need:
            raise ValueError(f"a state of {len(state)} bytes: need {need} for this configuration")
        head = np.frombuffer(state, record(self.layout.sizes), count=1)[0]
        if head["format"] != FORMAT or head["fingerprint"] != self.layout.fingerprint:
            raise ValueError(
                f"a state of format {head['format']}: need format {FORMAT} and the layout of this configuration"
            )
        self.row(slot)[:] = np.frombuffer(state, np.uint8)

    def reserve(self) -> None:
        """Room for one more chunk of series. Zero pages: memory is taken as rows are used."""
        self.chunks.append(self._chunk())
        self.views.append(self._views(self.chunks[-1]))

    def _chunk(self) -> NDArray[np.uint8]:
        return zeros(self.per_chunk * self.layout.row_bytes).reshape(self.per_chunk, self.layout.row_bytes)

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
        for cell in range(n.cells):
            # a cell is born as if there were no covariates, its weights on them zero; where it sees none they stay so
            drawn, inputs = [], n.features - n.outside
            for layer in range(n.layers):
                rows = inputs + n.hidden
                edge = np.sqrt(6.0 / (rows + n.hidden))
                w = dice.uniform(-edge, edge, rows * 4 * n.hidden)
                if layer == 0 and n.outside:
                    w = np.insert(w, np.full(n.outside * 4 * n.hidden, inputs * 4 * n.hidden), 0.0)
                drawn += [w, np.zeros(7 * n.hidden)]
                inputs = n.hidden
            if n.attention:
                edge = np.sqrt(3.0 / n.hidden)
                drawn.append(dice.uniform(-edge, edge, n.hidden**2))
            first = np.concatenate(drawn)
            s["weights"][cell, : len(first)] = s["average"][cell, : len(first)] = first
        s["format"], s["fingerprint"] = FORMAT, self.layout.fingerprint
        s["position"] = s["index"] = s["observed"] = s["imputed"] = -1
        s["doubt"] = doubt.START
        s["random"] = int.from_bytes(birth[:7], "little") | 1
        s["covariance"] = np.eye(n.regressors) * linear.START
        if n.beside:
            starts = np.repeat([linear.START, BESIDE_START], [n.regressors, n.beside - n.regressors])
            s["beside_covariance"] = np.diag(starts)
        s["exponents"], s["tails"] = conformal.START, score.START
        s["windows"], s["runs"], s["event"] = detect.WINDOWS_START, detect.RUNS_START, detect.EVENT_START
        s["told"] = 1
        s["slow"] = [quantiles.laplace.py_func(tau) for tau in probabilities(self.layout.levels)]
        s["lean"][:, 0] = quantiles.LEAN
        s["naive_share"], s["naive"] = 1.0, 1
        s["mix_weights"] = 1.0 / n.experts
        s["logit"][:, logit.WEIGHTS, :-1], s["logit"][:, logit.SQUARES] = 1.0 / n.experts, logit.START
        s["stack_covariance"] = np.eye(n.experts - 1) * stack.START
        s["season_ns"] = (*self.layout.season_ns, 0, 0)[:2]
        s["season_slots"] = self.layout.cut(self.layout.season_ns)
        s["look_at"] = calendar.next_look(0, self.layout.memory) if self.layout.looks else NEVER
        self.ring(slot, "origin")[:] = -1
        for which in range(2):
            self.season(slot, which)[ERROR] = 1.0


def row_bytes(stream: Stream, step_ns: int) -> int:
    """What one series of a stream takes, at a given step."""
    return rows_of(stream) * Layout.of(stream, step_ns, True).row_bytes


def birth(seed: int, series: str) -> bytes:
    """Where a series' first weights come from: the same on every machine and in every process."""
    return blake2b(series.encode("utf-8", "surrogatepass"), digest_size=16, key=seed.to_bytes(8, "little")).digest()
