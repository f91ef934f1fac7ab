"""Slots, phases and profiles at every time there is, before 1970 too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import season
from streamlstm.kernels.season import COUNT, FIXED, PROFILE
from tests import reference
from tests.kernels import ready

slot, turn, harmonics, settle_slot = map(ready, (season.slot, season.turn, season.harmonics, season.settle_slot))
usual, latest, latest_few = map(ready, (season.usual, season.latest, season.latest_few))

DAY_NS = 86_400_000_000_000
times = st.integers(-(2**63), 2**63 - 1)
phases = st.floats(0, 1, exclude_max=True)


@settings(deadline=None)
@given(times, st.integers(1, 2**62), st.integers(1, 10_000))
def test_every_time_has_a_slot(time, period, slots) -> None:
    assert 0 <= slot(time, period, slots) < slots


@settings(deadline=None)
@given(times, st.integers(1, 2**62), st.integers(1, 10_000))
def test_the_slot_is_the_textbook_s(time, period, slots) -> None:
    if period >= slots:
        assert slot(time, period, slots) == reference.slot(time, period, slots)


@settings(deadline=None)
@given(times, st.integers(1, 2016), st.integers(1, 10**12))
def test_slots_are_equally_long_and_follow_one_another(time, slots, width) -> None:
    period = slots * width
    here = slot(time, period, slots)
    assert here == int(time % period) * slots // period
    if time + width < 2**63:
        assert slot(time + width, period, slots) == (here + 1) % slots
    if time + period < 2**63:
        assert slot(time + period, period, slots) == here


def test_midnight_begins_the_day_s_first_slot() -> None:
    for days in (-100_000, -1, 0, 20_000):
        assert slot(days * DAY_NS, DAY_NS, 24) == 0
        assert slot(days * DAY_NS - 1, DAY_NS, 24) == 23


@settings(deadline=None)
@given(phases)
def test_a_turn_is_sine_and_cosine_to_nine_digits(phase) -> None:
    # Taylor's remainder at an eighth of a turn is below 1e-11; a billionth is promised
    assert turn(phase) == pytest.approx((np.sin(2 * np.pi * phase), np.cos(2 * np.pi * phase)), abs=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("terms", [2, 6, 8])
def test_harmonics_are_fourier_s(terms, dtype) -> None:
    for phase in np.linspace(0, 1, 97, endpoint=False):
        out = np.full(terms, np.nan, dtype)
        harmonics(phase, out)
        # each further one adds the error of the first once more; float32 rounds at the end
        tolerance = terms * 1e-10 + np.finfo(dtype).eps
        np.testing.assert_allclose(out, reference.fourier(phase, terms), rtol=0, atol=tolerance)


@pytest.mark.parametrize("rate", [0.06, 0.15, 1.0])
def test_a_profile_is_a_mean_that_turns_exponential(rate) -> None:
    dice = np.random.default_rng(1)
    twin = reference.Profile(5, rate)
    ring = np.zeros((FIXED + 3, 5))
    for at, y in zip(dice.integers(0, 4, 300), dice.normal(100, 20, 300), strict=True):  # the fifth never comes
        twin.take(at, y)
        settle_slot(ring, at, y, rate)
    np.testing.assert_allclose(ring[PROFILE], twin.usual, rtol=1e-13)  # the same mean in another form, 75 a slot
    assert (ring[COUNT] == twin.seen).all()
    for at in range(4):
        assert latest(ring, at) == twin.latest[at]
        assert usual(ring, at) == ring[PROFILE, at]
    assert np.isnan([latest(ring, 4), usual(ring, 4)]).all()


@settings(deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), max_size=12), st.integers(1, 5))
def test_a_slot_keeps_its_latest_few(values, depth) -> None:
    ring, few = np.zeros((FIXED + depth, 2)), np.full(depth, np.nan)
    for y in values:
        settle_slot(ring, 1, y, 0.06)
    count = latest_few(ring, 1, few)
    assert sorted(few[:count]) == sorted(values[-depth:])
    assert latest_few(ring, 0, few) == 0


def test_few_values_of_a_slot_make_their_plain_mean() -> None:
    ring = np.zeros((FIXED + 1, 1))
    for y in (3.0, 5.0, 10.0):
        settle_slot(ring, 0, y, 0.06)
    assert ring[PROFILE, 0] == pytest.approx(6.0)
    assert (ring[COUNT, 0], latest(ring, 0)) == (3, 10)


def test_without_a_season_there_is_one_slot() -> None:
    assert slot(1_234_567, 0, 24) == 0
