"""The watchdog, with what it is there for: loops that never return, threads that have ended, a process that is held."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamlstm.daemon import mqtt
from streamlstm.daemon.backoff import Backoff
from streamlstm.daemon.link import Link
from tests.system.listener import Listener
from tests.system.planted import end
from tests.system.servers import Client, Mosquitto, free_port, until
from tests.system.test_daemon import PLAIN, answer, config, running

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
ASKED = {"WATCHDOG_USEC": "3000000"}


@contextmanager
def started(systemd: Listener, *arguments: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **ASKED, "NOTIFY_SOCKET": systemd.address}
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, env=environment, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def health(address: str) -> dict[str, str]:
    try:
        with urllib.request.urlopen(address + "healthz", timeout=5) as found:
            return json.load(found)
    except urllib.error.HTTPError as error:
        return json.load(error)


def test_systemd_hears_of_the_start_of_every_turn_and_of_the_end_and_nothing_of_a_process_that_is_held(tmp_path):
    with Mosquitto(tmp_path) as server, Listener(tmp_path / "notify", abstract=True) as systemd:
        page = tmp_path / "c.toml"
        page.write_text(
            f'[mqtt]\nurl = "{server.url}"\n[http]\nlisten = "127.0.0.1:0"\n[[streams]]\nname = "plain"\n'
            'topic = "in/plain"\nleads = [1, 3]\nstep = "1min"\n'
            "[streams.model]\nhidden = 4\ntruncation = 8\nmemory = 64\n"
        )
        with started(systemd, "streamlstm", "run", "--config", str(page)) as process:
            before = systemd.until("READY=1")
            assert before[0] == "STATUS=compiling the kernels of plain"
            assert "WATCHDOG=1" not in before[: before.index("READY=1")]
            systemd.until("STATUS=ready")
            systemd.until("WATCHDOG=1")
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            systemd.heard()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(3)  # of which the watchdog would want to hear three times
            assert systemd.heard() == []
            process.send_signal(signal.SIGCONT)
            systemd.until("WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            systemd.until("STOPPING=1")
            assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("kernel", 1),
        ("kernel that holds the interpreter, and a log that nobody reads", -signal.SIGALRM),
    ],
)
def test_a_kernel_that_never_returns_is_told_as_far_as_it_can_be_and_ends_the_process(tmp_path, fault, code):
    port = free_port()
    with (
        Mosquitto(tmp_path) as server,
        Listener(tmp_path / "notify") as systemd,
        started(systemd, "tests.system.planted", fault, server.url, str(port), stderr=subprocess.PIPE) as process,
        Client(server.url) as sensor,
    ):
        systemd.until("STATUS=ready")
        systemd.until("WATCHDOG=1")
        sensor.send("in/plain", "1")
        if fault == "kernel":
            why = until(lambda: health(f"http://127.0.0.1:{port}/").get("why"))
            assert why.startswith("no new status from the engine for ")
            systemd.heard()
        assert process.wait(60) == code
        if fault == "kernel":
            assert systemd.heard() == []
        said = process.stderr.read().decode()
        if code == 1:
            assert "Timeout (" in said
            assert "in faulty" in said  # where the thread stood
        assert ("event=stalled" in said) == (fault == "kernel")


@pytest.mark.parametrize("fault", ["http thread ended", "http thread stuck"])
def test_an_http_thread_that_answers_no_more_is_told_and_ends_the_process(tmp_path, fault):
    with (
        Mosquitto(tmp_path) as server,
        Listener(tmp_path / "notify") as systemd,
        started(systemd, "tests.system.planted", fault, server.url, "0", stderr=subprocess.PIPE) as process,
        Client(server.url) as sensor,
    ):
        systemd.until("STATUS=ready")
        sensor.send("in/plain", "1")
        systemd.until("STATUS=the http thread ")
        assert process.wait(60) == 1
        assert "WATCHDOG=1" not in systemd.heard()
        said = process.stderr.read().decode()
        assert "event=unwell why='the http thread " in said
        assert "Timeout (" in said


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # which is what is planted
def test_a_network_thread_that_was_ended_is_told_by_healthz_until_it_is_begun_anew(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(Backoff, "failed", lambda _: 3.0)
    with (
        Mosquitto(tmp_path) as server,
        Client(server.url) as sensor,
        running(config(server.url, PLAIN)) as daemon,
    ):
        sensor.send("in/plain", "1")
        until(lambda: daemon.status().report.held == 1 or daemon.status().report.learned == 1)
        end("paho-mqtt-client-streamlstm")
        why = "the network thread of 'streamlstm' has ended"
        until(lambda: health(daemon.address) == {"status": "unwell", "why": why})
        until(lambda: not daemon.ready)
        until(lambda: answer(daemon.address + "healthz") == 200)
        until(lambda: daemon.ready)
        sensor.send("in/plain", "2")
        until(lambda: daemon.status().connection.received == 2)
    events = [record.message.split()[0] for record in caplog.records]
    assert (events.count("event=unwell"), events.count("event=well_again")) == (1, 1)


def test_a_network_thread_that_does_not_move_is_at_fault_and_one_without_a_connection_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt, "STUCK_S", 2.0)
    moves = threading.Event()
    with Mosquitto(tmp_path) as server, Client(server.url) as sensor:
        link = Link(config(server.url, PLAIN).mqtt, ["in/plain"])
        link._inbox.put = lambda _: moves.wait()  # type: ignore[method-assign,assignment,return-value]
        link.start()
        try:
            until(lambda: not link.connection.why)
            assert link.fault() == ""
            sensor.send("in/plain", "1")
            until(lambda: link.fault() == "the network thread of 'streamlstm' does not move")
            moves.set()
            until(lambda: link.fault() == "")
            server.kill9()
            until(lambda: link.connection.why)
            with pytest.raises(subprocess.TimeoutExpired):  # longer than it may stand still with a connection
                subprocess.run(["sleep", "60"], timeout=2.5, check=False)
            assert link.fault() == ""
        finally:
            moves.set()
            link.stop()
