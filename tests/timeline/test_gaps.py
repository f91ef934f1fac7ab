"""A gap is a whole number of steps, and a reset when it was too long."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.timeline.gaps import Bridge, bridge, bridge_event

H = 3_600_000_000_000
D = 24 * H
T0 = 1_700_000_000_000_000_000

nanoseconds = st.integers(1, 2**62)


@given(st.integers(0, 2**62), nanoseconds, nanoseconds, nanoseconds)
def test_the_lead_is_the_nearest_whole_number_of_steps_and_at_least_one(last, elapsed, step, gap):
    found = bridge(last, last + elapsed, step, gap)
    assert found.missed == found.lead - 1
    assert found.lead >= 1
    distance = abs(Fraction(elapsed, step) - found.lead)
    assert distance <= Fraction(1, 2) or (found.lead == 1 and elapsed < step)
    assert found.reset == (elapsed > gap and elapsed > 4 * step)


@given(st.integers(1, 1000), st.integers(0, 1000))
def test_a_grid_counted_exactly_gives_its_own_number(step, missed):
    assert bridge(T0, T0 + (missed + 1) * step, step, 10**9).lead == missed + 1


@given(nanoseconds, nanoseconds, nanoseconds)
def test_without_a_grid_the_next_event_is_always_the_next_step(elapsed, step, gap):
    found = bridge_event(T0, T0 + elapsed, step, gap)
    assert (found.missed, found.lead) == (0, 1)
    assert found.reset == bridge(T0, T0 + elapsed, step, gap).reset


@pytest.mark.parametrize(
    ("elapsed_ns", "expected"),
    [
        (H, Bridge(0, 1, False)),
        (1, Bridge(0, 1, False)),  # a burst is still one step on
        (3 * H // 2 - 1, Bridge(0, 1, False)),
        (3 * H // 2, Bridge(1, 2, False)),  # half up
        (3 * H, Bridge(2, 3, False)),
        (D, Bridge(23, 24, False)),
        (D + 1, Bridge(23, 24, True)),
    ],
)
def test_an_hourly_series_with_a_gap_of_a_day(elapsed_ns, expected):
    assert bridge(T0, T0 + elapsed_ns, H, gap_ns=D) == expected


def test_a_lost_day_or_two_does_not_reset_a_daily_series():
    assert bridge(T0, T0 + 3 * D, D, gap_ns=D) == Bridge(2, 3, False)
    assert bridge(T0, T0 + 5 * D, D, gap_ns=D) == Bridge(4, 5, True)


@pytest.mark.parametrize("cross", [bridge, bridge_event])
def test_time_that_does_not_ascend_is_our_own_mistake(cross):
    with pytest.raises(AssertionError, match="does not follow"):
        cross(T0, T0, H, D)
