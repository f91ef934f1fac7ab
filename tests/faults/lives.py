"""Random lives: all kinds of streams, covariates, series that end and begin again, saved and killed at any moment.

What went on from the store is then, byte for byte, what an engine is that was fed the journal's inputs one by one. Now
and then learning is taken back: what that engine was not fed is then as if it had never come.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from streamlstm.codec.journal import from_bytes
from streamlstm.config import Stream
from streamlstm.daemon import keeper as keeping
from streamlstm.daemon import undoing
from streamlstm.daemon.keeper import Keeper
from streamlstm.engine import Engine
from streamlstm.events import BEGINNING, Close, Discarded, Input, Known, Mode, Observation, Reason, Shed, Switch
from streamlstm.model import arena
from streamlstm.store.errors import Unsuitable
from streamlstm.store.store import Store
from tests.faults.outcome import Budget, Outcome
from tests.observed import HOUR_NS
from tests.small import STREAM, STREAM_BESIDE

SMALL = STREAM.model_dump(include={"leads", "model"})
STREAMS = [
    Stream.model_validate(SMALL | one)
    for one in (
        {"name": "plain/{x}", "topic": "p/{x}", "ttl": "3d", "gap": "12h", "lateness": "2h"},
        {"name": "alike/{x}", "topic": "a/{x}", "step": "1h", "group": True, "ttl": "4d", "seasons": ()},
        {
            "name": "meter/{x}",
            "topic": "m/{x}",
            "type": "counter",
            "step": "1h",
            "aggregate": "sum",
            "ttl": "5d",
            "resolutions": [{"step": "2h", "leads": [1, 3]}],
        },
        {
            **STREAM_BESIDE.model_dump(include={"joint", "step", "format", "value"}),
            "step": "1h",
            "name": "beside/{x}/{value}",
            "topic": "b/{x}",
            "ttl": "3d",
            "covariates": [{"topic": "weather/{x}", "value": "w", "time": "t", "known_ahead": True}],
        },
    )
]
LIMITS = {"max_series": 12, "closed_bytes": 60_000}


def engine() -> Engine:
    return Engine(STREAMS, seed=1, **LIMITS)


def state(own: Engine) -> dict[str, object]:
    """All of it, by name."""
    commons = {f"commons {name}": body for name, body in own.commons().items()}
    return {name: own.export(name) for name in own.series()} | commons | {"counts": own.counts()}


class Life:
    """A daemon's keeper and engine that are killed and started again, and a record of all that was journaled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal: list[Input] = []
        self.undone = 0  # times
        self.start()

    def start(self) -> None:
        self.engine, self.store = engine(), Store(self.folder)
        self.keeper = Keeper(self.engine, self.store, every_ns=20 * HOUR_NS, undo_ns=60 * HOUR_NS)
        self.keeper.recover(lambda _: None, STREAMS)
        append = self.store.append

        def recorded(count: int, body: bytes) -> int:
            entry = from_bytes(body)
            self.journal += entry.inputs
            self.journal += [Discarded("", BEGINNING, reason) for reason, n in entry.refused.items() for _ in range(n)]
            return append(count, body)

        self.store.append = recorded  # type: ignore[method-assign]

    def feed(self, inputs: list[Input]) -> None:
        self.engine.feed(self.keeper.keep(inputs))

    def kill(self) -> None:
        """What is not in the journal is gone: ticks that brought nothing."""
        self.store.close()
        self.start()

    def undo(self, since_ns: int, until_ns: int, series: list[str]) -> None:
        """Die, and go on without the observations of a time; or with them, where no state of before it is kept."""
        self.store.close()
        store = Store(self.folder)
        try:
            plan = undoing.planned(store, since_ns, until_ns, series)
            undoing.undo(store, engine(), STREAMS, plan)
            self.journal = [item for item in self.journal if not plan.span.covers(item)]
            self.undone += 1
        except Unsuitable:
            pass  # how often it was not is counted
        finally:
            store.close()
            self.start()

    def uninterrupted(self) -> Engine:
        """One that was fed the same, one by one."""
        own = engine()
        for item in self.journal:
            own.feed([item])
        return own


def things(dice: random.Random, length: int) -> Iterator[list[Input] | int | str | tuple[int, int, list[str]]]:
    """What happens: inputs that come together, the clock's time, a kill, a time and series to be taken back."""
    now_ns, total = 1_700_000_000 * 10**9 // HOUR_NS * HOUR_NS, dict[str, float]()
    for _ in range(length):
        now_ns += dice.choice((0, 1, 1, 2, 6)) * HOUR_NS // 6
        if dice.random() < 0.01:
            now_ns += dice.randrange(24, 140) * HOUR_NS
        what = dice.random()
        if what < 0.7:
            yield [one for _ in range(dice.randrange(1, 9)) for one in said(dice, now_ns, total)]
        elif what < 0.97:
            yield now_ns
        elif what < 0.99:
            yield "kill"
        else:
            since_ns = now_ns - dice.randrange(1, 50) * HOUR_NS
            names = dice.choice(([], ["plain/*"], ["*/a*"], ["meter/?", "beside/b/*"]))
            yield since_ns, since_ns + dice.randrange(1, 12) * HOUR_NS, names


def said(dice: random.Random, now_ns: int, total: dict[str, float]) -> list[Input]:
    stream = dice.choice(STREAMS)
    name = dice.choice("abcdefgh" if stream.group else "abcd")
    series, value = stream.name.replace("{x}", name), dice.gauss(20, 3)
    time_ns = now_ns - dice.choice((0, 0, 0, 1, 2, 3)) * HOUR_NS // 2
    if dice.random() < 0.02:
        return [Shed(dice.random() < 0.5)]
    if dice.random() < 0.03:
        wanted = dice.choice((Mode.LEARNS, Mode.LEARNS, Mode.FROZEN, Mode.PAUSED, None))
        own = series.replace("{value}", "y")
        return [Close(own, forget=dice.random() < 0.5) if wanted is None else Switch(own, wanted)]
    if dice.random() < 0.05:
        return [Discarded(series, now_ns, dice.choice([Reason.MALFORMED, Reason.WRONG_TYPE]))]
    if stream.type == "counter":
        value = total[name] = total.get(name, 0.0) + abs(value)
    if not stream.joint:
        return [Observation(series, stream.name, time_ns, (value,), 0, now_ns)]
    if dice.random() < 0.3:
        at_ns = now_ns + dice.randrange(-3, 5) * HOUR_NS
        return [Known(stream.name, 0, (name,), now_ns, (at_ns,), (value,), 0, now_ns)]
    both = (("y", (value, value + 1)), ("a", (value + 1, value)))
    return [Observation(series.replace("{value}", v), stream.name, time_ns, x, 0, now_ns) for v, x in both]


@contextmanager
def hurried() -> Iterator[None]:
    """Series pass on what they have learned early, and a sweep takes many steps, or a short life would see neither."""
    with (
        patch.object(arena, "LEARNED", 20),
        patch.object(keeping, "STEP_BYTES", 150_000),
        patch.object(keeping, "STEP_EVERY_NS", 1),
    ):
        yield


def lived(folder: Path, seed: int, length: int) -> tuple[Life, int]:
    life, kills = Life(folder), 0
    for thing in things(random.Random(seed), length):
        if isinstance(thing, list):
            life.feed(thing)
        elif isinstance(thing, int):
            life.keeper.tick(thing)
            life.keeper.sweep(thing)
        elif isinstance(thing, tuple):
            life.undo(*thing)
        else:
            life.kill()
            kills += 1
    return life, kills


def run(budget: Budget) -> Outcome:
    """A life each cycle."""
    outcome, undone = Outcome(), 0
    with hurried():
        for cycle in budget.each():
            folder = budget.folder / str(cycle)
            life, kills = lived(folder, budget.seed * 1_000_000 + cycle, 600)
            life.kill()
            found, expected = state(life.engine), state(life.uninterrupted())
            different = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
            if different:
                outcome.problems.append(f"life {budget.seed * 1_000_000 + cycle}: another state of {different}")
            outcome.cycles += 1
            outcome.progress += kills * (life.store.swept > 0)
            undone += life.undone
            life.store.close()
            shutil.rmtree(folder)
    outcome.figures["kills of saved lives"] = outcome.progress
    outcome.figures["times that learning was taken back"] = undone
    return outcome
