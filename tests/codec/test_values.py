"""Numbers and times are read exactly as they are written, or answered with a reason."""

from datetime import UTC, datetime, timedelta, timezone
from math import isnan
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.encode import rfc3339
from streamlstm.codec.values import LATEST_NS, Unreadable, bounded, number, time_ns
from streamlstm.events import Reason

BERLIN = ZoneInfo("Europe/Berlin")
MORNING = 1_772_432_141 * 10**9  # 2026-03-02 06:15:41 UTC

texts = st.text() | st.text(alphabet="0123456789+-.eE_:TZz /infany", max_size=40)
formats = st.sampled_from(["auto", "rfc3339", "s", "ms", "us", "ns"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("412", 412.0), (" 37.25\n", 37.25), ("-0.5", -0.5), ("+7", 7.0), (".5", 0.5), ("5.", 5.0), ("1e-3", 0.001)],
)
def test_decimal_numbers_are_read(text, expected):
    assert number(text) == expected


@pytest.mark.parametrize(
    "text", ["nan", "NaN", "inf", "-Infinity", "unknown", "Unavailable", "None", "null", "", " \n"]
)
def test_words_for_no_value_are_missing(text):
    assert isnan(number(text))


@pytest.mark.parametrize(
    "text", ["1_000", "٣٤", "１２", "0x10", "20,5", "21.5 °C", "1 2", "--1", "e5", "Online", "true", "1" * 500, "\x00"]
)
def test_what_is_no_plain_number_is_the_wrong_type(text):
    assert number(text).reason is Reason.WRONG_TYPE


@pytest.mark.parametrize("text", ["1e999", "-1e999", "1e308", "1" * 400, "1.1e30"])
def test_numbers_too_large_to_compute_with_are_not_finite(text):
    assert number(text).reason is Reason.NOT_FINITE


@given(st.floats(allow_nan=False, min_value=-1e30, max_value=1e30))
def test_a_printed_number_is_read_back_to_the_bit(value):
    assert number(repr(value)) == value


@given(texts)
def test_any_text_is_a_number_a_missing_value_or_a_reason(text):
    found = number(text)
    assert isinstance(found, Unreadable) or isnan(found) or abs(found) <= 1e30


def test_a_missing_value_passes_the_limit():
    assert isnan(bounded(float("nan")))
    assert bounded(float("inf")).reason is Reason.NOT_FINITE


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T07:15:41+01:00",
        "2026-03-02T06:15:41Z",
        "2026-03-02t06:15:41z",
        "2026-03-02 06:15:41+00:00",
        "2026-03-02T06:15:41.000Z",
        "2026-03-02T06:15:41,0Z",
        "2026-03-02T01:15:41-0500",
        "2026-03-02T11:45:41 +05:30",
        "2026-03-02T08:15:41+02",
    ],
)
def test_one_moment_in_many_spellings(text):
    assert time_ns(text, "auto", BERLIN) == time_ns(text, "rfc3339", BERLIN) == MORNING


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-03-02T06:15:41.1Z", 100_000_000),
        ("2026-03-02T06:15:41.123456Z", 123_456_000),
        ("2026-03-02T06:15:41.123456789Z", 123_456_789),
        ("2026-03-02T07:15:41.000000001+01:00", 1),
        ("2026-03-02T06:15:41.1234567899Z", 123_456_789),  # cut off behind the nanosecond
    ],
)
def test_fractions_of_a_second_are_exact(text, ns):
    assert time_ns(text, "auto", UTC) == MORNING + ns


def test_a_time_without_offset_is_civil_time_of_the_zone():
    assert time_ns("2026-03-02T07:15:41", "auto", BERLIN) == MORNING
    assert time_ns("2026-07-02T08:15:41", "auto", BERLIN) == time_ns("2026-07-02T06:15:41Z", "auto", UTC)


def test_the_hour_that_autumn_repeats_is_taken_the_first_time():
    assert time_ns("2026-10-25T02:30:00", "auto", BERLIN) == time_ns("2026-10-25T00:30:00Z", "auto", UTC)


def test_dates_and_minutes_as_tables_write_them():
    assert time_ns("2026-03-02", "auto", UTC) == time_ns("2026-03-02T00:00:00Z", "auto", UTC)
    assert time_ns("2026-03-02 06:15", "auto", UTC) == MORNING - 41 * 10**9


def test_a_leap_second_is_the_start_of_the_next_minute():
    assert time_ns("2016-12-31T23:59:60Z", "auto", UTC) == time_ns("2017-01-01T00:00:00Z", "auto", UTC)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (1_772_432_141, "s"),
        (1_772_432_141_000, "ms"),
        (1_772_432_141_000_000, "us"),
        (MORNING, "ns"),
        (1_772_432_141, "auto"),
        ("1772432141", "auto"),
        ("1772432141000", "ms"),
        (1_772_432_141.0, "s"),
        (1.772432141e18, "ns"),
    ],
)
def test_epoch_time_in_the_unit_of_the_setting(value, unit):
    assert time_ns(value, unit, UTC) == MORNING


@pytest.mark.parametrize(
    ("value", "unit", "ns"),
    [
        ("1772432141.123456789", "s", 123_456_789),
        (1_772_432_141.1, "s", 100_000_000),  # no 0.09999990463
        ("1772432141000.25", "ms", 250_000),
    ],
)
def test_fractions_of_epoch_time_are_the_digits_that_were_sent(value, unit, ns):
    assert time_ns(value, unit, UTC) == MORNING + ns


@pytest.mark.parametrize(
    ("value", "time_format"),
    [
        ("yesterday", "auto"),
        ("", "auto"),
        ("2026-13-02T06:15:41Z", "auto"),
        ("2026-02-30T06:15:41Z", "auto"),
        ("2026-03-02T06:61:41Z", "auto"),
        ("2026-03-02T06:15:41+25:00", "auto"),
        ("٢٠٢٦-03-02T06:15:41Z", "auto"),
        ("2026-03-02T06:15:41Z", "s"),
        (1_772_432_141, "rfc3339"),
        ("1772432141", "rfc3339"),
        ("1_772_432_141", "s"),
        ("1e9", "s"),
        (True, "s"),
        (None, "auto"),
        ({}, "auto"),
        ([1], "auto"),
        (float("inf"), "s"),
        (float("nan"), "s"),
        (MORNING, "s"),  # ns taken for seconds: beyond all calendars
        pytest.param(10**5000, "ns", id="a very long number"),
        ("9" * 100, "ns"),
    ],
)
def test_what_is_no_time_in_its_format_is_a_bad_time(value, time_format):
    assert time_ns(value, time_format, UTC).reason is Reason.BAD_TIME


@pytest.mark.parametrize(
    "value", ["1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00", "0001-01-01T00:00:00Z", -1, -0.5]
)
def test_before_1970_has_a_reason_of_its_own(value):
    assert time_ns(value, "auto", UTC).reason is Reason.BEFORE_1970


@given(anything, formats)
def test_any_value_is_a_time_or_a_reason(value, time_format):
    found = time_ns(value, time_format, BERLIN)
    if isinstance(found, Unreadable):
        assert found.reason in (Reason.BAD_TIME, Reason.BEFORE_1970)
        assert found.detail.isprintable() or not str(value).isprintable()
    else:
        assert 0 <= found <= LATEST_NS


@given(st.integers(0, LATEST_NS))
def test_a_time_that_we_print_is_read_back_to_the_nanosecond(ns):
    assert time_ns(rfc3339(ns), "auto", BERLIN) == ns
    assert time_ns(str(ns), "ns", UTC) == time_ns(ns, "ns", UTC) == ns
    assert time_ns(f"{ns // 10**9}.{ns % 10**9:09d}", "s", UTC) == ns


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2261, 12, 31)),
    st.integers(-23 * 60, 23 * 60),
)
def test_any_offset_is_taken_off(moment, minutes):
    zoned = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    microseconds = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    assert time_ns(zoned.isoformat(), "auto", BERLIN) == microseconds * 1_000
