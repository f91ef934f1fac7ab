"""One series as the engine holds it: what is decided about it outside its row; and the reports of it and of all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from streamlstm.config import Stream
from streamlstm.events import BEGINNING, Forecast, Observation, Reason, State
from streamlstm.model.batch import Learner
from streamlstm.timeline.coarser import Coarser
from streamlstm.timeline.join import Join
from streamlstm.timeline.meter import Meter
from streamlstm.timeline.order import Reorder
from streamlstm.timeline.pace import Pace
from streamlstm.timeline.steps import Steps


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """One series, for whoever watches."""

    series: str
    stream: str
    state: State
    last: Forecast | None  # the newest
    updates: int  # of the weights
    updates_skipped: int  # refused by the guard: not finite
    gradient_norm: float  # of the last update, before the clip
    gaps: int  # how often at least one step was missed
    drifts: int  # how often errors began to be larger than they used to be
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
    state: State = State.WARMING
    last: Forecast | None = None

    def report(self) -> SeriesReport:
        """How it stands, for whoever watches."""
        if self.learner is None:
            return SeriesReport(self.series, self.stream.name, self.state, None, 0, 0, math.nan, 0, 0, 0)
        row = self.learner.rows.record(self.slot)
        return SeriesReport(
            self.series,
            self.stream.name,
            self.state,
            self.last,
            int(row["updates"].sum()),
            int(row["skipped"]),
            float(row["gradient_norm"].max()),
            int(row["gaps"]),
            int(row["drifts"]),
            self.learner.rows_a_series * self.learner.layout.row_bytes,
        )


class Ready(NamedTuple):
    """An observation that is next in its series, whose step is known."""

    member: Member
    obs: Observation
    values: tuple[float, ...]  # of the observation, and all that is joined to it
