"""Many readings, one value a step."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.events import Discarded, Observation, Reason
from streamlstm.model.zone import CivilTime
from streamlstm.timeline.calendar import DAY_NS, WEEK_NS
from streamlstm.timeline.grid import Grid
from streamlstm.timeline.steps import Steps

S = 1_000_000_000
MIN, H = 60 * S, 3600 * S
T0 = 1_767_225_600 * S  # 2026-01-01 00:00 UTC, a Thursday


def steps(how, *, step=H, hold=0, gap=DAY_NS, zone="UTC") -> Steps:
    civil = CivilTime(zone)
    return Steps(Grid(step, lambda time_ns: civil.of(time_ns)[0]), how, hold, gap)


def reading(time_ns, *values, received_ns=0) -> Observation:
    return Observation("s", "s", time_ns, values, time_ns // S, received_ns)


def fed(gatherer, readings):
    return [step for one in readings for step in gatherer.feed(one)]


def said(found):
    return [(step.time_ns - T0, *step.values) for step in found]


@pytest.mark.parametrize(
    ("how", "expected"), [("mean", 4.0), ("last", 7.0), ("sum", 12.0), ("min", 1.0), ("max", 7.0), ("count", 3.0)]
)
def test_a_step_says_what_it_is_asked_of_its_readings(how, expected):
    readings = [reading(T0 + at * MIN, value) for at, value in ((0, 4.0), (20, 1.0), (59, 7.0), (60, 100.0))]
    assert said(fed(steps(how), readings)) == [(0, expected)]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3 * 3600), st.floats(-1e6, 1e6) | st.just(math.nan)), min_size=1, max_size=60),
    st.sampled_from(["mean", "last", "sum", "min", "max"]),
)
def test_steps_are_those_of_a_plain_grouping(spaced, how):
    times = T0 + np.cumsum([space for space, _ in spaced]) * S
    values = np.array([value for _, value in spaced])
    found = fed(steps(how), [reading(int(t), float(v)) for t, v in zip(times, values, strict=True)])
    bins = times // H
    assert [step.time_ns // H for step in found] == list(dict.fromkeys(bins.tolist()))[:-1]
    of = {"mean": np.mean, "last": lambda v: v[-1], "sum": np.sum, "min": np.min, "max": np.max}[how]
    for step in found:
        known = values[(bins == step.time_ns // H) & ~np.isnan(values)]
        assert step.values[0] == pytest.approx(of(known), abs=1e-9) if known.size else math.isnan(step.values[0])


def test_inputs_are_averaged_beside_the_target_and_a_missing_one_is_passed_over():
    readings = [reading(T0, 1.0, 10.0), reading(T0 + MIN, 3.0, math.nan), reading(T0 + H, 0.0, 0.0)]
    assert said(fed(steps("sum"), readings)) == [(0, 4.0, 10.0)]


def test_a_value_that_holds_is_weighed_by_its_time_and_fills_the_steps_until_it_no_longer_does():
    readings = [reading(T0, 0.0), reading(T0 + 45 * MIN, 4.0), reading(T0 + 10 * H, 1.0), reading(T0 + 11 * H, 1.0)]
    found = said(fed(steps("mean", hold=3 * H), readings))
    # 45 minutes of 0 and 15 of 4; then 4 until 3:45, when the sensor counts as dead; then the next reading
    assert found == [(0, 1.0), (H, 4.0), (2 * H, 4.0), (3 * H, 4.0), (10 * H, 1.0)]


def test_hours_without_an_event_count_none_of_them_until_the_gap():
    readings = [reading(T0 + 5 * MIN, 1.0), reading(T0 + 6 * MIN, 1.0), reading(T0 + 50 * H, 1.0)]
    found = said(fed(steps("count", gap=4 * H), readings))
    assert found == [(0, 2.0), (H, 0.0), (2 * H, 0.0), (3 * H, 0.0)]  # the next one would be known in part only


def test_the_clock_ends_a_step_and_says_the_same_as_the_next_reading_would():
    readings = [reading(T0 + at * MIN, float(at), received_ns=T0 + at * MIN) for at in (0, 30, 55, 190, 300)]
    waited, ticked = steps("mean", hold=2 * H), steps("mean", hold=2 * H)
    expected, found = fed(waited, readings), []
    for one, following in pairwise([*readings, None]):
        found += ticked.feed(one)
        for now in range(one.time_ns, following.time_ns if following else one.time_ns, 10 * MIN):
            found += ticked.expire(now)
    assert found == expected


def test_a_reading_of_a_step_that_is_over_is_late():
    gatherer = steps("mean")
    fed(gatherer, [reading(T0, 1.0, received_ns=T0)])
    assert said(gatherer.expire(T0 + H)) == [(0, 1.0)]
    (found,) = gatherer.feed(reading(T0 + H - S, 2.0))
    assert isinstance(found, Discarded) and found.reason is Reason.LATE


def test_recorded_data_does_not_expire():
    gatherer = steps("mean")
    fed(gatherer, [reading(T0, 1.0)])
    assert list(gatherer.expire(T0 + DAY_NS)) == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
def test_days_begin_at_civil_midnight_through_a_whole_year(zone):
    there = ZoneInfo(zone)
    readings = [reading(T0 + at * 30 * MIN, 1.0) for at in range(48 * 367)]
    found = fed(steps("count", step=DAY_NS, zone=zone), readings)
    begins = [datetime.fromtimestamp(step.time_ns // S, UTC).astimezone(there) for step in found]
    assert all((at.hour, at.minute, at.second) == (0, 0, 0) for at in begins)
    assert len({at.date() for at in begins}) == len(begins) >= 366
    spans = {(b.time_ns - a.time_ns) // H for a, b in pairwise(found)}
    assert spans == ({24} if zone == "Asia/Kolkata" else {23, 24, 25})
    assert {step.values[0] for step in found[1:]} == {2.0 * span for span in spans}


def test_weeks_begin_on_monday():
    readings = [reading(T0 + at * DAY_NS, 1.0) for at in range(40)]
    found = fed(steps("count", step=WEEK_NS), readings)
    assert {datetime.fromtimestamp(step.time_ns // S, UTC).weekday() for step in found} == {0}
    assert {step.values[0] for step in found[1:]} == {7.0}
