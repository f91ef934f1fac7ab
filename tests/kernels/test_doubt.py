"""Which readings are believed, against the twin that looks at the whole history."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import doubt
from tests import reference_doubt as reference
from tests.kernels import ready

question = ready(doubt.question)
WINDOW = 96


def answers(readings):
    state, believed, found = np.array(doubt.START), [], []
    for y in readings:
        recent = believed[-WINDOW:] or [y]
        ever = believed or [0.0]
        found.append(question(state, y, len(believed), min(recent), max(recent), min(ever), max(ever)))
        if found[-1] == doubt.NONE:
            believed.append(y)
    return found


usual = st.floats(1.0, 100.0).map(lambda y: round(y, 1))
wild = st.sampled_from([1e9, -1e9, 1e4, 500.0, 1e-9])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.one_of(usual, usual, usual, wild), st.integers(1, 30)), min_size=5, max_size=60))
def test_the_answers_are_the_twin_s(runs):
    readings = [y for y, count in runs for _ in range(count)]
    assert answers(readings) == reference.answers(readings, WINDOW)


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(20, 3, count).tolist()


def test_one_wild_reading_is_doubted_and_the_third_in_a_row_is_believed():
    readings = noise(200) + [1e9] + noise(50, 1) + [2000.0] * 6
    found = answers(readings)
    assert found[200] == doubt.WILD
    assert set(found[:200] + found[201:251]) == {doubt.NONE}
    assert found[251:] == [doubt.WILD, doubt.WILD] + [doubt.NONE] * 4


def test_nothing_that_has_been_before_is_doubted():
    rain = [0.0] * 60 + [8.0, 0.2] + [0.0] * 100  # a rain gauge: the first shower is new, the second is not
    found = answers([*rain, 9.0, 0.0])
    assert set(found) == {doubt.NONE}


def test_a_sensor_that_never_repeats_is_stuck_from_the_eighth_equal_reading_until_it_has_stood_for_long():
    readings = noise(600) + [20.0] * 500
    found = answers(readings)
    assert found[:607] == [doubt.NONE] * 607  # .015 of readings may be repetitions, as far as is known by then
    assert found[607:983] == [doubt.STUCK] * 376
    assert set(found[983:]) == {doubt.NONE}


def test_the_longer_none_repeated_the_sooner_it_is_stuck():
    found = answers(noise(3000) + [20.0] * 20)
    assert found[3000:] == [doubt.NONE] * 4 + [doubt.STUCK] * 16


def test_a_sensor_that_often_repeats_is_never_stuck():
    readings = [round(y) for y in noise(600)] + [20.0] * 500
    assert set(answers(readings)) == {doubt.NONE}


def test_a_series_that_has_never_moved_may_begin_to():
    assert answers([5.0] * 100 + [7.0]) == [doubt.NONE] * 101
