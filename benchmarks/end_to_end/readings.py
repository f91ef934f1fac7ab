"""What the sensors say: the same readings at every call, of all series in turn, one step after another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from streamlstm.codec.encode import rfc3339
from streamlstm.events import SECOND_NS

BEGIN_NS, STEP_NS = 1_700_000_000 * SECOND_NS, 300 * SECOND_NS
STREAM = {"name": "s/{n}", "topic": "in/{n}", "format": "json", "value": "v", "time": "t", "step": "5min"}
FILTER = "in/+"


class Reading(NamedTuple):
    topic: str
    payload: bytes
    answer: tuple[str, str]  # topic of its forecast, and the origin that this one has


def readings(series: int, begin: int, count: int) -> Iterator[Reading]:
    """`count` of them from the `begin`th on."""
    for place in range(begin, begin + count):
        n, one = divmod(place, series)
        at = rfc3339(BEGIN_NS + n * STEP_NS)
        value = round(20 + one % 7 + (n * (one % 5 + 3)) % 17 + n % 288 / 50, 2)
        payload = json.dumps({"t": at, "v": value}).encode()
        yield Reading(f"in/{one}", payload, (f"streamlstm/s/{one}/forecast", at))
