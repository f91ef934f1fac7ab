"""Covariates: seen by experts of their own, and by no other; what is known ahead, what fails, and what is noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlstm.config import Stream
from streamlstm.kernels.mix import COMMITTEES
from streamlstm.kernels.season import PROFILE
from streamlstm.model.arena import Layout, birth
from streamlstm.model.batch import Learner, Step
from streamlstm.model.beside import AHEAD_REGRESSORS, PAST_REGRESSORS
from streamlstm.model.state import E_CELL, P_EXPERT
from streamlstm.model.zone import NEVER_NS
from tests.reference_covariates import Scale
from tests.small import STREAM, STREAM_BESIDE

HOUR_NS = 3_600_000_000_000
ROWS, LEADS = 1500, (1, 3)
OWN = E_CELL + 4  # experts: three cells and their mean, then what sees covariates
LINEAR = OWN + 3  # two cells and their mean, then the linear branch on two bases
Rows = Sequence[tuple[float, ...]]


class Run:
    """One series through the compiled code, a row at a time."""

    def __init__(self, stream: Stream, rows: Rows) -> None:
        self.learner = Learner(stream, Layout.of(stream, HOUR_NS, True))
        self.slot = self.learner.rows.add(birth(1, "small"))
        steps = [Step(self.slot, k * HOUR_NS, k * HOUR_NS, NEVER_NS, 0, 0, False, row, k) for k, row in enumerate(rows)]
        self.out = self.learner.take(steps)
        self.yhat = self.out[:, self.learner.columns["yhat"]]

    def experts(self, j: int) -> NDArray:
        """What each said at lead j after the last row, less the last value (M,)."""
        k, before = int(self.learner.rows.record(self.slot)["index"]), sum(LEADS[:j])
        kept = self.learner.rows.ring(self.slot, "pending")[before + k % LEADS[j]]
        return kept[P_EXPERT : P_EXPERT + self.learner.layout.sizes.experts]


def series(seed: int, effect: float) -> tuple[NDArray, NDArray, NDArray]:
    """y (N,), a day and noise and `effect` times the weather then; a past covariate; the weather (N+3,)."""
    dice = np.random.default_rng(seed)
    weather, walk = dice.normal(size=ROWS + 3), dice.normal(size=ROWS).cumsum()
    y = 20 + 3 * np.sin(np.arange(ROWS) * 2 * np.pi / 24) + dice.normal(0, 0.5, ROWS) + effect * weather[:ROWS]
    return y, walk, weather


def beside(y: NDArray, past: NDArray, weather: NDArray, ages: NDArray | None = None) -> list[tuple[float, ...]]:
    ages = np.zeros(len(y)) if ages is None else ages
    told = [weather[lead : lead + len(y)] for lead in LEADS]
    return [tuple(row) for row in np.column_stack([y, past, ages, *told]).tolist()]


def alone(y: NDArray) -> list[tuple[float, ...]]:
    return [(value,) for value in y.tolist()]


def error(run: Run, y: NDArray, j: int, begin: int = 500) -> float:
    lead = LEADS[j]
    return float(np.abs(y[begin + lead :] - run.yhat[begin : len(y) - lead, j]).mean())


@pytest.fixture(scope="module")
def noise() -> tuple[Run, Run, NDArray]:
    """A series alone and beside covariates that say nothing of it."""
    y, walk, weather = series(1, 0.0)
    return Run(STREAM, alone(y)), Run(STREAM_BESIDE, beside(y, walk, weather)), y


def test_random_walks_change_next_to_nothing(noise: tuple[Run, Run, NDArray]) -> None:
    without, with_noise, y = noise
    for j in range(2):
        # a thousand rows of a series that is itself mostly noise
        assert error(with_noise, y, j) < 1.01 * error(without, y, j)


def test_what_sees_no_covariates_says_what_it_says_alone() -> None:
    y, walk, weather = series(2, 1.0)
    first = slice(0, 200)
    without, within = Run(STREAM, alone(y[first])), Run(STREAM_BESIDE, beside(y, walk, weather)[first])
    for j in range(2):
        # the same sums, of which float32's are grouped otherwise: the cells have zeros more
        np.testing.assert_allclose(within.experts(j)[:OWN], without.experts(j)[:OWN], rtol=1e-3, atol=1e-4)
        assert np.isfinite(within.experts(j)[OWN:-COMMITTEES]).all()


def test_weather_that_is_known_ahead_halves_the_error() -> None:
    y, walk, weather = series(3, 2.0)
    without, within = Run(STREAM, alone(y)), Run(STREAM_BESIDE, beside(y, walk, weather))
    for j in range(2):
        assert error(within, y, j) < 0.5 * error(without, y, j)


def test_the_linear_branch_s_forecast_of_a_lead_heeds_only_what_is_known_of_that_lead() -> None:
    y, walk, weather = series(3, 2.0)
    rows = beside(y[:600], walk[:600], weather)
    as_told = Run(STREAM_BESIDE, rows)
    for j in range(2):
        other = list(rows[-1])
        other[3 + j] += 1.0
        changed = Run(STREAM_BESIDE, [*rows[:-1], tuple(other)])
        moved = [np.abs(changed.experts(i) - as_told.experts(i))[LINEAR : LINEAR + 2].max() for i in range(2)]
        # the nearest lead's value moves the scale of all, by one in six hundred
        assert moved[1 - j] < 0.01 * moved[j]
        assert moved[j] > 1.0  # of an effect of two
        assert (changed.experts(0)[:OWN] == as_told.experts(0)[:OWN]).all()


def test_no_forecast_knows_what_comes_after_it() -> None:
    y, walk, weather = series(4, 2.0)
    rows = beside(y, walk, weather)[:500]
    later = [(9.0 - a, -b, c, 7.0, -7.0) for a, b, c, *_ in rows[400:]]
    as_is, changed = Run(STREAM_BESIDE, rows), Run(STREAM_BESIDE, [*rows[:400], *later])
    assert (as_is.out[:400] == changed.out[:400])[np.isfinite(as_is.out[:400])].all()
    assert (as_is.yhat[400:] != changed.yhat[400:]).all()


@pytest.mark.parametrize("how", ["unknown", "stuck", "mad"])
def test_covariates_that_fail_for_good_leave_forecasts_about_as_good_as_alone(how: str) -> None:
    y, _, weather = series(5, 1.0)
    past, told, ages, at = weather[:ROWS].copy(), weather.copy(), np.zeros(ROWS), 800
    if how == "unknown":
        past[at:], told[at:] = math.nan, math.nan
    elif how == "stuck":
        past[at:], told[at:], ages[at:] = past[at], told[at], np.arange(ROWS - at)
    else:
        past[at:], told[at:] = 1e9, -1e9
    without, within = Run(STREAM, alone(y)), Run(STREAM_BESIDE, beside(y, past, told, ages))
    assert np.isfinite(within.yhat[12:]).all()
    for j in range(2):
        assert error(within, y, j, at) < 1.1 * error(without, y, j, at)


def test_without_ages_values_came_with_the_target_and_nothing_is_known_ahead() -> None:
    y, walk, _ = series(6, 1.0)
    short = [(a, b) for a, b in zip(y[:200].tolist(), walk[:200].tolist(), strict=True)]
    full = [(a, b, 0.0, math.nan, math.nan) for a, b in short]
    a, b = Run(STREAM_BESIDE, short).out, Run(STREAM_BESIDE, full).out
    np.testing.assert_array_equal(a, b)


def test_regressors_are_standardised_levels_and_changes_faded_and_those_of_the_lead() -> None:
    y, walk, weather = series(7, 1.0)
    rows, ages = 300, np.arange(300) % 8 * 1.0  # a value every eighth hour, of which the last is 3 hours old
    held = np.repeat(walk, 8)[:rows]
    run = Run(STREAM_BESIDE, beside(y[:rows], held, weather, ages))
    assert ages[-1] == 3.0  # not overdue: in full
    past, ahead = Scale(), Scale()
    for k in range(rows):
        past.take(float(held[k]), float(held[k - 1]) if k else None)
        ahead.take(float(weather[k + 1]), float(weather[k]) if k else None)
    record = run.learner.rows.record(run.slot)
    profile = run.learner.rows.season(run.slot, 0)[PROFILE]
    mean, deviation = record["mean"], math.sqrt(record["variance"])
    P = run.learner.layout.sizes.regressors
    for j, lead in enumerate(LEADS):
        level = ahead.standard(weather[rows - 1 + lead] - ahead.mean, ahead.variance)
        now = ahead.standard(weather[rows - 1] - ahead.mean, ahead.variance)
        shape = np.clip((profile[(rows - 1 + lead) % 24] - mean) / deviation, -3, 3)
        expected = [
            past.standard(held[-1] - past.mean, past.variance),
            past.standard(held[-1] - held[-2], past.square),
            past.standard(held[-1] - held[-25], past.variance),
            level,
            level - now,
            level * shape,
        ]
        assert len(expected) == PAST_REGRESSORS + AHEAD_REGRESSORS
        # kept in float32
        kept = run.learner.rows.ring(run.slot, "pending_beside")[sum(LEADS[:j]) + (rows - 1) % lead]
        np.testing.assert_allclose(kept[1, P:], expected, rtol=1e-4, atol=1e-5)


def test_a_stream_without_covariates_has_no_room_for_them() -> None:
    n = Layout.of(STREAM, HOUR_NS, True).sizes
    assert (n.inputs, n.ahead, n.given, n.outside, n.beside, n.beside_cells, n.beside_bases) == (0,) * 7
    fewer = Layout.of(STREAM_BESIDE, HOUR_NS, True).sizes
    assert fewer.experts - n.experts == 5  # two cells, their mean, two linear ones
