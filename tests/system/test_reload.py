"""SIGHUP: another configuration takes over in the midst of messages, or is refused; nothing is lost by either."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamlstm.codec.encode import rfc3339
from streamlstm.events import SECOND_NS
from tests.system.servers import Client, Mosquitto, until

pytestmark = pytest.mark.system

CONFIG = """
[mqtt]
url = "{url}"
keepalive = "2s"
{more}
[http]
listen = "127.0.0.1:{port}"
[[streams]]
name = "{{room}}"
topic = "in/{{room}}"
format = "json"
value = "v"
time = "time"
step = "1min"
leads = [1, 3]
{stream}
[streams.model]
hidden = 4
truncation = 8
memory = 64
"""
SECOND = """
[[streams]]
name = "second/{room}"
topic = "other/{room}"
leads = [1, 3]
[streams.model]
hidden = 4
truncation = 8
memory = 64
"""


@contextmanager
def daemon(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    with file.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "streamlstm", "run", "--config", str(file)], stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def said(file: Path) -> str:
    return file.with_suffix(".log").read_text()


def metric(file: Path, name: str) -> float:
    address = said(file).rpartition("address=")[2].split()[0]
    with urllib.request.urlopen(f"{address}metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(name + " ")))


def learned(file: Path) -> float:
    try:
        return metric(file, 'streamlstm_observations_total{outcome="learned"}')
    except OSError:  # between two of them
        return -1.0


@pytest.mark.parametrize("kept", ["", '[state]\ndirectory = "state"'])
def test_nothing_is_lost_while_configurations_follow_one_another(tmp_path, kept):
    file, rooms, count = tmp_path / "c.toml", 5, 600
    messages = [
        (f"in/r{room}", json.dumps({"time": rfc3339((1_700_000_000 + 60 * n) * SECOND_NS), "v": n % 17 + room}))
        for n in range(count)
        for room in range(rooms)
    ]
    with Mosquitto(tmp_path) as broker, Client(broker.url) as client:

        def write(stream: str = "", more: str = "", port: int = 0) -> None:
            file.write_text(CONFIG.format(url=broker.url, stream=stream, more=more or kept, port=port) + SECOND)

        write()
        with daemon(file) as process:
            until(lambda: "event=ready" in said(file), 180)
            sender = threading.Thread(target=client.send_all, args=(messages,))
            sender.start()
            asked = 0
            for stream in ("", 'unit = "kW"', 'gap = "soon"', 'unit = "W"\nbounds = [-100, 100]'):
                write(stream)
                before = said(file).count("event=ready")
                os.kill(process.pid, signal.SIGHUP)
                if "soon" in stream:
                    until(lambda: "event=reload_refused" in said(file))
                else:
                    asked += 1
                    until(lambda before=before: said(file).count("event=ready why=''") > before, 60)
                time.sleep(0.2)
            sender.join()
            until(lambda: learned(file) >= rooms * count, 60)
            time.sleep(1.2)
            assert learned(file) == rooms * count
            assert metric(file, "streamlstm_series") == rooms
            assert metric(file, 'streamlstm_config_reloads_total{status="applied"}') == asked
            assert metric(file, 'streamlstm_config_reloads_total{status="refused"}') == 1
        assert ".gap = 'soon'" in said(file) and "begins_anew" not in said(file)


def test_a_configuration_that_turns_out_not_to_work_gives_way_to_the_one_before(tmp_path):
    file = tmp_path / "c.toml"
    with Mosquitto(tmp_path) as broker, Client(broker.url) as client, another_program(tmp_path) as taken:
        file.write_text(CONFIG.format(url=broker.url, stream="", more="", port=0))
        with daemon(file) as process:
            until(lambda: "event=ready" in said(file), 180)
            client.send_all([("in/a", '{"time": "2024-01-01T00:00:00Z", "v": 1}')])
            until(lambda: learned(file) == 1)
            file.write_text(CONFIG.format(url=broker.url, stream="", more="", port=taken))
            os.kill(process.pid, signal.SIGHUP)
            until(lambda: "another program listens there" in said(file))
            until(lambda: said(file).count("event=ready why=''") == 2, 60)
            client.send_all([("in/a", '{"time": "2024-01-01T00:01:00Z", "v": 1}')])
            until(lambda: learned(file) == 2)


@contextmanager
def another_program(folder: Path) -> Iterator[int]:
    """A port that another program listens at."""
    (folder / "other").mkdir()
    with Mosquitto(folder / "other") as other:
        yield other.port
