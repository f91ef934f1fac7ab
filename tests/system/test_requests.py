"""What is asked over a real broker is done once, answered, and still so after a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamlstm.daemon.run import Daemon
from streamlstm.events import Reason, State
from tests.system.servers import Client, Mosquitto, until
from tests.system.test_daemon import ROOMS, config, reading, running, total, wave

pytestmark = pytest.mark.system

ASKED, ANSWERED = "streamlstm/bridge/request/", "streamlstm/bridge/response/"
ALL = ["pause", "freeze", "resume", "close", "reset", "snapshot"]


def ask(client: Client, verb: str, **said: Any) -> dict[str, Any]:
    """The answer to a request."""
    before = len(client.payloads(ANSWERED + verb))
    client.send(ASKED + verb, json.dumps(said))
    answer: dict[str, Any] = json.loads(until(lambda: client.payloads(ANSWERED + verb)[before:])[0])
    return answer


def states(daemon: Daemon) -> dict[str, State]:
    return {one.series: one.state for one in daemon.status().report.series}


def hear(client: Client, daemon: Daemon, n: int) -> None:
    """The nth reading of each room, and until it is accounted for."""
    before = total(daemon)
    client.send_all([(f"in/r{room}", reading(n, wave(room, n))) for room in range(3)])
    until(lambda: total(daemon) == before + 3)


def test_series_are_paused_frozen_resumed_and_reset_by_request_also_after_a_restart(tmp_path):
    with Mosquitto(tmp_path) as server, Client(server.url, "streamlstm/#") as client:
        checked = config(server.url, ROOMS, state={"directory": tmp_path / "state"}, requests={"allow": ALL})
        with running(checked) as daemon:
            for n in range(30):
                hear(client, daemon, n)
            assert ask(client, "pause", series="r0", transaction=7) == {
                "status": "ok",
                "data": {"count": 1, "series": ["r0"]},
                "transaction": 7,
            }
            assert ask(client, "freeze", series=["r[12]"])["data"] == {"count": 2, "series": ["r1", "r2"]}
            until(lambda: client.payloads("streamlstm/r0/availability")[-1] == b"offline")
            hear(client, daemon, 30)
            until(lambda: states(daemon) == {"r0": State.PAUSED, "r1": State.FROZEN, "r2": State.FROZEN})
            assert json.loads(client.payloads("streamlstm/r1/forecast")[-1])["state"] == "frozen"
        with running(checked) as daemon:
            hear(client, daemon, 31)
            until(lambda: states(daemon) == {"r0": State.PAUSED, "r1": State.FROZEN, "r2": State.FROZEN})
            assert daemon.status().report.discarded == {Reason.PAUSED: 2}
            assert ask(client, "resume", series="*")["data"]["count"] == 3
            assert ask(client, "reset", series="r2")["status"] == "ok"
            until(lambda: client.payloads("streamlstm/r2/forecast")[-1] == b"")
            hear(client, daemon, 32)
            until(lambda: client.payloads("streamlstm/r0/availability")[-1] == b"online")
            until(lambda: states(daemon)["r2"] is State.WARMING)
            assert ask(client, "close", series="r1")["status"] == "ok"
            until(lambda: daemon.status().report.closed == 1)
            assert ask(client, "snapshot", transaction="s")["status"] == "ok"
            until(lambda: daemon.status().snapshot_age_s < 60)
            until(lambda: daemon.status().requests == (4, 0))
            assert daemon.status().connection.received == total(daemon)  # requests are no observations


def test_what_is_not_allowed_or_not_understood_is_refused_in_words_and_changes_nothing(tmp_path):
    with Mosquitto(tmp_path) as server, Client(server.url, "streamlstm/#") as client:
        client.send(ASKED + "pause", '{"series": "*"}', retain=True).wait_for_publish(5)
        with running(config(server.url, ROOMS, requests={"allow": ["pause", "snapshot"]})) as daemon:
            until(lambda: b"retained" in b"".join(client.payloads(ANSWERED + "pause")))
            hear(client, daemon, 0)
            assert ask(client, "reset", series="r0", transaction="x") == {
                "status": "error",
                "error": "'reset' is not allowed; need it in requests.allow of the configuration",
                "transaction": "x",
            }
            assert ask(client, "pause", series="r7")["error"] == "no series is called 'r7'; there are 3"
            client.send(ASKED + "pause", b"", retain=True)  # takes the kept one away, and is no JSON
            assert "state.directory" in ask(client, "snapshot")["error"]
            client.send(ASKED + "dance", "{}")
            client.send(ASKED + "pause", b'{"series": "r0"}' + b" " * 70_000)
            until(lambda: b"limits.payload" in b"".join(client.payloads(ANSWERED + "pause")))
            until(lambda: daemon.status().requests == (0, 7))
            assert {*states(daemon).values()} == {State.WARMING}
            assert daemon.status().connection.received == total(daemon) == 3


def test_without_any_that_is_allowed_nobody_listens(tmp_path):
    with (
        Mosquitto(tmp_path) as server,
        Client(server.url, "streamlstm/#") as client,
        running(config(server.url, ROOMS)) as daemon,
    ):
        client.send(ASKED + "pause", '{"series": "*"}')
        hear(client, daemon, 0)
        assert daemon.status().requests == (0, 0)
        assert not client.payloads(ANSWERED + "pause")
