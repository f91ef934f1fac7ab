"""A day that is lived by the clock on the wall, when the clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Forecast, Observation
from tests.small import STREAM

H = 3600 * SECOND_NS
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("change", [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)])
def test_the_day_after_a_change_of_the_clocks_is_forecast_as_well_as_the_day_before(change):
    shape = np.random.default_rng(4).normal(0, 10, 24)  # of the day: each hour quite another than the one before
    noise = np.random.default_rng(5).normal(0, 1, 24 * 64)
    begin_s = int(change.timestamp()) - 60 * 86_400
    times = [begin_s + 3600 * i for i in range(len(noise))]
    values = [shape[datetime.fromtimestamp(t, BERLIN).hour] + e for t, e in zip(times, noise, strict=True)]
    stream = STREAM.model_copy(update={"step": H, "timezone": "Europe/Berlin"})
    own, pairs = Engine([stream], seed=1, max_series=1), zip(times, values, strict=True)
    out = own.feed([Observation(STREAM.name, STREAM.name, t * SECOND_NS, (y,), i) for i, (t, y) in enumerate(pairs)])
    found = [f for f in out if isinstance(f, Forecast)]
    for at, lead in enumerate(STREAM.leads):
        errors = np.abs([found[i].yhat[at] - values[i + lead] for i in range(len(values) - lead)])
        # for the targets of the 24 hours from the change on, and of the three days before it
        after, before = errors[60 * 24 - lead :][:24], errors[57 * 24 - lead :][:72]
        assert after.mean() < 1.6 * before.mean()
