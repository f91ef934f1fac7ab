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
import threading
import time
from collections import deque
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
    """At most `limit` messages, in order. One thread puts, one takes.

    A deque, which needs no lock for that, and two events, each set only where the other thread waits for it: a lock for
    each message would let the threads wait for each other, a hundred times a batch.
    """

    def __init__(self, limit: int, patience_s: float) -> None:
        self.dropped = 0  # QoS 0, after `patience_s` of fullness
        self._limit = limit
        self._patience_s = patience_s
        self._messages = deque[Message]()
        self._some, self._room = threading.Event(), threading.Event()
        self._full_since_s: float | None = None
        self._sheds = False
        self._closed = False

    def put(self, message: Message) -> None:
        """Add a message, and wait for room where there is none."""
        waiting = len(self._messages)
        if waiting >= self._limit:
            if not self._has_room(message):
                return
        elif self._full_since_s is not None and waiting < self._limit // 2:
            self._full_since_s, self._sheds = None, False
        self._messages.append(message)
        if not self._some.is_set():
            self._some.set()

    def take(self, most: int, timeout_s: float) -> list[Message]:
        """At most so many; waits up to `timeout_s` for the first."""
        messages = self._messages
        if not messages and timeout_s > 0:
            self._some.clear()
            if not messages:  # what came before the clearing is there; what comes from here on sets it
                self._some.wait(timeout_s)
        taken = [messages.popleft() for _ in range(min(most, len(messages)))]
        if not self._room.is_set():
            self._room.set()
        return taken

    def close(self) -> None:
        """Let go of the thread that puts. What it holds is not acknowledged, and comes again."""
        self._closed = True

    @property
    def waiting(self) -> int:
        return len(self._messages)

    @property
    def oldest_ns(self) -> int | None:
        """When the message that waits longest was received."""
        try:
            return self._messages[0].arrival.received_ns
        except IndexError:
            return None

    def _has_room(self, message: Message) -> bool:
        """Waits for room; False where the message is given up."""
        if self._full_since_s is None:
            self._full_since_s = time.monotonic()
        while not self._closed:
            if not message.mid and time.monotonic() - self._full_since_s >= self._patience_s:
                self._drop()
                return False
            self._room.clear()
            if len(self._messages) >= self._limit:  # what is taken from here on sets it
                self._room.wait(min(SLICE_S, self._patience_s))
            if len(self._messages) < self._limit:
                return True
        return False

    def _drop(self) -> None:
        if not self._sheds:
            log.warning("event=falling_behind inbox=%d now=dropping_qos_0", self._limit)
            self._sheds = True
        self.dropped += 1
