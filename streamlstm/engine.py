"""The spine: observations of many series in, forecasts out. A pure state machine; hosts do the waiting.

Read `Engine.feed` first: it is the whole way of an observation. What happens inside a series, in which order, is
`model.forecaster.feed`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from streamlstm.config import Stream
from streamlstm.events import (
    BEGINNING,
    Changed,
    Discarded,
    Event,
    Floats,
    Forecast,
    Input,
    Kind,
    Observation,
    Opened,
    Output,
    Reason,
    State,
    Tick,
)
from streamlstm.model.arena import Layout, birth
from streamlstm.model.batch import Learner, Step
from streamlstm.model.forecaster import ANOMALY_BEGINS, ANOMALY_ENDS, FALLBACK_BEGINS, FALLBACK_ENDS
from streamlstm.model.state import SOURCES, STATES
from streamlstm.model.zone import CivilTime
from streamlstm.timeline.gaps import bridge, bridge_event
from streamlstm.timeline.order import Reorder
from streamlstm.timeline.pace import Pace, Rhythm

HAPPENINGS = (
    (FALLBACK_BEGINS, Kind.FALLBACK, True),
    (FALLBACK_ENDS, Kind.FALLBACK, False),
    (ANOMALY_BEGINS, Kind.ANOMALY, True),
    (ANOMALY_ENDS, Kind.ANOMALY, False),
)
MOST = 1e30  # a value beyond it cannot be computed with
MOST_WALKED = 2048  # missed steps; a longer gap forgets the hidden state, since walking it would stop the others


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
    bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """An immutable copy of all counts. learned + missing + held + sum(discarded.values()) == everything fed."""

    learned: int  # observations with a value, taken by a model
    missing: int  # readings that said "no value"
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
    early: list[Observation] = field(default_factory=list)  # until the step is found
    learner: Learner | None = None
    slot: int = -1
    last_ns: int = BEGINNING  # event time of the last observation learned
    heard_ns: int = 0  # when the host last heard of it
    state: State = State.WARMING
    last: Forecast | None = None


class Ready(NamedTuple):
    """An observation that is next in its series, whose step is known."""

    member: Member
    obs: Observation


class Engine:
    """The state of all series, and the one way it changes."""

    def __init__(self, streams: Sequence[Stream], *, seed: int, max_series: int, memory_bytes: int = 2**62) -> None:
        self._streams = {stream.name: stream for stream in streams}
        self._civil = {stream.name: CivilTime(stream.timezone, _horizon_ns(stream)) for stream in streams}
        self._seed = seed
        self._max_series = max_series
        self._memory_bytes = memory_bytes
        self._members: dict[str, Member] = {}
        self._learners: dict[tuple[str, Rhythm], Learner] = {}
        self._discarded = Counter[Reason]()
        self._learned = 0
        self._missing = 0

    def warm_up(self) -> None:
        """Compile every stream's kernels (seconds the first time), so that no observation waits for it."""
        for stream in self._streams.values():
            Learner(stream, Layout.of(stream, 3_600_000_000_000, True)).compile()

    def feed(self, inputs: Iterable[Input]) -> list[Output]:
        """Take what came, in order; return what follows, in order. The only call that changes state.

        Admitted and put in order of event time, an observation waits until its series' step is known, is told the gap
        before it, and is learned. All of a call's observations are learned together; the results do not depend on how
        they were grouped into calls.
        """
        outputs: list[Output | Ready] = []
        for item in inputs:
            match item:
                case Observation():
                    outputs += self._observe(item)
                case Discarded():
                    outputs.append(item)
                case Tick():
                    outputs += self._tick(item.time_ns)
        return self._learn(outputs)

    def report(self) -> Report:
        members = self._members.values()
        return Report(
            learned=self._learned,
            missing=self._missing,
            held=sum(member.order.held + len(member.early) for member in members),
            discarded=dict(self._discarded),
            series=tuple(_series_report(member) for member in members),
            memory_bytes=self._used_bytes(),
        )

    def learner(self, series: str) -> tuple[Learner, int] | None:
        """The rows that hold a series' state and its slot there; None before its step is known."""
        member = self._members.get(series)
        return (member.learner, member.slot) if member and member.learner else None

    def _observe(self, obs: Observation) -> list[Output | Ready]:
        if not _computable(obs.values):
            return [Discarded(obs.series, obs.time_ns, Reason.NOT_FINITE, f"a value beyond ±{MOST:g}")]
        out: list[Output | Ready] = []
        member = self._members.get(obs.series)
        if member is None:
            if len(self._members) >= self._max_series:
                return [Discarded(obs.series, obs.time_ns, Reason.SERIES_LIMIT)]
            stream = self._streams[obs.stream]
            member = Member(obs.series, stream, Reorder(stream.lateness), Pace(stream.step))
            self._members[obs.series] = member
            out.append(Opened(obs.series, obs.stream))
        member.heard_ns = max(member.heard_ns, obs.received_ns)
        return out + self._in_order(member, member.order.feed(obs))

    def _tick(self, now_ns: int) -> list[Output | Ready]:
        """End the waits that the clock ends: of readings held for earlier ones, and of us for a series."""
        out: list[Output | Ready] = []
        for member in self._members.values():
            if member.order.held:
                out += self._in_order(member, member.order.expire(now_ns))
            patience = member.stream.gap
            if member.pace.rhythm:
                patience = max(patience, 4 * member.pace.rhythm.step_ns)
            if member.heard_ns and member.state != State.STALE and now_ns - member.heard_ns > patience:
                member.state = State.STALE
                out.append(Changed(member.series, State.STALE))
        return out

    def _in_order(self, member: Member, released: Iterable[Observation | Discarded]) -> list[Output | Ready]:
        """Hold observations until the step is known; from then on each goes straight through."""
        out: list[Output | Ready] = []
        for item in released:
            if isinstance(item, Discarded):
                out.append(item)
                continue
            member.early.append(item)
            rhythm = member.pace.feed(item.time_ns)
            if rhythm is None:
                continue
            if member.learner is None and not self._give_row(member, rhythm):
                detail = "limits.memory is used up"
                out += [Discarded(obs.series, obs.time_ns, Reason.SERIES_LIMIT, detail) for obs in member.early]
            else:
                out += [Ready(member, obs) for obs in member.early]
            member.early.clear()
        return out

    def _give_row(self, member: Member, rhythm: Rhythm) -> bool:
        key = (member.stream.name, rhythm)
        learner = self._learners.get(key)
        if learner is None:
            learner = Learner(member.stream, Layout.of(member.stream, rhythm.step_ns, rhythm.regular))
        if self._used_bytes() + learner.layout.row_bytes > self._memory_bytes:
            return False
        self._learners[key] = learner
        member.learner, member.slot = learner, learner.rows.add(birth(self._seed, member.series))
        return True

    def _used_bytes(self) -> int:
        return sum(learner.rows.used * learner.layout.row_bytes for learner in self._learners.values())

    def _learn(self, outputs: Sequence[Output | Ready]) -> list[Output]:
        """Learn what is ready, one call a learner, and put each forecast where its observation stood."""
        places: dict[Learner, list[int]] = {}
        done: list[list[Output]] = []
        for place, item in enumerate(outputs):
            if isinstance(item, Ready):
                assert item.member.learner is not None, "an observation is let through only when its series has a row"
                places.setdefault(item.member.learner, []).append(place)
                done.append([])
            else:
                if isinstance(item, Discarded):
                    self._discarded[item.reason] += 1
                done.append([item])
        for learner, where in places.items():
            ready = [item for item in (outputs[place] for place in where) if isinstance(item, Ready)]
            rows = learner.take([self._step(learner, item) for item in ready])
            for place, item, row in zip(where, ready, rows, strict=True):
                done[place] = self._said(item, learner, row)
        return [output for outputs in done for output in outputs]

    def _step(self, learner: Learner, ready: Ready) -> Step:
        """An observation with the gap before it."""
        member, obs = ready
        rhythm = member.pace.rhythm
        assert rhythm is not None, "a series has a row only when its step is known"
        missed, reset = 0, False
        if member.last_ns != BEGINNING:
            cross = bridge if rhythm.regular else bridge_event
            missed, _, reset = cross(member.last_ns, obs.time_ns, rhythm.step_ns, member.stream.gap)
            reset = reset or missed > min(MOST_WALKED, learner.layout.memory // 2)
            missed = 0 if reset else missed  # what was forgotten need not be walked
        member.last_ns = obs.time_ns
        civil = self._civil[member.stream.name].of(obs.time_ns)
        return Step(member.slot, obs.time_ns, *civil, missed, reset, obs.values, obs.position)

    def _said(self, ready: Ready, learner: Learner, row: Floats) -> list[Output]:
        """Name the numbers of one output row: a forecast, and what began or ended with it."""
        member, obs = ready
        row = row.copy()  # or each series' newest forecast would keep its whole batch in memory
        y = obs.values[0]
        self._missing += y != y
        self._learned += y == y
        at, layout = learner.columns, learner.layout
        L, Q, T = layout.sizes.leads, layout.sizes.levels, layout.sizes.taus
        score, seen, state, happened, strength = row[at["tail"]].tolist()
        member.state = State.WARMING if math.isnan(state) else STATES[int(state)]
        member.last = Forecast(
            series=obs.series,
            stream=obs.stream,
            position=obs.position,
            origin_ns=obs.time_ns,
            step_ns=layout.step_ns,
            y=y,
            leads=layout.leads,
            levels=layout.levels,
            yhat=row[at["yhat"]],
            lower=row[at["lower"]].reshape(Q, L),
            upper=row[at["upper"]].reshape(Q, L),
            taus=learner.taus,
            quantiles=row[at["quantiles"]].reshape(T, L),
            lstm=row[at["lstm"]],
            seasonal=row[at["seasonal"]],
            weights=_shares(row[at["weights"]]),
            naive=row[at["naive"]],
            skill_persistence=row[at["skill_persistence"]],
            skill_seasonal=row[at["skill_seasonal"]],
            absolute_error=row[at["absolute_error"]],
            coverage=row[at["coverage"]].reshape(Q, L),
            anomaly_score=score,
            state=member.state,
            n_seen=0 if math.isnan(seen) else int(seen),
        )
        return [member.last, *_events(obs, int(happened), strength)] if happened > 0 else [member.last]


def _computable(values: tuple[float, ...]) -> bool:
    """Whether each value can be computed with, or is missing."""
    for value in values:  # noqa: SIM110  a loop: a generator takes three times as long, for every observation
        if not (-MOST <= value <= MOST or value != value):
            return False
    return True


def _events(obs: Observation, happened: int, strength: float) -> list[Event]:
    """What began or ended with an observation."""
    of = (obs.series, obs.stream, obs.time_ns, obs.position)
    return [
        Event(*of, kind, begins, strength if kind is Kind.ANOMALY else math.nan)
        for code, kind, begins in HAPPENINGS
        if happened & code
    ]


def _shares(weights: Floats) -> dict[str, float]:
    """What each source has, without those that have nothing."""
    return {name: share for name, share in zip(SOURCES, weights.tolist(), strict=True) if share > 0}


def _horizon_ns(stream: Stream) -> int:
    """How far ahead a stream forecasts, at most; leads that count steps of unknown length are taken for hours."""
    step = stream.step if isinstance(stream.step, int) else 3_600_000_000_000
    return max(lead * step if lead > 0 else -lead for lead in stream.leads)


def _series_report(member: Member) -> SeriesReport:
    if member.learner is None:
        return SeriesReport(member.series, member.stream.name, member.state, None, 0, 0, math.nan, 0, 0)
    row = member.learner.rows.record(member.slot)
    return SeriesReport(
        member.series,
        member.stream.name,
        member.state,
        member.last,
        int(row["updates"].sum()),
        int(row["skipped"]),
        float(row["gradient_norm"].max()),
        int(row["gaps"]),
        member.learner.layout.row_bytes,
    )
