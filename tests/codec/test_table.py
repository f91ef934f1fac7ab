"""Recorded data as CSV: what is read, what costs a row, and what ends the file."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.table import Row, TableError, read
from streamlstm.events import Discarded, Reason

HOUR = 3_600_000_000_000
NOON = 1_404_216_000_000_000_000  # 2014-07-01T12:00:00Z


def rows(text, columns=("load",), **options):
    """The table of a text, split as an open file splits it."""
    return list(read(text.splitlines(keepends=True), time="time", columns=columns, **options))


def only_problem(text, **options):
    """Between two good rows, the one that is discarded."""
    good, bad, last = rows(f"time,load\n2014-07-01 12:00:00,1\n{text}\n2014-07-01 14:00:00,3\n", **options)
    assert [good.number, last.number] == [0, 2]
    assert isinstance(bad, Discarded)
    return bad


def refusal(text, **options):
    with pytest.raises(TableError) as caught:
        rows(text, **options)
    return str(caught.value)


def test_values_come_in_the_order_asked_for_and_other_columns_are_left_alone():
    text = "load,note,time,temp\n1,ü,2014-07-01 12:00:00,20\n2,,2014-07-01 13:00:00,21.5\n"
    assert rows(text, columns=("temp", "load")) == [Row(0, NOON, (20.0, 1.0)), Row(1, NOON + HOUR, (21.5, 2.0))]


@pytest.mark.parametrize("time", ["2014-07-01 12:00:00", "2014-07-01T14:00:00+02:00", "1404216000", "1404216000.0"])
def test_a_time_is_civil_or_rfc_3339_or_epoch_seconds(time):
    assert rows(f"time,load\n{time},1\n")[0].time_ns == NOON


def test_an_epoch_in_milliseconds_is_read_when_the_format_says_so():
    assert rows("time,load\n1404216000000,1\n", time_format="ms")[0].time_ns == NOON


def test_a_time_without_an_offset_is_civil_time_in_the_zone_given():
    assert rows("time,load\n2014-07-01 14:00:00,1\n", zone="Europe/Berlin")[0].time_ns == NOON


@pytest.mark.parametrize("word", ["", " ", "nan", "NaN", "null", "None", "NA", "n/a", "#N/A", "-", "?", "unavailable"])
def test_a_word_for_no_value_is_missing_and_keeps_its_row(word):
    row = rows(f"time,load\n2014-07-01 12:00:00,{word}\n")[0]
    assert isnan(row.values[0])


def test_a_mark_before_the_header_and_windows_line_ends_and_blank_lines_change_nothing():
    plain = "time,load\n2014-07-01 12:00:00,1\n2014-07-01 13:00:00,2\n"
    assert rows("\ufeff" + plain.replace("\n", "\r\n")) == rows(plain) == rows(plain.replace("\n", "\n\n"))


def test_quoted_fields_and_spaces_around_names_are_read():
    assert rows('"time", load \n"2014-07-01 12:00:00"," 1.5 "\n')[0].values == (1.5,)


@pytest.mark.parametrize(
    ("line", "reason", "found"),
    [
        ("2014-13-01 12:00:00,2", Reason.BAD_TIME, "2014-13-01 12:00:00"),
        (",2", Reason.BAD_TIME, "''"),
        ("1960-01-01 00:00:00,2", Reason.BEFORE_1970, "1960-01-01 00:00:00"),
        ("2014-07-01 13:00:00,high", Reason.WRONG_TYPE, "'high'"),
        ('2014-07-01 13:00:00,"1,5"', Reason.WRONG_TYPE, "'1,5'"),
        ("2014-07-01 13:00:00,1e308", Reason.NOT_FINITE, "1e+308"),
        ("2014-07-01 13:00:00,2,7", Reason.MALFORMED, "3 fields where the header has 2"),
        ("2014-07-01 13:00:00", Reason.MALFORMED, "1 field"),
    ],
)
def test_a_row_that_cannot_be_read_is_discarded_with_its_place_and_what_was_found(line, reason, found):
    bad = only_problem(line)
    assert bad.reason is reason
    assert bad.detail.startswith("row 1 (line 3)")
    assert found in bad.detail


def test_a_value_that_cannot_be_read_names_its_column():
    assert "column 'load'" in only_problem("2014-07-01 13:00:00,high").detail


def test_a_missing_column_is_named_with_the_columns_found_and_the_likely_intent():
    told = refusal("timestamp,load\n2014-07-01 12:00:00,1\n")
    assert "no column 'time'" in told
    assert "did you mean 'timestamp'?" in told
    assert "timestamp, load" in told


def test_all_missing_columns_are_told_at_once():
    told = refusal("a,b\n1,2\n", columns=("load", "temp"))
    assert all(f"no column {name!r}" in told for name in ("time", "load", "temp"))


def test_a_column_named_twice_is_refused():
    assert "column 'load' stands 2 times" in refusal("time,load,load\n2014-07-01 12:00:00,1,2\n")


def test_a_file_without_a_header_is_asked_for_one():
    assert "does the first line name the columns?" in refusal("2014-07-01 12:00:00,1\n2014-07-01 13:00:00,2\n")


def test_a_semicolon_between_columns_is_recognised_and_read_when_told_so():
    text = "time;load\n2014-07-01 12:00:00;1\n"
    assert "separated by a semicolon" in refusal(text)
    assert rows(text, separator=";") == [Row(0, NOON, (1.0,))]


@pytest.mark.parametrize("text", ["", "\n", "\ufeff", ",,\n"])
def test_an_empty_file_is_refused(text):
    assert "the file is empty" in refusal(text)


def test_a_header_alone_is_refused():
    assert "need at least one row" in refusal("time,load\n")


def test_a_file_none_of_whose_rows_can_be_read_is_refused_with_the_first_problem():
    told = refusal("time,load\nsoon,1\nlater,2\n")
    assert "none of the 2 rows" in told
    assert "'soon'" in told


def test_a_quote_that_never_closes_is_refused_with_its_line():
    assert refusal('time,load\n2014-07-01 12:00:00,"1\n2014-07-01 13:00:00,2\n').startswith("line 3:")


def test_text_that_is_not_utf8_is_refused():
    text = "time,load\n2014-07-01 12:00:00,1\n".encode("utf-16").decode("utf-8", errors="replace")
    assert "UTF-16" in refusal(text)


@given(st.text(alphabet='0123456789-: T,"\n\r;.eEnaZ+\ufeff\0é', max_size=200))
def test_any_text_gives_rows_or_discards_or_one_clear_refusal(text):
    try:
        found = rows("time,load\n" + text)
    except TableError as error:
        assert str(error)
    else:
        assert [type(item) for item in found if not isinstance(item, Row | Discarded)] == []
        numbers = [item.number for item in found if isinstance(item, Row)]
        assert numbers == sorted(set(numbers))
        assert all(number < len(found) for number in numbers)
