"""The bundled broker: an iotcore (rumqttd) child process on loopback ports, for the demo and for tests.

It keeps everything in memory and knows no login: a broker for one machine. iotcore is an extra, needed only here.
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

# A child of our own rather than iotcore's: it sits in its own session, so that Ctrl-C in the terminal reaches us alone
# and the last messages still find a broker; and it logs nothing. It ends with us: its stdin closes when we do.
_CHILD = """
import logging, os, sys, threading
from iotcore import IotCoreBroker

def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)

logging.disable(logging.CRITICAL)
threading.Thread(target=end_with_parent, daemon=True).start()
IotCoreBroker(config_path=sys.argv[1]).run_forever()
"""

# Past segment size × count of one topic the oldest messages vanish, so both are ample for a demo.
_ROUTER = """
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 16777216
max_segment_count = 16
"""

_LISTENER = """
[{version}.1]
name = "{version}"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 0
[{version}.1.connections]
connection_timeout_ms = 10000
max_payload_size = 17825792
max_inflight_count = 100
"""

_VERSIONS = ("5", "3.1.1")
# A CONNECT with a clean session and no id of its own. A fixed id must not be used with both versions at a time: rumqttd
# refuses the second, and at the next attempt with that id the listener panics for good.
_HELLO = {
    "5": b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x00",
    "3.1.1": b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00",
}
_GOODBYE = b"\xe0\x00"


class BrokerError(RuntimeError):
    """The bundled broker cannot be had; the message says what to do."""


class Embedded:
    """A broker of our own on free loopback ports, one for each protocol version.

    As a context manager it starts on entry and is gone, with its files, on exit.
    """

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}
        self._owned = ExitStack()

    def start(self, patience_s: float = 15.0) -> str:
        """Start, wait until both versions are answered, and return the URL for MQTT 5."""
        if importlib.util.find_spec("iotcore") is None:
            raise BrokerError(
                "the bundled broker needs the package 'iotcore', which is not installed: "
                "install streamlstm[demo], or give mqtt.url"
            )
        for attempt in (1, 2, 3):  # between choosing a port and binding it, another program may take it
            try:
                self._launch(time.monotonic() + patience_s)
                return self.url("5")
            except BrokerError:
                self.stop()
                if attempt == 3:
                    raise
        raise AssertionError("the third attempt returns or raises")

    def url(self, version: str) -> str:
        """Where clients of this protocol version ("5", "3.1.1") connect."""
        return f"mqtt://127.0.0.1:{self._ports[version]}"

    def stop(self) -> None:
        """End the broker and remove its files. Safe to call twice."""
        self._owned.close()

    def __enter__(self) -> Embedded:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, deadline: float) -> None:
        folder = Path(self._owned.enter_context(tempfile.TemporaryDirectory(prefix="streamlstm-broker-")))
        self._ports = dict(zip(_VERSIONS, _free_ports(len(_VERSIONS)), strict=True))
        listeners = (_LISTENER.format(version=f"v{v[0]}" if v == "5" else "v4", port=p) for v, p in self._ports.items())
        config, complaints = folder / "broker.toml", folder / "stderr"
        config.write_text(_ROUTER + "".join(listeners), encoding="utf-8")
        with complaints.open("wb") as stderr:
            child = subprocess.Popen(
                [sys.executable, "-P", "-c", _CHILD, str(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        self._owned.callback(_end, child)
        for version, port in self._ports.items():
            while not _answers(port, _HELLO[version]):
                if child.poll() is not None:
                    said = complaints.read_text(errors="replace").strip().splitlines()[-3:]
                    raise BrokerError(f"the bundled broker ended at once, code {child.returncode}: {' | '.join(said)}")
                if time.monotonic() > deadline:
                    raise BrokerError(f"the bundled broker does not answer MQTT {version} on 127.0.0.1:{port}")
                time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:  # all at once, so that no two are the same
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _answers(port: int, hello: bytes) -> bool:
    """Whether a CONNACK comes back that accepts us."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2.0) as sock:
            sock.sendall(hello)
            answer = sock.recv(4)
            sock.sendall(_GOODBYE)
            return len(answer) == 4 and answer[0] == 0x20 and answer[3] == 0
    except OSError:
        return False


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(5.0)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()
