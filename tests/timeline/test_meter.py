"""What a counter added: from reading to reading, and in steps that begin and end between readings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamlstm.events import Observation
from streamlstm.timeline.grid import Grid
from streamlstm.timeline.meter import PLAUSIBLE, WILD, Meter
from streamlstm.timeline.steps import Steps

H = 100  # ns: a step
FREE = (0.0, math.inf)


def added(readings, *, limits=FREE, rollover=None):
    own = Meter(limits, rollover)
    return [own.feed(i, reading) for i, reading in enumerate(readings)]


def nan_at(found):
    return [i for i, value in enumerate(found) if math.isnan(value)]


def test_what_is_added_is_the_difference_to_the_reading_before():
    assert added([100, 103, 103, 110])[1:] == [3, 0, 7]
    assert nan_at(added([100, 103])) == [0]


def test_a_missing_reading_says_nothing_and_the_next_difference_spans_it():
    assert added([100, math.nan, 107])[2] == 7


def test_a_step_s_difference_does_not_span_a_missing_reading():
    own = Meter(FREE, None)
    seen = [Observation("s", "s", i, (y, 1.0)) for i, y in enumerate([100, 104, math.nan, 110, 112])]
    assert nan_at([own.step(obs).values[0] for obs in seen]) == [0, 2, 3]
    assert own.step(Observation("s", "s", 9, (113, 5.0))).values == (1.0, 5.0)


def test_after_a_fall_the_reading_itself_was_added_if_it_can_be():
    assert added([100, 104, 2, 5])[1:] == [4, 2, 3]
    found = added([100, 104, 99, 101])  # nobody counts 99 in one step where 4 is the most: the meter stumbled
    assert nan_at(found) == [0, 2]
    assert found[3] == 2


def test_a_meter_that_falls_before_it_ever_grew_says_nothing():
    assert nan_at(added([100, 3, 4])) == [0, 1]


def test_past_the_end_of_its_dial_a_meter_goes_on():
    assert added([65_530, 65_534, 3], rollover=65_536)[1:] == [4, 5]
    assert added([500, 504, 3], rollover=65_536)[1:] == [4, 3]  # half a dial away: it was reset


def test_what_lies_outside_the_bounds_was_not_added():
    assert nan_at(added([0, 5, 30, 34], limits=(0, 10))) == [0, 2]


@given(st.lists(st.floats(0, 1e9) | st.just(math.nan), max_size=30), st.none() | st.floats(1, 1e6))
def test_whatever_a_meter_says_no_difference_is_negative(readings, rollover):
    known = [d for d in added(readings, rollover=rollover) if not math.isnan(d)]
    assert all(d >= 0 for d in known)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40), st.integers(1, 39))
def test_a_reset_costs_what_was_counted_before_it_and_nothing_else(grown, at):
    """The meter is set to 0 right after reading `at`: then nothing is lost at all."""
    at = min(at, len(grown) - 1)
    largest = 0.0
    for one in grown[:at]:
        largest = max(largest, min(one, WILD * largest)) if largest else one
    assume(largest * PLAUSIBLE >= grown[at] and sum(grown[:at]) > grown[at] and at > 1)
    readings = np.concatenate([[0], np.cumsum(grown[:at]), np.cumsum(grown[at:])]).astype(float)
    assert added(readings.tolist())[1:] == grown


# in steps


def steps(how="sum"):
    return Steps(Grid(H, lambda t: t), how, 0, 50 * H, Meter(FREE, None))


def gathered(own, readings):
    """[(begin in steps, value)] of (time, reading) pairs."""
    out = []
    for time_ns, reading in readings:
        out += list(own.feed(Observation("s", "s", time_ns, (float(reading), float(time_ns)))))
    return [(obs.time_ns // H, obs.values[0]) for obs in out]


def test_readings_on_the_hour_say_what_the_hour_before_added():
    assert gathered(steps(), [(i * H, 10 * i * i) for i in range(5)]) == [(0, 10), (1, 30), (2, 50), (3, 70)]


def test_a_difference_across_a_boundary_is_shared_by_time():
    found = gathered(steps(), [(0, 0), (80, 8), (120, 12), (200, 40)])
    assert found == [(0, 10), (1, 30)]


def test_steps_that_a_gap_touches_are_missing_and_the_next_whole_one_is_known():
    found = gathered(steps(), [(0, 0), (50, 5), (100, 10), (450, 45), (500, 50), (600, 60)])
    assert found[0] == (0, 10)
    assert [at for at, value in found if math.isnan(value)] == [1, 4]
    assert found[-1] == (5, 10)


def test_a_step_without_a_reading_of_its_own_is_known_from_those_around_it():
    assert gathered(steps(), [(0, 0), (95, 9.5), (210, 21), (300, 30)]) == [(0, 10), (1, 10), (2, 10)]


def test_a_step_with_an_unknown_difference_is_missing():
    found = gathered(steps(), [(0, 100), (50, 104), (70, 60), (100, 62), (150, 63), (200, 64)])
    assert math.isnan(found[0][1])
    assert found[1] == (1, 2)


def test_the_clock_ends_a_step_only_when_no_reading_could_tell_of_it_any_more():
    own = steps()
    list(own.feed(Observation("s", "s", 0, (0.0,), received_ns=1)))
    list(own.feed(Observation("s", "s", 90, (9.0,), received_ns=91)))
    assert list(own.expire(100 + H * 3 // 2 - 1)) == []
    (ended,) = own.expire(100 + H * 3 // 2)
    assert ended.time_ns == 0
    assert math.isnan(ended.values[0])


@given(st.lists(st.tuples(st.integers(1, H * 3 // 2), st.integers(0, 9)), min_size=2, max_size=60))
def test_what_the_steps_added_is_what_the_meter_did(moves):
    time, reading, readings = 0, 0, [(0, 0)]
    for elapsed, more in moves:
        time, reading = time + elapsed, reading + more
        readings.append((time, reading))
    found = gathered(steps(), readings)
    assert [at for at, _ in found] == list(range(len(found)))
    at_end = np.interp(len(found) * H, *zip(*readings, strict=True))
    assert sum(value for _, value in found) == pytest.approx(at_end)
