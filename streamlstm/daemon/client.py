"""paho's client with fewer system calls: at each of them a thread gives the interpreter away, and then waits for it.

paho reads a packet in three pieces, writes each by itself, and wakes its thread once more for each that it is handed.
Here what has come is read at once, what is to go is written together, and a thread that is awake already is not woken.
What goes over the wire is the same. It leans on names of paho's own: `_sock_recv`, `_sock_send`, `_packet_write`,
`_sockpairW`.
"""

from __future__ import annotations

import socket
import time

import paho.mqtt.client as paho

# Bytes, at once: about a hundred messages. Then what is to go is written, so that no window stays shut for long.
RECEIVED = 2**14
DISCONNECT = 0xE0  # the first byte of the packet behind which paho closes the socket


class Client(paho.Client):
    """And when its thread last came round."""

    turned_s = 0.0
    _came, _read = b"", 0  # what has come, and how much of it paho has asked for
    _going = b""  # what paho has written, and the socket has not taken yet
    _pieces: list[bytes | bytearray] | None = None  # while packets are gathered
    _bell: _Bell | None = None

    def loop_start(self) -> paho.MQTTErrorCode:
        code = super().loop_start()
        if not code and self._sockpairW is not None:
            self._bell = self._sockpairW = _Bell(self._sockpairW)  # type: ignore[assignment]
        return code

    def reconnect(self) -> paho.MQTTErrorCode:
        self._came, self._read, self._going = b"", 0, b""  # of the connection that is no more
        if self._bell:
            self._bell.has_rung = False
        return super().reconnect()

    def loop_misc(self) -> paho.MQTTErrorCode:
        self.turned_s = time.monotonic()
        return super().loop_misc()

    def loop_read(self, max_packets: int = 1) -> paho.MQTTErrorCode:
        """All that has come: of what is in our hands already, no socket tells."""
        code = super().loop_read(max_packets)
        while not code and self._read < len(self._came):
            code = super().loop_read(max_packets)
        return code

    def want_write(self) -> bool:
        return bool(self._going) or super().want_write()

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._read >= len(self._came):
            self._came, self._read = super()._sock_recv(max(bufsize, RECEIVED)), 0
        begin, self._read = self._read, self._read + bufsize
        return self._came[begin : self._read]

    def _packet_write(self) -> paho.MQTTErrorCode:
        if self._bell:
            self._bell.has_rung = False  # first, so that what is handed over from here on rings again
        if code := self._send_on():
            return code
        self._pieces = []
        try:
            code = super()._packet_write()
        finally:
            self._going, self._pieces = b"".join(self._pieces), None
        return self._send_on() or code

    def _sock_send(self, buf: bytes | bytearray) -> int:
        if self._pieces is None:
            return super()._sock_send(buf)
        if buf[0] == DISCONNECT:
            if self._pieces:
                raise BlockingIOError("what is before it must be out")  # paho offers it again, and again first
            return super()._sock_send(buf)
        self._pieces.append(buf)
        return len(buf)

    def _send_on(self) -> paho.MQTTErrorCode:
        """Let the socket have as much as it takes."""
        if not self._going:
            return paho.MQTT_ERR_SUCCESS
        try:
            sent = super()._sock_send(self._going)
        except BlockingIOError:
            return paho.MQTT_ERR_AGAIN
        except OSError:  # which says no more than paho's own words for it
            return paho.MQTT_ERR_CONN_LOST
        self._going = self._going[sent:]
        return paho.MQTT_ERR_AGAIN if self._going else paho.MQTT_ERR_SUCCESS


class _Bell:
    """In the place of the socket by which paho's thread is woken: it rings once, until that thread has come."""

    def __init__(self, wakes: socket.socket) -> None:
        self.has_rung = False
        self._wakes = wakes

    def send(self, byte: bytes) -> int:
        if self.has_rung:
            return len(byte)
        self.has_rung = True
        return self._wakes.send(byte)

    def close(self) -> None:
        self._wakes.close()
