"""A real flood: more than can be learned waits at the broker, and forecasts go on without learning until it is less."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter

import pytest

from streamlstm.daemon import overload
from tests.system.servers import Client, Mosquitto, until
from tests.system.test_daemon import ROOMS, config, reading, running, wave

pytestmark = pytest.mark.system

BACKLOG, ROUNDS = 20_000, 50


def metric(address: str, line: str) -> float:
    with urllib.request.urlopen(address + "metrics", timeout=10) as found:
        said = next(one for one in found.read().decode().splitlines() if one.startswith(line + " "))
    return float(said.rsplit(" ", 1)[1])


def test_under_a_flood_forecasts_go_on_while_learning_is_shed_and_both_its_ends_are_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(overload, "CALM_S", 1.0)
    rooms = BACKLOG // ROUNDS
    checked = {"limits": {"shed_after": "1ms"}}
    flood = [(f"in/r{room}", reading(n, wave(room, n))) for n in range(ROUNDS) for room in range(rooms)]
    topics = "streamlstm/bridge/health", "streamlstm/+/forecast"
    with Mosquitto(tmp_path) as server, Client(server.url, *topics) as watcher:
        with running(config(server.url, ROOMS, **checked)):
            pass  # from here on the broker keeps what comes for us
        with Client(server.url) as sensor:
            sensor.send_all(flood)
            with running(config(server.url, ROOMS, **checked)) as daemon:
                until(lambda: daemon.status().report.learned == BACKLOG, 120.0)  # some twice, if the link was lost
                shed = daemon.status().report.shed
                until(lambda: not daemon.status().report.sheds)
                assert shed > 0  # the cells saw all, and learned from a part
                assert metric(daemon.address, 'streamlstm_updates_skipped_total{reason="overload"}') == shed
                assert metric(daemon.address, "streamlstm_learning_shed") == 0
                updates = metric(daemon.address, "streamlstm_updates_total")
                for n in range(ROUNDS, ROUNDS + 16):
                    sensor.send("in/r0", reading(n, wave(0, n))).wait_for_publish(10)
                until(lambda: daemon.status().report.learned == BACKLOG + 16)
                until(lambda: metric(daemon.address, "streamlstm_updates_total") > updates)
                published = daemon.status().published
        until(lambda: sum(topic.endswith("/forecast") for topic, _, _ in watcher.seen) == published)
    forecasts = Counter(topic for topic, _, _ in watcher.seen if topic.endswith("/forecast"))
    assert len(forecasts) == rooms
    assert min(forecasts.values()) > ROUNDS // 2  # of the first few of each series nothing can be said
    said = [json.loads(p)["learning"] for p in watcher.payloads("streamlstm/bridge/health")]
    assert said[0] == said[-1] == "on"
    assert "shed" in said
    told = [record.message for record in caplog.records if "event=overload" in record.message]
    assert [line.split()[1] for line in told][::2] == ["sheds_learning=True"] * (len(told) // 2)
