"""Public holidays as a covariate: which civil day a time falls on, in the series' own zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streamlstm.config import Stream
from streamlstm.model.zone import CivilTime
from streamlstm.timeline.holiday import Holidays
from streamlstm.timeline.join import Joins


def at(place: str, zone: str, text: str) -> float:
    """Whether a time, written in UTC, is on a holiday there."""
    civil = CivilTime(zone)
    time_ns = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9
    return Holidays(place, lambda time_ns: civil.of(time_ns)[0]).at(0, time_ns)


@pytest.mark.parametrize(
    ("place", "zone", "text", "is_holiday"),
    [
        ("DE", "Europe/Berlin", "2026-12-24T22:59:59", 0.0),
        ("DE", "Europe/Berlin", "2026-12-24T23:00:00", 1.0),  # midnight there
        ("DE", "Europe/Berlin", "2026-12-26T22:59:59", 1.0),
        ("DE", "Europe/Berlin", "2026-12-26T23:00:00", 0.0),
        ("US-NY", "America/New_York", "2014-11-28T04:59:59", 1.0),
        ("US-NY", "America/New_York", "2014-11-28T05:00:00", 0.0),
        ("DE", "Europe/Berlin", "2024-03-31T12:00:00", 0.0),  # Easter Sunday, when clocks are put forward
        ("DE-BB", "Europe/Berlin", "2024-03-31T12:00:00", 1.0),  # a holiday in Brandenburg alone
        ("DE", "Europe/Berlin", "2024-03-31T21:59:59", 0.0),
        ("DE", "Europe/Berlin", "2024-03-31T22:00:00", 1.0),  # Easter Monday, of which midnight is in summer time
        ("TW", "Asia/Taipei", "2024-02-28T16:00:00", 0.0),  # February the 29th, after a holiday on the 28th
        ("TW", "Asia/Taipei", "2024-02-28T15:59:59", 1.0),
    ],
)
def test_a_holiday_lasts_from_civil_midnight_to_civil_midnight(place, zone, text, is_holiday):
    assert at(place, zone, text) == is_holiday


def test_each_lead_is_told_of_the_day_that_it_is_for():
    stream = Stream(name="s", topic="s", holidays="DE", timezone="Europe/Berlin", leads=(1, 24, 48))
    civil, hour = CivilTime("Europe/Berlin"), 3_600_000_000_000
    eve = int(datetime(2026, 12, 24, 12, tzinfo=UTC).timestamp()) * 10**9
    joins = Joins(stream, 1, lambda time_ns: civil.of(time_ns)[0])
    assert joins.join("s").values((7.0,), eve, eve, hour, stream.leads) == (7.0, 0.0, 1.0, 1.0)
    assert joins.join("s").values((7.0,), eve + 36 * hour, eve, hour, stream.leads) == (7.0, 1.0, 0.0, 0.0)
    assert stream.ahead == 1


@pytest.mark.parametrize(("lead", "is_holiday"), [(11, 0.0), (12, 1.0), (13, 0.0)])
def test_of_days_each_lead_is_its_civil_day_also_across_a_change_of_the_clocks(lead, is_holiday):
    stream = Stream(name="s", topic="s", holidays="DE-BY", timezone="Europe/Berlin", leads=(lead,))
    civil, day = CivilTime("Europe/Berlin"), 86_400_000_000_000
    midnight = (
        int(datetime(2024, 10, 19, 22, tzinfo=UTC).timestamp()) * 10**9
    )  # the 20th; the clocks go back a week later
    joins = Joins(stream, 1, lambda time_ns: civil.of(time_ns)[0])
    assert joins.join("s").values((7.0,), midnight, midnight + day, day, (lead,)) == (7.0, is_holiday)
