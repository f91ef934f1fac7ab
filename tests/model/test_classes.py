"""What the rows of a category's classes say together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.model.classes import combined, one_hot, with_classes
from streamlstm.model.forecaster import ANOMALY_BEGINS, ANOMALY_ENDS, FALLBACK_BEGINS, FALLBACK_ENDS, columns
from streamlstm.model.state import ACTIVE, FALLBACK, GAP, SOURCES

K, L = 3, 2
PARTS = with_classes(columns(L, 1, 3), L, K)


def rows(**said):
    out = np.zeros((K, PARTS["all"].stop))
    out[:, PARTS["yhat"]] = 0.5
    out[:, PARTS["weights"]] = 1 / len(SOURCES)
    out[:, PARTS["state"]] = ACTIVE
    for name, values in said.items():
        out[:, PARTS[name]] = np.reshape(values, (K, -1))
    return out


def together(target=0.0, odd=(0, 0, 0), fallen=(0, 0, 0), **said):
    found = combined(rows(**said), np.array(odd) > 0, np.array(fallen) > 0, PARTS, target)
    return {name: found[part] for name, part in PARTS.items()}


def test_probabilities_add_up_and_the_likeliest_is_the_forecast():
    found = together(yhat=[[0.2, 0.9], [0.6, 0.1], [0.4, 0.0]])
    np.testing.assert_allclose(found["classes"].reshape(K, L), [[1 / 6, 0.9], [0.5, 0.1], [1 / 3, 0.0]])
    assert found["yhat"].tolist() == [1.0, 0.0]
    assert np.isnan(found["lower"]).all() and np.isnan(found["coverage"]).all()


def test_nothing_is_said_before_every_class_has_a_forecast():
    assert np.isnan(together(yhat=np.full((K, L), np.nan))["yhat"]).all()


def test_the_skill_is_of_the_errors_of_all_classes():
    error, rival = np.array([[0.1, 0.1], [0.2, 0.1], [0.1, 0.1]]), np.array([[0.4, 0.2], [0.2, 0.2], [0.1, 0.2]])
    found = together(absolute_error=error, skill_persistence=1 - error / rival, skill_seasonal=np.full((K, L), np.nan))
    np.testing.assert_allclose(found["skill_persistence"], [1 - 0.4 / 0.7, 0.5])
    np.testing.assert_allclose(found["absolute_error"], [0.4, 0.3])
    assert np.isnan(found["skill_seasonal"]).all()


def test_the_score_is_that_of_the_class_that_came():
    scores = [0.1, 2.0, 0.3]
    assert together(1.0, anomaly_score=scores)["anomaly_score"] == 2.0
    assert np.isnan(together(math.nan, anomaly_score=scores)["anomaly_score"]).all()


@pytest.mark.parametrize(
    ("codes", "odd", "expected"),
    [
        ([ANOMALY_BEGINS, 0, 0], [1, 0, 0], ANOMALY_BEGINS),
        ([0, ANOMALY_BEGINS, 0], [1, 1, 0], 0),
        ([ANOMALY_ENDS, 0, 0], [0, 1, 0], 0),
        ([ANOMALY_ENDS, ANOMALY_BEGINS, 0], [0, 1, 0], 0),
        ([0, ANOMALY_ENDS, 0], [0, 0, 0], ANOMALY_ENDS),
    ],
)
def test_an_anomaly_is_told_once_from_the_first_class_to_the_last(codes, odd, expected):
    assert together(happened=codes, odd=odd)["happened"] == expected


@pytest.mark.parametrize(
    ("codes", "fallen", "expected"),
    [
        ([FALLBACK_ENDS, 0, 0], [0, 1, 1], FALLBACK_ENDS),
        ([0, FALLBACK_ENDS, 0], [0, 0, 1], 0),
        ([0, FALLBACK_BEGINS, 0], [1, 1, 1], FALLBACK_BEGINS),
        ([FALLBACK_BEGINS, 0, 0], [1, 1, 0], 0),
    ],
)
def test_a_category_falls_back_when_all_its_classes_have(codes, fallen, expected):
    assert together(happened=codes, fallen=fallen)["happened"] == expected


def test_the_state_is_the_classes():
    states = {(FALLBACK,) * K: FALLBACK, (FALLBACK, ACTIVE, FALLBACK): ACTIVE, (GAP,) * K: GAP}
    assert all(together(state=given)["state"] == expected for given, expected in states.items())


@given(st.integers(-2, 9) | st.just(0.5) | st.just(math.nan), st.integers(2, 8))
def test_one_class_comes_or_none(target, classes):
    shown = [values[0] for values in one_hot((float(target), 1.0), classes)]
    if target in range(classes):
        assert shown == [float(k == target) for k in range(classes)]
    else:
        assert all(math.isnan(value) for value in shown)
