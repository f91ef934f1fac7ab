"""From a store to an engine that is as it was: snapshots, each as of its own input, and the journal behind them.

A snapshot of one series holds all inputs up to its index. So the journal is fed from the first input that some snapshot
does not hold; a series joins in once the journal has come to its own snapshot, and what the journal says of it before
is passed over. What all series have in common, their covariates, begins where the sweep did that is through. Up to the
newest snapshot the counts are those of that snapshot; behind it all is as it was, and goes on as if nothing had
happened.

The limits need no care: what the journal holds was admitted when there were no fewer series than there are now.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

import msgspec

from streamlstm.codec.journal import Delivery, Entry, from_bytes
from streamlstm.engine import Engine
from streamlstm.events import BEGINNING, Close, Discarded, Input, Known, Observation, Output, Shed, Switch
from streamlstm.living import Standing
from streamlstm.store.errors import StateRefused
from streamlstm.store.generation import HEAD as HEAD
from streamlstm.store.generation import UNDONE
from streamlstm.store.records import Batch, Saved, Shared

log = logging.getLogger(__name__)

ORIGIN, COMMONS = "origin", "commons:"  # names of what is shared as of where a sweep begins


class Origin(msgspec.Struct, array_like=True):
    """Where a sweep begins: what is of no series, and of no stream."""

    deliveries: list[Delivery]  # the newest that are in the journal
    sheds: bool  # learning is shed
    time_ns: int  # when that was, by the clock


class Head(msgspec.Struct, array_like=True):
    """As of the newest snapshot."""

    position: int
    counts: bytes


class Undone(msgspec.Struct, array_like=True):
    """Observations that were taken back: a replay goes without them."""

    upto: int  # index of the newest input that there was; what came later is learned all the same
    since_ns: int  # event times from here on
    until_ns: int  # and before this
    series: list[str]  # patterns as of a shell; none: all

    def covers(self, item: Input) -> bool:
        """Whether it is one of them, if it came before that index."""
        if not isinstance(item, Observation) or not self.since_ns <= item.time_ns < self.until_ns:
            return False
        return self.names(item.series)

    def names(self, series: str) -> bool:
        return not self.series or any(fnmatchcase(series, one) for one in self.series)


@dataclass
class Recovered:
    """What there was."""

    position: int = 0  # of the newest observation
    deliveries: list[Delivery] = field(default_factory=list)
    series: int = 0  # taken from snapshots
    inputs: int = 0  # read from the journal
    bytes: int = 0  # of them
    origin_ns: int = 0  # when the sweep began that the start is from; 0: it is from the first input there was
    begun_at: int = 0  # where the newest sweep began, be it through or not
    begun_ns: int = 0
    lost: dict[str, str] = field(default_factory=dict)  # series that do not fit the configuration, and why


class Source(Protocol):
    """Where a recovery begins: snapshots, each as of an input of its own, and the journal behind them."""

    path: Path
    last: int  # index of the journal's newest input

    @property
    def swept(self) -> int: ...  # index from behind which the journal is fed

    def batches(self, after: int) -> Iterator[Batch]: ...
    def saved(self) -> list[tuple[str, str, int]]: ...
    def series(self, name: str) -> Saved: ...
    def shared(self, name: str) -> list[Shared]: ...
    def names(self) -> list[str]: ...


def recover(
    store: Source,
    engine: Engine,
    heard: Callable[[Sequence[Output]], None] = lambda _: None,
    without: Sequence[Undone] = (),
) -> Recovered:
    """Bring a new engine to where the journal ends; `heard` is told what each series says behind its snapshot.

    What was taken back, and what is to be (`without`), is not fed. Raises StateRefused where the store cannot be right,
    and StoreFailed.
    """
    run = _Run(store, engine, without)
    for batch in store.batches(store.swept):
        run.recovered.bytes += len(batch.body)
        run.join_in(batch.first - 1)
        if run.is_catching_up and batch.first > run.newest:
            run.catch_up()
        try:
            entry = from_bytes(batch.body)
        except ValueError as error:
            raise StateRefused(f"{store.path}: journal, inputs from {batch.first}: {error}") from error
        heard(engine.feed(run.of_interest(entry, batch.first)))
    run.join_in(store.last)
    if run.is_catching_up:
        run.catch_up()
    return run.recovered


def undone(store: Source) -> list[Undone]:
    """All that was taken back and is in the journal still."""
    return [one for shared in store.shared(UNDONE) for one in msgspec.msgpack.decode(shared.body, type=list[Undone])]


def succeed(old: Engine, new: Engine) -> dict[str, str]:
    """Move all series from one engine to another, one by one; returns those that do not fit there, and why."""
    lost, opened = dict[str, str](), dict[str, str]()
    for stream, commons in old.commons().items():
        opened |= _commons(new, stream, commons)
    new.restore_counts(old.counts())
    for name in old.series():
        standing, state = old.export(name)
        try:
            new.restore(name, standing, state)
        except ValueError as error:
            lost[name] = str(error)
            if name in opened:
                new.leave(name, opened[name])
        old.feed([Close(name, forget=True)])  # its memory may be needed
    return lost


def _commons(engine: Engine, stream: str, state: bytes) -> dict[str, str]:
    """Let what a stream's series have in common be known again; returns the stream by the series that look it up."""
    try:
        return dict.fromkeys(engine.restore_commons(stream, state), stream)
    except ValueError as error:
        log.warning("event=covariates_begin_anew stream=%r why=%r", stream, str(error))
        return {}


class _Run:
    """One recovery."""

    def __init__(self, store: Source, engine: Engine, without: Sequence[Undone]) -> None:
        self.recovered = Recovered()
        self.is_catching_up = True
        self._store, self._engine = store, engine
        self._aside = {name: (Standing(standing), at) for name, standing, at in store.saved()}
        self._next = deque(self._aside.items())  # ascending by index
        heads = store.shared(HEAD)
        self._head = msgspec.msgpack.decode(heads[-1].body, type=Head) if heads else None
        self.newest = heads[-1].at if heads else 0
        self._without = [*undone(store), *without]
        self._opened: dict[str, str] = {}  # streams of those aside whose covariates are kept
        if self._head:
            self.recovered.position = self._head.position
        for name in store.names():
            if name.startswith(COMMONS):
                self._common(name.removeprefix(COMMONS), store.shared(name))
        for shared in store.shared(ORIGIN):
            origin = msgspec.msgpack.decode(shared.body, type=Origin)
            self.recovered.begun_at, self.recovered.begun_ns = shared.at, origin.time_ns
            if shared.at == store.swept:
                self.recovered.deliveries += origin.deliveries
                self.recovered.origin_ns = origin.time_ns
                engine.feed([Shed(origin.sheds)])

    def join_in(self, index: int) -> None:
        """Let those series join in whose snapshots are of no later input."""
        while self._next and self._next[0][1][1] <= index:
            name, (standing, at) = self._next.popleft()
            del self._aside[name]
            stream = self._opened.pop(name, None)
            if standing is Standing.GONE:
                continue
            try:
                self._engine.restore(name, standing, self._store.series(name).body)
                self.recovered.series += 1
            except ValueError as error:
                self.recovered.lost[name] = str(error)
                if stream:
                    self._engine.leave(name, stream)
                log.warning("event=series_begins_anew series=%r as_of=%d why=%r", name, at, str(error))

    def catch_up(self) -> None:
        """All series are as of one input now."""
        self.is_catching_up = False
        if self._head:
            self._engine.restore_counts(self._head.counts)
        self._engine.in_order()

    def of_interest(self, entry: Entry, index: int) -> list[Input]:
        """What of an entry is to be fed. index: of its first input."""
        self.recovered.deliveries += entry.deliveries
        self.recovered.inputs += len(entry.inputs)
        wanted, without = list[Input](), [span for span in self._without if index <= span.upto]
        for item in entry.inputs:
            if isinstance(item, Observation | Known):
                self.recovered.position = max(self.recovered.position, item.position)
            if not self._engine.takes(item) or any(span.covers(item) for span in without):
                continue
            if isinstance(item, Observation | Close | Switch) and item.series in self._aside:
                self._pass_over(item)
            else:
                wanted.append(item)
        refused = entry.refused.items()
        return wanted + [Discarded("", BEGINNING, reason) for reason, count in refused for _ in range(count)]

    def _pass_over(self, item: Observation | Close | Switch) -> None:
        """A snapshot holds it. But whose covariates are kept is decided by it all the same."""
        if isinstance(item, Observation):
            if item.series not in self._opened:
                self._opened[item.series] = item.stream
                self._engine.enter(item.series, item.stream)
        elif isinstance(item, Close) and (stream := self._opened.pop(item.series, None)):
            self._engine.leave(item.series, stream)

    def _common(self, stream: str, found: Iterable[Shared]) -> None:
        for shared in found:
            if shared.at == self._store.swept:
                self._opened |= _commons(self._engine, stream, shared.body)
