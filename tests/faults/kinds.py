"""Streams of every kind that the configuration knows, in small sizes, and what their sensors send when all is well.

Those at the front are compiled for other tests too; the last ones are for long runs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from streamlstm.codec.encode import rfc3339
from streamlstm.config import Stream
from streamlstm.events import SECOND_NS

MINUTE_NS, HOUR_NS, DAY_NS = 60 * SECOND_NS, 3600 * SECOND_NS, 86_400 * SECOND_NS
SMALL = {"hidden": 4, "truncation": 8, "memory": 64}
PER_UNIT = {"s": SECOND_NS, "ms": 10**6, "us": 10**3, "ns": 1}

Sent = tuple[str, str]  # topic, payload


class Kind(NamedTuple):
    """Streams, and one reading of a room as they are sent it: of the room, the reading's number, its time."""

    streams: tuple[Stream, ...]
    reading: Callable[[str, int, int], list[Sent]]
    every_ns: int = MINUTE_NS
    recorded: bool = False  # there is no clock beside the event time

    @property
    def values(self) -> int:
        """How many series a message may be of."""
        return max(len(stream.value) if stream.joint else 1 for stream in self.streams)


def wave(n: int) -> float:
    return round(20 + 8 * math.sin(n / 4) + (n * 7919 % 13) / 5, 3)


def _stream(topic: str, **settings: Any) -> Stream:
    usual = {"name": topic, "step": "1min", "gap": "5min", "ttl": "30min", "leads": [1, 3], "model": SMALL}
    return Stream.model_validate(usual | {"topic": topic} | settings)


def _bare(topic: str, of: Callable[[int], object] = wave, **settings: Any) -> Kind:
    """Bare numbers, of the time at which they arrive."""
    every_ns = settings.pop("every_ns", MINUTE_NS)
    stream = _stream(topic + "/{room}", **settings)
    return Kind((stream,), lambda room, n, _: [(f"{topic}/{room}", str(of(n)))], every_ns)


def _json(topic: str, of: Callable[[int], object] = wave, recorded: bool = False, **settings: Any) -> Kind:
    """Objects with a value and a time."""
    stream = _stream(topic + "/{room}", format="json", value="v", time="time", **settings)

    def reading(room: str, n: int, time_ns: int) -> list[Sent]:
        return [(f"{topic}/{room}", json.dumps({"time": rfc3339(time_ns), "v": of(n)}))]

    return Kind((stream,), reading, recorded=recorded)


def _epochs() -> Kind:
    names = [*PER_UNIT]
    streams = [
        _stream(f"epoch/{unit}/{{room}}", format="json", value="v[0]", time='"t.t"', time_format=unit) for unit in names
    ]

    def reading(room: str, n: int, time_ns: int) -> list[Sent]:
        unit = names[n % 4]
        return [(f"epoch/{unit}/{room}", json.dumps({"t.t": time_ns // PER_UNIT[unit], "v": [wave(n)]}))]

    return Kind(tuple(streams), reading, MINUTE_NS // 4)


def _joint() -> Kind:
    told = {"topic": "weather", "value": "w", "time": "t", "known_ahead": True}
    paths = {"format": "json", "value": ["y", "a"], "time": "t"}
    stream = _stream("joint/{room}", name="{room}/{value}", joint=True, covariates=[told], **paths)

    def reading(room: str, n: int, time_ns: int) -> list[Sent]:
        ahead = json.dumps({"t": rfc3339(time_ns + MINUTE_NS), "w": wave(n + 1)})
        return [("weather", ahead), (f"joint/{room}", json.dumps({"t": rfc3339(time_ns), "y": wave(n), "a": n % 7}))]

    return Kind((stream,), reading)


def _covariates() -> Kind:
    stream = _stream(
        "house/{house}",
        format="json",
        value=["power", "flow"],
        time="t",
        holidays="DE-BE",
        timezone="Europe/Berlin",
        covariates=[
            {"topic": "house/{house}/window", "format": "number", "map": {"open": 1, "closed": 0}},
            {"topic": "house/{house}/mode", "value": "m", "classes": ["heat", "cool", "off"]},
            {"topic": "word", "value": "w", "time": "t", "hashed": 2},
            {"topic": "forecast", "values": "hourly[].temp", "issued": "run", "known_ahead": True},
            {"topic": "tariff", "values": "price[]", "times": "from[]", "known_ahead": True, "hold": "2min"},
            {"topic": "closed", "value": "off", "time": "day", "map": {"true": 1, "false": 0}, "known_ahead": True},
        ],
    )

    def reading(room: str, n: int, time_ns: int) -> list[Sent]:
        now, times = rfc3339(time_ns), [rfc3339(time_ns + k * MINUTE_NS) for k in range(4)]
        beside: Mapping[str, object] = {
            f"house/{room}/mode": {"m": ["heat", "cool", "off", "unknown"][n % 4]},
            "word": {"w": f"word {n % 5}", "t": now},
            "forecast": {"run": now, "hourly": [{"time": t, "temp": wave(n + k)} for k, t in enumerate(times)]},
            "tariff": {"from": times, "price": [0.3, 0.2, None, 0.4]},
            "closed": {"off": n % 3 == 0, "day": times[2]},
        }
        sent = [(f"house/{room}/window", "open" if n % 2 else "closed")]
        sent += [(topic, json.dumps(document)) for topic, document in beside.items()]
        return [sent[n % 6], (f"house/{room}", json.dumps({"t": now, "power": wave(n), "flow": n % 7}))]

    return Kind((stream,), reading)


def _truth(n: int) -> str:
    return "on" if n % 5 < 2 else "off"


def _mode(n: int) -> str:
    return ("heat", "cool", "off")[n // 7 % 3]


DAYS: Mapping[str, Any] = {"step": "1d", "aggregate": "max", "gap": "9d", "ttl": "20d"}
MEANS = {"aggregate": "mean", "hold": "2min", "resolutions": [{"step": "5min", "leads": [1, 3]}]}
METER = {"type": "counter", "rollover": 65_536, "bounds": [0, 1000]}

KINDS: Mapping[str, Kind] = {
    "number": _bare("number", map={"warm": 25}),
    "json": _json("json", timezone="Europe/Berlin", step="auto", lateness="3min"),
    "epochs": _epochs(),
    "means": _bare("means", timezone="Asia/Kathmandu", lateness="30s", every_ns=20 * SECOND_NS, **MEANS),
    "days": _bare("days", timezone="Europe/Berlin", every_ns=5 * HOUR_NS, **DAYS),
    "sums": _bare("sums", lambda n: n % 4, type="count", aggregate="sum", every_ns=20 * SECOND_NS),
    "meters": _json("meters", lambda n: 9 * n % 65_536, **METER),
    "metered": _json("metered", lambda n: 9 * n % 65_536, aggregate="sum", **METER),
    "angles": _bare("angles", lambda n: 17 * n % 360, type="angle"),
    "in_time": _json("in_time", step="auto", leads=["1min", "3min"], timezone="America/New_York"),
    "alike": _bare("alike", group=True),
    "recorded": _json("recorded", recorded=True, lateness="2min"),
    "truths": _bare("truths", _truth, type="boolean", hold="2min", leads=[1, 3, 6]),
    "words": _bare("words", _mode, type="category", classes=["heat", "cool", "off"], leads=[1, 3, 6]),
    "joint": _joint(),
    "covariates": _covariates(),
}  # fmt: skip
