"""Civil time through a change of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.values import LATEST_NS
from streamlstm.events import SECOND_NS
from streamlstm.model.zone import KEPT, NEVER_NS, QUARTER_S, CivilTime

HOUR_NS = 3600 * SECOND_NS
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]


def ns(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * SECOND_NS


DAY_NS = 24 * HOUR_NS


def test_the_clock_on_the_wall_jumps_in_march_and_stands_in_october() -> None:
    berlin = CivilTime("Europe/Berlin", 0)
    for first, shift in ((ns(2026, 3, 29, 0, 59, 59), 2), (ns(2026, 10, 25, 0, 59, 59), 0)):
        before, after = berlin.of(first), berlin.of(first + SECOND_NS)
        assert after.time_ns - before.time_ns == SECOND_NS + (shift - 1) * HOUR_NS


def test_the_next_change_of_the_clocks_is_seen_within_the_horizon_and_no_further() -> None:
    turn, far = ns(2026, 3, 29, 1), CivilTime("Europe/Berlin", 2 * DAY_NS)
    for hours in (1, 20, 47):
        assert far.of(turn - hours * HOUR_NS)[1:] == (turn, HOUR_NS)
    assert far.of(turn - 50 * HOUR_NS)[1:] == (NEVER_NS, 0)
    assert far.of(turn)[1:] == (NEVER_NS, 0)
    assert far.of(ns(2026, 10, 24, 23, 10))[1:] == (ns(2026, 10, 25, 1), -HOUR_NS)


@given(st.integers(ns(1990, 1, 1), ns(2037, 1, 1)), st.integers(0, 14 * DAY_NS), st.sampled_from(ZONES))
def test_the_civil_time_of_a_lead_is_what_the_clock_will_show_then(time_ns: int, ahead_ns: int, zone: str) -> None:
    now = CivilTime(zone, 14 * DAY_NS).of(time_ns)
    later = now.time_ns + ahead_ns + (now.turn_by_ns if time_ns + ahead_ns >= now.turn_ns else 0)
    assert later == CivilTime(zone, 0).of(time_ns + ahead_ns).time_ns


def test_utc_is_left_alone() -> None:
    assert CivilTime("UTC", DAY_NS).of(12345) == (12345, NEVER_NS, 0)


def test_what_is_remembered_is_bounded() -> None:
    kolkata = CivilTime("Asia/Kolkata", 0)
    for quarter in range(2 * KEPT):
        time_ns = quarter * QUARTER_S * SECOND_NS
        assert kolkata.of(time_ns).time_ns - time_ns == 5.5 * HOUR_NS
    assert len(kolkata._known) <= KEPT


@pytest.mark.parametrize("years", [1, 400, 9000])
def test_times_stay_within_64_bits_as_late_as_messages_may_say(years: int) -> None:
    for zone in ("Pacific/Kiritimati", "Europe/Berlin"):
        found = CivilTime(zone, years * 365 * 24 * HOUR_NS).of(LATEST_NS)
        assert max(found) < 2**63
