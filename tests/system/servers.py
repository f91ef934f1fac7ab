"""Real servers for the tests: a mosquitto of one's own, certificates to hurt it with, and plain clients beside ours."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import paho.mqtt.client as paho
import pytest

T = TypeVar("T")


def need(program: str) -> str:
    """The program's path. Where it is missing the test is skipped, and in CI it fails."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    return path or _missing(program)


def need_file(name: str, *folders: str) -> str:
    """The same for a file somewhere under these folders."""
    found = next((path for folder in folders for path in Path(folder).rglob(name)), None)
    return str(found or _missing(name))


def need_root(what: str) -> None:
    """The same for what only root may do."""
    if os.geteuid() != 0:
        _missing(f"root, for {what},", "not who runs this")


def _missing(what: str, why: str = "not installed") -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{what} is {why}")
    pytest.skip(f"{what} is {why}")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def until(seen: Callable[[], T], patience_s: float = 20.0) -> T:
    """Wait for a condition and return it; fail where it never comes."""
    deadline = time.monotonic() + patience_s
    while not (value := seen()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {patience_s} s: {getattr(seen, '__qualname__', seen)}, last {value!r}")
        time.sleep(0.01)
    return value


class Mosquitto:
    """A mosquitto on a free loopback port, with its files in `folder`.

    Where it is `durable`, what it promised to keep survives `kill9`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: str = "",
        login: tuple[str, str] | None = None,
        tls: tuple[Path, Path] | None = None,
        client_ca: Path | None = None,
        ca: Path | None = None,
        websockets: bool = False,
        durable: bool = False,
    ) -> None:
        self._program = need("mosquitto")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        scheme = ("wss" if tls else "ws") if websockets else ("mqtts" if tls else "mqtt")
        self.url = f"{scheme}://localhost:{self.port}"
        lines = [
            "user root",  # it drops to a user of its own otherwise, and cannot write here
            # 2.0.11 refuses to start when all its listeners speak websockets
            *([f"listener {free_port()} 127.0.0.1"] if websockets else []),
            f"listener {self.port} 127.0.0.1",
            *(["protocol websockets"] if websockets else []),
            *([f"certfile {tls[0]}", f"keyfile {tls[1]}"] if tls else []),
            *([f"cafile {ca}"] if ca else []),
            *([f"cafile {client_ca}", "require_certificate true"] if client_ca else []),
            "max_queued_messages 0",  # the default of 1000 loses what comes after
            "persistence true",
            f"persistence_location {folder}/",
            # the default saves every half hour; after every change it takes long where messages are many
            *(["autosave_on_changes true", "autosave_interval 1"] if durable else []),
            f"log_dest file {folder / 'mosquitto.log'}",
            "log_type error",
            "log_type warning",
            "log_type notice",
            f"allow_anonymous {'false' if login else 'true'}",
            settings,
        ]
        if login:
            self.set_login(*login)
            lines.append(f"password_file {folder / 'passwords'}")
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def set_login(self, name: str, password: str) -> None:
        """Takes effect at the next start, or on `reload`."""
        command = [need("mosquitto_passwd"), "-b", "-c", str(self._folder / "passwords"), name, password]
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> Mosquitto:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._folder / "mosquitto.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._listens)
        return self

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill9(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def saved(self) -> None:
        """Have what is in memory written, so that only the kill is tested, not mosquitto's own risk.

        Asked for: `autosave_on_changes` does not count a message that is sent and not yet acknowledged as a change.
        """
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)
        database = self._folder / "mosquitto.db"
        still = time.monotonic()
        seen = -1.0
        while time.monotonic() - still < 0.5:
            changed = database.stat().st_mtime if database.exists() else -1.0
            if changed != seen:
                seen, still = changed, time.monotonic()
            time.sleep(0.02)

    def forget(self) -> None:
        """While it is stopped: take away what it has saved, sessions and messages."""
        (self._folder / "mosquitto.db").unlink(missing_ok=True)

    def log(self) -> str:
        return (self._folder / "mosquitto.log").read_text(errors="replace")

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"mosquitto ended: {self.log()[-2000:]}"
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> Mosquitto:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Certificates:
    """A certificate authority made on the spot, and what it signs (or somebody else signs, or signed long ago)."""

    def __init__(self, folder: Path) -> None:
        self._openssl = need("openssl")
        self._folder = folder
        self.ca, self._ca_key = self._authority("ca")
        self.other_ca, self._other_key = self._authority("other")

    def server(
        self,
        name: str = "localhost",
        *,
        by_other: bool = False,
        expired: bool = False,
        common_name_only: bool = False,
        self_signed: bool = False,
    ) -> tuple[Path, Path]:
        if self_signed:
            return self._authority(name, f"subjectAltName=DNS:{name}")
        return self._signed(
            "server",
            name,
            by_other,
            "" if common_name_only else f"subjectAltName=DNS:{name}",
            ["-days", "-1"] if expired else ["-days", "2"],
        )

    def client(self, name: str = "us", *, by_other: bool = False) -> tuple[Path, Path]:
        return self._signed("client", name, by_other, "", ["-days", "2"])

    def _authority(self, name: str, *extensions: str) -> tuple[Path, Path]:
        cert, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        more = [each for extension in extensions for each in ("-addext", extension)]
        subject = ["-subj", f"/CN={name}", "-days", "2"]
        self._run("req", "-x509", *_EC, "-nodes", "-keyout", key, "-out", cert, *subject, *more)
        return cert, key

    def _signed(self, role: str, name: str, by_other: bool, extension: str, validity: list[str]) -> tuple[Path, Path]:
        stem = self._folder / f"{role}-{len(list(self._folder.iterdir()))}"
        cert, key, request, extra = (stem.with_suffix(s) for s in (".pem", ".key", ".csr", ".ext"))
        extra.write_text(extension + "\n")
        self._run("req", *_EC, "-new", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        ca, ca_key = (self.other_ca, self._other_key) if by_other else (self.ca, self._ca_key)
        by = ["-CA", ca, "-CAkey", ca_key, "-CAcreateserial"]
        self._run("x509", "-req", "-in", request, "-out", cert, *by, "-extfile", extra, *validity)
        return cert, key

    def _run(self, *arguments: object) -> None:
        subprocess.run([self._openssl, *map(str, arguments)], check=True, capture_output=True)


_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


class Client:
    """A plain paho client: publishes, and records what it is sent. It speaks to the loopback address of a broker."""

    def __init__(
        self,
        url: str,
        *subscriptions: str,
        client_id: str = "",
        login: tuple[str, str] | None = None,
        persistent: bool = False,
    ) -> None:
        host, port = url.split("://")[1].split(":")
        self.seen: list[tuple[str, bytes, bool]] = []  # topic, payload, retained
        self._subscriptions = subscriptions
        self._subscribed = not subscriptions
        self.paho = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311, clean_session=not persistent
        )
        self.paho.max_inflight_messages_set(20)
        self.paho.reconnect_delay_set(1, 1)
        if login:
            self.paho.username_pw_set(*login)
        self.paho.on_connect = self._on_connect
        self.paho.on_subscribe = self._on_subscribe
        self.paho.on_message = lambda _c, _u, m: self.seen.append((m.topic, bytes(m.payload), m.retain))
        self.paho.connect_async(host, int(port), 10)
        self.paho.loop_start()

    def __enter__(self) -> Client:
        until(lambda: self.paho.is_connected() and self._subscribed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def send(self, topic: str, payload: str | bytes, qos: int = 1, retain: bool = False) -> paho.MQTTMessageInfo:
        return self.paho.publish(topic, payload, qos, retain)

    def send_all(self, messages: list[tuple[str, str | bytes]], qos: int = 1) -> None:
        """Publish and wait until the broker has them all."""
        sent = [self.send(topic, payload, qos) for topic, payload in messages]
        for each in sent:
            each.wait_for_publish(30)

    def payloads(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in self.seen if name == topic]

    def _on_connect(self, client: paho.Client, _user: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if self._subscriptions and not code.is_failure:
            client.subscribe([(each, 1) for each in self._subscriptions])

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed = True
