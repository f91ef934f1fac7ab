"""Periods found: what must be found in what a series may be like, and that in chance there is nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamlstm.kernels import periods
from tests import reference_periods as twin
from tests.kernels import JIT, ready

straighten, calm = ready(periods.straighten), ready(periods.calm)
many = pytest.mark.skipif(not JIT, reason="without the compiler, hundreds of series take minutes")


def found(y, real=None, usual=(), memory=0, first=0) -> tuple[float, float]:
    """What is found in a series, as the ring of a memory holds it; 0 for no limit."""
    y = np.asarray(y, float)
    M, k = memory or len(y), first + len(y) - 1
    past_y, past_mask = np.full(M, np.nan), np.zeros(M, np.int8)
    for i in range(max(first, k - M + 1), k + 1):
        past_y[i % M], past_mask[i % M] = y[i - first], 1 if real is None else real[i - first]
    scratch, out = np.full(int(periods.scratch_size(M)), np.nan), np.full(2, np.nan)
    periods.find_periods(past_y, past_mask, first, k, np.array(usual, float), scratch, out)
    return out[0], out[1]


def noise(seed: int, n: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 1, n)


def weeks(per_day: int, n: int) -> NDArray[np.float64]:
    """Working days that are alike and weekends that are not."""
    t = np.arange(n)
    at_work = (t // per_day) % 7 < 5
    turn = 2 * np.pi * t / per_day
    return (np.sin(turn) + 0.5 * np.sin(2 * turn + 1)) * np.where(at_work, 1, 0.4) + np.where(at_work, 0.6, -0.3)


@pytest.mark.parametrize("p", [2, 3, 7, 12, 24, 37, 61, 90, 100])
@pytest.mark.parametrize("shape", ["sine", "square", "spike"])
def test_a_period_is_found_whatever_its_length_and_shape(p, shape) -> None:
    t = np.arange(1500)
    wave = {"sine": np.cos(2 * np.pi * t / p), "square": np.sign(t % p - 0.49 * p), "spike": 4.0 * (t % p == 0)}[shape]
    assert found(wave + 0.2 * noise(1, 1500)) == (pytest.approx(p, rel=0.01), 0)  # of 61 a hundredth is not one step


@pytest.mark.parametrize("p", [30.44, 52.1786])
def test_a_period_between_whole_numbers_is_found_to_a_tenth_of_a_step(p) -> None:
    y = np.cos(2 * np.pi * np.arange(1000) / p) + 0.3 * noise(2, 1000)
    assert found(y) == (pytest.approx(p, abs=0.1), 0)


def disturbed(how: str, y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    dice, n = np.random.default_rng(4), len(y)
    real = np.ones(n)
    match how:
        case "trend":
            y = y + 0.05 * np.arange(n)
        case "spikes":
            y = y + 50 * (dice.random(n) < 0.01)
        case "shifts":
            y = y + 20 * (np.arange(n) > 300) - 30 * (np.arange(n) > 900)
        case "gaps":
            real = 1.0 * (dice.random(n) > 0.3)
            real[500:600] = 0
            y = np.where(real > 0, y, 1e6)  # never looked at
        case "walk":
            y = y + 0.1 * dice.normal(0, 1, n).cumsum()
    return y, real


@pytest.mark.parametrize("how", ["nothing", "trend", "spikes", "shifts", "gaps", "walk"])
def test_day_and_week_are_found_through_trends_spikes_shifts_of_level_and_gaps(how) -> None:
    y, real = disturbed(how, weeks(24, 2016) + 0.3 * noise(3, 2016))
    assert found(y, real) == (24, 168)


def test_where_every_day_is_alike_there_is_no_week() -> None:
    assert found(np.resize(weeks(24, 24), 2016) + 0.3 * noise(5, 2016)) == (24, 0)


def test_two_periods_that_have_nothing_to_do_with_one_another_are_both_found() -> None:
    t = np.arange(1000)
    y = np.sin(2 * np.pi * t / 37) + np.sin(2 * np.pi * t / 100) + 0.3 * noise(6, 1000)
    assert found(y) == (37, 100)


def test_days_of_a_year_show_week_and_year_and_the_usual_year_is_preferred() -> None:
    t = np.arange(1600)
    y = np.array([0, 0.2, 0.1, 0.1, 0.5, 1, 0.8])[t % 7] + 2 * np.sin(2 * np.pi * t / 365.2425) + 0.4 * noise(7, 1600)
    short, long = found(y)
    assert short == 7
    assert long == pytest.approx(365, rel=0.05)  # it came round four times
    assert found(y, usual=(0, 7, 365.2425)) == (7, 365.2425)


def test_what_came_round_less_than_three_times_is_no_period() -> None:
    assert found(np.cos(2 * np.pi * np.arange(250) / 100) + 0.1 * noise(8, 250)) == (0, 0)


@pytest.mark.parametrize("y", [np.zeros(200), np.full(200, 1e9), np.arange(200.0), np.arange(40) % 4])
def test_there_is_nothing_in_a_constant_a_ramp_or_a_handful(y) -> None:
    assert found(y) == (0, 0)


def test_nothing_is_found_where_nothing_was_real() -> None:
    assert found(np.arange(200) % 10, np.zeros(200)) == (0, 0)


CHANCE = {
    "white": lambda e: e,
    "heavy tails": lambda e: np.sign(e) * np.abs(e) ** 3,
    "random walk": np.cumsum,
    "walk in noise": lambda e: 0.1 * np.cumsum(e) + np.roll(e, 7),
    "half forgotten": lambda e: np.convolve(e, 0.5 ** np.arange(20))[: len(e)],
    "hardly forgotten": lambda e: np.convolve(e, 0.97 ** np.arange(300))[: len(e)],
    "on and off": lambda e: np.cumsum(e > 1.6) % 2,
    "now and then": lambda e: np.maximum(e - 2, 0) ** 3,
}


@many
@pytest.mark.parametrize("n", [128, 1000])
@pytest.mark.parametrize("kind", list(CHANCE))
def test_in_chance_there_are_no_periods(kind, n) -> None:
    hits = [seed for seed in range(100) if found(CHANCE[kind](noise(seed, n)))[0] > 0]
    assert len(hits) <= 2  # of a hundred; exp(−9) is meant, and what is not quite exponential


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(100, 400), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_where_the_ring_begins_and_in_which_unit_it_counts_changes_nothing(first, memory, offset, unit) -> None:
    y = np.resize(weeks(24, 24), 400) + 0.3 * noise(9, 400)
    plain = found(y[-memory:])
    # rounding moves what is between whole numbers a little, and nothing else here is near a threshold
    assert found(offset + unit * y, memory=memory, first=first) == pytest.approx(plain, rel=1e-6)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([0.0, 1.0, -1e12, 1e-12, 1e300, np.nan, np.inf]), max_size=150), st.data())
def test_whatever_the_memory_holds_what_is_found_is_a_period_or_none(values, data) -> None:
    real = data.draw(st.lists(st.integers(0, 1), min_size=len(values), max_size=len(values)))
    if values:
        short, long = found(values, real)
        assert short == 0 or 2 <= short <= len(values) / 2
        assert long == 0 or short < long <= len(values) / 2


def test_values_are_straightened_and_calmed_as_the_twins_do() -> None:
    dice = np.random.default_rng(10)
    y, real = dice.standard_t(2, 300).cumsum(), (dice.random(300) > 0.4).astype(np.int8)
    level = np.empty(300)
    assert straighten(y, real, 299, level) == real.sum()
    np.testing.assert_allclose(level, twin.straighten(y, real), rtol=1e-12)
    expected = twin.calm(level)
    calm(level, np.empty(300))
    np.testing.assert_allclose(level, expected, rtol=1e-11, atol=1e-11)  # 300 sums


@pytest.mark.parametrize(("p", "q"), [(24.0, 0.0), (168.0, 24.0), (30.44, 7.0), (9.5, 0.0)])
@pytest.mark.parametrize("lead", [1, 8])
def test_what_a_profile_saves_is_the_twin_s(p, q, lead) -> None:
    y = weeks(24, 600) + 0.3 * noise(11, 600)
    assert periods.saves(y, p, q, lead, np.full(1200, np.nan)) == pytest.approx(twin.saves(y, p, q, lead), rel=1e-9)


def test_a_true_period_saves_much_and_a_false_one_nothing() -> None:
    y = weeks(24, 600) + 0.1 * noise(12, 600)
    scratch = np.empty(1200)
    assert periods.saves(y, 24.0, 0.0, 8, scratch) > 0.5
    assert periods.saves(y, 168.0, 24.0, 56, scratch) > 0.1
    assert periods.saves(y, 23.0, 0.0, 8, scratch) < 0.2
    assert periods.saves(noise(13, 600).cumsum(), 24.0, 0.0, 8, scratch) < 0
