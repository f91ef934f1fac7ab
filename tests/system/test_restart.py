"""A daemon that starts where another one ended: what it says before anything new has come."""

from __future__ import annotations

import json
import threading
from urllib.request import urlopen

import pytest

from streamlstm.codec.journal import entry, to_bytes
from streamlstm.daemon.builds import Build, newest, record
from streamlstm.daemon.run import Daemon
from streamlstm.events import Reason, Tick
from streamlstm.store.errors import StateRefused, StoreFailed
from streamlstm.store.store import Store
from tests.system.servers import Client, Mosquitto, until
from tests.system.test_daemon import PLAIN, ROOMS, answer, config, reading, running, wave

pytestmark = pytest.mark.system


def test_the_newest_forecasts_are_there_again_and_the_page_goes_on(tmp_path):
    with Mosquitto(tmp_path) as server, Client(server.url, "streamlstm/#") as client:
        checked = config(server.url, ROOMS, state={"directory": tmp_path / "state"})
        with running(checked) as daemon:
            client.send_all([(f"in/r{room}", reading(n, wave(room, n))) for n in range(120) for room in range(3)])
            until(lambda: daemon.status().report.learned == 360)
            until(
                lambda: len(client.payloads("streamlstm/r2/forecast")) == len(client.payloads("streamlstm/r0/forecast"))
            )
        said = {room: json.loads(client.payloads(f"streamlstm/r{room}/forecast")[-1]) for room in range(3)}
        for room in range(3):  # as if the broker had lost them
            for topic in ("forecast", "state", "availability"):
                client.send(f"streamlstm/r{room}/{topic}", b"", retain=True).wait_for_publish(5)
        client.seen.clear()
        with running(checked) as daemon:
            for room in range(3):
                again = json.loads(until(lambda room=room: client.payloads(f"streamlstm/r{room}/forecast"))[-1])
                assert again | {"issued": ""} == said[room] | {"issued": ""}
                until(lambda room=room: b"online" in client.payloads(f"streamlstm/r{room}/availability"))
            assert daemon.status().report.learned == 360 and daemon.status().connection.received == 360
            past = daemon.history.past("r1")
            assert past is not None and past.y[-1] == wave(1, 119)
            assert answer(f"{daemon.address}readyz") == 200
            client.send_all([("in/r1", reading(120, wave(1, 120)))])
            until(lambda: daemon.status().report.learned == 361)
            newest = json.loads(until(lambda: client.payloads("streamlstm/r1/forecast")[1:])[-1])
            assert newest["position"] == said[2]["position"] + 1 and newest["n_seen"] == said[1]["n_seen"] + 1


def test_topics_of_a_series_that_was_closed_before_are_cleared(tmp_path):
    with Mosquitto(tmp_path) as server, Client(server.url, "streamlstm/#") as client:
        checked = config(server.url, PLAIN | {"ttl": "3min", "gap": "2min"}, state={"directory": tmp_path / "state"})
        now_ns = [1_700_000_000 * 10**9]
        clock = Daemon(checked, clock=lambda: now_ns[0])
        stop = threading.Event()
        thread = threading.Thread(target=clock.run, args=(stop,))
        thread.start()
        until(lambda: clock.ready, 120)
        for n in range(40):
            now_ns[0] += 60 * 10**9
            client.send_all([("in/plain", str(20 + n % 7))])
            until(lambda n=n: clock.status().report.learned == n + 1)
        until(lambda: client.payloads("streamlstm/plain/forecast"))
        now_ns[0] += 600 * 10**9
        until(lambda: clock.status().report.closed == 1)
        stop.set()
        thread.join(10)
        client.send("streamlstm/plain/forecast", b"old", retain=True).wait_for_publish(5)  # it had not come that far
        client.seen.clear()
        with running(checked) as daemon:
            assert daemon.status().report.closed == 1
            until(lambda: b"" in client.payloads("streamlstm/plain/forecast"))


def test_whether_another_build_has_computed_the_same_is_among_the_metrics(tmp_path):
    def exact(checked):
        with running(checked) as daemon, urlopen(f"{daemon.address}metrics") as page:
            lines = page.read().decode().splitlines()
        return [line.split()[1] for line in lines if line.startswith("streamlstm_replay_exact ")]

    def as_by_another(**otherwise):
        """As a kill of another build would have left it: with something in the journal."""
        store = Store(tmp_path / "state")
        was = newest(store)
        changed = {"fingerprint": was.fingerprint | {"numpy": "1.0"}, "settings": was.settings, "digest": was.digest}
        store.share([record(Build(**changed | otherwise), store.last)])
        store.append(1, to_bytes(entry([Tick(1_700_000_000 * 10**9)], ())))
        store.close()

    with Mosquitto(tmp_path) as server:
        checked = config(server.url, ROOMS, state={"directory": tmp_path / "state"})
        assert exact(config(server.url, ROOMS)) == []  # nothing survives, and nothing is computed anew
        assert exact(checked) == ["1.0"]
        as_by_another()
        assert exact(checked) == ["1.0"]
        as_by_another(digest="0" * 64)
        assert exact(checked) == ["0.0"]
        assert exact(checked) == ["1.0"]


def test_a_second_daemon_on_the_same_state_is_refused(tmp_path):
    with Mosquitto(tmp_path) as server:
        checked = config(server.url, PLAIN, state={"directory": tmp_path / "state"})
        with running(checked):
            other = Daemon(config(server.url, PLAIN, state={"directory": tmp_path / "state"}, mqtt={"client_id": "b"}))
            with pytest.raises(StateRefused, match="another process works with this state"):
                other.run(threading.Event())


def test_after_a_failure_of_the_disk_nothing_more_is_taken(tmp_path, monkeypatch):
    """Or what came after would be there before what failed, which is late when it is sent again."""
    append, fails, after = Store.append, threading.Event(), []

    def failing(self, *given):
        if fails.is_set():
            fails.clear()  # once: the disk recovers
            after.append(self.last)
            raise StoreFailed("a disk that failed")
        return append(self, *given)

    monkeypatch.setattr(Store, "append", failing)
    with Mosquitto(tmp_path) as server, Client(server.url) as client:
        checked = config(server.url, ROOMS, state={"directory": tmp_path / "state"})
        daemon, failures = Daemon(checked), []

        def run():
            try:
                daemon.run(threading.Event())
            except StoreFailed as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        until(lambda: daemon.ready, 120)
        client.send_all([("in/a", reading(n, wave(1, n))) for n in range(50)])
        until(lambda: daemon.status().report.learned == 50)
        fails.set()
        for n in range(50, 2000):
            client.send("in/a", reading(n, wave(1, n)))
        thread.join(30)
        assert [str(error) for error in failures] == ["a disk that failed"]
        store = Store(tmp_path / "state")
        assert [store.last] == after
        store.close()
        with running(checked) as again:
            until(lambda: again.status().report.learned == 2000, 60)
            assert set(again.status().report.discarded) <= {Reason.DUPLICATE}
