"""A covariate's running scale, its usual wait, and how it fades."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.kernels import covariates, unit
from streamlstm.kernels.covariates import AGE, COLUMNS, MEAN, SEEN, SQUARE, VARIANCE, WAIT
from tests.kernels import ready
from tests.reference_covariates import Scale

take_value, waited, fading, clipped = map(
    ready, (covariates.take_value, covariates.waited, covariates.fading, covariates.clipped)
)


def test_scales_waits_and_fading_are_the_twin_s():
    dice = np.random.default_rng(5)
    own, twin, last, age = np.zeros(COLUMNS), Scale(), None, 0.0
    for x in dice.normal(40, 3, 2500).cumsum():
        unknown = last is None or dice.random() < 0.1
        take_value(own, x, math.nan if unknown else last)
        twin.take(x, None if unknown else last)
        age = 0.0 if dice.random() < 0.2 else age + 1
        waited(own, age)
        twin.ages.append(age)
        # the same recursions, differently written
        found = [twin.mean, twin.variance, twin.square, twin.n]
        np.testing.assert_allclose(own[[MEAN, VARIANCE, SQUARE, SEEN]], found, rtol=1e-9)
        assert clipped(x - own[MEAN], own[VARIANCE], own[MEAN]) == pytest.approx(
            twin.standard(x - twin.mean, twin.variance), rel=1e-9
        )
        last = x
    assert own[WAIT] == pytest.approx(twin.wait, rel=1e-9)
    assert 3 < own[WAIT] < 8  # a fifth of the steps bring a value
    for late in (0.0, 10.0, 14.0, 15.0, 100.0, 1e6):
        assert fading(late, own[WAIT]) == pytest.approx(twin.fading(late), rel=1e-9)


anything = st.floats(-1e30, 1e30)


@given(st.lists(st.tuples(anything, anything | st.just(math.nan), st.floats(0, 1e9)), min_size=1, max_size=40))
def test_whatever_comes_what_a_cell_sees_is_bounded(steps):
    own = np.zeros(COLUMNS)
    for x, before, age in steps:
        take_value(own, x, before)
        waited(own, age)
        assert 0 <= fading(age, own[WAIT]) <= 1
        assert own[WAIT] == 0 or own[WAIT] >= 0.97
        assert abs(clipped(x - own[MEAN], own[VARIANCE], own[MEAN])) <= unit.CLIP
        assert own[AGE] == age


@given(st.integers(0, 30), st.integers(1, 200))
def test_what_always_lags_as_much_is_never_overdue_for_longer_than_it_lags(lag, steps):
    own = np.zeros(COLUMNS)
    for _ in range(steps):
        waited(own, lag * 1.0)
    assert fading(lag * 1.0, own[WAIT]) == min(1, 3 / max(lag, 1))


def test_a_value_that_stops_fades_to_nothing_and_stays_there():
    own = np.zeros(COLUMNS)
    for _ in range(100):
        waited(own, 0.0)
    fades = []
    for age in range(1, 5000):
        waited(own, age * 1.0)
        fades.append(fading(age * 1.0, own[WAIT]))
    assert fades[:3] == [1, 1, 1]
    assert sorted(fades, reverse=True) == fades
    assert fades[-1] < 0.001
