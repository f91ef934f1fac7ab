"""One series as the engine holds it: what is decided about it outside its row; and the reports of it and of all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streamlstm.config import Stream
from streamlstm.events import BEGINNING, Forecast, Mode, Observation, Reason, State
from streamlstm.living import Living, Said
from streamlstm.model.batch import Learner
from streamlstm.shelf import Kept, packed
from streamlstm.timeline.coarser import Coarser
from streamlstm.timeline.join import Join
from streamlstm.timeline.meter import Meter
from streamlstm.timeline.order import Reorder
from streamlstm.timeline.pace import Pace, Rhythm
from streamlstm.timeline.steps import Steps


class Totals(NamedTuple):
    """What Prometheus counts of a row; closed ones are counted on, since such a counter may not fall."""

    updates: int = 0  # of the weights
    updates_skipped: int = 0  # refused by the guard: not finite
    gaps: int = 0  # how often at least one step was missed
    drifts: int = 0  # how often errors began to be larger than they used to be

    def __add__(self, other: Totals) -> Totals:  # type: ignore[override]  # numbers, not a longer tuple
        return Totals(*(a + b for a, b in zip(self, other, strict=True)))

    def __sub__(self, other: Totals) -> Totals:
        return Totals(*(a - b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """One series, for whoever watches."""

    series: str
    stream: str
    state: State
    last: Forecast | None  # the newest
    totals: Totals
    gradient_norm: float  # of the last update, before the clip
    bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """An immutable copy of all counts. All that came is in exactly one of them: learned ... discarded."""

    learned: int  # observations with a value, taken by a model
    gathered: int  # readings that went into a step of a coarser grid, which is what a model then takes
    joined: int  # messages that were of use as covariates alone
    missing: int  # readings that said "no value"
    quarantined: int  # readings that were not believed
    held: int  # waiting: for an earlier one, or for the step to be found
    discarded: Mapping[Reason, int]
    series: tuple[SeriesReport, ...]
    memory_bytes: int
    closed: int = 0  # series on the shelf: not heard for as long as their ttl, to go on when they are
    closed_bytes: int = 0
    ended: Mapping[str, Totals] = field(default_factory=dict)  # of all closed series, by stream
    sheds: bool = False  # whether updates of the weights are not made, since more comes than can be learned
    shed: int = 0  # those that were not


@dataclass(slots=True)
class Member:
    """One series: what is decided about it outside its row."""

    series: str
    stream: Stream
    order: Reorder
    pace: Pace
    steps: Steps | None  # where readings are gathered into a coarser grid
    meter: Meter | None  # of a counter
    join: Join | None  # where there are covariates
    gathers: Coarser | None = None  # where its observations are another series' steps
    coarser: tuple[Member, ...] = ()  # of the same series, at coarser resolutions
    early: list[Observation] = field(default_factory=list)  # until the step is found
    learner: Learner | None = None
    slot: int = -1
    last_ns: int = BEGINNING  # event time of the last observation learned
    seen_ns: int = BEGINNING  # event time of the last one with a value
    unseen: int = 0  # steps since then
    dark: bool = False  # while these are so many that it was told
    guessed: int = 0  # steps after the last observation that were forecast from without one
    heard_ns: int = 0  # when the host last heard of it
    opened: int = 0  # position of the observation that it began with
    refused: bool = False  # there is no memory for its row
    state: State = State.WARMING
    last: Forecast | None = None
    mode: Mode = Mode.LEARNS

    def switch(self, mode: Mode) -> None:
        """Be as somebody wants it; how it stands follows at once where nothing more comes of it, or comes again."""
        self.mode = mode
        if mode is Mode.PAUSED:
            self.state = State.PAUSED
        elif self.state is State.PAUSED:
            self.state = self.last.state if self.last else State.WARMING

    def stands(self, state: State) -> State:
        """How it stands, after an observation that its row stands so after."""
        if self.mode is Mode.PAUSED:
            return State.PAUSED
        return State.FROZEN if self.mode is Mode.FROZEN and state in (State.ACTIVE, State.FALLBACK) else state

    def patience_ns(self) -> int:
        """How long a silence is nothing special."""
        return max(self.stream.gap, 4 * self.pace.rhythm.step_ns if self.pace.rhythm else 0)

    def is_over(self, now_ns: int) -> bool:
        """Whether it was silent for so long that it is closed."""
        ttl = self.stream.ttl
        return bool(ttl and self.heard_ns and now_ns - self.heard_ns > max(ttl, self.patience_ns()))

    def kept(self) -> Kept | None:
        """All that it needs to go on later; None where nothing was learned."""
        if self.learner is None or self.last_ns == BEGINNING:
            return None
        assert self.pace.rhythm is not None, "there is a row only once the step is known"
        return Kept(
            self.stream.name,
            *self.pace.rhythm,
            last_ns=self.last_ns,
            seen_ns=self.seen_ns,
            unseen=self.unseen,
            dark=self.dark,
            released_ns=self.order.released_ns,
            over_ns=self.steps.over_ns if self.steps else BEGINNING,
            position=int(self.learner.rows.record(self.slot)["position"]),
            heard_ns=self.heard_ns,
            meter=self.meter.export() if self.meter else b"",
            rows=packed(self.learner.export(self.slot)),
            coarser=tuple((one.series, kept) for one in self.coarser if (kept := one.kept())),
            mode=self.mode,
        )

    def resume(self, kept: Kept, learner: Learner, slot: int) -> None:
        """Go on with what was kept; its rows are in the slot already. ValueError where a meter does not fit."""
        if self.meter:
            self.meter.restore(kept.meter)
        if self.steps:
            self.steps.resume(kept.over_ns)
        self.pace.rhythm = Rhythm(kept.step_ns, kept.regular)
        self.order.released_ns = self.order.newest_ns = kept.released_ns
        self.last_ns, self.seen_ns, self.unseen, self.dark = kept.last_ns, kept.seen_ns, kept.unseen, kept.dark
        self.learner, self.slot, self.state = learner, slot, State.STALE
        self.switch(kept.mode)

    def export(self) -> Living:
        """All that it is."""
        last = self.last
        return Living(
            series=self.series,
            stream=self.stream.name,
            order=self.order.export(),
            pace=self.pace.export(),
            steps=self.steps.export() if self.steps else None,
            meter=self.meter.export() if self.meter else b"",
            gathers=self.gathers.export() if self.gathers else None,
            early=tuple(self.early),
            last_ns=self.last_ns,
            seen_ns=self.seen_ns,
            unseen=self.unseen,
            dark=self.dark,
            guessed=self.guessed,
            heard_ns=self.heard_ns,
            state=self.state,
            refused=self.refused,
            said=Said(last.obs, last.numbers.tobytes(), last.state) if last else None,
            rows=tuple(self.learner.export(self.slot)) if self.learner else (),
            mode=self.mode,
        )

    def restore(self, known: Living) -> None:
        """Be what an exported one was, but for its rows. ValueError where it was of another kind."""
        parts = ((self.steps, known.steps), (self.gathers, known.gathers), (self.meter, known.meter))
        if any(bool(own) != bool(other) for own, other in parts):
            raise ValueError("its readings were taken another way")
        self.order.restore(known.order)
        self.pace.restore(known.pace)
        if self.steps and known.steps:
            self.steps.restore(known.steps)
        if self.meter:
            self.meter.restore(known.meter)
        if self.gathers and known.gathers:
            self.gathers.restore(known.gathers)
        self.early = list(known.early)
        self.last_ns, self.seen_ns, self.unseen, self.dark = known.last_ns, known.seen_ns, known.unseen, known.dark
        self.guessed, self.heard_ns, self.refused = known.guessed, known.heard_ns, known.refused
        self.state, self.mode = known.state, known.mode

    def live(self, known: Living, learner: Learner, slot: int) -> None:
        """Go on with rows that are in the slot already."""
        self.learner, self.slot = learner, slot
        if known.said:
            numbers = np.frombuffer(known.said.numbers).copy()
            self.last = Forecast(known.said.obs, learner.frame, numbers, known.said.state)

    def totals(self) -> Totals:
        assert self.learner is not None, "asked of a series with a row"
        row = self.learner.rows.record(self.slot)
        return Totals(int(row["updates"].sum()), int(row["skipped"]), int(row["gaps"]), int(row["drifts"]))

    def report(self) -> SeriesReport:
        """How it stands, for whoever watches."""
        if self.learner is None:
            return SeriesReport(self.series, self.stream.name, self.state, None, Totals(), math.nan, 0)
        row = self.learner.rows.record(self.slot)
        return SeriesReport(
            self.series,
            self.stream.name,
            self.state,
            self.last,
            self.totals(),
            float(row["gradient_norm"].max()),
            self.learner.rows_a_series * self.learner.layout.row_bytes,
        )


class Ready(NamedTuple):
    """An observation that is next in its series, whose step is known."""

    member: Member
    obs: Observation
    values: tuple[float, ...]  # of the observation, and all that is joined to it
