"""Several values of one message, each a series of its own that is forecast beside the others."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamlstm import cli
from streamlstm.codec.decode import Decoder
from streamlstm.codec.topics import Router
from streamlstm.config import Stream
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Arrival, Discarded, Observation, Reason
from tests.observed import HOUR_NS, forecasts
from tests.small import STREAM, STREAM_BESIDE

NOW = 1_772_440_000 * SECOND_NS
CLIMATE: dict[str, Any] = {
    "name": "climate/{room}/{value}",
    "topic": "rooms/{room}",
    "format": "json",
    "value": ("temperature", "air.co2", "humidity"),
    "joint": True,
}


def decoded(payload: object, **settings: Any) -> list[Any]:
    decoder = Decoder([Stream.model_validate({**CLIMATE, **settings})], "streamlstm", 200)
    return decoder.inputs([Arrival("rooms/attic", json.dumps(payload).encode(), NOW, 7)])


def test_each_value_is_a_series_with_the_others_beside_it():
    found = decoded({"temperature": 20.5, "air": {"co2": 410}, "humidity": 51})
    assert found == [
        Observation("climate/attic/temperature", CLIMATE["name"], NOW, (20.5, 410.0, 51.0), 7, NOW),
        Observation("climate/attic/air.co2", CLIMATE["name"], NOW, (410.0, 20.5, 51.0), 7, NOW),
        Observation("climate/attic/humidity", CLIMATE["name"], NOW, (51.0, 20.5, 410.0), 7, NOW),
    ]


@pytest.mark.parametrize(
    ("co2", "reason"),
    [("many", Reason.WRONG_TYPE), (9000, Reason.OUT_OF_BOUNDS), ([1], Reason.WRONG_TYPE)],
)
def test_a_value_that_cannot_be_used_is_refused_alone_and_missing_beside_the_others(co2, reason):
    first, second, third = decoded({"temperature": 20, "air": {"co2": co2}, "humidity": 51}, bounds=(0, 1000))
    assert (second.series, second.reason) == ("climate/attic/air.co2", reason)
    assert (first.values[0], first.values[2]) == (20.0, 51.0)
    assert math.isnan(first.values[1])
    assert math.isnan(third.values[2])


def test_a_value_that_is_not_there_is_refused_alone():
    found = decoded({"temperature": 20, "humidity": 51})
    assert [type(one) for one in found] == [Observation, Discarded, Observation]
    assert found[1].reason is Reason.MISSING_FIELD


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"temperature": 20, "t": "soon"}, Reason.BAD_TIME),
        ({"temperature": "x" * 300}, Reason.OVERSIZED),
    ],
)
def test_a_message_that_cannot_be_used_counts_once(payload, reason):
    (found,) = decoded(payload, time="t")
    assert (found.series, found.reason) == ("climate/attic/temperature", reason)


def test_a_topic_cannot_name_itself_into_another_value_s_series():
    router = Router([Stream.model_validate(CLIMATE)], "streamlstm")
    route = router.match("rooms/{value}")
    assert (route.series, *route.further) == tuple(f"climate/{{value}}/{text}" for text in CLIMATE["value"])
    assert router.match("rooms/a+b") is Reason.BAD_NAME


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"name": "climate/{room}"}, "name = 'climate/{room}': need {value} in it: joint gives each value a series"),
        ({"value": ["temperature"]}, "value = ['temperature']: joint needs several key paths"),
        ({"value": ["a", "a"]}, "value = ['a', 'a']: one stands twice; joint needs each once"),
        ({"value": ["a", "b/c"]}, "'b/c' would stand in a series' name: need a key path without '/'"),
        ({"value": ["a", "{b}"]}, "'{b}' would stand in a series' name"),
        ({"type": "counter"}, "joint = true: is not for the type counter; need number, boolean or count"),
        ({"topic": "rooms/{room}/{value}"}, "{value} stands for a key path where joint is true"),
        ({"joint": False}, "{value} is not in the topic"),
    ],
)
def test_what_keeps_values_from_being_forecast_jointly_is_said(problems, changed, expected):
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**CLIMATE, **changed}.items()]
    found = problems("\n".join(['[mqtt]\nurl = "mqtt://broker"\n[[streams]]', *lines]))
    assert any(expected in problem for problem in found), found


def pair(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two noises, of which the second says what the first does an hour later."""
    dice = np.random.default_rng(3)
    second = dice.normal(0, 1, n)
    return 5 + np.concatenate([[0.0], second[:-1]]) + dice.normal(0, 0.2, n), 50 + 10 * second


def test_a_series_that_another_one_runs_ahead_of_is_forecast_better_jointly():
    n, begin = 800, 400
    y, a = pair(n)
    decoder = Decoder([STREAM_BESIDE], "streamlstm", 10_000)
    messages = [json.dumps({"y": u, "a": v}).encode() for u, v in zip(y, a, strict=True)]
    together = Engine((STREAM_BESIDE,), seed=1, max_series=2)
    said = forecasts(together.feed(decoder.inputs(Arrival("small", m, i * HOUR_NS, i) for i, m in enumerate(messages))))
    alone = Engine((STREAM,), seed=1, max_series=1)
    own = forecasts(alone.feed(Observation("small", "small", i * HOUR_NS, (v,), i) for i, v in enumerate(y)))
    assert sorted({one.series for one in said}) == ["small/a", "small/y"]
    jointly = [one for one in said if one.series == "small/y"]

    def error(made):
        return np.mean([abs(y[k + 1] - made[k].yhat[0]) for k in range(begin, n - 1)])

    assert error(jointly) < 0.4 * error(own)
    # nothing runs ahead of the second: it is forecast about as well as its mean
    second = [one for one in said if one.series == "small/a"]
    assert np.mean([abs(a[k + 1] - second[k].yhat[0]) for k in range(begin, n - 1)]) < 1.05 * np.abs(a - 50).mean()


def test_a_backtest_of_several_targets_may_be_joint(tmp_path: Path, capsys):
    y, a = pair(400)
    data, config = tmp_path / "pair.csv", tmp_path / "c.toml"
    with data.open("w", encoding="utf-8", newline="") as file:
        rows = zip(range(0, 3600 * len(y), 3600), y, a, [0] * len(y), strict=True)
        csv.writer(file).writerows([("t", "y", "a", "w"), *rows])
    config.write_text(
        '[mqtt]\nurl = "mqtt://broker"\n[[streams]]\nname = "s"\ntopic = "s"\nstep = "1h"\nleads = [1, 3]\n'
        "model = { hidden = 4, truncation = 8, memory = 512 }\n",
        encoding="utf-8",
    )
    words = ["backtest", data, "--time", "t", "--target", "y", "--target", "a", "--config", config]
    found = {}
    for flag in ([], ["--joint", "--ahead", "w"]):  # so that both are sizes which other tests compile too
        with pytest.raises(SystemExit) as left:
            cli.main([str(word) for word in [*words, "--json", "--from", 200, *flag]])
        assert not left.value.code
        leads = json.loads(capsys.readouterr().out)["leads"]
        found[bool(flag)] = {(one["target"], one["lead"]): one["mae"] for one in leads}
    assert set(found[True]) == {("y", 1), ("y", 3), ("a", 1), ("a", 3)}
    assert found[True]["y", 1] < 0.7 * found[False]["y", 1]
