"""Everything that knows paho, but for how its bytes come and go (`client`): one connection to the broker, made again
whenever it is lost, and what happens between us and the broker as words for a person.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from streamlstm.daemon import endpoint
from streamlstm.daemon.backoff import Backoff
from streamlstm.daemon.client import Client
from streamlstm.events import SECOND_NS
from streamlstm.sections import Mqtt

log = logging.getLogger(__name__)

WINDOW = 512  # unacknowledged messages we ask for: what a lost connection brings again, and two batches of the engine
IN_FLIGHT = 20  # publications without an answer: what mosquitto allows
IN_HAND = 200  # of them with paho, so that its thread never waits for ours
TAKEN_OVER = 0x8E
UNCONFIRMED = "the subscriptions are not confirmed yet"
STUCK_S = 30.0  # paho looks around at least once a second, and after every message
FOREVER_S = 0xFFFFFFFF  # MQTT 5: the session never expires

# topic, payload, is it retained, mid (0: QoS 0), epoch, was it sent before
Receive = Callable[[str, bytes | bytearray, bool, int, int, bool], None]


class Session:
    """One client of the broker. It connects, subscribes and reconnects by itself from `start` to `stop`.

    With filters the broker keeps its session while it is away; without, it is only there to publish. One thread calls
    everything public; `receive` is called in paho's.
    """

    def __init__(
        self,
        settings: Mqtt,
        client_id: str,
        filters: Sequence[str] = (),
        *,
        fresh: Collection[str] = (),
        receive: Receive | None = None,
        will: tuple[str, str] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """fresh: those filters whose retained messages are wanted at every connection. will: topic and payload that the
        broker publishes, retained, when we vanish."""
        self.endpoint = endpoint.parse(settings.url)
        self.keepalive_s = max(1, settings.keepalive // SECOND_NS)
        self.epoch = 0  # of the connection that stands, counted from 1; 0: none
        self.connections = 0
        self.answered_s = 0.0  # when the broker last answered a publication
        self.refused = 0  # publications that the broker did not want
        self.errors = 0
        self._settings = settings
        self._client_id = client_id
        self._filters = list(filters)
        self._fresh = frozenset(fresh)
        self._receive = receive
        self._backoff = backoff or Backoff()

        # A late acknowledgement on a newer connection would acknowledge some other message, which were lost then. The
        # lock makes "same epoch" and "acknowledge" one step; paho forgets what it has not sent when it reconnects.
        self._epoch_lock = threading.RLock()
        self._connected_s = 0.0
        self._heard = False  # the broker has answered the CONNECT of this attempt
        self._why = "not connected yet"
        self._handed = self._answered = 0
        self._network: threading.Thread | None = None
        self._revive_s = 0.0
        self._stopping = False
        self._client = self._new_client(will)

    @property
    def why(self) -> str:
        """Why we are not ready; empty when we are connected and subscribed, and nobody contests it."""
        if self.epoch and not self._why and self._is_contested:
            return self._rival()
        if not self.epoch and not self._why:  # the reason is being worked out in the network thread
            return f"lost {self.endpoint}"
        return self._why

    @property
    def unanswered(self) -> int:
        """Publications that the broker may not have yet. Exact where all of them are QoS 1: of QoS 0, paho does not
        tell what a broken connection took with it."""
        return self._handed - self._answered

    def start(self) -> None:
        """Begin to connect; never waits, and an absent broker is no error."""
        properties = None
        keywords: dict[str, Any] = {}
        if self._is_v5:
            properties = Properties(PacketTypes.CONNECT)
            if self._filters:
                properties.SessionExpiryInterval = min(self._settings.session // SECOND_NS, FOREVER_S)
                properties.ReceiveMaximum = min(self._settings.inbox, WINDOW)
            keywords = {"clean_start": not self._filters, "properties": properties}
        self._client.connect_async(self.endpoint.host, self.endpoint.port, self.keepalive_s, **keywords)
        self._client.loop_start()

    def acknowledge(self, messages: Iterable[tuple[int, int]]) -> int:
        """Acknowledge each (mid, epoch), in the order of arrival. Returns how many still could be: those of an earlier
        connection come again, and it is then that they are acknowledged."""
        count = 0
        with self._epoch_lock:
            for mid, epoch in messages:
                if mid and epoch == self.epoch:
                    self._client.ack(mid, 1)
                    count += 1
        return count

    def offer(self, topic: str, payload: bytes | str, qos: int, retain: bool) -> bool:
        """Publish; False where too much is unanswered, and it is to be offered again."""
        if self._client.publish(topic, payload, qos, retain).rc == paho.MQTT_ERR_QUEUE_SIZE:
            return False
        self._handed += 1
        return True

    def revive(self) -> None:
        """Begin anew where paho's thread was ended by an error nobody foresaw; to be called now and then."""
        if self._stopping or self._network is None or self._network.is_alive():
            return
        now_s = time.monotonic()
        if not self._revive_s:
            with self._epoch_lock:
                self.epoch = 0
            self.errors += 1
            self._complain(f"{self.endpoint} sends what no broker sends")
            self._revive_s = now_s + self._backoff.failed()
        elif now_s >= self._revive_s:
            self._revive_s, self._network = 0.0, None
            self.start()

    def fault(self) -> str:
        """What is wrong with paho's thread. One that has ended is begun anew by `revive`, in a while."""
        if self._network is None or self._stopping:
            return ""
        if not self._network.is_alive():
            return f"the network thread of '{self._client_id}' has ended"
        # without a connection it may wait long, for the next attempt or for the look-up of a name
        is_stuck = self.epoch and time.monotonic() - self._client.turned_s > STUCK_S
        return f"the network thread of '{self._client_id}' does not move" if is_stuck else ""

    def stop(self, deadline_s: float, farewell: tuple[str, str] | None = None) -> None:
        """Publish `farewell` (topic, payload; retained), disconnect and end. What is unacknowledged stays with the
        broker for the next start."""
        self._stopping = True
        if self.epoch and farewell:
            last = self._client.publish(*farewell, 1, True)
            while self.epoch and not _is_out(last) and time.monotonic() < deadline_s:
                time.sleep(0.01)
        self._client.disconnect()
        if self._network is not None:  # a look-up of the host's address may outlast our patience
            self._network.join(max(0.5, deadline_s - time.monotonic()))

    # --- set-up ---

    @property
    def _is_v5(self) -> bool:
        return self._settings.version == "5"

    def _new_client(self, will: tuple[str, str] | None) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=paho.MQTTv5 if self._is_v5 else paho.MQTTv311,
            clean_session=None if self._is_v5 else not self._filters,
            transport="websockets" if self.endpoint.is_websocket else "tcp",
            manual_ack=True,
        )
        if self.endpoint.is_tls:
            client.tls_set_context(endpoint.tls_context(self._settings))
        if self.endpoint.is_websocket:
            client.ws_set_options(path=self.endpoint.path)
        if will is not None:
            client.will_set(*will, 1, True)
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
                self.errors += 1
                if self.errors == 1:  # once: a fault that comes with every message must not fill the disk
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
                self.connections += 1
                self.epoch = self.connections
            self._connected_s = self.answered_s = self._client.turned_s = time.monotonic()
            self._why = UNCONFIRMED
            log.info(
                "event=connected client=%r broker=%s session=%s",
                self._client_id,
                self.endpoint,
                "kept" if flags.session_present else "new",
            )
            if self._filters:
                client.subscribe(self._subscriptions())
            else:
                self._go_online()

    def _subscriptions(self) -> list[Any]:
        if not self._is_v5:
            return [(each, 1) for each in self._filters]
        # Retained messages only where the subscription is new, or where they are state that we may have missed. QoS 2
        # with manual acknowledgement would lose some.
        return [(each, SubscribeOptions(qos=1, retainHandling=int(each not in self._fresh))) for each in self._filters]

    def _on_subscribe(self, _client: paho.Client, _user: Any, _mid: int, codes: Any, _properties: Any) -> None:
        refused = [f"'{each}': {code}" for each, code in zip(self._filters, codes, strict=False) if code.is_failure]
        if refused:
            self._complain(f"{self.endpoint} refuses a subscription: {'; '.join(refused).lower()}")
        else:
            self._go_online()

    def _go_online(self) -> None:
        self._why = ""
        log.info("event=online client=%r filters=%d", self._client_id, len(self._filters))

    def _on_connect_fail(self, client: paho.Client, _user: Any) -> None:
        self._complain(endpoint.explain(sys.exception(), self.endpoint))  # paho calls us while it handles the error
        self._wait(client, self._backoff.failed())

    def _on_disconnect(self, client: paho.Client, _user: Any, flags: Any, code: Any, _properties: Any) -> None:
        with self._epoch_lock:
            was, self.epoch = self.epoch, 0
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
        if self._receive is None or self._stopping:
            return  # unacknowledged, it comes again
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic = error.object.decode("utf-8", "backslashreplace")
        mid = message.mid if message.qos else 0
        self._receive(topic, message.payload, message.retain, mid, self.epoch, message.dup)
        self._client.turned_s = time.monotonic()  # many messages may be read in one turn, and each wait for room

    def _on_publish(self, _client: paho.Client, _user: Any, _mid: int, code: Any, _properties: Any) -> None:
        if code.is_failure:  # MQTT 5 only; 3.1.1 has no word for it
            self.refused += 1
            if self.refused == 1:
                log.warning("event=publication_refused reason=%r", str(code).lower())
        self._answered += 1
        self.answered_s = time.monotonic()

    def _wait(self, client: paho.Client, delay_s: float) -> None:
        client.reconnect_delay_set(delay_s, delay_s)  # type: ignore[arg-type]  # paho only adds and compares it
        log.info("event=reconnecting client=%r in_seconds=%.1f", self._client_id, delay_s)

    def _complain(self, why: str) -> None:
        if why != self._why and not self._stopping:
            log.warning("event=not_ready why=%r", why)
        self._why = why

    @property
    def _is_contested(self) -> bool:
        return self._backoff.is_contested and time.monotonic() - self._connected_s < self._backoff.lasting_s

    def _rival(self) -> str:
        return f"another client uses the id '{self._client_id}' (mqtt.client_id): each throws the other out"


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
