"""Where messages wait between paho's thread, which fills it, and the engine's, which empties it.

Back-pressure. The inbox is bounded. When it is full, paho's thread waits and stops reading the socket, and the broker
holds the rest. QoS 1 rarely comes to that: a broker sends only so many unacknowledged messages (the link asks for a
small window), and none of them is ever dropped here. QoS 0 knows no window. A burst is held back in the same
way, for a while; what floods us for longer would only queue up before the answers to our pings, until the broker seems
dead, and we to it. So from then on QoS 0 messages that find the inbox full are dropped and counted, until it is half
empty again.
"""

from __future__ import annotations

import logging
import queue
import time
from contextlib import suppress
from typing import NamedTuple

from streamlstm.events import Arrival

log = logging.getLogger(__name__)

SLICE_S = 0.1


class Message(NamedTuple):
    """An arrival, and what its acknowledgement needs."""

    arrival: Arrival
    epoch: int  # the connection it came by: an acknowledgement belongs to that one alone
    mid: int  # 0: nothing to acknowledge (QoS 0)
    again: bool = False  # whether the broker has sent it before


class Inbox:
    """At most `limit` messages, in order. One thread puts, one takes."""

    def __init__(self, limit: int, patience_s: float) -> None:
        self.dropped = 0  # QoS 0, after `patience_s` of fullness
        self._limit = limit
        self._patience_s = patience_s
        self._queue: queue.Queue[Message] = queue.Queue(limit)
        self._full_since_s: float | None = None
        self._sheds = False
        self._closed = False

    def put(self, message: Message) -> None:
        """Add a message, and wait for room where there is none."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            self._put_when_possible(message)
        else:
            if self._full_since_s is not None and self._queue.qsize() < self._limit // 2:
                self._full_since_s, self._sheds = None, False

    def take(self, most: int, timeout_s: float) -> list[Message]:
        """At most so many; waits up to `timeout_s` for the first."""
        taken: list[Message] = []
        with suppress(queue.Empty):
            while len(taken) < most:
                taken.append(self._queue.get(block=not taken, timeout=timeout_s))
        return taken

    def close(self) -> None:
        """Let go of the thread that puts. What it holds is not acknowledged, and comes again."""
        self._closed = True

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    @property
    def oldest_ns(self) -> int | None:
        """When the message that waits longest was received."""
        try:
            first: Message = self._queue.queue[0]
        except IndexError:
            return None
        return first.arrival.received_ns

    def _put_when_possible(self, message: Message) -> None:
        if self._full_since_s is None:
            self._full_since_s = time.monotonic()
        while not self._closed:
            if not message.mid and time.monotonic() - self._full_since_s >= self._patience_s:
                self._drop()
                return
            with suppress(queue.Full):
                self._queue.put(message, timeout=min(SLICE_S, self._patience_s))
                return

    def _drop(self) -> None:
        if not self._sheds:
            log.warning("event=falling_behind inbox=%d now=dropping_qos_0", self._limit)
            self._sheds = True
        self.dropped += 1
