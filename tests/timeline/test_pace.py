"""The nominal step is found from real beginnings of series, and a grid is told from its absence."""

from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.timeline.pace import DECIDE_AFTER, MONTH_NS, ROUND_NS, Pace, Rhythm, find

S = 1_000_000_000
MIN, H, D = 60 * S, 3600 * S, 86_400 * S
T0 = 1_400_000_000 * S

# minutes between the first readings of travel_time_387 of the Numenta Anomaly Benchmark
TRAVEL_TIMES = [14, 10, 15, 19, 10, 10, 10, 10, 10, 10, 10]
# and those of a later stretch of it, with holes of many hours
TRAVEL_TIMES_LATER = [62, 20, 112, 9, 11, 10, 10, 50, 993, 100, 10, 10, 40, 110, 227, 842, 30, 142, 30, 10, 110, 50]
# hours between readings around three of the gaps of river's WaterFlow
WATER_FLOW = [1, 1, 1, 1, 1, 32, 1, 1, 2, 1, 1, 1, 1, 1, 1, 11, 1, 1, 1, 1, 1]


def after(spaces, unit):
    return [T0, *(T0 + s * unit for s in accumulate(spaces))]


def test_taxi_counts_every_half_hour_are_regular():
    assert find(after([30] * 11, MIN)) == Rhythm(30 * MIN, True)


def test_transformer_readings_every_hour_are_regular():
    assert find(after([1] * 11, H)) == Rhythm(H, True)


def test_hourly_water_flow_stays_regular_over_its_gaps():
    assert find(after(WATER_FLOW, H)) == Rhythm(H, True)


@pytest.mark.parametrize("spaces", [TRAVEL_TIMES, TRAVEL_TIMES_LATER])
def test_travel_times_have_a_usual_spacing_but_no_grid(spaces):
    found = find(after(spaces, MIN))
    assert not found.regular
    assert 10 * MIN <= found.step_ns <= 40 * MIN


def test_the_start_of_the_travel_times_names_ten_minutes():
    assert find(after(TRAVEL_TIMES, MIN)) == Rhythm(10 * MIN, False)


def test_calendar_months_are_regular():
    assert find(after([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30], D)) == Rhythm(MONTH_NS, True)


def test_thirty_days_each_are_not_taken_for_months():
    assert find(after([30] * 11, D)) == Rhythm(30 * D, True)


def test_local_days_over_a_change_to_summer_time_are_days():
    assert find(after([24, 24, 23, 24, 24, 25, 24, 24, 24, 24, 24], H)) == Rhythm(D, True)


def test_a_device_that_speaks_twice_a_minute_has_no_grid_of_seconds():
    assert not find(after([1, 59, 1, 59, 1, 59, 1, 59, 1, 59, 1], S)).regular


def test_with_most_points_missing_one_step_still_shows():
    assert find(after([2, 1, 3, 2, 1, 2, 1, 4, 1, 2, 2], 5 * MIN)) == Rhythm(5 * MIN, True)


def test_events_at_random_have_no_grid():
    dice = Random(1)
    regular = [
        find(after([1 + int(dice.expovariate(1) * 60_000) for _ in range(11)], 10**6)).regular for _ in range(50)
    ]
    assert sum(regular) <= 1  # chance may line up eleven spaces once


@given(st.sampled_from(ROUND_NS[9:]), st.integers(0, 2**32))
def test_with_three_tenths_of_the_points_missing_the_step_is_found(step_ns, seed):
    dice = Random(seed)
    times = [T0 + k * step_ns for k in range(200) if dice.random() > 0.3]
    assert find(times) == Rhythm(step_ns, True)


@given(st.sampled_from([10 * S, MIN, 5 * MIN, H, D]), st.integers(0, 2**32))
def test_jitter_of_a_fiftieth_is_seen_through(step_ns, seed):
    dice = Random(seed)
    times = [T0 + k * step_ns + int(dice.uniform(-0.02, 0.02) * step_ns) for k in range(60)]
    assert find(times) == Rhythm(step_ns, True)


@given(st.integers(1, 400 * D))
def test_an_even_spacing_is_regular_whatever_its_length(step_ns):
    found = find([T0 + k * step_ns for k in range(12)])
    assert found.regular
    assert abs(found.step_ns - step_ns) * 50 <= step_ns
    assert found.step_ns == step_ns or found.step_ns in ROUND_NS


@given(st.lists(st.integers(1, 10**15), min_size=2, max_size=40))
def test_any_ascending_times_have_a_step_of_at_least_a_nanosecond(spaces):
    assert find(after(spaces, 1)).step_ns >= 1


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=40), st.integers(-(10**15), 10**15))
def test_the_rhythm_does_not_depend_on_when_the_series_began(spaces, shift):
    times = after(spaces, S)
    assert find([t + shift for t in times]) == find(times)


def test_a_pace_decides_after_twelve_observations_and_stays():
    pace = Pace()
    times = after([1] * (DECIDE_AFTER - 1), MIN)
    assert [pace.feed(t) for t in times] == [None] * (DECIDE_AFTER - 1) + [Rhythm(MIN, True)]
    assert pace.feed(times[-1] + H) == Rhythm(MIN, True)
    assert pace.times_ns == []


def test_a_given_step_is_decided_at_once():
    assert Pace(7 * S, in_time=True).feed(T0) == Rhythm(7 * S, True)
    assert Pace(7 * S).feed(T0) == Rhythm(7 * S, True)


def test_two_times_show_no_rhythm():
    with pytest.raises(AssertionError, match="need 3"):
        find([T0, T0 + S])


def test_who_asks_for_times_gets_a_grid_where_readings_have_none():
    by_events, in_time = Pace(), Pace(in_time=True)
    times = after(TRAVEL_TIMES, MIN)
    assert [by_events.feed(t) for t in times][-1] == Rhythm(10 * MIN, False)
    assert [in_time.feed(t) for t in times][-1] == Rhythm(10 * MIN, True)
