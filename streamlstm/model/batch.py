"""One call into the compiled code for many observations: what goes in and what comes out, as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamlstm.config import Stream
from streamlstm.distribution import probabilities
from streamlstm.events import Floats, Frame
from streamlstm.kernels import forget_compiled
from streamlstm.model.arena import NEVER, Layout, Rows, zeros
from streamlstm.model.forecaster import columns, feed, path
from streamlstm.model.seasons import Seeker
from streamlstm.model.several import Face, Now, face, rows_of
from streamlstm.model.state import MADE, SOURCES, work_dtype

MOST_WALKED = 2048  # missed steps; a longer gap forgets the hidden state, since walking it would stop the others


class Step(NamedTuple):
    """One observation, ready to be learned: its slot, and the gap before it."""

    slot: int
    time_ns: int
    civil_ns: int
    turn_ns: int  # when civil time changes next
    turn_by_ns: int  # and by how much
    missed: int
    reset: bool
    values: tuple[float, ...]  # as `timeline.join.Join.values` puts them
    position: int
    updates: int = MADE  # what becomes of the weights of the cells: see `model.state`


class Learner:
    """All series of one stream and one rhythm: their rows, and what the compiled code needs besides."""

    def __init__(self, stream: Stream, layout: Layout) -> None:
        self.layout = layout
        self.rows = Rows(layout)
        self._spare = Rows(layout)  # one row, for what is only looked at
        sizes = layout.sizes
        self.columns = columns(sizes.leads, sizes.levels, sizes.taus)
        self.face, self.rows_a_series = face(stream), rows_of(stream)
        parts = self.face.parts(self.columns) if self.face else self.columns
        self.frame = Frame(
            layout.step_ns, layout.leads, layout.levels, probabilities(layout.levels), parts, SOURCES, stream.classes
        )
        self.most_walked = min(MOST_WALKED, layout.memory // 2)
        self._plan = layout.plan(stream)
        self._seeker = Seeker(layout)
        self._work = zeros(work_dtype(sizes).itemsize).view(work_dtype(sizes))

    def add(self, births: Sequence[bytes], donors: Iterable[int] = ()) -> int:
        """Rows for a new series, as many as it takes; returns the slot of the first, which is the series' own.

        donors: slots of series that it may begin with the learning of.
        """
        donor = self.rows.donor(donors)
        slots = [self.rows.add(birth) for birth in births]
        if donor is not None:
            for place, slot in enumerate(slots):
                self.rows.inherit(slot, donor + place)
        return slots[0]

    def resume(self, states: Sequence[bytes]) -> int:
        """Rows for a series that goes on with what it knew; returns its slot. ValueError where they do not fit."""
        if len(states) != self.rows_a_series:
            raise ValueError(f"{len(states)} rows of a series: need {self.rows_a_series} for this configuration")
        slots = [self.rows.place() for _ in states]
        try:
            for slot, state in zip(slots, states, strict=True):
                self.rows.restore(slot, state)
        except ValueError:
            self.remove(slots[0])
            raise
        return slots[0]

    def remove(self, slot: int) -> None:
        """Free all rows of a series; slot: of the first."""
        for k in range(self.rows_a_series):
            self.rows.remove(slot + k)

    def export(self, slot: int) -> list[bytes]:
        """All rows of a series; slot: of the first."""
        return [self.rows.export(slot + k) for k in range(self.rows_a_series)]

    def take(self, steps: Sequence[Step]) -> Floats:
        """Learn the steps in order; each gives one row of a forecast's numbers (see `Frame.parts`)."""
        self._work["shed"] = 0
        if self.face is None:
            return self._take(steps)
        return np.array([self._together(self.face, step, self._take(_faces(self.face, step))) for step in steps])

    @property
    def shed(self) -> int:
        """Updates that the last call of `take` did not make, under overload."""
        return int(self._work["shed"][0])

    def _together(self, face: Face, step: Step, said: Floats) -> Floats:
        """What the rows of one series have said, as one forecast's numbers."""
        records = [self.rows.record(step.slot + k) for k in range(face.rows)]
        now = Now(
            np.array([record["event"][1] > 0 for record in records]),
            *(np.array([record[name] > 0 for record in records]) for name in ("told", "quarantined", "drift_told")),
        )
        return face.combined(said, now, self.frame.parts, step.values[0])

    def _take(self, steps: Sequence[Step]) -> Floats:
        """Each step gives one output row (see `columns`)."""
        out = np.empty((len(steps), self.columns["all"].stop))
        chunks: dict[int, list[int]] = {}
        for number, step in enumerate(steps):
            chunks.setdefault(step.slot // self.rows.per_chunk, []).append(number)
        for chunk, numbers in chunks.items():
            # rows of one series stay in order; what other series do does not matter to it
            begin = 0
            while begin < len(numbers):
                rows, taken = self._call(self.rows, chunk, [steps[number] for number in numbers[begin:]])
                out[numbers[begin : begin + taken]] = rows[:taken]
                begin += taken
                self._look_after(steps[numbers[begin - 1]].slot)
        return out

    def peek(self, step: Step) -> Floats:
        """The numbers that a step would give; the series does not take it."""
        if self.face is None:
            return self._peek(step)
        return self._together(self.face, step, np.array([self._peek(one) for one in _faces(self.face, step)]))

    def _peek(self, step: Step) -> Floats:
        if not self._spare.chunks:
            self._spare.reserve()
        self._spare.row(0)[:] = self.rows.row(step.slot)
        self._spare.record(0)["look_at"] = NEVER
        rows, _ = self._call(self._spare, 0, [step._replace(slot=0)])
        return rows[0]

    def _look_after(self, slot: int) -> None:
        """Look for the seasons of a series if it is time."""
        s = self.rows.record(slot)
        if s["index"] + 1 >= s["look_at"]:
            self._seeker.look(self.rows, slot, self._plan, self._work)

    def path(self, slot: int, steps: int) -> Floats:
        """The forecasts 1 ... `steps` steps from a series' last step: between the leads along the seasonal profile."""
        out = np.empty(steps)
        chunk, row = divmod(slot, self.rows.per_chunk)
        path(*self.rows.views[chunk], self._plan, self._work, row, out)
        return out

    def compile(self) -> None:
        """Have the machine code ready. Types decide it, not values: no row is touched.

        What cannot be read of what is kept between starts is thrown away, all of it, and made anew, once.
        """
        try:
            self._compile()
        except Exception:  # a damaged pickle may raise anything at all; what is not its fault comes again
            forget_compiled()
            self._compile()

    def _compile(self) -> None:
        if not self.rows.chunks:
            self.rows.reserve()
        self._call(self.rows, 0, [])
        self._seeker.compile()

    def _call(self, rows: Rows, chunk: int, steps: Sequence[Step]) -> tuple[Floats, int]:
        """The output rows, and how many of the steps were taken."""
        size = len(steps)
        out = np.empty((size, self.columns["all"].stop))
        by_field = zip(*steps, strict=True) if steps else [()] * len(Step._fields)  # ten times as fast as step by step
        slots, *times, missed, reset, values, positions, updates = by_field
        taken = feed(
            *rows.views[chunk],
            self._plan,
            self._work,
            _whole(slots) % self.rows.per_chunk,
            np.ascontiguousarray(_whole(times).reshape(4, size).T),
            _whole(missed),
            np.array(reset, np.bool_),
            np.array(self._whole_rows(values), np.float64).reshape(size, 1 + self.layout.given),
            _whole(positions),
            _whole(updates),
            out,
        )
        return out, taken

    def _whole_rows(self, values: Sequence[tuple[float, ...]]) -> Sequence[tuple[float, ...]]:
        """Covariates that came with the target may do without ages (0), and without what is known ahead (unknown)."""
        n, width = self.layout.sizes, 1 + self.layout.given
        if width == 1:
            return values
        rest = (0.0,) * n.inputs + (math.nan,) * (n.ahead * n.leads)
        return [row + rest[len(row) - width :] if len(row) < width else row for row in values]


def _faces(face: Face, step: Step) -> list[Step]:
    """A step of a series that takes several rows, as each of them sees it: the rows from the series' own on."""
    return [step._replace(slot=step.slot + k, values=values) for k, values in enumerate(face.shown(step.values))]


def _whole(numbers: Sequence[object]) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)
