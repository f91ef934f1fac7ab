"""Every page in `config/` is read, and a few messages as it speaks of become forecasts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from streamlstm.codec import encode
from streamlstm.codec.decode import Decoder
from streamlstm.config import load
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Arrival, Discarded, Forecast, Observation
from streamlstm.understood import understood
from tests.small import STREAM

FOLDER = Path(__file__).parent.parent / "config"
BEGIN_S = 1_772_432_100  # 2026-03-02 06:15:00 UTC
MESSAGES = 60

# What the nth message of a page's stream says, and what check-config says of the stream.
PAGES: dict[str, tuple[Callable[[int, int], Any], str]] = {
    "angle": (lambda n, _: (350 + 7 * math.sin(n) + 2 * n) % 360, "angle in °, once around is 360"),
    "boolean": (lambda n, _: {"state": "ON" if n % 7 > 3 else "OFF"}, "boolean"),
    "category": (lambda n, _: {"mode": ("heat", "Off", "cool")[n // 4 % 3]}, "for each of heat, cool, off"),
    "changes": (
        lambda n, _: 10 * (n // 5 % 7),
        "number in % within 0 to 100; mean of each step of 10min; a value holds",
    ),
    "count": (lambda n, _: n * n % 5, "count in people"),
    "counter": (lambda n, s: {"total": 7000 + 3 * n + n % 3, "time": s}, "counter in kWh, differences a step; sum"),
    "covariates": (lambda n, s: {"power": 300 + n % 5, "flow": 9, "ts": s}, "number in W; mean of each step of 1h"),
    "demo": (lambda n, s: {"flow": 30 + n % 5, "time": s}, "number in l/s; step of 1h"),
    "irregular": (lambda n, _: 20 + n % 6, "number in min within 0 to 240; step found from the first observations"),
    "joint": (
        lambda n, s: {"time": s, "load": [400 + 40 * (n % 9), 380 + 30 * (n % 7)], "oil": 50 + n % 5},
        "3 of them forecast jointly, each beside the others",
    ),
    "power": (
        lambda n, _: 400 + 40 * (n % 9),
        "number in W within 0 to 30000; mean of each step of 15min",
    ),
    "resolutions": (
        lambda n, _: 400 + 40 * (n % 9),
        "mean of each step of 15min; and in agreement with it, of each 1h, 1d",
    ),
    "rooms": (
        lambda n, s: {"temperature": 20 + n % 4 / 2, "last_seen": s},
        "number in °C within -40 to 85; step of 5min; closed after 30d of silence",
    ),
    "example": (lambda n, s: {"temperature": 20 + n % 4 / 2, "humidity": 40, "last_seen": s}, "number in °C within"),
}


def test_every_page_is_here() -> None:
    assert sorted(PAGES) == sorted(page.stem for page in FOLDER.glob("*.toml"))


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_s_messages_become_forecasts(name: str) -> None:
    config = load(FOLDER / f"{name}.toml", {})
    stream = config.streams[0]
    says, words = PAGES[name]
    assert words in understood(stream)
    small = stream.model_copy(update={"model": STREAM.model})  # what a page says of the cells is compiled elsewhere
    decoder = Decoder([small], config.mqtt.base, config.limits.payload)
    engine = Engine([small], seed=config.seed, max_series=3)
    topic = re.sub(r"\{\w+\}", "one", stream.topic)
    step_s = stream.step // SECOND_NS if isinstance(stream.step, int) else 300
    outputs = []
    for n in range(MESSAGES):
        time_s = BEGIN_S + n * step_s
        payload = json.dumps(says(n, time_s)).encode()
        read = decoder.inputs([Arrival(topic, payload, time_s * SECOND_NS, n)])
        assert all(isinstance(one, Observation) for one in read), read
        outputs += engine.feed(read)
    assert not [out for out in outputs if isinstance(out, Discarded)]
    last = [out for out in outputs if isinstance(out, Forecast)][-1]
    assert np.isfinite(last.yhat).all()
    sent = json.loads(encode.forecast(last, unit=stream.unit, issued_ns=0, model_rev="", config_hash=""))
    Draft202012Validator(encode.schema("forecast")).validate(sent)
    lowest, highest = (0, 360) if name == "angle" else (0, len(stream.classes)) if stream.classes else stream.limits
    assert all(lowest <= y <= highest for y in sent["yhat"])
