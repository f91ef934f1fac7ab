"""Which seasons a series lives by, and that it does not change them for every whim."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.timeline import calendar
from streamlstm.timeline.calendar import (
    CALENDAR_NS,
    DAY_NS,
    HOUR_NS,
    WEEK_NS,
    YEAR_NS,
    Standing,
    considered,
    expected,
    is_due,
    proposed,
    usual,
)
from streamlstm.timeline.pace import MONTH_NS

SECOND_NS = 1_000_000_000
steps = st.integers(SECOND_NS, MONTH_NS)
periods = st.floats(2, 7000)
finds = st.tuples() | st.tuples(periods) | st.tuples(periods, periods).map(sorted)
knowns = st.integers(64, 20_000)


def padded(find) -> tuple[float, float]:
    return (*find, 0.0, 0.0)[:2]


def looked(standing: Standing, *looks: tuple[float, ...], step_ns: int = HOUR_NS, known: int = 2000) -> Standing:
    for find in looks:
        standing = considered(standing, padded(find), step_ns, known)
    return standing


def test_the_examples_are_true() -> None:
    assert doctest.testmod(calendar).failed == 0


@pytest.mark.parametrize(
    ("step", "seasons"),
    [
        (SECOND_NS, (DAY_NS, WEEK_NS)),
        (8 * HOUR_NS, (DAY_NS, WEEK_NS)),
        (12 * HOUR_NS, (WEEK_NS, YEAR_NS)),
        (DAY_NS, (WEEK_NS, YEAR_NS)),
        (WEEK_NS, (YEAR_NS,)),
        (MONTH_NS, (YEAR_NS,)),
        (3 * MONTH_NS, (YEAR_NS,)),
        (6 * MONTH_NS, ()),
    ],
)
def test_before_anything_is_seen_the_calendar_decides_by_the_step(step, seasons) -> None:
    assert expected(step) == seasons


@given(steps)
def test_a_season_of_the_calendar_has_three_steps_at_least(step) -> None:
    assert list(expected(step)) == sorted(s for s in expected(step) if s >= 3 * step)
    assert all(p == 0 or p >= 3 for p in usual(step))


@pytest.mark.parametrize(
    ("step", "found", "seasons"),
    [
        (HOUR_NS, (24, 168), (DAY_NS, WEEK_NS)),
        (HOUR_NS // 2, (48, 0), (DAY_NS, WEEK_NS)),
        (HOUR_NS // 4, (95.9, 671), (DAY_NS, WEEK_NS)),
        (DAY_NS, (7, 365), (WEEK_NS, YEAR_NS)),
        (DAY_NS, (365, 0), (WEEK_NS, YEAR_NS)),
        (WEEK_NS, (52, 0), (YEAR_NS,)),
        (MONTH_NS, (12, 0), (YEAR_NS,)),
        (MONTH_NS, (0, 0), (YEAR_NS,)),
        (60 * SECOND_NS, (60, 1440), (HOUR_NS, DAY_NS)),
        (HOUR_NS, (12, 0), (12 * HOUR_NS, DAY_NS)),
        (MONTH_NS, (3, 0), (3 * MONTH_NS, YEAR_NS)),
        (HOUR_NS, (37, 100), (37 * HOUR_NS, 100 * HOUR_NS)),
        (DAY_NS, (30.44, 0), (WEEK_NS, 2_630_016 * SECOND_NS)),
    ],
)
def test_a_found_period_near_a_season_of_the_calendar_is_that_season(step, found, seasons) -> None:
    assert proposed(found, step, 10_000) == tuple(sorted(seasons))


def test_what_came_round_few_times_is_known_only_to_a_turn_over_all_of_it() -> None:
    assert proposed((22.4, 0), HOUR_NS, 256) == (DAY_NS, WEEK_NS)  # eleven times
    assert proposed((22.4, 0), HOUR_NS, 2000) == (round(22.4 * HOUR_NS), WEEK_NS)


def test_a_machine_s_cycle_leaves_room_for_the_day_that_could_not_show_yet() -> None:
    assert proposed((90, 0), SECOND_NS, 20_000) == (90 * SECOND_NS, DAY_NS)
    assert proposed((36, 0), HOUR_NS, 400) == (36 * HOUR_NS, WEEK_NS)  # the day could have shown, the week not
    assert proposed((36, 0), HOUR_NS, 4000) == (DAY_NS, 36 * HOUR_NS)  # neither did: the likelier


@given(finds, steps, knowns)
def test_there_are_two_seasons_at_most_in_order_and_apart(find, step, known) -> None:
    seasons = proposed(padded(find), step, known)
    assert len(seasons) <= 2
    assert list(seasons) == sorted(set(seasons))
    assert all(s >= 2 * step for s in seasons)


@given(finds, steps, knowns)
def test_what_is_found_again_and_again_is_what_it_lives_by(find, step, known) -> None:
    standing = looked(Standing(expected(step)), find, find, find, step_ns=step, known=known)
    assert standing.rivals_ns == ()
    target = proposed(padded(find), step, known)
    assert len(standing.seasons_ns) == len(target)
    assert standing.seasons_ns == pytest.approx(target, rel=0.002)  # no news for less


@given(finds, finds, steps, knowns)
def test_one_look_changes_nothing(before, find, step, known) -> None:
    standing = looked(Standing(expected(step)), before, before, before, step_ns=step, known=known)
    assert looked(standing, find, step_ns=step, known=known).seasons_ns == standing.seasons_ns


@given(st.lists(st.sampled_from([(47.0,), (46.0, 300.0), (50.0,)]), max_size=12))
def test_neighbours_found_by_turns_leave_all_as_it_is(finds) -> None:
    standing = Standing((48 * HOUR_NS, WEEK_NS))
    for find, following in zip(finds, [*finds[1:], None], strict=False):
        if find != following:
            assert looked(standing, find).seasons_ns == standing.seasons_ns
            standing = looked(standing, find, (48.0, 168.0))
    assert standing == Standing((48 * HOUR_NS, WEEK_NS))


def test_what_was_found_outlives_two_misses_and_not_three() -> None:
    standing = looked(Standing(expected(HOUR_NS)), (37.0,), (37.0,))
    assert 37 * HOUR_NS in standing.seasons_ns
    assert looked(standing, (), (), (37.0,), (), ()).seasons_ns == standing.seasons_ns
    assert looked(standing, (), (), ()).seasons_ns == (DAY_NS, WEEK_NS)


@given(st.integers(1, 100_000), st.integers(64, 30_000))
def test_looks_are_few_and_never_far_apart(seen, memory) -> None:
    """From any number of steps on, the next look comes before half as many again, or a quarter of the memory."""
    if seen >= 64:
        ahead = max(64, min(seen, max(memory, 64)) // 2, memory // 4)
        assert any(is_due(seen + i, memory) for i in range(1, ahead + 1))
    dues = [n for n in range(1, 2 * memory) if is_due(n, memory)] if memory < 500 else []
    assert len(dues) <= 16


def test_the_calendar_s_own_lengths_are_civil_ones() -> None:
    assert CALENDAR_NS == (3600 * SECOND_NS, 86_400 * SECOND_NS, 604_800 * SECOND_NS, 31_556_952 * SECOND_NS)
