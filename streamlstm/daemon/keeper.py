"""What is to survive: inputs are journaled before they are fed, and the engine's series saved, a few at a time.

A sweep saves every series once. When it is through, a start does not need the journal up to where it began any more.
Nor does anything else, unless learning is to be taken back: then a sweep now and then is kept as a generation, and the
journal from where the older of two generations began.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from math import nan

import msgspec

from streamlstm.codec.journal import Delivery, entry, to_bytes
from streamlstm.config import Stream
from streamlstm.daemon.builds import Build, judged, newest, record, said
from streamlstm.daemon.inbox import Message
from streamlstm.daemon.recovery import COMMONS, HEAD, ORIGIN, Head, Origin, recover, succeed
from streamlstm.daemon.redelivery import Redelivery
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Close, Input, Known, Observation, Output, Tick
from streamlstm.living import Standing
from streamlstm.store.generation import Manifest
from streamlstm.store.records import Saved, Shared
from streamlstm.store.store import Store

log = logging.getLogger(__name__)

STEP_BYTES = 2**20  # saved at once: a tenth of a second on a slow card
STEP_EVERY_NS = SECOND_NS // 4
# Behind a sweep's beginning, until the next is due whatever the clock says: so the disk is bounded, and a start's time.
MOST_INPUTS, MOST_BYTES = 1_000_000, 256 * 2**20
GENERATIONS = 2  # of so many, the newest may be of just now, and then the other is at least as old as is promised
TICKS = 60  # that changed nothing a subscriber sees: they wait so long for company


class Keeper:
    """Between the daemon's loop and the store; without a store it only numbers what comes."""

    def __init__(
        self,
        engine: Engine,
        store: Store | None = None,
        every_ns: int = 3600 * SECOND_NS,
        undo_ns: int = 0,
        undo_bytes: int = 2**32,
    ) -> None:
        """undo_ns: how far back learning can be taken back; 0: not at all. undo_bytes: most of the journal for it."""
        self.swept_ns = 0  # when the last sweep that is through began
        self.replays_exactly: bool | None = None  # what was recovered is as it was, to the last bit; None: not asked
        self._engine, self._store, self._every_ns = engine, store, every_ns
        self._undo_ns, self._undo_bytes = undo_ns, undo_bytes
        self._generation: int | None = None  # the sweep that is on becomes one: it began behind this index
        self._grown = 0  # bytes journaled since the newest generation began
        self.position = 0  # of the newest observation
        self._known = Redelivery()
        self._ticks: list[Tick] = []  # fed, and not in the journal yet
        self._ended: dict[str, None] = {}  # series that a snapshot may still show open, or on the shelf
        self._todo: deque[str] | None = None  # of the sweep that is on
        self._began = 0  # index that the last sweep that is through began behind
        self._begun_at = 0  # the one that is on
        self._began_ns = self._next_step_ns = 0
        self._is_wanted = False  # somebody has asked for a sweep
        self._journaled = 0  # bytes, since the last sweep began
        self._build: Build | None = None  # this one, as the state has it

    def recover(self, heard: Callable[[Sequence[Output]], None], streams: Sequence[Stream] = ()) -> None:
        """Go on where the store ends. Raises StateRefused, StoreFailed.

        streams: those of the engine; without them the state is neither asked nor told which build it is of.
        """
        if self._store is None:
            return
        began_s = time.monotonic()
        found = recover(self._store, self._engine, heard)
        self.position = found.position
        self._known.remember(found.deliveries)
        self._ended = self._not_here(self._store)
        self._began, self._journaled = self._store.swept, found.bytes
        self._began_ns = self.swept_ns = found.origin_ns  # what dies again and again must save something in between
        if not found.origin_ns and found.inputs:
            self._began_ns = 1  # long ago
        if self._undo_ns:
            self._grown = self._store.journaled(max(self._store.generations(), default=self._store.pruned))
        if found.begun_at > self._store.swept:  # a sweep was on, and goes on
            saved = {name for name, _, at in self._store.saved() if at >= found.begun_at}
            self._begun_at, self._began_ns = found.begun_at, found.begun_ns
            self._todo = deque(name for name in [*self._engine.series(), *self._ended] if name not in saved)
            if self._undo_ns and self._store.has_older(found.begun_at):
                self._generation = found.begun_at
        if self._generation is None:
            self._store.forget_unfinished()
        log.info(
            "event=recovered series=%d journaled=%d begun_anew=%d seconds=%.1f",
            found.series,
            found.inputs,
            len(found.lost),
            time.monotonic() - began_s,
        )
        if streams:
            self._judge(self._store, streams, found.inputs)

    def fresh(self, messages: Sequence[Message]) -> tuple[list[Message], list[Delivery]]:
        """Those that the journal does not have, and by what they would be known if they came again."""
        return self._known.told(messages)

    def keep(self, inputs: Sequence[Input], deliveries: Sequence[Delivery] = ()) -> list[Input]:
        """Number inputs and make them durable; what may be fed. After this their messages may be acknowledged."""
        numbered = [self._numbered(item) for item in self._engine.admit(inputs)]
        if self._store is not None and (numbered or deliveries):
            self._append([*self._ticks, *numbered], deliveries)
        self._known.remember(deliveries)
        self._ended.update((item.series, None) for item in numbered if isinstance(item, Close))
        return numbered

    def tick(self, now_ns: int) -> list[Output]:
        """Let the clock go on; what it ends is durable before anybody hears of it."""
        outputs = self._engine.feed([Tick(now_ns)])
        if self._store is not None:
            self._ticks.append(Tick(now_ns))
            if outputs or len(self._ticks) >= TICKS:
                self._append(self._ticks)
        if ended := self._engine.over(now_ns):
            outputs += self._engine.feed(self.keep(ended))
        return outputs

    def sweep(self, now_ns: int) -> None:
        """Go on saving series, if it is time."""
        if self._store is None or not (now_ns >= self._next_step_ns or self._next_step_ns - now_ns > SECOND_NS):
            return
        self._next_step_ns = now_ns + STEP_EVERY_NS
        if self._todo is None:
            if not self._began_ns:
                self._began_ns = now_ns
            # a clock that was set back makes it due, too
            is_due = not 0 <= now_ns - self._began_ns < self._every_ns
            is_long = self._store.last - self._began >= MOST_INPUTS or self._journaled >= MOST_BYTES
            if is_long or is_due or self._is_wanted:
                self._begin(now_ns)
        else:
            self._step()

    def hasten(self) -> bool:
        """Let a sweep be due now; False where nothing is saved."""
        self._is_wanted = self._store is not None
        return self._is_wanted

    def hand_over(
        self,
        engine: Engine,
        every_ns: int,
        undo_ns: int = 0,
        undo_bytes: int = 2**32,
        streams: Sequence[Stream] = (),
    ) -> None:
        """Let another engine, with another configuration, go on; a start has nothing to read from before it."""
        self._every_ns, self._undo_ns, self._undo_bytes = every_ns, undo_ns, undo_bytes
        if engine is self._engine:
            return
        for name, why in succeed(self._engine, engine).items():
            log.warning("event=series_begins_anew series=%r why=%r", name, why)
        self._engine = engine
        if self._store is not None:
            self._ended = self._not_here(self._store)
            if streams:
                self._build = judged(self._build, streams, 0).build
            self._begin(time.time_ns())
            while self._todo is not None:
                self._step()

    def close(self, patience_s: float) -> None:
        """Save what there is time for (0: nothing, since the disk may have failed); the journal has the rest."""
        if self._store is None:
            return
        try:
            ends_s = time.monotonic() + patience_s
            if patience_s and (self._store.last > self._began or self._ticks):
                self._begin(time.time_ns())
            while self._todo is not None and time.monotonic() < ends_s:
                self._step()
        finally:
            self._store.close()

    @property
    def bytes(self) -> int:
        """On the disk, of journal and snapshots; 0 without a store."""
        return self._store.bytes if self._store else 0

    def age_s(self, now_ns: int) -> float:
        """Since the last sweep that is through began: no series' snapshot is older. NaN before the first."""
        return max(0, now_ns - self.swept_ns) / SECOND_NS if self.swept_ns else nan

    def _judge(self, store: Store, streams: Sequence[Stream], inputs: int) -> None:
        """Whether all was computed as before; and from here on the state is of this build."""
        was = newest(store)
        build, why = judged(was, streams, inputs)
        if why:
            log.warning("event=replay_inexact was=%r is=%r why=%r", *said(was, build), why)
        self._build, self.replays_exactly = build, not why
        if build != was:
            store.share([record(build, store.last)])

    def _numbered(self, item: Input) -> Input:
        match item:
            case Observation(series, stream, time_ns, values, _, received_ns):
                self.position += 1
                return Observation(series, stream, time_ns, values, self.position, received_ns)
            case Known():
                self.position += 1
                return item._replace(position=self.position)
        return item

    def _append(self, inputs: Sequence[Input], deliveries: Sequence[Delivery] = ()) -> None:
        assert self._store is not None, "only called where there is one"
        said = entry(inputs, deliveries)
        body = to_bytes(said)
        self._store.append(said.size, body)
        self._journaled += len(body)
        self._grown += len(body)
        self._ticks = []

    def _not_here(self, store: Store) -> dict[str, None]:
        """Series that are saved, and that the engine does not have."""
        there = {*self._engine.series()}
        return {name: None for name, *_ in store.saved() if name not in there}

    def _catch_up(self) -> None:
        """Bring the journal to where the engine is: a snapshot is as of the journal's end."""
        if self._ticks:
            self._append(self._ticks)

    def _begin(self, now_ns: int) -> None:
        """A sweep begins: what series have in common is saved as of now, since all of them will be later."""
        assert self._store is not None, "only called where there is one"
        self._catch_up()
        at = self._begun_at = self._store.last
        origin = Shared(ORIGIN, at, msgspec.msgpack.encode(Origin(self._known.export(), self._engine.sheds, now_ns)))
        commons = [Shared(f"{COMMONS}{name}", at, body) for name, body in self._engine.commons().items()]
        builds = [record(self._build, at)] if self._build else []
        self._store.share([origin, *commons, *builds])
        if self._generation is not None:
            self._store.forget_unfinished()  # it is given up with its sweep
        self._generation = at if self._is_to_be_kept(now_ns) else None
        left = self._todo or ()  # of a sweep that is given up for this one
        self._began_ns, self._todo = now_ns, deque(dict.fromkeys([*self._engine.series(), *left, *self._ended]))
        self._ended, self._journaled, self._is_wanted = {}, 0, False

    def _step(self) -> None:
        """Save some series as they are now."""
        assert self._store is not None and self._todo is not None, "only called while a sweep is on"
        self._catch_up()
        saved, size = list[Saved](), 0
        while self._todo and size < STEP_BYTES:
            for name in self._engine.together(self._todo.popleft()):
                standing, body = self._engine.export(name)
                saved.append(Saved(name, standing.value, self._store.last, body))
                size += len(body)
        head = Shared(HEAD, self._store.last, msgspec.msgpack.encode(Head(self.position, self._engine.counts())))
        self._store.save(saved, head, self._generation)
        if not self._todo:
            self._prune(head)
            self._began, self._todo, self.swept_ns = self._begun_at, None, self._began_ns

    def _prune(self, head: Shared) -> None:
        """A sweep is through. Two generations are kept; with a journal of all that ever was, nothing at all is one."""
        assert self._store is not None, "only called where there is one"
        sealed, generations = None, list[int]()
        if self._undo_ns:
            generations = [*([] if self._store.pruned else [0]), *self._store.generations()]
        if self._generation is not None:
            sealed = Manifest(0, 0, 0, head.at, self._began_ns, head.body)
            generations.append(self._generation)
            self._grown = self._store.journaled(self._generation)
        self._store.prune(self._begun_at, Standing.GONE.value, generations[-GENERATIONS:], sealed)
        self._generation = None

    def _is_to_be_kept(self, now_ns: int) -> bool:
        """Whether the sweep that begins becomes a generation."""
        assert self._store is not None, "only called where there is one"
        newest = next(reversed(self._store.generations().items()), None)
        if not self._undo_ns or not self._store.last or (newest and newest[0] == self._store.last):
            return False
        # a clock that was set back makes it due, too
        is_due = newest is None or not 0 <= now_ns - newest[1].time_ns < self._undo_ns
        return is_due or self._grown >= self._undo_bytes // GENERATIONS
