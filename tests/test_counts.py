"""Counts and counters through the whole engine."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Forecast, Observation
from tests.small import STREAM

H = 3600 * SECOND_NS
COUNT = STREAM.model_copy(update={"type": "count"})
COUNTER = STREAM.model_copy(update={"type": "counter"})


def fed(stream, values, *, every_ns: int = H, at=None) -> list[Forecast]:
    own = Engine([stream], seed=1, max_series=10)
    times = at if at is not None else range(0, len(values) * every_ns, every_ns)
    readings = [
        Observation(stream.name, stream.name, time_ns, (float(y),), i)
        for i, (time_ns, y) in enumerate(zip(times, values, strict=True))
    ]
    return [out for out in own.feed(readings) if isinstance(out, Forecast)]


def visitors(hours: int) -> np.ndarray:
    """None at night, some by day."""
    hour = np.arange(hours) % 24
    return np.random.default_rng(5).poisson(np.where((hour >= 8) & (hour < 18), 3.0, 0.05)).astype(float)


def test_counts_are_forecast_as_numbers_from_zero_in_intervals_of_whole_ones() -> None:
    found = fed(COUNT, visitors(600))[100:]
    yhat, lower, upper = (np.array([getattr(f, part) for f in found]) for part in ("yhat", "lower", "upper"))
    assert yhat.min() >= 0 and lower.min() >= 0
    assert (yhat % 1 > 0).any()
    assert (lower % 1 == 0).all() and (upper % 1 == 0).all()
    assert (lower <= yhat[:, None]).all() and (upper >= yhat[:, None]).all()


def test_the_coverage_of_counts_is_of_the_intervals_that_were_published() -> None:
    y = visitors(900)
    found = fed(COUNT, y)
    for j, lead in enumerate(COUNT.leads):
        origins = np.arange(300, len(y) - lead)
        for q in range(len(COUNT.levels)):
            inside = [found[o].lower[q, j] <= y[o + lead] <= found[o].upper[q, j] for o in origins]
            assert found[-1].coverage[q, j] == pytest.approx(np.mean(inside), abs=0.03)


def test_a_counter_s_forecasts_are_those_of_its_differences() -> None:
    added = visitors(400)
    own = fed(COUNTER, 5000 + np.cumsum(added))
    below = STREAM.model_copy(update={"bounds": (0.0, math.inf)})
    plain = fed(below, [math.nan, *added[1:]])
    assert [f.y for f in own][1:] == added[1:].tolist()
    assert [f.yhat.tobytes() for f in own] == [f.yhat.tobytes() for f in plain]


def test_what_a_counter_added_over_missed_steps_is_no_step_s() -> None:
    total = np.cumsum(visitors(60)) + 10
    times = [i * H for i in range(60) if i not in (40, 41)]
    found = fed(COUNTER, [total[time // H] for time in times], at=times)
    assert [f.origin_ns // H for f in found if math.isnan(f.y)] == [0, 42]


def test_a_counter_summed_into_steps_adds_up() -> None:
    stream = COUNTER.model_copy(update={"aggregate": "sum"})
    total = np.cumsum(np.random.default_rng(7).uniform(0, 2, 240))
    found = fed(stream, total, every_ns=H // 6)
    assert [f.origin_ns // H for f in found] == list(range(39))
    assert sum(f.y for f in found) == pytest.approx(total[39 * 6] - total[0])
