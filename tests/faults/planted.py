"""Faults that are put in on purpose: a harness that does not notice one proves nothing.

Each is a mistake that a person might make. `python -m tests.faults.gate` plants one after the other, and wants each to
be noticed by the harness that is there for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from streamlstm.daemon import keeper, recovery
from streamlstm.daemon.inbox import Message
from streamlstm.daemon.keeper import Keeper
from streamlstm.daemon.redelivery import Redelivery
from streamlstm.daemon.run import Daemon
from streamlstm.engine import Engine
from streamlstm.events import Close, Input
from streamlstm.roster import Roster
from streamlstm.store import store
from streamlstm.store.errors import StoreFailed
from streamlstm.store.ledger import Ledger
from streamlstm.store.mark import Mark
from streamlstm.store.records import Saved
from streamlstm.store.store import Store


class Fault(NamedTuple):
    """What is put in, and the harness that must notice it within so many cycles."""

    harness: str
    cycles: int
    plant: Callable[[], None]


FAULTS: dict[str, Fault] = {}
Plant = Callable[[], None]


def noticed_by(harness: str, cycles: int) -> Callable[[Plant], Plant]:
    """Name a fault by its function."""

    def named(plant: Plant) -> Plant:
        FAULTS[plant.__name__.replace("_", "-")] = Fault(harness, cycles, plant)
        return plant

    return named


def wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Put `around(original, ...)` in the place of a function."""
    original = getattr(owner, name)
    setattr(owner, name, lambda *given, **named: around(original, *given, **named))


@noticed_by("powercut", 15)
def no_sync() -> None:
    """Commits that the disk has not been told to make durable."""

    def connect(original: Callable[..., Any], *given: Any) -> Any:
        db = original(*given)
        db.execute("PRAGMA synchronous = OFF")
        return db

    wrap(store, "connect", connect)


@noticed_by("kill", 30)
def acknowledged_before_the_commit() -> None:
    def learn(original: Callable[..., Any], self: Daemon, messages: list[Message], link: Any, *rest: Any) -> None:
        link.acknowledge(messages)
        original(self, messages, link, *rest)

    wrap(Daemon, "_learn", learn)


@noticed_by("kill", 30)
def committed_now_and_then() -> None:
    """The transaction is left open for the next batches."""

    def commit(_: Callable[..., Any], self: Store, count: int, body: bytes) -> int:
        waiting.append((count, body))
        if len(waiting) > 8:
            for one in waiting:
                append(self, *one)
            waiting.clear()
        return self.last

    waiting: list[tuple[int, bytes]] = []
    append = Store.append
    wrap(Store, "append", commit)


@noticed_by("kill", 30)
def what_comes_again_is_taken_again() -> None:
    def told(original: Callable[..., Any], self: Redelivery, messages: Sequence[Message]) -> Any:
        return original(self, [one._replace(again=False) for one in messages])

    wrap(Redelivery, "told", told)


@noticed_by("lives", 8)
def pruned_too_far() -> None:
    """Up to the newest snapshot, not to where the oldest one was begun."""
    wrap(Store, "prune", lambda original, self, _, gone, *rest: original(self, self.last, gone, *rest))


@noticed_by("lives", 8)
def a_generation_without_the_journal_that_it_needs() -> None:
    def prune(original: Callable[..., Any], self: Store, upto: int, *rest: Any) -> None:
        original(self, upto, *rest)
        with self._writing() as own:
            self._db.execute("DELETE FROM journal WHERE first <= ?", (upto,))
            own.ledger = own.ledger._replace(pruned=upto)

    wrap(Store, "prune", prune)


@noticed_by("lives", 20)
def what_was_taken_back_before_is_learned_again() -> None:
    wrap(recovery, "undone", lambda *_: [])


@noticed_by("kill", 30)
def snapshots_that_claim_to_be_newer() -> None:
    def save(original: Callable[..., Any], self: Store, series: Sequence[Saved], *rest: Any) -> None:
        original(self, [one._replace(at=one.at + 40) for one in series], *rest)

    wrap(Store, "save", save)
    wrap(Store, "_check", _without_looking)


@noticed_by("lives", 8)
def snapshots_that_claim_to_be_older() -> None:
    def save(original: Callable[..., Any], self: Store, series: Sequence[Saved], *rest: Any) -> None:
        original(self, [one._replace(at=max(0, one.at - 40)) for one in series], *rest)

    wrap(Store, "save", save)


@noticed_by("kill", 30)
def numbers_that_begin_again() -> None:
    """After a start, positions are counted from what the snapshot said, not from what the journal says."""

    def recover(original: Callable[..., Any], *given: Any) -> Any:
        found = original(*given)
        found.position = 0
        return found

    wrap(keeper, "recover", recover)


@noticed_by("flips", 300)
def no_checksum() -> None:
    wrap(store, "checked", lambda *_: None)


@noticed_by("flips", 300)
def no_mark() -> None:
    """What the log has lost at its end is not missed."""
    wrap(Mark, "_read", lambda *_: 0)


@noticed_by("lives", 8)
def closings_that_are_not_journaled() -> None:
    def keep(original: Callable[..., Any], self: Keeper, inputs: Sequence[Input], *rest: Any) -> list[Input]:
        closings = [one for one in inputs if isinstance(one, Close)]
        return [*original(self, [one for one in inputs if not isinstance(one, Close)], *rest), *closings]

    wrap(Keeper, "keep", keep)


@noticed_by("lives", 8)
def covariates_that_are_not_saved() -> None:
    wrap(Engine, "commons", lambda *_: {})


@noticed_by("lives", 8)
def counts_that_are_not_saved() -> None:
    wrap(Engine, "restore_counts", lambda *_: None)


@noticed_by("lives", 40)
def heirs_saved_after_what_they_inherited_from() -> None:
    wrap(Roster, "heirs", lambda _original, _self, series: [series])


@noticed_by("lives", 8)
def a_clock_that_is_not_journaled() -> None:
    def entry(original: Callable[..., Any], inputs: Sequence[Input], *rest: Any) -> Any:
        return original([one for one in inputs if type(one).__name__ != "Tick"], *rest)

    wrap(keeper, "entry", entry)


@noticed_by("iofaults", 64)
def a_failure_of_the_disk_that_is_swallowed() -> None:
    def append(original: Callable[..., Any], self: Store, *given: Any) -> int:
        try:
            return int(original(self, *given))
        except StoreFailed:
            return self.last

    wrap(Store, "append", append)


def _without_looking(_: Callable[..., Any], self: Store) -> None:
    """What `Store._check` finds out, without its checks."""
    found = self.shared(store.LEDGER)
    self._ledger = store.unpacked(found[-1].body) if found else Ledger()
    (last,) = self._db.execute("SELECT max(first + count - 1) FROM journal").fetchone()
    self.last = last or self.pruned
