"""Steps gathered into longer ones: what a longer one is, and when it is over."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.events import Observation
from streamlstm.model.zone import CivilTime
from streamlstm.timeline.calendar import DAY_NS, HOUR_NS
from streamlstm.timeline.coarser import Coarser
from streamlstm.timeline.grid import Grid

QUARTER = HOUR_NS // 4
T0 = 1_774_656_000_000_000_000  # 2026-03-28 00:00 UTC, the day before clocks are put forward in Europe


def coarser(step=HOUR_NS, fine=QUARTER, zone="UTC", *, is_sum=False) -> Coarser:
    civil = CivilTime(zone)
    of = lambda time_ns: civil.of(time_ns)[0]  # noqa: E731
    return Coarser(Grid(step, of), Grid(fine, of), is_sum=is_sum)


def fed(own: Coarser, steps) -> list[tuple[int, float]]:
    """[(begin, value)] after steps of (begin, value)."""
    return [
        (whole.time_ns, whole.values[0])
        for begin_ns, value in steps
        for whole in own.feed(Observation("s", "s", begin_ns, (value, 7.0), begin_ns // QUARTER))
    ]


def test_a_longer_step_is_over_with_its_last_step():
    own = coarser()
    assert fed(own, [(T0 + i * QUARTER, float(i)) for i in range(3)]) == []
    assert fed(own, [(T0 + 3 * QUARTER, 3.0)]) == [(T0, 1.5)]
    assert fed(own, [(T0 + 4 * QUARTER, 9.0)]) == []


def test_one_whose_last_step_never_came_is_over_with_the_next_that_does():
    own = coarser()
    assert fed(own, [(T0, 1.0), (T0 + QUARTER, 2.0), (T0 + 9 * QUARTER, 5.0)]) == [(T0, 1.5)]
    assert fed(own, [(T0 + 11 * QUARTER, 6.0)]) == [(T0 + 2 * HOUR_NS, 5.5)]


def test_a_sum_wants_all_its_steps_and_a_mean_half_of_them():
    steps = [(T0, 1.0), (T0 + QUARTER, math.nan), (T0 + 2 * QUARTER, math.nan), (T0 + 3 * QUARTER, 3.0)]
    assert fed(coarser(), steps) == [(T0, 2.0)]
    assert math.isnan(fed(coarser(is_sum=True), steps)[0][1])
    assert math.isnan(fed(coarser(), [steps[0], (steps[3][0], math.nan)])[0][1])
    assert fed(coarser(is_sum=True), [(T0 + i * QUARTER, 2.0) for i in range(4)]) == [(T0, 8.0)]


def test_days_are_civil_ones_of_23_24_and_25_hours():
    hours = [(T0 - HOUR_NS + i * HOUR_NS, 1.0) for i in range(24 + 23 + 24)]
    found = fed(coarser(DAY_NS, HOUR_NS, "Europe/Berlin", is_sum=True), hours)
    assert [(begin - T0) // HOUR_NS for begin, _ in found] == [-1, 23, 46]
    assert [value for _, value in found] == [24.0, 23.0, 24.0]


@given(st.lists(st.one_of(st.none(), st.just(math.nan), st.floats(-1e6, 1e6)), max_size=60), st.booleans())
def test_it_is_what_its_steps_make_up_as_counted_afterwards(values, is_sum):
    steps = [(T0 + i * QUARTER, v) for i, v in enumerate(values) if v is not None]
    found = dict(fed(coarser(is_sum=is_sum), steps))
    for hour in range(len(values) // 4 - 1):  # all but the last are over
        own = [v for begin, v in steps if T0 + hour * HOUR_NS <= begin < T0 + (hour + 1) * HOUR_NS]
        known = [v for v in own if v == v]
        if not own:
            assert T0 + hour * HOUR_NS not in found or not [b for b, _ in steps if b >= T0 + hour * HOUR_NS]
        elif [b for b, _ in steps if b >= T0 + (hour + 1) * HOUR_NS]:
            said = found[T0 + hour * HOUR_NS]
            if len(known) < (4 if is_sum else 2):
                assert math.isnan(said)
            else:
                np.testing.assert_allclose(said, np.sum(known) if is_sum else np.mean(known), rtol=1e-9, atol=1e-6)
