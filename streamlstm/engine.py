"""The spine: observations of many series in, forecasts out. A pure state machine; hosts do the waiting.

Read `Engine.feed` first: it is the whole way of an observation. What happens inside a series, in which order, is
`model.forecaster.feed`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from streamlstm.agreement import agree_all
from streamlstm.config import Stream
from streamlstm.events import (
    BEGINNING,
    Changed,
    Close,
    Discarded,
    Event,
    Floats,
    Forecast,
    Frame,
    Input,
    Kind,
    Known,
    Mode,
    Observation,
    Output,
    Reason,
    Shed,
    State,
    Switch,
    Tick,
)
from streamlstm.happenings import events
from streamlstm.living import Commons, Counts, Family, Standing, packed, unpacked
from streamlstm.member import Member, Ready, Report, Totals
from streamlstm.model.arena import Layout
from streamlstm.model.batch import Learner, Step
from streamlstm.model.state import FROZEN, MADE, SHED, STATES
from streamlstm.roster import Roster
from streamlstm.shelf import Kept
from streamlstm.timeline.gaps import bridge, bridge_event

DARK = 3  # steps without a value, from which on a gap is told, and forecast through by the clock
MOST = 1e30  # a value beyond it cannot be computed with


class Engine:
    """The state of all series, and the one way it changes."""

    def __init__(
        self,
        streams: Sequence[Stream],
        *,
        seed: int,
        max_series: int,
        memory_bytes: int = 2**62,
        closed_bytes: int = 2**28,
    ) -> None:
        self._roster = Roster(
            streams, seed=seed, max_series=max_series, memory_bytes=memory_bytes, closed_bytes=closed_bytes
        )
        self._opening = self._roster.opening
        self._agrees = any(stream.resolutions for stream in streams)
        self._groups = {stream.name for stream in streams if stream.group}
        self._discarded = Counter[Reason]()
        self._learned = 0
        self._gathered = 0
        self._joined = 0
        self._missing = 0
        self._quarantined = 0
        self.sheds = False  # whether learning is shed
        self._shed = 0  # updates

    def warm_up(self, begins: Callable[[str], None] = lambda _: None) -> None:
        """Compile every stream's kernels (seconds the first time), so that no observation waits for it.

        begins: is told what is compiled next.
        """
        for name, stream in self._opening.streams.items():
            begins(f"compiling the kernels of {name}")
            Learner(stream, Layout.of(stream, 3_600_000_000_000, True)).compile()

    def feed(self, inputs: Iterable[Input]) -> list[Output]:
        """Take what came, in order; return what follows, in order. The only call that changes state.

        Admitted and put in order of event time, an observation waits until its series' step is known, is joined with
        what is known of its covariates, is told the gap before it, and is learned. All of a call's observations are
        learned together; the results do not depend on how they were grouped into calls.
        """
        done: list[Output] = []
        out: list[Output | Ready] = []
        for item in inputs:
            if isinstance(item, Shed | Tick | Close | Switch):
                done += self._learn(out)  # what came before it is learned as things were
                out = []
            match item:
                case Observation():
                    if self._groups and self._is_new(item):
                        done += self._learn(out)  # it may begin with what others have learned by now
                        out = []
                    self._observe(item, out)
                case Known():
                    self._know(item, out)
                case Discarded():
                    out.append(item)
                case Shed(on):
                    self.sheds = on
                case Tick():
                    self._tick(item.time_ns, out)
                case Close():
                    out += self._roster.close(item)
                case Switch():
                    out += self._roster.switch(item)
        return done + self._learn(out)

    def admit(self, inputs: Iterable[Input]) -> list[Input]:
        """What may be fed: observations of new series for which there is no room are discarded instead.

        `feed` does the same. A host with a journal asks first: what the journal holds is never refused.
        """
        return self._roster.admit(inputs)

    def over(self, now_ns: int) -> list[Close]:
        """What is to end by the clock, or for want of memory: to be fed, once it is journaled. A few at a time."""
        return self._roster.over(now_ns)

    def report(self) -> Report:
        members = self._roster.members.values()
        return Report(
            learned=self._learned,
            gathered=self._gathered,
            joined=self._joined,
            missing=self._missing,
            quarantined=self._quarantined,
            held=sum(member.order.held + len(member.early) for member in members),
            discarded=dict(self._discarded),
            series=tuple(member.report() for member in members),
            memory_bytes=self._roster.used_bytes,
            closed=self._roster.shelf.series,
            closed_bytes=self._roster.shelf.bytes,
            ended=dict(self._roster.ended),
            sheds=self.sheds,
            shed=self._shed,
        )

    def series(self) -> list[str]:
        """Names of all that can be exported: the open ones, in the order in which they were opened, and the closed."""
        return [*[one.series for one in self._roster.members.values() if one.gathers is None], *self._roster.shelf.kept]

    def together(self, series: str) -> list[str]:
        """What must be saved with a series: those that have inherited from it, lest it be newer than they are."""
        return self._roster.heirs(series)

    def in_order(self) -> None:
        """Bring restored series into the order in which they were opened: it decides who ends and who passes on."""
        self._roster.in_order()

    def takes(self, item: Input) -> bool:
        """Whether an input is one of this configuration's streams."""
        if not isinstance(item, Observation | Known):
            return True
        stream = self._opening.streams.get(item.stream)
        if isinstance(item, Known):
            return stream is not None and 0 <= item.covariate < len(stream.covariates)
        return stream is not None and len(item.values) == max(1, len(stream.value))

    def enter(self, series: str, stream: str) -> None:
        """What is known of a series' covariates is kept from now on, though the series itself is not here yet."""
        self._opening.enter(series, self._opening.streams[stream])

    def leave(self, series: str, stream: str) -> None:
        """It is not kept any more."""
        self._opening.leave(series, self._opening.streams[stream])

    def closed(self) -> list[str]:
        """Names of those that are kept closed, the coarser ones too."""
        kept = self._roster.shelf.kept
        return [name for series, one in kept.items() for name in (series, *[coarse for coarse, _ in one.coarser])]

    def export(self, series: str) -> tuple[Standing, bytes]:
        """All that a series is. The same state, the same bytes."""
        if series in self._roster.members:
            return Standing.OPEN, packed(self._roster.family(series))
        kept = self._roster.shelf.kept.get(series)
        return (Standing.CLOSED, packed(kept)) if kept else (Standing.GONE, b"")

    def restore(self, series: str, standing: Standing, state: bytes) -> None:
        """Let an exported series go on here. ValueError, and no change, where it does not fit this configuration."""
        if standing is Standing.OPEN:
            self._roster.settle(unpacked(Family, state))
        elif standing is Standing.CLOSED:
            self._roster.shelf.put(series, unpacked(Kept, state))

    def commons(self) -> dict[str, bytes]:
        """What the series of a stream have in common, where they have covariates."""
        return {stream: packed(commons) for stream, commons in self._roster.commons().items()}

    def restore_commons(self, stream: str, state: bytes) -> tuple[str, ...]:
        """Know it again; returns which series were open. ValueError where the configuration is another."""
        if stream not in self._opening.streams:
            raise ValueError("it is not in the configuration")
        commons: Commons = unpacked(Commons, state)
        if stream in self._opening.joins:
            self._opening.joins[stream].restore(commons.joined, commons.opened)
        return commons.opened

    def counts(self) -> bytes:
        """All that was ever counted."""
        discarded = {reason.value: count for reason, count in sorted(self._discarded.items())}
        ended = {stream: tuple(totals) for stream, totals in sorted(self._roster.ended.items())}
        counted = (self._learned, self._gathered, self._joined, self._missing, self._quarantined, self._shed)
        return packed(Counts(*counted, discarded, ended))

    def restore_counts(self, state: bytes) -> None:
        """Go on counting from there."""
        known: Counts = unpacked(Counts, state)
        self._learned, self._gathered, self._joined, self._missing, self._quarantined, self._shed = known[:6]
        self._discarded = Counter({Reason(reason): count for reason, count in known.discarded.items()})
        self._roster.ended.clear()
        self._roster.ended.update({stream: Totals(*totals) for stream, totals in known.ended.items()})

    def learner(self, series: str) -> tuple[Learner, int] | None:
        """The rows that hold a series' state and its slot there; None before its step is known."""
        member = self._roster.members.get(series)
        return (member.learner, member.slot) if member and member.learner else None

    def _is_new(self, obs: Observation) -> bool:
        """Whether it is of a series without a row, in a stream of alike ones."""
        member = self._roster.members.get(obs.series)
        return obs.stream in self._groups and (member is None or member.learner is None)

    def _observe(self, obs: Observation, out: list[Output | Ready]) -> None:
        if not _computable(obs.values):
            out.append(Discarded(obs.series, obs.time_ns, Reason.NOT_FINITE, f"a value beyond ±{MOST:g}"))
            return
        member = self._roster.members.get(obs.series)
        if member is None:
            if why := self._roster.refusal(obs):
                out.append(Discarded(obs.series, obs.time_ns, Reason.SERIES_LIMIT, why))
                return
            out += self._roster.begin(obs)
            member = self._roster.members[obs.series]
        if obs.received_ns > member.heard_ns:
            for one in (member, *member.coarser):
                one.heard_ns = obs.received_ns
        if member.mode is Mode.PAUSED:
            out.append(Discarded(obs.series, obs.time_ns, Reason.PAUSED))
            return
        self._in_order(member, member.order.feed(obs), out)

    def _know(self, known: Known, out: list[Output | Ready]) -> None:
        """Keep what is said of a covariate, for the observations to come."""
        reason = None if _computable(known.values) else Reason.NOT_FINITE
        if reason is None and not self._opening.joins[known.stream].take(known):
            reason = Reason.SERIES_LIMIT
        if reason is None:
            self._joined += known.counts
        elif known.counts:
            out.append(Discarded("", known.since_ns, reason, f"covariate {known.covariate} of {known.stream!r}"))

    def _tick(self, now_ns: int, out: list[Output | Ready]) -> None:
        """End the waits that the clock ends: for earlier readings, for the rest of a step, for a series."""
        for member in self._roster.members.values():
            member.heard_ns = min(member.heard_ns, now_ns)  # the clock was set back: a silence begins now at the latest
            if member.order.held:
                self._in_order(member, member.order.expire(now_ns), out)
            if member.steps:
                for step in member.steps.expire(now_ns - member.stream.lateness):
                    self._over(member, step, out)
            if member.mode is Mode.PAUSED:
                continue
            if member.heard_ns:
                self._go_dark(member, now_ns, out)
            if member.heard_ns and member.state != State.STALE and now_ns - member.heard_ns > member.patience_ns():
                member.state = State.STALE
                out.append(Changed(member.series, State.STALE))

    def _go_dark(self, member: Member, now_ns: int, out: list[Output | Ready]) -> None:
        """Say what is forecast where observations are overdue, once a step. The series itself does not move by it.

        Until a reading comes it may yet come for any of these steps: so nothing is imputed for good.
        """
        learner, last = member.learner, member.last
        if learner is None or last is None or last.state is State.WARMING or not learner.layout.regular:
            return
        step_ns = learner.layout.step_ns
        waits_ns = member.stream.lateness + step_ns * (2 if member.steps else 1)
        overdue = (now_ns - member.last_ns - waits_ns) // step_ns
        is_dark = member.unseen + overdue >= DARK and now_ns - member.last_ns <= member.stream.gap
        if not (is_dark and member.guessed < overdue <= learner.most_walked):
            return
        nothing = (math.nan,) * len(last.obs.values)
        obs = last.obs._replace(time_ns=member.last_ns + overdue * step_ns, values=nothing)
        if not member.dark:
            out.append(self._dark(member, obs, step_ns))
        member.guessed = overdue
        civil = self._opening.civil[obs.stream].of(obs.time_ns)
        values = self._ready(member, obs).values
        row = learner.peek(Step(member.slot, obs.time_ns, *civil, overdue - 1, False, values, obs.position))
        member.state = State.GAP
        member.last = Forecast(obs, learner.frame, row, State.GAP)
        out.append(member.last)

    def _dark(self, member: Member, obs: Observation, step_ns: int) -> Event:
        """A gap begins: with the first step that there was no value for."""
        member.dark = True
        return Event(obs.series, obs.stream, member.seen_ns + step_ns, obs.position, Kind.GAP, True, math.nan)

    def _in_order(self, member: Member, released: Iterable[Observation | Discarded], out: list[Output | Ready]) -> None:
        """Readings in order of event time, on their way to the model or into a step that is gathered."""
        for item in released:
            if isinstance(item, Discarded):
                out.append(item)
            elif member.steps is None:
                self._go_on(member, member.meter.step(item) if member.meter else item, out)
            else:
                self._gathered += 1
                for step in member.steps.feed(item):
                    if isinstance(step, Discarded):
                        self._gathered -= 1
                        out.append(step)
                    else:
                        self._over(member, step, out)

    def _over(self, member: Member, step: Observation, out: list[Output | Ready]) -> None:
        """A step that is over, on its way to the model and into the coarser ones that it is a part of."""
        self._go_on(member, step, out)
        for one in member.coarser:
            assert one.gathers is not None, "made of another series' steps"
            for whole in one.gathers.feed(step):
                self._go_on(one, whole._replace(series=one.series, stream=one.stream.name), out)

    def _go_on(self, member: Member, obs: Observation, out: list[Output | Ready]) -> None:
        """Hold observations until the step is known; from then on each goes straight through."""
        if member.learner:
            out.append(self._ready(member, obs))
        else:
            self._begin(member, obs, out)

    def _begin(self, member: Member, obs: Observation, out: list[Output | Ready]) -> None:
        """Find the step of a series; with it come its row, and all that waited for it."""
        member.early.append(obs)
        rhythm = member.pace.feed(obs.time_ns)
        if rhythm is None:
            return
        if self._roster.give_row(member, rhythm):
            out += [self._ready(member, early) for early in member.early]
        else:
            detail = "limits.memory is used up"
            out += [Discarded(early.series, early.time_ns, Reason.SERIES_LIMIT, detail) for early in member.early]
        member.early.clear()

    def _ready(self, member: Member, obs: Observation) -> Ready:
        """An observation with what is known at its time: now, since what is fed after it must not matter."""
        if member.join is None:
            return Ready(member, obs, obs.values)
        assert member.learner is not None, "what is known ahead is asked for at times that the step decides"
        layout = member.learner.layout
        as_of_ns = member.steps.grid.end_of(obs.time_ns) if member.steps else obs.time_ns
        return Ready(member, obs, member.join.values(obs.values, obs.time_ns, as_of_ns, layout.step_ns, layout.leads))

    def _learn(self, items: Sequence[Output | Ready]) -> list[Output]:
        """Learn what is ready, one call a learner, and put what is said where its observation stood."""
        ready: dict[Learner, list[tuple[int, Ready]]] = {}
        for place, item in enumerate(items):
            if isinstance(item, Ready):
                assert item.member.learner is not None, "an observation is let through only when its series has a row"
                ready.setdefault(item.member.learner, []).append((place, item))
            elif isinstance(item, Discarded):
                self._discarded[item.reason] += 1
        said: dict[int, list[Output]] = {}
        for learner, batch in ready.items():
            steps = [self._step(learner, item) for _, item in batch]
            rows = learner.take(steps)
            self._shed += learner.shed
            tails = rows[:, learner.columns["tail"]].tolist()
            for (place, item), step, row, tail in zip(batch, steps, rows, tails, strict=True):
                said[place] = self._said(item, step, learner.frame, row, tail)
        if self._agrees:
            agree_all((item.member, said[place]) for place, item in enumerate(items) if isinstance(item, Ready))
        out: list[Output] = []
        for place, item in enumerate(items):
            if isinstance(item, Ready):
                out += said[place]
            else:
                out.append(item)
        return out

    def _step(self, learner: Learner, ready: Ready) -> Step:
        """An observation with the gap before it."""
        member, obs, values = ready
        time_ns = obs.time_ns
        last_ns, member.last_ns = member.last_ns, time_ns
        missed, reset = 0, False
        if last_ns != BEGINNING:
            layout = learner.layout
            cross = bridge if layout.regular else bridge_event
            missed, _, reset = cross(last_ns, time_ns, layout.step_ns, member.stream.gap)
            if reset or missed > learner.most_walked:
                missed, reset = 0, True  # what is forgotten need not be walked
        if member.meter and not member.steps and (missed or reset):
            values = (math.nan, *values[1:])  # what was added over several steps is no step's
        civil = self._opening.civil[obs.stream].of(time_ns)
        updates = FROZEN if member.mode is Mode.FROZEN else SHED if self.sheds else MADE
        return Step(member.slot, time_ns, *civil, missed, reset, values, obs.position, updates)

    def _said(self, ready: Ready, step: Step, frame: Frame, row: Floats, tail: Sequence[float]) -> list[Output]:
        """One row of numbers as a forecast, and what began or ended with it."""
        member, obs, _ = ready
        if member.meter:
            obs = obs._replace(values=(step.values[0], *obs.values[1:]))
        _, _, state, happened, strength = tail
        stood = STATES[int(state)] if state == state else State.WARMING
        member.state = member.stands(stood)
        # a copy, or each series' newest forecast would keep its whole batch in memory
        member.last = Forecast(obs, frame, row.copy(), member.state)
        said: list[Output] = [member.last]
        member.guessed = 0
        there = obs.values[0] == obs.values[0]
        member.unseen += (DARK if step.reset else step.missed) + (not there)
        if member.unseen >= DARK and not member.dark and member.seen_ns != BEGINNING:  # nothing ends before it begins
            said.append(self._dark(member, obs, frame.step_ns))
        if there:
            if member.dark:
                said.append(Event(obs.series, obs.stream, obs.time_ns, obs.position, Kind.GAP, False, math.nan))
            member.seen_ns, member.unseen, member.dark = obs.time_ns, 0, False
        if happened > 0:
            said += events(obs, int(happened), strength)
        if member.steps is None and member.gathers is None:  # or its readings were counted as gathered
            self._count(stood, there)
        return said

    def _count(self, state: State, there: bool) -> None:
        if not there:
            self._missing += 1
        elif state is State.QUARANTINED:
            self._quarantined += 1
        else:
            self._learned += 1


def _computable(values: tuple[float, ...]) -> bool:
    """Whether each value can be computed with, or is missing."""
    for value in values:  # noqa: SIM110  a loop: a generator takes three times as long, for every observation
        if not (-MOST <= value <= MOST or value != value):
            return False
    return True
