"""The two ways between us and the broker: messages come in, in order, and are acknowledged; publications go out.

They are two connections. On a single one every answer to a publication queues behind the messages that the broker sends
us. When the inbox is full that connection is not read, and whoever waits for an answer before emptying the inbox waits
for ever. (Debian 12's mosquitto sends far more than the window it was given, so it does come to that.)
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence

from streamlstm.codec import topics
from streamlstm.daemon.backoff import Backoff
from streamlstm.daemon.inbox import Inbox, Message
from streamlstm.daemon.mqtt import Session
from streamlstm.daemon.status import Connection
from streamlstm.events import Arrival
from streamlstm.sections import Mqtt

KEPT = 10_000  # publications that wait for the broker to come back; the oldest give way
ROOM_S = 0.003  # in which a broker answers a part of what is in hand; to be woken by each answer would cost more


class Link:
    """Both ways, for the one thread that calls it. It connects, and connects again, by itself.

    Without filters there is only the way out.
    """

    def __init__(
        self,
        settings: Mqtt,
        filters: Sequence[str],
        *,
        fresh: Collection[str] = (),
        clock: Callable[[], int] = time.time_ns,
        payload_limit: int = 2**20,
        backoff: Callable[[], Backoff] = Backoff,
        announces: bool = True,
    ) -> None:
        """`fresh`: filters whose retained messages are wanted at every connection. `announces`: say online and offline
        on the topic of our state."""
        self._clock = clock
        self._payload_limit = payload_limit
        self._state_topic = topics.bridge_state(settings.base) if announces else ""
        self._told = (0, False)  # the connection on which we last spoke of our state, and whether we were ready
        will = (self._state_topic, "offline") if announces else None
        self._in = self._out = Session(
            settings, f"{settings.client_id}-out" if filters else settings.client_id, will=will, backoff=backoff()
        )
        if filters:
            self._in = Session(
                settings, settings.client_id, filters, fresh=fresh, receive=self._receive, backoff=backoff()
            )
        self._sessions = tuple(dict.fromkeys((self._in, self._out)))
        # A quarter: with paho's own pace for pings that stays within the one and a half keepalives a broker waits.
        self._inbox = Inbox(settings.inbox, patience_s=self._in.keepalive_s / 4)
        self._received = 0
        self._position = 0  # of the newest arrival
        self._later: deque[tuple[str, bytes | str, int, bool]] = deque()
        self._given_way = 0

    def start(self) -> None:
        """Begin to connect; never waits, and an absent broker is no error."""
        for session in self._sessions:
            session.start()

    def take(self, most: int, timeout_s: float) -> list[Message]:
        """The next messages in order of arrival, at most so many; waits up to `timeout_s` for the first."""
        for session in self._sessions:
            session.revive()
        self._announce()
        self._send_later()
        taken = self._inbox.take(most, timeout_s)
        self._received += len(taken)
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> int:
        """Acknowledge in the order of arrival; returns how many still could be."""
        return self._in.acknowledge((message.mid, message.epoch) for message in messages)

    def publish(self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> None:
        """Publish, in order. Without a broker it waits for the next connection, in bounded company; with one that is
        slower than we are, so do we wait."""
        if len(self._later) >= KEPT:
            self._later.popleft()
            self._given_way += 1
        self._later.append((topic, payload, qos, retain))
        self._send_later()

    @property
    def unanswered(self) -> int:
        """Publications that the broker may not have yet; exact where all of them are QoS 1."""
        return len(self._later) + self._out.unanswered

    @property
    def epoch(self) -> int:
        """Which connection we publish on, counted from 1; 0 while there is none."""
        return self._out.epoch

    @property
    def waiting(self) -> int:
        """Messages in the inbox."""
        return self._inbox.waiting

    @property
    def oldest_ns(self) -> int | None:
        """When the message that waits longest was received."""
        return self._inbox.oldest_ns

    @property
    def connection(self) -> Connection:
        """How it stands. `why` is empty when we are connected and subscribed, and nobody contests it."""
        return Connection(
            connected=all(session.epoch for session in self._sessions),
            reconnects=max(0, self._in.connections - 1),
            received=self._received,
            why=self._in.why or self._out.why,
            dropped=self._inbox.dropped,
            unpublished=self._given_way + self._out.refused,
            errors=sum(session.errors for session in self._sessions),
        )

    def fault(self) -> str:
        """What is wrong with one of our network threads."""
        return next((fault for session in self._sessions if (fault := session.fault())), "")

    def stop(self, patience_s: float = 3.0) -> None:
        """Say goodbye and end. Unacknowledged messages stay with the broker for the next start."""
        deadline_s = time.monotonic() + patience_s
        self._send_later()
        self._inbox.close()
        self._out.stop(deadline_s, (self._state_topic, "offline") if self._state_topic else None)
        if self._in is not self._out:
            self._in.stop(deadline_s)

    def _receive(
        self, topic: str, payload: bytes | bytearray, retained: bool, mid: int, epoch: int, again: bool
    ) -> None:
        """In paho's thread."""
        self._position += 1
        # one byte beyond the limit still tells that it is too long, and the inbox stays small
        kept = bytes(payload[: self._payload_limit + 1])
        self._inbox.put(Message(Arrival(topic, kept, self._clock(), self._position, retained), epoch, mid, again))

    def _announce(self) -> None:
        """Say whether we are ready, where that is news: on a new connection the will has said that we are not."""
        epoch, ready = self._out.epoch, not (self._in.why or self._out.why)
        told_epoch, told_ready = self._told
        if not self._state_topic or not epoch or ready == (told_ready and epoch == told_epoch):
            return
        self._told = (epoch, ready)
        self._later.appendleft((self._state_topic, "online" if ready else "offline", 1, True))

    def _send_later(self) -> None:
        while self._later and self._out.epoch:
            if not self._sent(*self._later[0]):
                return
            self._later.popleft()

    def _sent(self, topic: str, payload: bytes | str, qos: int, retain: bool) -> bool:
        """Whether paho has taken it. Its queue is short; while the broker answers, we wait for room in it."""
        while not self._out.offer(topic, payload, qos, retain):
            if not self._out.epoch or time.monotonic() - self._out.answered_s > self._out.keepalive_s:
                return False
            time.sleep(ROOM_S)
        return True
