"""The spine: observations of many series in, forecasts out. A pure state machine; hosts do the waiting.

Read `Engine.feed` first: it is the whole way of an observation. What happens inside a series, in which order, is
`model.forecaster.feed`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from streamlstm.agreement import agree_all
from streamlstm.config import Stream
from streamlstm.events import (
    BEGINNING,
    Changed,
    Closed,
    Discarded,
    Event,
    Floats,
    Forecast,
    Frame,
    Input,
    Kind,
    Known,
    Observation,
    Opened,
    Output,
    Reason,
    State,
    Tick,
)
from streamlstm.happenings import events
from streamlstm.member import Member, Ready, Report, Totals
from streamlstm.model.arena import Layout, birth
from streamlstm.model.batch import Learner, Step
from streamlstm.model.state import STATES
from streamlstm.opening import Opening
from streamlstm.shelf import Kept, Shelf, unpacked
from streamlstm.timeline.gaps import bridge, bridge_event
from streamlstm.timeline.pace import Rhythm

CLOSINGS = 8  # series a tick, of up to 55 ms each: readings should not wait for them
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
        self._opening = Opening(streams, max_series)
        self._agrees = any(stream.resolutions for stream in streams)
        self._groups = {stream.name for stream in streams if stream.group}
        self._seed = seed
        self._max_series = max_series
        self._memory_bytes = memory_bytes
        self._members: dict[str, Member] = {}
        self._learners: dict[tuple[str, Rhythm], Learner] = {}
        self._shelf = Shelf(closed_bytes)
        self._ended = defaultdict[str, Totals](Totals)  # of closed series' rows, by stream
        self._discarded = Counter[Reason]()
        self._learned = 0
        self._gathered = 0
        self._joined = 0
        self._missing = 0
        self._quarantined = 0

    def warm_up(self) -> None:
        """Compile every stream's kernels (seconds the first time), so that no observation waits for it."""
        for stream in self._opening.streams.values():
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
                case Tick():
                    done += self._learn(out)  # before the clock moves
                    out = []
                    self._tick(item.time_ns, out)
                    if over := [one for one in self._members.values() if one.is_over(item.time_ns)]:
                        done += self._learn(out)  # the last steps that the clock has ended
                        out = []
                        self._close(over[:CLOSINGS], out)
        return done + self._learn(out)

    def report(self) -> Report:
        members = self._members.values()
        return Report(
            learned=self._learned,
            gathered=self._gathered,
            joined=self._joined,
            missing=self._missing,
            quarantined=self._quarantined,
            held=sum(member.order.held + len(member.early) for member in members),
            discarded=dict(self._discarded),
            series=tuple(member.report() for member in members),
            memory_bytes=self._used_bytes(),
            closed=len(self._shelf.kept),
            closed_bytes=self._shelf.bytes,
            ended=dict(self._ended),
        )

    def learner(self, series: str) -> tuple[Learner, int] | None:
        """The rows that hold a series' state and its slot there; None before its step is known."""
        member = self._members.get(series)
        return (member.learner, member.slot) if member and member.learner else None

    def _is_new(self, obs: Observation) -> bool:
        """Whether it is of a series without a row, in a stream of alike ones."""
        member = self._members.get(obs.series)
        return obs.stream in self._groups and (member is None or member.learner is None)

    def _observe(self, obs: Observation, out: list[Output | Ready]) -> None:
        if not _computable(obs.values):
            out.append(Discarded(obs.series, obs.time_ns, Reason.NOT_FINITE, f"a value beyond ±{MOST:g}"))
            return
        member = self._members.get(obs.series)
        if member is None:
            stream = self._opening.streams[obs.stream]
            if len(self._members) + len(stream.resolutions) >= self._max_series:
                out.append(Discarded(obs.series, obs.time_ns, Reason.SERIES_LIMIT))
                return
            member = self._opening.member(obs.series, stream)
            if not self._open(member, out):
                out.append(Discarded(obs.series, obs.time_ns, Reason.SERIES_LIMIT, "limits.memory is used up"))
                return
        if obs.received_ns > member.heard_ns:
            for one in (member, *member.coarser):
                one.heard_ns = obs.received_ns
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
        for member in self._members.values():
            if member.order.held:
                self._in_order(member, member.order.expire(now_ns), out)
            if member.steps:
                for step in member.steps.expire(now_ns - member.stream.lateness):
                    self._over(member, step, out)
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
        if self._give_row(member, rhythm):
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

    def _give_row(self, member: Member, rhythm: Rhythm) -> bool:
        key = (member.stream.name, rhythm)
        learner = self._learners.get(key)
        if learner is None:
            learner = Learner(member.stream, Layout.of(member.stream, rhythm.step_ns, rhythm.regular))
        births = [birth(self._seed, name) for name in _rows_of(member.series, learner.rows_a_series)]
        if self._used_bytes() + len(births) * learner.layout.row_bytes > self._memory_bytes:
            return False
        self._learners[key] = learner
        member.learner, member.slot = learner, learner.add(births, in_group=member.stream.group)
        return True

    def _open(self, member: Member, out: list[Output | Ready]) -> bool:
        """Give a series its place, with what it had learned if it was closed; False where there is no memory for that.

        Its coarser ones then begin without a row, as any series for which there is no memory.
        """
        family = (member, *member.coarser)
        for one in family:
            kept = self._shelf.take(one.series)
            if kept and not self._resume(one, kept) and one is member:
                for begun in family:
                    self._opening.forget(begun)
                return False
        for one in family:
            self._members[one.series] = one
            out.append(Opened(one.series, one.stream.name))
        return True

    def _close(self, members: Sequence[Member], out: list[Output | Ready]) -> None:
        """Free the places of series that were silent for too long, and keep what they have learned."""
        for member in [one for finest in members for one in (finest, *finest.coarser)]:
            for early in member.early:
                out.append(Discarded(early.series, early.time_ns, Reason.CLOSED))
            if kept := member.kept():
                self._shelf.put(member.series, kept)
            if member.learner:
                self._ended[member.stream.name] += member.totals()
                member.learner.remove(member.slot)
                if not member.learner.rows.held and member.pace.rhythm:  # names that come once differ in steps
                    del self._learners[member.stream.name, member.pace.rhythm]
            self._opening.forget(member)
            del self._members[member.series]
            out.append(Closed(member.series, member.stream.name))

    def _resume(self, member: Member, kept: Kept) -> bool:
        """Let a series go on with what it knew; anew where that does not fit. False, and still kept: no memory."""
        stream = member.stream
        key = (stream.name, Rhythm(kept.step_ns, kept.regular))
        learner = self._learners.get(key) or Learner(stream, Layout.of(stream, kept.step_ns, kept.regular))
        size = learner.layout.row_bytes
        if kept.stream != stream.name:
            return True
        if self._used_bytes() + learner.rows_a_series * size > self._memory_bytes:
            self._shelf.put(member.series, kept)
            return False
        try:
            slot = learner.resume(unpacked(kept.rows, size))
        except ValueError:
            return True
        self._learners[key] = learner
        member.resume(kept, learner, slot)
        self._ended[stream.name] -= member.totals()
        return True

    def _used_bytes(self) -> int:
        return sum(learner.rows.held * learner.layout.row_bytes for learner in self._learners.values())

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
        return Step(member.slot, time_ns, *civil, missed, reset, values, obs.position)

    def _said(self, ready: Ready, step: Step, frame: Frame, row: Floats, tail: Sequence[float]) -> list[Output]:
        """One row of numbers as a forecast, and what began or ended with it."""
        member, obs, _ = ready
        if member.meter:
            obs = obs._replace(values=(step.values[0], *obs.values[1:]))
        _, _, state, happened, strength = tail
        member.state = STATES[int(state)] if state == state else State.WARMING
        # a copy, or each series' newest forecast would keep its whole batch in memory
        member.last = Forecast(obs, frame, row.copy(), member.state)
        said: list[Output] = [member.last]
        member.guessed = 0
        there = obs.values[0] == obs.values[0]
        member.unseen += (DARK if step.reset else step.missed) + (not there)
        if member.unseen >= DARK and not member.dark:
            said.append(self._dark(member, obs, frame.step_ns))
        if there:
            if member.dark:
                said.append(Event(obs.series, obs.stream, obs.time_ns, obs.position, Kind.GAP, False, math.nan))
            member.seen_ns, member.unseen, member.dark = obs.time_ns, 0, False
        if happened > 0:
            said += events(obs, int(happened), strength)
        if member.steps is None and member.gathers is None:  # or its readings were counted as gathered
            self._count(member.state, there)
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


def _rows_of(series: str, rows: int) -> list[str]:
    """What the rows of a series are called: the first as the series itself."""
    return [series, *[f"{series}/{row}" for row in range(1, rows)]]
