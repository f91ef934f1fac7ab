"""Whether errors have grown for good, against river's detector."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import PageHinkley

from streamlstm.kernels import drift
from tests.kernels import ready

begins = ready(drift.begins)


def alarms(values) -> list[int]:
    state = np.array(drift.START)
    return [i for i, x in enumerate(values) if begins(state, x)]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.lists(st.tuples(st.floats(0, 5), st.integers(20, 300)), min_size=1, max_size=6))
def test_the_alarms_are_river_s(seed, levels):
    dice = np.random.default_rng(seed)
    values = np.concatenate([dice.exponential(max(level, 0.01), count) for level, count in levels])
    own = PageHinkley(drift.FEWEST, drift.ALLOWED, drift.LIMIT, drift.KEEP, "up")
    expected = []
    for i, x in enumerate(values):
        own.update(float(x))
        if own.drift_detected:
            expected.append(i)
    assert alarms(values) == expected


def test_errors_of_twice_the_size_are_told_within_a_hundred_values_and_steady_ones_hardly_ever():
    told, false = [], 0
    for seed in range(20):
        dice = np.random.default_rng(seed)
        steady, grown = dice.exponential(1, 3000), dice.exponential(2, 300)
        found = alarms(np.concatenate([steady, grown]))
        false += sum(i < 3000 for i in found)
        told += [next(i for i in found if i >= 3000) - 3000]
    assert np.median(told) <= 100
    assert false <= 1
