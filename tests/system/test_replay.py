"""Recorded rows through a real broker."""

import json
import threading
import time
from math import nan

import pytest

from streamlstm.daemon.replay import ReplayError, replay
from streamlstm.events import SECOND_NS
from tests.system.servers import Client, Mosquitto, free_port, until

pytestmark = pytest.mark.system

START_NS = 1_700_000_000 * SECOND_NS


def test_rows_arrive_in_order_as_json_and_a_missing_value_is_null(tmp_path):
    rows = [(START_NS + n * SECOND_NS, {"flow": float(n), "rain": nan}) for n in range(500)]
    told: list[int] = []
    with Mosquitto(tmp_path) as server, Client(server.url, "in/#") as reader:
        assert replay(rows, server.url, "in/flow", speed=0, progress=told.append) == 500
        until(lambda: len(reader.seen) == 500)
    assert told == list(range(1, 501))
    documents = [json.loads(payload) for payload in reader.payloads("in/flow")]
    assert documents[0] == {"time": "2023-11-14T22:13:20Z", "flow": 0.0, "rain": None}
    assert [document["flow"] for document in documents] == list(range(500))
    assert not any(retained for _, _, retained in reader.seen)


def test_times_keep_every_digit_they_have(tmp_path):
    with Mosquitto(tmp_path) as server, Client(server.url, "in/#") as reader:
        replay([(1, {}), (SECOND_NS // 2, {}), (-SECOND_NS, {})], server.url, "in/a", speed=0)
        until(lambda: len(reader.seen) == 3)
    times = [json.loads(payload)["time"] for payload in reader.payloads("in/a")]
    assert times == ["1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00.5Z", "1969-12-31T23:59:59Z"]


def test_rows_keep_their_distance_divided_by_the_speed(tmp_path):
    rows = [(START_NS + n * 3600 * SECOND_NS, {"flow": 1.0}) for n in range(4)]
    with Mosquitto(tmp_path) as server:
        began = time.monotonic()
        replay(rows, server.url, "in/flow", speed=36_000.0)
        assert time.monotonic() - began >= 0.3


def test_a_broker_stopped_and_started_again_costs_no_row(tmp_path):
    rows = [(START_NS + n * SECOND_NS // 100, {"n": float(n)}) for n in range(150)]
    with Mosquitto(tmp_path) as server, Client(server.url, "in/#", client_id="reader", persistent=True) as reader:
        done: list[int] = []
        thread = threading.Thread(target=lambda: done.append(replay(rows, server.url, "in/a")))
        thread.start()
        until(lambda: len(reader.seen) > 20)
        server.stop()
        time.sleep(0.3)
        server.start()
        thread.join(30)
        assert done == [150]
        until(lambda: len(set(reader.payloads("in/a"))) == 150)


def test_an_absent_broker_ends_it_with_the_reason():
    url = f"mqtt://127.0.0.1:{free_port()}"
    with pytest.raises(ReplayError, match="nothing listens at"):
        replay([(0, {"a": 1.0})], url, "in/a", patience_s=0.3)


def test_a_stop_ends_it_at_once_in_the_longest_gap(tmp_path):
    stop = threading.Event()
    with Mosquitto(tmp_path) as server:
        threading.Timer(0.3, stop.set).start()
        assert replay([(0, {"a": 1.0}), (10**6 * SECOND_NS, {"a": 2.0})], server.url, "in/a", stop=stop) == 1


def test_a_refused_topic_is_said(tmp_path):
    (tmp_path / "acl").write_text("topic read #\n")
    with (
        Mosquitto(tmp_path, settings=f"acl_file {tmp_path / 'acl'}") as server,
        pytest.raises(ReplayError, match="refuses publications to 'in/a'"),
    ):
        replay([(0, {"a": 1.0})], server.url, "in/a", speed=0)
