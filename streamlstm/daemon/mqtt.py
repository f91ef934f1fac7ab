"""The link to the broker: everything that knows paho, and nothing else. Messages come out in order, acknowledgements
and publications go in; whatever happens between us and the broker ends here, as one `Connection` for a person to read.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from streamlstm.codec import topics
from streamlstm.config import Mqtt
from streamlstm.daemon import endpoint
from streamlstm.daemon.backoff import Backoff
from streamlstm.daemon.inbox import Inbox, Message
from streamlstm.daemon.status import Connection
from streamlstm.events import SECOND_NS, Arrival

log = logging.getLogger(__name__)

WINDOW = 512  # unacknowledged messages we ask for: what a lost connection brings again, and two batches of the engine
IN_FLIGHT = 20  # publications without an answer: what mosquitto allows
IN_HAND = 200  # of them with paho, so that its thread never waits for ours
KEPT = 10_000  # publications that wait for the broker to come back; the oldest give way
ROOM_S = 0.003  # in which a broker answers a part of what is in hand
TAKEN_OVER = 0x8E
UNCONFIRMED = "the subscriptions are not confirmed yet"
FOREVER_S = 0xFFFFFFFF  # MQTT 5: the session never expires


class Link:
    """One client of the broker, which connects, subscribes and reconnects by itself until `stop`.

    paho's thread fills the inbox; one other thread calls everything public here.
    """

    def __init__(
        self,
        settings: Mqtt,
        filters: Sequence[str],
        *,
        clock: Callable[[], int] = time.time_ns,
        payload_limit: int = 2**20,
        backoff: Backoff | None = None,
        announces: bool = True,
    ) -> None:
        """`announces`: say online and offline on our state topic."""
        self.endpoint = endpoint.parse(settings.url)
        self._state_topic = topics.bridge_state(settings.base) if announces else ""
        self._settings = settings
        self._filters = list(filters)
        self._clock = clock
        self._payload_limit = payload_limit
        self._backoff = backoff or Backoff()
        self._keepalive_s = max(1, settings.keepalive // SECOND_NS)

        # a quarter: with paho's own pace for pings it stays within the one and a half keepalives that a broker waits
        self._inbox = Inbox(settings.inbox, patience_s=self._keepalive_s / 4)
        self._later: deque[tuple[str, bytes | str, int, bool]] = deque()
        self._answered_s = 0.0
        self._handed = self._answered = 0  # publications to paho, and those that came to an end

        # A late acknowledgement on a newer connection would acknowledge some other message, which were lost then. The
        # lock makes "same epoch" and "acknowledge" one step; paho forgets what it has not sent when it reconnects.
        self._epoch_lock = threading.RLock()
        self._live = 0  # the epoch of the connection that stands; 0: none
        self._epochs = 0
        self._connected_s = 0.0
        self._heard = False  # the broker has answered the CONNECT of this attempt
        self._why = "not connected yet"

        self._position = 0  # of the newest arrival
        self._received = self._errors = 0
        self._given_way = self._refused = 0  # publications; each is counted by one thread alone
        self._network: threading.Thread | None = None
        self._revive_s = 0.0
        self._stopping = False
        self._client = self._new_client()

    # --- for the engine's thread ---

    def start(self) -> None:
        """Begin to connect; never waits, and an absent broker is no error."""
        properties = None
        keywords: dict[str, Any] = {}
        if self._is_v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = min(self._settings.session // SECOND_NS, FOREVER_S)
            properties.ReceiveMaximum = min(self._settings.inbox, WINDOW)
            keywords = {"clean_start": False, "properties": properties}
        self._client.connect_async(self.endpoint.host, self.endpoint.port, self._keepalive_s, **keywords)
        self._client.loop_start()

    def take(self, most: int, timeout_s: float) -> list[Message]:
        """The next messages in order of arrival, at most so many; waits up to `timeout_s` for the first."""
        self._revive()
        self._send_later()
        taken = self._inbox.take(most, timeout_s)
        self._received += len(taken)
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> int:
        """Acknowledge in the given order, which must be that of arrival. Returns how many still could be: those of an
        earlier connection come again, and it is then that they are acknowledged."""
        count = 0
        with self._epoch_lock:
            for message in messages:
                if message.mid and message.epoch == self._live:
                    self._client.ack(message.mid, 1)
                    count += 1
        return count

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
        """Publications that the broker may not have yet. Exact where all is QoS 1 and nothing is announced."""
        return len(self._later) + self._handed - self._answered

    @property
    def epoch(self) -> int:
        """Which connection this is, counted from 1; 0 while there is none."""
        return self._live

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
        live, why = self._live, self._why
        if live and not why and self._is_contested:
            why = self._rival()
        return Connection(
            connected=bool(live),
            reconnects=max(0, self._epochs - 1),
            received=self._received,
            why=why,
            dropped=self._inbox.dropped,
            unpublished=self._given_way + self._refused,
            errors=self._errors,
        )

    def stop(self, patience_s: float = 3.0) -> None:
        """Say goodbye and end. Unacknowledged messages stay with the broker for the next start."""
        deadline = time.monotonic() + patience_s
        self._send_later()
        self._stopping = True
        self._inbox.close()  # from here on nothing more is taken in, so paho's thread is free to write
        if self._live and self._state_topic:
            farewell = self._client.publish(self._state_topic, "offline", 1, True)
            while self._live and not _is_out(farewell) and time.monotonic() < deadline:
                time.sleep(0.01)
        self._client.disconnect()
        network = self._network
        if network is not None:
            network.join(max(0.5, deadline - time.monotonic()))  # a look-up of the host's address may outlast it

    # --- set-up ---

    @property
    def _is_v5(self) -> bool:
        return self._settings.version == "5"

    def _new_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._settings.client_id,
            protocol=paho.MQTTv5 if self._is_v5 else paho.MQTTv311,
            clean_session=None if self._is_v5 else False,
            transport="websockets" if self.endpoint.is_websocket else "tcp",
            manual_ack=True,
        )
        if self.endpoint.is_tls:
            client.tls_set_context(endpoint.tls_context(self._settings))
        if self.endpoint.is_websocket:
            client.ws_set_options(path=self.endpoint.path)
        if self._state_topic:
            client.will_set(self._state_topic, "offline", 1, True)
        client.max_inflight_messages_set(IN_FLIGHT)
        client.max_queued_messages_set(IN_HAND)
        client.on_pre_connect = self._before_connect  # may raise an OSError: then this attempt has failed
        client.on_socket_open = self._guarded(_send_at_once)
        client.on_connect = self._guarded(self._on_connect)
        client.on_connect_fail = self._guarded(self._on_connect_fail)
        client.on_subscribe = self._guarded(self._on_subscribe)
        client.on_disconnect = self._guarded(self._on_disconnect)
        client.on_message = self._guarded(self._on_message)
        client.on_publish = self._guarded(self._on_publish)
        return client

    def _guarded(self, callback: Callable[..., None]) -> Callable[..., None]:
        """An exception in a callback would end paho's thread, while its client goes on saying "connected"."""

        def call(*arguments: Any) -> None:
            try:
                callback(*arguments)
            except Exception:
                self._errors += 1
                if self._errors == 1:  # once: a fault that comes with every message must not fill the disk
                    log.exception("event=callback_failed callback=%s", callback.__name__)

        return call

    # --- in paho's thread ---

    def _before_connect(self, client: paho.Client, _user: Any) -> None:
        self._network = threading.current_thread()
        self._heard = False
        if self._settings.password_file is not None:
            client.username_pw_set(self._settings.username, endpoint.password(self._settings.password_file))
        elif self._settings.username is not None:
            client.username_pw_set(self._settings.username)

    def _on_connect(self, client: paho.Client, _user: Any, flags: Any, code: Any, _properties: Any) -> None:
        self._heard = True
        if self._stopping:
            client.disconnect()
        elif code.is_failure:
            self._complain(f"{self.endpoint} refuses us: {str(code).lower()}{_hint(str(code))}")
        else:
            with self._epoch_lock:
                self._epochs += 1
                self._live = self._epochs
            self._connected_s = self._answered_s = time.monotonic()
            self._why = UNCONFIRMED
            log.info("event=connected broker=%s session=%s", self.endpoint, "kept" if flags.session_present else "new")
            if self._filters:
                client.subscribe(self._subscriptions())
            else:
                self._go_online(client)

    def _subscriptions(self) -> list[Any]:
        if not self._is_v5:
            return [(each, 1) for each in self._filters]
        # retained messages only where the subscription is new; QoS 2 with manual acknowledgement would lose some
        return [(each, SubscribeOptions(qos=1, retainHandling=1)) for each in self._filters]

    def _on_subscribe(self, client: paho.Client, _user: Any, _mid: int, codes: Any, _properties: Any) -> None:
        refused = [f"'{each}': {code}" for each, code in zip(self._filters, codes, strict=False) if code.is_failure]
        if refused:
            self._complain(f"{self.endpoint} refuses a subscription: {'; '.join(refused).lower()}")
        else:
            self._go_online(client)

    def _go_online(self, client: paho.Client) -> None:
        self._why = ""
        if self._state_topic:
            client.publish(self._state_topic, "online", 1, True)
        log.info("event=subscribed broker=%s filters=%d", self.endpoint, len(self._filters))

    def _on_connect_fail(self, client: paho.Client, _user: Any) -> None:
        self._complain(endpoint.explain(sys.exception(), self.endpoint))  # paho calls us while it handles the error
        self._wait(client, self._backoff.failed())

    def _on_disconnect(self, client: paho.Client, _user: Any, flags: Any, code: Any, _properties: Any) -> None:
        with self._epoch_lock:
            was, self._live = self._live, 0
        if self._stopping:
            return
        if was:
            said = str(code).lower() if flags.is_disconnect_packet_from_server else ""
            by_rival = None
            if said or self._why == UNCONFIRMED:  # so we know better than to guess
                by_rival = bool(said) and code.value == TAKEN_OVER
            delay = self._backoff.lost(time.monotonic() - self._connected_s, by_rival=by_rival)
            if self._backoff.is_contested:
                self._complain(self._rival())
            elif self._why == UNCONFIRMED:
                hint = "is a topic of [[streams]] refused?"
                self._complain(f"{self.endpoint} hangs up when we subscribe{said and f' ({said})'}; {hint}")
            else:
                self._complain(f"lost {self.endpoint}{said and f': {said}'}")
        elif self._heard:  # and refused
            delay = self._backoff.refused()
        else:
            delay = self._backoff.failed()
            self._complain(endpoint.unanswered(self.endpoint, self._settings.version))
        self._wait(client, delay)

    def _on_message(self, _client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        if self._stopping:
            return  # unacknowledged, it comes again
        self._position += 1
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic = error.object.decode("utf-8", "backslashreplace")
        # one byte beyond the limit still tells that it is too long, and the inbox stays small
        payload = bytes(message.payload[: self._payload_limit + 1])
        arrival = Arrival(topic, payload, self._clock(), self._position, message.retain)
        self._inbox.put(Message(arrival, self._live, message.mid if message.qos else 0))

    def _on_publish(self, _client: paho.Client, _user: Any, _mid: int, code: Any, _properties: Any) -> None:
        if code.is_failure:  # MQTT 5 only; 3.1.1 has no word for it
            self._refused += 1
            if self._refused == 1:
                log.warning("event=publication_refused reason=%r", str(code).lower())
        self._answered += 1
        self._answered_s = time.monotonic()

    def _wait(self, client: paho.Client, delay_s: float) -> None:
        client.reconnect_delay_set(delay_s, delay_s)  # type: ignore[arg-type]  # paho only adds and compares it
        log.info("event=reconnecting in_seconds=%.1f", delay_s)

    def _complain(self, why: str) -> None:
        if why != self._why and not self._stopping:
            log.warning("event=not_ready why=%r", why)
        self._why = why

    # --- in the engine's thread ---

    @property
    def _is_contested(self) -> bool:
        return self._backoff.is_contested and time.monotonic() - self._connected_s < self._backoff.lasting_s

    def _rival(self) -> str:
        return f"another client uses the id '{self._settings.client_id}' (mqtt.client_id): each throws the other out"

    def _send_later(self) -> None:
        while self._later and self._live:
            if not self._sent(*self._later[0]):
                return
            self._later.popleft()

    def _sent(self, topic: str, payload: bytes | str, qos: int, retain: bool) -> bool:
        """Whether paho has taken it. Its queue is short; while the broker answers, we wait for room in it."""
        while True:
            if self._client.publish(topic, payload, qos, retain).rc != paho.MQTT_ERR_QUEUE_SIZE:
                self._handed += 1
                return True
            if not self._live or time.monotonic() - self._answered_s > self._keepalive_s:
                return False
            time.sleep(ROOM_S)  # to be woken by each answer would cost a quarter more

    def _revive(self) -> None:
        """paho's thread ended by an error nobody foresaw (say, a broker that does not speak websockets properly)?"""
        if self._stopping or self._network is None or self._network.is_alive():
            return
        now_s = time.monotonic()
        if not self._revive_s:
            with self._epoch_lock:
                self._live = 0
            self._errors += 1
            self._complain(f"{self.endpoint} sends what no broker sends")
            self._revive_s = now_s + self._backoff.failed()
        elif now_s >= self._revive_s:
            self._revive_s, self._network = 0.0, None
            self.start()


def _send_at_once(_client: paho.Client, _user: Any, sock: Any) -> None:
    """TCP_NODELAY, without which an acknowledgement may wait 40 ms. By a second handle: paho's own may be a wrapper."""
    with socket.socket(fileno=os.dup(sock.fileno())) as handle:
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _is_out(sent: paho.MQTTMessageInfo) -> bool:
    try:
        return sent.is_published()
    except (RuntimeError, ValueError):  # refused: there is nothing to wait for
        return True


def _hint(reason: str) -> str:
    said = reason.lower()
    if "user name" in said or "password" in said or "authori" in said:
        return "; check mqtt.username and mqtt.password_file"
    return "; check mqtt.client_id" if "identifier" in said else ""
