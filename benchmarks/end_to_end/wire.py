"""The meter's own end of the broker: MQTT 3.1.1, as much as it needs.

A paho client takes as long for a message as what is measured, and the latency would be its own.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable
from types import TracebackType

MOST_UNANSWERED = 200  # publications
PATIENCE_S = 60.0
_CONNECT, _SUBSCRIBE, _PUBLISH_1 = 0x10, 0x82, 0x32
_PUBLISH, _PUBACK, _CONNACK, _SUBACK = 3, 4, 2, 9


class Wire:
    """One clean session without pings."""

    def __init__(self, port: int, client_id: str, *filters: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._mid = 0
        self._unanswered = 0
        self._rest = b""
        self._socket.sendall(_frame(_CONNECT, _text("MQTT") + bytes((4, 2, 0, 0)) + _text(client_id)))
        self._await(_CONNACK)
        if filters:
            self._socket.sendall(
                _frame(_SUBSCRIBE, b"\0\1" + b"".join(_text(each) + b"\0" for each in filters))  # QoS 0
            )
            self._await(_SUBACK)

    def send(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish with QoS 1, in one go."""
        frames = bytearray()
        for topic, payload in messages:
            self._mid = self._mid % 65_535 + 1
            frames += _frame(_PUBLISH_1, _text(topic) + self._mid.to_bytes(2, "big") + payload)
            self._unanswered += 1
        self._socket.sendall(frames)

    def send_all(self, messages: list[tuple[str, bytes]]) -> None:
        """Publish them, and return when the broker has them."""
        for begin in range(0, len(messages), MOST_UNANSWERED):
            self.send(messages[begin : begin + MOST_UNANSWERED])
            while self._unanswered:
                self._more(PATIENCE_S)

    def received(self, patience_s: float) -> list[tuple[str, bytes]]:
        """Topic and payload of what has come; waits for the first so long, or until anything else is heard."""
        return [_message(flags, body) for flags, body in self._more(patience_s) if flags >> 4 == _PUBLISH]

    def _more(self, patience_s: float) -> list[tuple[int, bytes]]:
        """Frames that came whole: the first byte of each, and its body."""
        if not select.select([self._socket], [], [], max(0.0, patience_s))[0]:
            return []
        came = self._socket.recv(1 << 20)
        if not came:
            raise ConnectionError("the broker has closed the meter's connection; see its log")
        found, self._rest = frames(self._rest + came)
        self._unanswered -= sum(flags >> 4 == _PUBACK for flags, _ in found)
        return found

    def _await(self, kind: int) -> None:
        ends_s = time.monotonic() + PATIENCE_S
        while not any(flags >> 4 == kind for flags, _ in self._more(PATIENCE_S)):
            if time.monotonic() > ends_s:
                raise TimeoutError(f"the broker sends no packet of type {kind}")

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames in what came (first byte and body), and the rest."""
    found, begin = [], 0
    while begin + 2 <= len(data):
        length, place = data[begin + 1], begin + 2
        if length >= 0x80:
            length, shift = length & 0x7F, 7
            while place < len(data):
                length |= (data[place] & 0x7F) << shift
                shift += 7
                place += 1
                if data[place - 1] < 0x80:
                    break
            else:
                break
        if place + length > len(data):
            break
        found.append((data[begin], data[place : place + length]))
        begin = place + length
    return found, data[begin:]


def _message(flags: int, body: bytes) -> tuple[str, bytes]:
    end = 2 + int.from_bytes(body[:2], "big")
    return body[2:end].decode(), body[end + (2 if flags & 0x06 else 0) :]


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def _frame(first: int, body: bytes) -> bytes:
    length, coded = len(body), bytearray()
    while length >= 0x80:
        coded.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes((first, *coded, length)) + body
