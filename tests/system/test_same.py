"""The daemon and the backtest are the same engine: the same data through a broker gives the same forecasts."""

from __future__ import annotations

import json
import math
import threading

import numpy as np
import pytest

from streamlstm.codec.encode import rfc3339
from streamlstm.config import Config
from streamlstm.daemon.replay import replay
from streamlstm.daemon.run import Daemon
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Forecast, Observation, State
from tests.small import STREAM
from tests.system.servers import Client, Mosquitto, until

HALF_HOUR_NS = 1800 * SECOND_NS
BEGIN_NS = 1_700_000_000 * SECOND_NS


@pytest.mark.system
def test_through_a_broker_come_the_forecasts_of_a_backtest_value_for_value(tmp_path):
    dice = np.random.default_rng(11)
    values = [float(10 + 3 * math.sin(i * math.pi / 24) + dice.normal(0, 0.3)) for i in range(200)]
    skipped = {50, 51, 120}
    rows = [(BEGIN_NS + i * HALF_HOUR_NS, {"y": y}) for i, y in enumerate(values) if i not in skipped]
    rows[80] = (rows[80][0], {"y": None})
    stream = STREAM.model_copy(
        update={"name": "small", "topic": "in/small", "format": "json", "value": ("y",), "time": "time", "step": "auto"}
    )

    engine = Engine([stream], seed=1, max_series=1)
    observations = [Observation("small", "small", t, (math.nan if row["y"] is None else row["y"],)) for t, row in rows]
    expected = [f for f in engine.feed(observations) if isinstance(f, Forecast) and f.state != State.WARMING]

    with Mosquitto(tmp_path) as broker, Client(broker.url, "streamlstm/small/forecast") as reader:
        given = {"mqtt": {"url": broker.url}, "http": {"listen": "127.0.0.1:0"}, "streams": (stream,)}
        daemon = Daemon(Config.model_validate(given))
        stop = threading.Event()
        thread = threading.Thread(target=daemon.run, args=(stop,))
        thread.start()
        try:
            until(lambda: daemon.ready, 120.0)
            replay(rows, broker.url, "in/small", speed=math.inf)
            until(lambda: len(reader.seen) >= len(expected), 60.0)
        finally:
            stop.set()
            thread.join(60)
        assert not thread.is_alive()

    said = [json.loads(payload) for _, payload, _ in reader.seen]
    assert len(said) == len(expected)
    for payload, forecast in zip(said, expected, strict=True):
        assert payload["origin"] == rfc3339(forecast.origin_ns)
        assert payload["yhat"] == forecast.yhat.tolist()
        assert payload["lower"]["0.8"] == forecast.lower[0].tolist()
        assert payload["upper"]["0.95"] == forecast.upper[1].tolist()
