"""Streams that are forecast on a coarser grid than they are sent on, through the whole engine."""

from __future__ import annotations

import numpy as np
import pytest

from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Discarded, Forecast, Observation, Tick
from tests.observed import observations
from tests.small import STREAM

MIN, H = 60 * SECOND_NS, 3600 * SECOND_NS
HOURLY = {"step": H, "aggregate": "mean"}


def engine(**settings) -> Engine:
    return Engine([STREAM.model_copy(update=settings)], seed=1, max_series=10)


def every_ten_minutes(hours: int) -> list[Observation]:
    """A daily wave in six readings an hour, some of which say nothing."""
    dice = np.random.default_rng(3)
    values = 10 + 3 * np.sin(np.arange(6 * hours) * 2 * np.pi / 144) + dice.normal(0, 0.3, 6 * hours)
    values[dice.random(6 * hours) < 0.1] = np.nan
    return observations(values, every_ns=10 * MIN)


def said(outputs):
    return [(f.origin_ns, f.yhat.tobytes(), f.lower.tobytes()) for f in outputs if isinstance(f, Forecast)]


def test_an_hour_of_readings_is_one_observation_of_the_model():
    readings = every_ten_minutes(60)
    means = [float(np.nanmean([r.values[0] for r in readings[i : i + 6]])) for i in range(0, len(readings), 6)]
    by_hand = [Observation(STREAM.name, STREAM.name, i * H, (y,), 6 * i + 5) for i, y in enumerate(means[:-1])]
    gathered, plain = engine(**HOURLY), engine(step=H)
    assert said(gathered.feed(readings)) == said(plain.feed(by_hand)) != []
    report = gathered.report()
    assert (report.gathered, report.learned, report.missing, report.held) == (len(readings), 0, 0, 0)


def test_how_readings_are_grouped_into_calls_changes_nothing():
    readings = every_ten_minutes(40)
    whole, parts = engine(**HOURLY), engine(**HOURLY)
    found = [output for i in range(0, len(readings), 7) for output in parts.feed(readings[i : i + 7])]
    assert said(whole.feed(readings)) == said(found)


def test_the_clock_ends_an_hour_so_that_its_forecast_need_not_wait_for_the_next_reading():
    live = [obs._replace(received_ns=obs.time_ns + SECOND_NS) for obs in every_ten_minutes(30)]
    gathered = engine(**HOURLY)
    before = said(gathered.feed(live))
    assert said(gathered.feed([Tick(30 * H - SECOND_NS)])) == []
    (last,) = said(gathered.feed([Tick(30 * H)]))
    assert (before[-1][0], last[0]) == (28 * H, 29 * H)
    (late,) = gathered.feed([live[-1]._replace(time_ns=live[-1].time_ns + MIN)])
    assert isinstance(late, Discarded) and "its step is over" in late.detail
    report = gathered.report()
    assert report.gathered + sum(report.discarded.values()) == len(live) + 1


@pytest.mark.parametrize(("hold", "expected"), [(0, 25), (48 * H, 35)])
def test_a_sensor_that_speaks_only_of_changes_is_heard_between_them(hold, expected):
    readings = [obs for obs in every_ten_minutes(36) if not 20 * H <= obs.time_ns < 30 * H]
    found = said(engine(step=H, aggregate="mean", hold=hold).feed(readings))
    assert len(found) == expected


def test_an_hour_ahead_is_an_hour_ahead_however_irregular_the_readings():
    dice = np.random.default_rng(6)
    times = np.cumsum(dice.choice([7, 10, 12, 19, 34, 80, 150], 900)) * MIN
    values = 20 + 5 * np.sin(times / (24 * H) * 2 * np.pi) + dice.normal(0, 0.2, 900)
    own = engine(step="auto", leads=(-H, -3 * H))
    out = own.feed(
        [
            Observation(STREAM.name, STREAM.name, int(t), (float(y),), i)
            for i, (t, y) in enumerate(zip(times, values, strict=True))
        ]
    )
    found = [f for f in out if isinstance(f, Forecast)][500:]
    for at, hours in enumerate((1, 3)):
        assert {abs(f.times_ns[at] - f.origin_ns - hours * H) <= f.step_ns // 2 for f in found} == {True}
        truth = [20 + 5 * np.sin((f.origin_ns + hours * H) / (24 * H) * 2 * np.pi) for f in found]
        error = np.mean([abs(f.yhat[at] - y) for f, y in zip(found, truth, strict=True)])
        assert error < 0.5 * np.mean([abs(f.y - y) for f, y in zip(found, truth, strict=True)])
