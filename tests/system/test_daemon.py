"""The whole daemon between real brokers and plain clients: every message accounted for, whatever it holds."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jsonschema
import pytest

from streamlstm.codec import encode
from streamlstm.codec.decode import Decoder
from streamlstm.codec.encode import rfc3339
from streamlstm.config import Config
from streamlstm.daemon.replay import replay
from streamlstm.daemon.run import Daemon
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Arrival, Forecast
from tests.system.servers import Client, Mosquitto, until

pytestmark = pytest.mark.system

MINUTE_NS = 60 * SECOND_NS
SMALL = {"hidden": 4, "truncation": 8, "memory": 64}


def config(url: str, *streams: dict[str, Any], **sections: Any) -> Config:
    return Config.model_validate(
        {
            "mqtt": {"url": url, "keepalive": "2s"} | sections.pop("mqtt", {}),
            "http": {"listen": "127.0.0.1:0"},
            "streams": [{"leads": [1, 3], "step": "1min", "model": SMALL} | stream for stream in streams],
        }
        | sections
    )


ROOMS = {"name": "{room}", "topic": "in/{room}", "format": "json", "value": "v", "time": "time"}
PLAIN = {"name": "plain", "topic": "in/plain"}


@contextmanager
def running(checked: Config) -> Iterator[Daemon]:
    """A daemon in a thread of its own, ready, and stopped within the five seconds that a supervisor is promised."""
    daemon = Daemon(checked)
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            daemon.run(stop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: daemon.ready or failures, 120.0)
        yield daemon
    finally:
        stop.set()
        thread.join(5.0)
        in_time = not thread.is_alive()
        thread.join(60.0)
    assert not failures, failures
    assert in_time, "stopping took longer than 5 s"


def reading(n: int, value: object, **more: object) -> str:
    return json.dumps({"time": rfc3339(1_700_000_000 * SECOND_NS + n * MINUTE_NS), "v": value} | more)


def total(daemon: Daemon) -> int:
    report = daemon.status().report
    counted = report.learned + report.joined + report.missing + report.quarantined + report.held
    return counted + sum(report.discarded.values())


def answer(address: str) -> int:
    """The status that an address answers with."""
    try:
        with urllib.request.urlopen(address, timeout=5) as found:
            return int(found.status)
    except urllib.error.HTTPError as error:
        return error.code


def wave(room: int, n: int) -> float:
    return round(10 * room + (n * (room + 3)) % 17 + 0.25 * n, 3)


HOSTILE: Sequence[tuple[str, str | bytes]] = (
    ("malformed", b"{"),
    ("malformed", b""),
    ("malformed", b'{"time": "2023-11-14T22:13:20Z", "v": NaN}'),
    ("not_utf8", b'{"v": "\xff\xfe"}'),
    ("oversized", b'{"v": 1' + b" " * 70_000 + b"}"),
    ("too_deep", b'{"v": ' + b"[" * 1000 + b"]" * 1000 + b"}"),
    ("duplicate_key", b'{"time": "2023-11-14T22:13:20Z", "v": 1, "v": 2}'),
    ("missing_field", reading(0, 1).replace("v", "w")),
    ("missing_field", b'{"v": 1}'),
    ("wrong_type", reading(0, [1])),
    ("wrong_type", reading(0, True)),
    ("wrong_type", reading(0, "warm")),
    ("not_finite", reading(0, 1e308)),
    ("not_finite", reading(0, 10**200)),
    ("bad_time", b'{"time": "yesterday", "v": 1}'),
    ("before_1970", b'{"time": "1969-12-31T23:59:59Z", "v": 1}'),
    ("future", b'{"time": "2199-01-01T00:00:00Z", "v": 1}'),
    ("late", reading(-5, 1.0)),
)


def test_of_500_series_and_100_observations_with_hostile_ones_between_every_one_is_accounted_for(tmp_path):
    rooms, count = 500, 100
    dice = random.Random(7)
    good: list[tuple[str, str]] = []
    sent: list[tuple[str, str | bytes]] = []
    expected: Counter[str] = Counter()
    for n in range(count):
        for room in range(rooms):
            good.append((f"in/r{room}", reading(n, None if (n * 31 + room) % 97 == 5 else wave(room, n))))
            sent.append(good[-1])
            if n > 0 and dice.random() < 0.02:
                reason, payload = dice.choice((*HOSTILE, ("duplicate", reading(n, 1.0))))
                sent.append((f"in/r{room}", payload))
                expected[reason] += 1
    sent += [("in/one-too-many", reading(0, 1.0)), ("in/bridge", reading(0, 1.0))]
    expected.update(["series_limit", "bad_name"])
    checked = {"limits": {"max_series": rooms, "shed_after": "0s"}}  # all is learned, or it could not be compared

    with Mosquitto(tmp_path) as server:
        with Client(server.url) as sensor, running(config(server.url, ROOMS, **checked)) as daemon:
            sensor.send_all(sent)
            until(lambda: total(daemon) >= len(sent), 120.0)
            report, connection = daemon.status().report, daemon.status().connection
        assert connection.received == len(sent)
        missing = sum('"v": null' in payload for _, payload in good)
        assert {reason.value: n for reason, n in report.discarded.items() if n} == dict(expected)
        assert (report.learned, report.missing, report.held) == (len(good) - missing, missing, 0)
        assert len(report.series) == rooms

        untouched = forecasts_of(config(server.url, ROOMS, **checked), good)
        with Client(server.url, "streamlstm/+/forecast") as reader:
            until(lambda: len(reader.seen) >= len(untouched))
    validator = jsonschema.Draft202012Validator(encode.schema("forecast"))
    published = [json.loads(payload) for _, payload, _ in reader.seen]
    assert {said["series"] for said in published} == set(untouched)
    for said in published:
        validator.validate(said)
        alone = untouched[said["series"]]
        assert said["yhat"] == alone.yhat.tolist()
        assert list(said["upper"].values()) == alone.upper.tolist()


def forecasts_of(checked: Config, messages: Sequence[tuple[str, str]]) -> dict[str, Forecast]:
    """The newest forecast of each series, by the engine alone."""
    decoder = Decoder(checked.streams, checked.mqtt.base, checked.limits.payload)
    engine = Engine(checked.streams, seed=checked.seed, max_series=checked.limits.max_series)
    outputs = engine.feed(
        [decoder.decode(Arrival(t, p.encode(), time.time_ns(), n)) for n, (t, p) in enumerate(messages)]
    )
    return {f.series: f for f in outputs if isinstance(f, Forecast) and encode.is_publishable(f)}


def test_it_says_who_it_is_and_how_it_does_in_the_promised_form_and_says_goodbye(tmp_path):
    with Mosquitto(tmp_path) as server, Client(server.url, "streamlstm/bridge/#") as watcher:
        with running(config(server.url, ROOMS)) as daemon:
            until(
                lambda: (
                    {t for t, _, _ in watcher.seen} >= {f"streamlstm/bridge/{n}" for n in ("state", "info", "health")}
                )
            )
            assert answer(daemon.address + "healthz") == 200
            assert answer(daemon.address + "readyz") == 200
        until(lambda: watcher.payloads("streamlstm/bridge/state") == [b"online", b"offline"])
    for name in ("info", "health"):
        for payload in watcher.payloads(f"streamlstm/bridge/{name}"):
            jsonschema.validate(json.loads(payload), encode.schema(name))
    assert json.loads(watcher.payloads("streamlstm/bridge/health")[-1])["status"] == "ok"


def test_a_latecomer_finds_forecast_next_value_and_availability_kept_by_the_broker(tmp_path):
    with Mosquitto(tmp_path) as server:
        with Client(server.url) as sensor, running(config(server.url, ROOMS)) as daemon:
            sensor.send_all([("in/a", reading(n, wave(1, n))) for n in range(100)])
            until(lambda: daemon.status().published > 0 and total(daemon) == 100)
        with Client(server.url, "streamlstm/a/#") as late:
            until(lambda: len(late.seen) == 3)
            assert all(retained for _, _, retained in late.seen)
            forecast = json.loads(late.payloads("streamlstm/a/forecast")[0])
            assert float(late.payloads("streamlstm/a/state")[0]) == forecast["yhat"][0]
            assert late.payloads("streamlstm/a/availability") == [b"online"]


def test_a_series_that_falls_silent_goes_offline_and_comes_back(tmp_path):
    silent = PLAIN | {"gap": "2s", "step": "1s"}
    with (
        Mosquitto(tmp_path) as server,
        Client(server.url, "streamlstm/plain/availability") as client,
        running(config(server.url, silent)),
    ):
        client.send("in/plain", "1")
        until(lambda: client.payloads("streamlstm/plain/availability") == [b"online", b"offline"])
        client.send("in/plain", "2")
        until(lambda: client.payloads("streamlstm/plain/availability") == [b"online", b"offline", b"online"])


def test_a_series_that_has_ended_leaves_nothing_with_the_broker_and_may_begin_again(tmp_path):
    mortal = PLAIN | {"gap": "2s", "step": "1s", "ttl": "5s"}
    with Mosquitto(tmp_path) as server, Client(server.url) as sensor, running(config(server.url, mortal)) as daemon:
        for n in range(3):
            sensor.send("in/plain", str(n))
            until(lambda n=n: total(daemon) == n + 1)
        with Client(server.url, "streamlstm/plain/+") as early:
            until(lambda: early.payloads("streamlstm/plain/availability") == [b"online"])
        until(lambda: daemon.status().report.series == (), 20.0)
        assert daemon.status().report.closed == 1
        with Client(server.url, "streamlstm/plain/+", "streamlstm/bridge/state") as late:
            until(lambda: late.payloads("streamlstm/bridge/state") == [b"online"])
            assert [topic for topic, payload, _ in late.seen if topic.startswith("streamlstm/plain/") and payload] == []
            sensor.send("in/plain", "7")
            until(lambda: late.payloads("streamlstm/plain/availability") == [b"online"])
        until(lambda: daemon.status().report.closed == 0)


def test_what_the_broker_kept_is_not_learned_unless_told_to(tmp_path):
    with Mosquitto(tmp_path) as server, Client(server.url) as sensor:
        sensor.send("in/plain", "1", retain=True).wait_for_publish(10)
        sensor.send("old/plain", "1", retain=True).wait_for_publish(10)
        old = {"name": "old", "topic": "old/plain", "retained": True}
        with running(config(server.url, PLAIN, old)) as daemon:
            until(lambda: total(daemon) == 2)
            report = daemon.status().report
            assert dict(report.discarded) == {"retained": 1}
            assert [series.series for series in report.series] == ["old"]


def test_what_the_broker_keeps_for_a_covariate_is_state_and_comes_again_after_a_restart(tmp_path):
    plain = PLAIN | {
        "covariates": [
            {"topic": "holidays", "value": "off", "time": "day", "known_ahead": True, "map": {"true": 1}},
            {"topic": "tariff", "values": "price[]", "times": "from[]", "known_ahead": True},
        ]
    }
    with Mosquitto(tmp_path) as server, Client(server.url) as sensor:
        sensor.send("holidays", '{"off": true, "day": "2026-12-25"}', retain=True).wait_for_publish(10)
        sensor.send("tariff", '{"from": [5, 6], "price": [1, 2]}', retain=True).wait_for_publish(10)
        for _ in range(2):
            with running(config(server.url, plain)) as daemon:
                until(lambda: total(daemon) == 2)
                sensor.send("in/plain", "1")
                until(lambda: total(daemon) == 3)
                report = daemon.status().report
                assert (report.joined, report.learned, dict(report.discarded)) == (2, 1, {})
                assert daemon.status().connection.received == 3


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_while_the_broker_is_dead_readiness_says_so_and_no_message_is_lost(tmp_path, version):
    with (
        Mosquitto(tmp_path, durable=True) as server,
        Client(server.url, client_id="sensor", persistent=True) as sensor,
        running(config(server.url, ROOMS, mqtt={"version": version})) as daemon,
    ):
        sensor.send_all([("in/a", reading(n, wave(1, n))) for n in range(50)])
        until(lambda: daemon.status().report.learned == 50)
        server.saved()
        server.kill9()
        until(lambda: not daemon.ready)
        assert answer(daemon.address + "readyz") == 503
        assert answer(daemon.address + "healthz") == 200
        for n in range(50, 100):
            sensor.send("in/a", reading(n, wave(1, n)))
        server.start()
        until(lambda: daemon.ready, 2 * 2 + 4.0 + 5.0)  # 2 × keepalive + backoff, and a busy machine
        until(lambda: daemon.status().report.learned == 100)
        assert daemon.status().connection.reconnects == 1


def test_a_restart_takes_up_what_came_meanwhile(tmp_path):
    with Mosquitto(tmp_path) as server, Client(server.url) as sensor:
        with running(config(server.url, ROOMS)):
            pass
        sensor.send_all([("in/a", reading(n, wave(1, n))) for n in range(50)])
        with running(config(server.url, ROOMS)) as daemon:
            until(lambda: daemon.status().report.learned == 50)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_it_brings_its_own_broker_where_none_is_given(version):
    with running(config("embedded", ROOMS, mqtt={"version": version})) as daemon:
        rows = [(1_700_000_000 * SECOND_NS + n * MINUTE_NS, {"v": wave(1, n)}) for n in range(50)]
        assert replay(rows, daemon.broker_url, "in/a", speed=0, settings=daemon.config.mqtt) == 50
        until(lambda: daemon.status().report.learned == 50)


def test_a_fault_of_our_own_ends_everything_and_is_raised(tmp_path, monkeypatch):
    with Mosquitto(tmp_path) as server, Client(server.url, "streamlstm/bridge/state") as client:
        daemon = Daemon(config(server.url, PLAIN))
        failure: list[BaseException] = []

        def run() -> None:
            try:
                daemon.run(threading.Event())
            except ZeroDivisionError as error:
                failure.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        until(lambda: daemon.ready, 120.0)
        monkeypatch.setattr(daemon._decoder, "decode", lambda _: 1 // 0)
        client.send("in/plain", "1")
        thread.join(10)
        assert not thread.is_alive()
        assert failure
        until(lambda: client.payloads("streamlstm/bridge/state")[-1:] == [b"offline"])
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(daemon.address, timeout=1)
