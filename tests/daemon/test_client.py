"""paho with fewer system calls says the same over the wire as paho, and hears the same, however the bytes are cut."""

from __future__ import annotations

import select
import socket
import threading

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from streamlstm.daemon.client import RECEIVED, Client, _Bell


def connected(kind: type[paho.Client]) -> tuple[paho.Client, socket.socket]:
    """A client at one end of a pair of sockets, as paho's own thread would have it, and the other end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    client = kind(CallbackAPIVersion.VERSION2, client_id="c", protocol=paho.MQTTv311, manual_ack=True)
    client._sock, client._thread = ours, threading.current_thread()
    return client, theirs


def said(kind: type[paho.Client], payloads: list[bytes]) -> bytes:
    """What goes over the wire: publications with QoS 1 and 0 in turn, an acknowledgement after each, the farewell."""
    client, theirs = connected(kind)
    theirs.setblocking(False)
    with theirs:
        for n, payload in enumerate(payloads):
            client.publish(f"t/{n}", payload, (n + 1) % 2, True)
            client.ack(n + 1, 1)
        client.disconnect()
        heard = b""
        while client.want_write() and client.socket():
            client.loop_write()
            heard += received(theirs)
        assert client.socket() is None  # it hangs up behind its farewell
        return heard + received(theirs)


def received(sock: socket.socket) -> bytes:
    try:
        return sock.recv(2**22)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize("size", [0, 10, 700, 300_000])  # more than the socket takes at once, too
def test_the_wire_says_the_same_as_plain_paho(size):
    payloads = [bytes([n]) * (size + n) for n in range(6)]
    assert said(Client, payloads) == said(paho.Client, payloads)


@given(st.lists(st.integers(0, 60) | st.sampled_from([RECEIVED - 9, RECEIVED, 3 * RECEIVED]), max_size=8), st.data())
def test_every_message_is_heard_once_and_in_order_however_the_bytes_are_cut(sizes, data):
    payloads = [bytes([n]) * size for n, size in enumerate(sizes)]
    sender, wire = connected(paho.Client)
    with wire:
        for payload in payloads:
            sender.publish("t", payload)
        whole = b""
        wire.setblocking(False)
        while sender.want_write():
            sender.loop_write()
            whole += received(wire)
        whole += received(wire)
        sender.socket().close()
    client, theirs = connected(Client)
    heard: list[bytes] = []
    client.on_message = lambda _client, _user, message: heard.append(bytes(message.payload))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    theirs.setblocking(False)
    with theirs, client.socket() as ours:
        for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            left = whole[begin:end]
            while left or select.select([ours], [], [], 0)[0]:  # as paho's thread finds it readable
                left = left[sent(theirs, left) :]
                client.loop_read()
    assert heard == payloads


def sent(sock: socket.socket, some: bytes) -> int:
    """How much of it a socket has taken: no more than it has room for."""
    try:
        return sock.send(some)
    except BlockingIOError:
        return 0


def test_a_thread_that_is_awake_is_not_woken():
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with theirs:
        bell = _Bell(ours)
        for _ in range(3):
            bell.send(b"0")
        assert theirs.recv(10) == b"0"
        bell.has_rung = False  # it has come
        bell.send(b"0")
        assert theirs.recv(10) == b"0"
        bell.close()
