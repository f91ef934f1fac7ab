"""What is to survive: inputs are journaled before they are fed, and the engine's series saved, a few at a time.

A sweep saves every series once. When it is through, the journal up to where it began is not needed any more.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from math import nan

import msgspec

from streamlstm.codec.journal import Delivery, entry, to_bytes
from streamlstm.daemon.inbox import Message
from streamlstm.daemon.recovery import COMMONS, HEAD, ORIGIN, Head, Origin, recover, succeed
from streamlstm.daemon.redelivery import Redelivery
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Close, Input, Known, Observation, Output, Tick
from streamlstm.living import Standing
from streamlstm.store.records import Saved, Shared
from streamlstm.store.store import Store

log = logging.getLogger(__name__)

STEP_BYTES = 2**20  # saved at once: a tenth of a second on a slow card
STEP_EVERY_NS = SECOND_NS // 4
# Behind a sweep's beginning, until the next is due whatever the clock says: so the disk is bounded, and a start's time.
MOST_INPUTS, MOST_BYTES = 1_000_000, 256 * 2**20
TICKS = 60  # that changed nothing a subscriber sees: they wait so long for company


class Keeper:
    """Between the daemon's loop and the store; without a store it only numbers what comes."""

    def __init__(self, engine: Engine, store: Store | None = None, every_ns: int = 3600 * SECOND_NS) -> None:
        self.swept_ns = 0  # when the last sweep that is through began
        self._engine, self._store, self._every_ns = engine, store, every_ns
        self.position = 0  # of the newest observation
        self._known = Redelivery()
        self._ticks: list[Tick] = []  # fed, and not in the journal yet
        self._ended: dict[str, None] = {}  # series that a snapshot may still show open, or on the shelf
        self._todo: deque[str] | None = None  # of the sweep that is on
        self._began = 0  # index that the last sweep that is through began behind
        self._begun_at = 0  # the one that is on
        self._began_ns = self._next_step_ns = 0
        self._journaled = 0  # bytes, since the last sweep began

    def recover(self, heard: Callable[[Sequence[Output]], None]) -> None:
        """Go on where the store ends. Raises StateRefused, StoreFailed."""
        if self._store is None:
            return
        began_s = time.monotonic()
        found = recover(self._store, self._engine, heard)
        self.position = found.position
        self._known.remember(found.deliveries)
        self._ended = self._not_here(self._store)
        self._began, self._journaled = self._store.pruned, found.bytes
        self._began_ns = self.swept_ns = found.origin_ns  # what dies again and again must save something in between
        if not found.origin_ns and found.inputs:
            self._began_ns = 1  # long ago
        if found.begun_at > self._store.pruned:  # a sweep was on, and goes on
            saved = {name for name, _, at in self._store.saved() if at >= found.begun_at}
            self._begun_at, self._began_ns = found.begun_at, found.begun_ns
            self._todo = deque(name for name in [*self._engine.series(), *self._ended] if name not in saved)
        log.info(
            "event=recovered series=%d journaled=%d begun_anew=%d seconds=%.1f",
            found.series,
            found.inputs,
            len(found.lost),
            time.monotonic() - began_s,
        )

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
            if is_long or is_due:
                self._begin(now_ns)
        else:
            self._step()

    def hasten(self) -> bool:
        """Let a sweep be due now; False where nothing is saved."""
        self._began_ns = 1  # long ago
        return self._store is not None

    def hand_over(self, engine: Engine, every_ns: int) -> None:
        """Let another engine, with another configuration, go on; the journal begins anew with it."""
        self._every_ns = every_ns
        if engine is self._engine:
            return
        for name, why in succeed(self._engine, engine).items():
            log.warning("event=series_begins_anew series=%r why=%r", name, why)
        self._engine = engine
        if self._store is not None:
            self._ended = self._not_here(self._store)
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
        self._store.share([origin, *commons])
        left = self._todo or ()  # of a sweep that is given up for this one
        self._began_ns, self._todo = now_ns, deque(dict.fromkeys([*self._engine.series(), *left, *self._ended]))
        self._ended, self._journaled = {}, 0

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
        head = msgspec.msgpack.encode(Head(self.position, self._engine.counts()))
        self._store.save(saved, Shared(HEAD, self._store.last, head))
        if not self._todo:
            self._store.prune(self._begun_at, Standing.GONE.value)
            self._began, self._todo, self.swept_ns = self._begun_at, None, self._began_ns
