"""A paho client that does nothing with what it takes: the limit for whatever is built on paho.

    python -m benchmarks.end_to_end.consumer PORT CLIENT_ID {5,3.1.1} {automatic,manual} COUNT

With COUNT 0 it only subscribes, and the broker keeps its session; else it prints how long COUNT messages took.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.end_to_end.readings import FILTER


def main() -> None:
    port, client_id, version, how, count = sys.argv[1:]
    left, began_s, took_s = int(count), 0.0, 0.0
    done = threading.Event()
    is_v5 = version == "5"
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=paho.MQTTv5 if is_v5 else paho.MQTTv311,
        clean_session=None if is_v5 else False,
        manual_ack=how == "manual",
    )

    def on_socket_open(_client: paho.Client, _user: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def on_connect(*_: Any) -> None:
        client.subscribe(FILTER, qos=1)

    def on_subscribe(*_: Any) -> None:
        if not int(count):
            done.set()

    def on_message(_client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        nonlocal left, began_s, took_s
        if how == "manual":
            client.ack(message.mid, message.qos)
        if left == int(count):
            began_s = time.perf_counter()
        left -= 1
        if left == 0:
            took_s = time.perf_counter() - began_s
            done.set()

    client.on_socket_open, client.on_connect, client.on_subscribe = on_socket_open, on_connect, on_subscribe
    client.on_message = on_message
    keywords: dict[str, Any] = {}
    if is_v5:
        keywords = {"clean_start": False, "properties": Properties(PacketTypes.CONNECT)}
        keywords["properties"].SessionExpiryInterval = 86_400
    client.connect("127.0.0.1", int(port), 60, **keywords)
    client.loop_start()
    if not done.wait(300):
        sys.exit(f"{left} of {count} messages have not come")
    client.disconnect()  # what is acknowledged is sent before it
    client.loop_stop()
    print(took_s)


if __name__ == "__main__":
    main()
