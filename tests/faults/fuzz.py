"""Hostile messages among good ones through decoder and engine: for each kind of stream one engine, which lives on.

Nothing may raise, what is not finite may get nowhere, each message is counted once, and every limit holds.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence
from itertools import cycle as in_turn

from hypothesis import HealthCheck, Phase, given, seed, settings

from streamlstm.codec.decode import Decoder
from streamlstm.daemon.history import History
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Arrival, Discarded, Forecast, Input, Opened, Reason, Tick
from streamlstm.timeline.order import MOST
from streamlstm.timeline.pace import DECIDE_AFTER
from tests.faults import checks
from tests.faults.kinds import KINDS, Kind
from tests.faults.messages import Action, Clock, Good, Hostile, Named, Passes, disturbed, lives, topics
from tests.faults.outcome import Budget, Outcome

LIVES = 40  # in a cycle, of about 40 messages each
MAX_SERIES = 24
MEMORY = 8 * 2**20
CLOSED = 2**20
BEGIN_NS = 1_700_000_000 * SECOND_NS


class World:
    """One engine and all that is done to it."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.messages = 0
        self.problems: list[str] = []
        self.seen = Counter[Reason]()
        self._decoder = Decoder(kind.streams, "streamlstm", 65_536)
        self._engine = Engine(kind.streams, seed=1, max_series=MAX_SERIES, memory_bytes=MEMORY, closed_bytes=CLOSED)
        self._history = History()
        self._now_ns = BEGIN_NS
        self._readings = 0
        self._strangers = 0
        self._generation = 0  # of rooms: where the clock was wrong, what was said of them may be of the future
        self._rows: set[str] = set()
        self.forecasts = 0

    @property
    def learned(self) -> int:
        report = self._engine.report()
        return report.learned + report.gathered

    def live(self, actions: Sequence[Action]) -> None:
        """Do what was drawn, message by message; then see whether all is as it must be."""
        for action in actions:
            self._do(action)
        self._settled()

    def _do(self, action: Action) -> None:
        match action:
            case Good():
                self._now_ns += action.skip * self.kind.every_ns
                for _ in range(action.count):
                    for topic, payload in self._next(self._room(action.room)):
                        self._send(topic, payload.encode())
                    self._now_ns += self.kind.every_ns
            case Hostile():
                room = self._room(action.room) if action.room < 4 else self._stranger()
                topic, payload = topics(self.kind, room, self._readings, self._now_ns, action.which)
                self._send(topic, action.payload if action.replaces is None else disturbed(payload, action))
            case Named():
                topic, payload = self._next("a")[-1]
                self._send(topic.rsplit("/", 1)[0] + "/" + action.topic, payload.encode())
            case Clock():
                right_ns, self._now_ns = self._now_ns, action.time_ns
                self._tick()
                for _ in range(2):
                    for topic, payload in self._next(self._stranger()):
                        self._send(topic, payload.encode())
                self._tick()
                self._now_ns = right_ns
                self._generation += 1
            case Passes():
                for _ in range(action.ticks):
                    self._now_ns += action.time_ns
                    self._tick()

    def _next(self, room: str) -> list[tuple[str, str]]:
        self._readings += 1
        return self.kind.reading(room, self._readings, self._now_ns)

    def _room(self, room: int) -> str:
        return f"room{room}-{self._generation}"

    def _stranger(self) -> str:
        self._strangers += 1
        return f"stranger{self._strangers}"

    def _tick(self) -> None:
        if not self.kind.recorded:
            self._feed([Tick(self._now_ns)])
            while ended := self._engine.over(self._now_ns):
                self._feed(ended)

    def _send(self, topic: str, payload: bytes) -> None:
        received_ns = 0 if self.kind.recorded else self._now_ns
        items = self._decoder.inputs([Arrival(topic, payload, received_ns, self.messages + 1)])
        self._note(checks.of_inputs(items, self.kind.values), f"{topic[:99]!r} {payload[:99]!r}")
        self.messages += sum(getattr(item, "counts", 1) for item in items)
        self._feed(items)

    def _feed(self, items: Sequence[Input]) -> None:
        for said in self._engine.feed(items):
            if isinstance(said, Forecast):
                self._history.record(said)
                self.forecasts += 1
            elif isinstance(said, Opened):
                self._rows.add(said.series)
            elif isinstance(said, Discarded):
                self.seen[said.reason] += 1
            self._note(checks.of_output(said, self._now_ns), f"said after {items}"[:400])

    def _settled(self) -> None:
        report = self._engine.report()
        if (counted := checks.outcomes(report)) != self.messages:
            self.problems.append(f"{self.messages} messages, of which {counted} were counted: {report.discarded}")
        within = {
            "series": (len(report.series), MAX_SERIES),
            "bytes": (report.memory_bytes, MEMORY),
            "bytes of closed ones": (report.closed_bytes, CLOSED),
            "waiting": (report.held, MAX_SERIES * (MOST + DECIDE_AFTER)),
        }
        self.problems += [f"{n} {name}: at most {most} may be" for name, (n, most) in within.items() if n > most]
        for one in report.series:
            if found := self._engine.learner(one.series):
                learner, slot = found
                for row in range(learner.rows_a_series):
                    self._note(checks.of_row(learner.rows.record(slot + row)), one.series)

    def _note(self, problems: Sequence[str], where: str) -> None:
        self.problems += [f"{problem}; {where}" for problem in problems]


def run(budget: Budget) -> Outcome:
    """A cycle is some lives of one kind of stream; the kinds take turns."""
    outcome, dice = Outcome(), budget.dice("fuzz")
    worlds: dict[str, World] = {}
    messages, learned, seen = Counter[str](), Counter[str](), Counter[Reason]()
    forecasts, engines = 0, 0
    for cycle, name in zip(budget.each(), in_turn(KINDS), strict=False):
        engines += name not in worlds
        world = worlds.setdefault(name, World(KINDS[name]))
        before, known = world.messages, world.learned
        _lived(world, dice.getrandbits(64))
        messages[name] += world.messages - before
        learned[name] += world.learned - known
        forecasts, world.forecasts = forecasts + world.forecasts, 0
        seen, world.seen = seen + world.seen, Counter()
        outcome.cycles += 1
        outcome.progress += world.messages - before
        outcome.problems += [f"{name}, cycle {cycle}: {problem}"[:3000] for problem in world.problems[:3]]
        if world.problems or world.learned == known:  # broken, or strangers have taken all places
            del worlds[name]
    outcome.problems += [
        f"{name}: nothing learned of {n} messages" for name, n in messages.items() if not learned[name]
    ]
    outcome.figures |= {
        "messages": dict(messages),
        "learned": dict(learned),
        "forecasts": forecasts,
        "engines": engines,
    }
    outcome.figures["discarded"] = {reason.value: n for reason, n in seen.most_common()}
    return outcome


def _lived(world: World, number: int) -> None:
    """Lives as Hypothesis draws them. What is found is kept, not raised: it would live through it once more."""

    @seed(number)
    @settings(
        max_examples=LIVES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(lives)
    def live(actions: list[Action]) -> None:
        if world.problems:
            return
        try:
            world.live(actions)
        except Exception:
            world.problems.append(f"raised {traceback.format_exc(limit=-6)} after {actions}")

    live()
