"""The benchmark of the whole way: its own end of the wire, its reading of a profile, and one small run of it."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.end_to_end import __main__ as command
from benchmarks.end_to_end.profile import counted
from benchmarks.end_to_end.wire import _frame, frames
from tests.system.test_daemon import SMALL


@given(st.lists(st.binary(max_size=300), max_size=6), st.data())
def test_frames_are_found_wherever_what_came_is_cut(bodies, data):
    whole = b"".join(_frame(0x30 + n, body) for n, body in enumerate(bodies))
    cut = data.draw(st.integers(0, len(whole)))
    found, rest = frames(whole[:cut])
    more, rest = frames(rest + whole[cut:])
    assert [*found, *more] == [(0x30 + n, body) for n, body in enumerate(bodies)]
    assert rest == b""


def test_a_sample_belongs_to_the_innermost_part_that_has_a_name():
    loop = "thread (1): MainThread;main (streamlstm/cli.py:1);Daemon._loop (streamlstm/daemon/run.py:1)"
    network = "thread (2): paho-mqtt-client-d"
    lines = [
        f"{loop};Engine.feed (streamlstm/engine.py:1);Learner._call (streamlstm/model/batch.py:1);_whole (x.py:1) 3",
        f"{loop};Engine.feed (streamlstm/engine.py:1) 2",
        "thread (1): MainThread;main (streamlstm/cli.py:1);Engine.warm_up (streamlstm/engine.py:1) 7",  # a start
        f"{network}-out;Client._loop (paho/mqtt/client.py:1) 5",
        f"{network};Client._loop (paho/mqtt/client.py:1);Inbox.put (streamlstm/daemon/inbox.py:1) 4",
    ]
    assert counted(lines) == {
        ("engine", "kernels and their arrays"): 3,
        ("engine", "engine, Python"): 2,
        ("out", "waits for the broker"): 5,
        ("in", "into the inbox"): 4,
    }


@pytest.mark.system
def test_messages_are_drained_by_all_and_each_that_is_paced_has_its_forecast(tmp_path):
    given = argparse.Namespace(
        versions="5",
        series=20,
        messages=400,
        rounds=1,
        rates="100,1000000",
        seconds=1.0,
        folder=tmp_path,
        profile=False,
    )
    said = command.measured(given, SMALL, [1, 3])
    assert list(said["drained"]) == [
        "paho, MQTT 5, automatic acknowledgement",
        "paho, MQTT 5, manual acknowledgement",
        "streamlstm, MQTT 5",
    ]
    assert all(one["messages_s"] > 0 for one in said["drained"].values())
    (paced,) = said["paced"]  # a million a second is more than it takes
    assert paced["rate"] == 100
    assert paced["answered"] == 1.0
    assert 0 < paced["p50_ms"] <= paced["p99_ms"] <= paced["p999_ms"]
