"""Series that fall silent: forecast through by the clock, told of once, and none the worse when they come back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Kind, Observation, State, Tick
from tests.observed import HOUR_NS as H
from tests.observed import forecasts, observations, told
from tests.small import STREAM

DAYS = 20


def engine() -> Engine:
    return Engine([STREAM.model_copy(update={"step": H, "gap": 48 * H})], seed=1, max_series=10)


def live(hours: int = 24 * DAYS) -> list[Observation]:
    """A daily wave, and what strays from it for hours; each reading arrives a second after its time."""
    stray = np.zeros(hours)
    for i, noise in enumerate(np.random.default_rng(2).normal(0, 0.3, hours)):
        stray[i] = 0.95 * stray[i - 1] + noise
    values = 10 + 3 * np.sin(np.arange(hours) * 2 * np.pi / 24) + stray
    return observations(values, after_ns=SECOND_NS)


def gaps(outputs):
    return told(outputs, Kind.GAP)


def row(of: Engine) -> bytes:
    learner, slot = of.learner(STREAM.name)
    return learner.rows.export(slot)


def ticked(of: Engine, begin: int, end: int):
    """The clock, every ten minutes of so many hours."""
    return [output for now in range(begin * H, end * H, H // 6) for output in of.feed([Tick(now)])]


def test_while_nothing_comes_forecasts_go_on_hour_by_hour_and_widen():
    own, hours = engine(), 24 * DAYS
    readings = live(hours + 48)
    own.feed(readings[:hours])
    before = row(own)
    silent = ticked(own, hours, hours + 24)
    assert gaps(silent) == [(True, hours)]
    found = forecasts(silent)
    # an hour's reading may come until the hour after it is over; and two of them missing are no gap yet
    assert [f.origin_ns // H for f in found] == list(range(hours + 2, hours + 23))
    assert all(f.state is State.GAP and math.isnan(f.y) and np.isfinite(f.yhat).all() for f in found)
    widths = [float((f.upper[0] - f.lower[0])[0]) for f in found]
    assert widths[-1] > 1.2 * widths[0]
    truth = [readings[f.origin_ns // H + f.leads[0]].values[0] for f in found]
    error = np.mean([abs(f.yhat[0] - y) for f, y in zip(found, truth, strict=True)])
    assert error < 0.7 * np.mean([abs(readings[hours - 1].values[0] - y) for y in truth])
    assert row(own) == before


def test_after_a_gap_all_is_as_if_the_clock_had_said_nothing():
    readings, hours = live(), 24 * DAYS - 30
    ticking, quiet = engine(), engine()
    ticking.feed(readings[:hours])
    quiet.feed(readings[:hours])
    ticked(ticking, hours, hours + 10)
    after, expected = ticking.feed(readings[hours + 10 :]), quiet.feed(readings[hours + 10 :])
    assert [f.yhat.tobytes() for f in forecasts(after)] == [f.yhat.tobytes() for f in forecasts(expected)]
    assert (gaps(after), gaps(expected)) == ([(False, hours + 10)], [(True, hours), (False, hours + 10)])
    assert row(ticking) == row(quiet)


def test_ticks_among_observations_say_the_same_in_one_call_as_in_many():
    readings = live(100) + [Tick(now) for now in range(100 * H, 106 * H, H)]
    whole = engine().feed(readings)
    parts = engine()
    single = [output for item in readings for output in parts.feed([item])]
    assert [(f.origin_ns, f.yhat.tobytes()) for f in forecasts(whole)] == [
        (f.origin_ns, f.yhat.tobytes()) for f in forecasts(single)
    ]
    assert gaps(whole) == gaps(single) == [(True, 100)]


def test_no_forecast_is_made_up_beyond_the_gap_that_forgets():
    own, hours = engine(), 24 * DAYS
    own.feed(live())
    assert forecasts(ticked(own, hours + 60, hours + 70)) == []


@pytest.mark.parametrize(("missing", "expected"), [(2, []), (3, [(True, 50), (False, 53)])])
def test_readings_without_a_value_are_a_gap_from_the_third_on(missing, expected):
    readings = live(60)
    for i in range(50, 50 + missing):
        readings[i] = readings[i]._replace(values=(math.nan,))
    assert gaps(engine().feed(readings)) == expected


def test_before_its_first_value_a_series_has_no_gap():
    readings = [reading._replace(values=(math.nan,)) for reading in live(10)] + live(60)[10:]
    assert gaps(engine().feed(readings)) == []


@pytest.mark.parametrize(("missing", "expected"), [(2, []), (3, [(True, 50), (False, 53)])])
def test_steps_that_nobody_reported_are_a_gap_from_the_third_on(missing, expected):
    readings = live(60)
    assert gaps(engine().feed(readings[:50] + readings[50 + missing :])) == expected
