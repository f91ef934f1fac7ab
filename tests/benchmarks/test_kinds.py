"""The benchmark of kinds: what is scored against what, worked out by hand, and one pass of the small engine."""

from __future__ import annotations

import json
import sys
from math import log, nan

import numpy as np
import pytest

from benchmarks.kinds import __main__ as command
from benchmarks.kinds import beginnings, boolean, clocks, gaps, irregular, robust
from benchmarks.kinds.figure import Figure, Given, NotHere, table
from benchmarks.kinds.passes import BEGIN_NS, HOUR_NS, Said, rows_of, run
from tests.small import STREAM

GIVEN = Given("small")
MINUTE_NS = 60_000_000_000


def said(y, yhat, times=None, half=1.0, leads=(1,)):
    """A pass with one lead, whose interval reaches `half` to either side of the forecast."""
    y, yhat = np.array(y, float), np.array(yhat, float)[:, None]
    times = np.arange(len(y)) * HOUR_NS if times is None else np.array(times) * HOUR_NS
    lower, upper, none = (yhat - half)[:, None], (yhat + half)[:, None], np.zeros((len(y), 0, 1))
    return Said(times, y, yhat, lower, upper, yhat[:, None], none, HOUR_NS, leads, (0.5,))


def test_a_forecast_meets_the_value_at_its_own_time_and_nothing_where_none_came():
    one = said([1, 2, 4, nan, 5], [2.5, 3, 0, 0, 0], times=[0, 1, 3, 4, 5])
    origins, targets = one.met(0)
    assert list(zip(origins, targets, strict=True)) == [(0, 1), (3, 4)]  # hour 2 never came, hour 4 had no value
    assert one.errors(0)[0] == 0.5
    assert np.isnan(one.errors(0)[[1, 2, 4]]).all()


def test_the_engine_bridges_steps_that_were_never_sent():
    y = 10 + np.sin(np.arange(60.0) / 4)
    rows = rows_of(y)
    one = run(GIVEN, rows[:30] + rows[37:], STREAM.model_copy(update={"name": "kinds"}))
    assert len(one.y) == 53
    origins, targets = one.met(1)  # lead 3
    across = one.time_ns[targets] - one.time_ns[origins]
    assert (across == 3 * HOUR_NS).all()
    assert not ((origins < 30) & (targets >= 30)).any()


def test_the_same_pairs_are_scored_with_gaps_and_without():
    whole = said([0, 0, 0, 0, 0], [1, 1, 1, 1, 1])
    ours = said([0, 0, 0], [9, 3, 7], times=[1, 2, 4])  # only 1 -> 2 has both ends
    assert gaps.ratio(ours, whole, 0, first=0) == 9.0
    assert gaps.ratio(said([0, 0, 0], [9, 3, 7]), whole, 0, first=2) == 3.0  # of 0 -> 1 and 1 -> 2 the second alone


@pytest.mark.parametrize("kind", gaps.KINDS)
def test_about_a_third_is_taken_away(kind):
    lost = gaps.gone(kind, 1, 20_000)
    assert 0.28 < lost.mean() < 0.32
    edges = np.flatnonzero(np.diff(np.concatenate(([0], lost, [0]))))
    widths = edges[1::2] - edges[::2]
    low, high = (12, 144) if kind == "in blocks" else (1, 20)
    assert low <= widths.min() <= widths.max() <= high


def test_the_first_after_a_block_are_those_behind_a_long_gap():
    one = said(np.zeros(30), np.zeros(30), times=[*range(10), *range(30, 50)])
    assert np.flatnonzero(gaps.after_gaps(one)).tolist() == list(range(10, 22))


def test_a_lead_in_time_is_answered_by_the_first_reading_after_it_that_is_not_too_late():
    times = np.array([0, 10, 21, 60, 65]) * MINUTE_NS
    origins, targets = irregular.labels(times, 10 * MINUTE_NS)
    # 10 -> 20 is met at 21; 21 -> 31 only at 60, which is too late; behind 60 and 65 nothing comes at all
    assert list(zip(origins, targets, strict=True)) == [(0, 1), (1, 2)]


def test_the_same_time_of_day_is_never_taken_from_behind_the_origin():
    times = np.array([0, 1430, 1440, 1450]) * MINUTE_NS
    y = np.array([1.0, 2.0, 3.0, 4.0])
    naive = irregular.day_before(times, y, np.array([1, 2]), 10 * MINUTE_NS)
    assert naive.tolist() == [1.0, 3.0]  # the second has none within five minutes, and takes its own value


def test_the_wall_clock_skips_an_hour_in_spring_and_repeats_one_in_autumn():
    at, turns = clocks.wall(366 * 24)
    steps = (at[turns] - at[turns - 1]) % 168
    assert steps.tolist() == [2, 0]
    assert at[0] == 2 * 24 + 1  # midnight of a Wednesday in UTC


def test_the_day_after_is_held_against_the_day_before():
    y, yhat = np.full(100, 10.0), np.full(100, 11.0)
    yhat[49:73] = 13.0  # for rows 50 to 73
    assert clocks.after_before([said(y, yhat)], np.array([50])) == pytest.approx(3.0)


def test_recovery_counts_until_errors_are_the_usual_ones_again():
    y, usual, ours = np.zeros(900), np.ones(900), np.ones(900)
    ours[300:340] = 5.0
    wait = robust.recovery(said(y, ours), said(y, usual), 300, 1.0)
    # the day and the week that begin there may still hold errors that add a fifth at most: 8.4 ⌊of 168⌋, 1.2 of 24
    assert wait == [39]
    assert robust.recovery(said(1000 * y, 1000 * ours), said(y, usual), 300, 1000.0) == [39]


def test_a_sure_and_right_forecast_has_little_log_loss():
    assert boolean.log_loss(np.array([2.0, -1.0]), np.array([1.0, 0.0])) == pytest.approx(-log(0.99))
    assert boolean.log_loss(np.array([0.5]), np.array([1.0])) == pytest.approx(log(2))


def test_a_member_begins_alike_at_any_length():
    assert np.array_equal(beginnings.member(3, 500)[:100], beginnings.member(3, 100))


def test_figures_say_what_they_reach():
    assert [Figure("", v, 1.2, 1.05).reached for v in (1.0, 1.1, 1.3, nan)] == ["aim", "floor", "missed", ""]
    assert [Figure("", v, 0.05, 0.02, 0.8).reached for v in (0.81, 0.76, 0.9)] == ["aim", "floor", "missed"]
    assert Figure("", 5.0).reached == ""
    assert table([Figure("x", 0.81, 0.05, 0.02, 0.8)]) == "| x | 0.81 | 0.8 ± 0.05 | 0.8 ± 0.02 | aim |"
    assert table([Figure("|e|", nan)]) == "| \\|e\\| | – |  |  |  |"  # a bar within a cell would end it


def test_the_command_says_what_it_lacks_and_goes_on(tmp_path, monkeypatch, capsys):
    rows = (
        command.Measure("taxi", lambda given: [Figure("", given.rows("nyc_taxi")[0].values[0])]),
        command.Measure("own", lambda given: [Figure("seed", given.seed, 7, 7)]),
    )
    monkeypatch.setattr(command, "ROWS", rows)
    out = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["kinds", "--data", str(tmp_path), "--seed", "7", "--json", str(out)])
    command.main()
    told = json.loads(out.read_text())
    assert told["about"]["seed"] == 7
    assert "nyc_taxi.csv" in told["rows"][0]["needs"]
    assert told["rows"][1]["figures"][0]["reached"] == "aim"
    assert "not measured, needs nyc_taxi.csv" in capsys.readouterr().out


def test_a_file_with_other_bytes_is_refused(tmp_path):
    (tmp_path / "nyc_taxi.csv").write_text("timestamp,passenger_count\n2014-07-01 00:00:00,1\n")
    with pytest.raises(NotHere, match="another"):
        Given(folder=tmp_path).rows("nyc_taxi")


def test_made_series_begin_on_a_wednesday():
    assert (BEGIN_NS // HOUR_NS // 24 + 3) % 7 == 2  # Monday is 0; 1970 began on a Thursday
