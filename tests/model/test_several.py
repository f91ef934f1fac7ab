"""What the rows of a category or of an angle say together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.model.forecaster import (
    ANOMALY_BEGINS,
    ANOMALY_ENDS,
    FALLBACK_BEGINS,
    FALLBACK_ENDS,
    QUARANTINE_BEGINS,
    QUARANTINE_ENDS,
    columns,
)
from streamlstm.model.several import Angle, Category, Now
from streamlstm.model.state import ACTIVE, FALLBACK, GAP, QUARANTINED, SOURCES

K, L = 3, 2
CATEGORY = Category(K, L)
PARTS = CATEGORY.parts(columns(L, 1, 3))


def rows(**said):
    out = np.zeros((K, PARTS["all"].stop))
    out[:, PARTS["yhat"]] = 0.5
    out[:, PARTS["weights"]] = 1 / len(SOURCES)
    out[:, PARTS["state"]] = ACTIVE
    for name, values in said.items():
        out[:, PARTS[name]] = np.reshape(values, (K, -1))
    return out


def together(target=0.0, odd=(0, 0, 0), fallen=(0, 0, 0), doubted=(0, 0, 0), drifting=(0, 0, 0), **said):
    now = Now(*(np.array(which) > 0 for which in (odd, fallen, doubted, drifting)))
    found = CATEGORY.combined(rows(**said), now, PARTS, target)
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


@pytest.mark.parametrize(
    ("codes", "doubted", "expected"),
    [([0, QUARANTINE_BEGINS, 0], [0, 1, 0], QUARANTINE_BEGINS), ([0, QUARANTINE_ENDS, 0], [1, 0, 0], 0)],
)
def test_a_reading_is_in_doubt_when_one_row_doubts_it(codes, doubted, expected):
    assert together(happened=codes, doubted=doubted)["happened"] == expected


def test_the_state_is_the_classes():
    states = {
        (FALLBACK,) * K: FALLBACK,
        (FALLBACK, ACTIVE, FALLBACK): ACTIVE,
        (GAP,) * K: GAP,
        (ACTIVE, QUARANTINED, ACTIVE): QUARANTINED,
    }
    assert all(together(state=given)["state"] == expected for given, expected in states.items())


@given(st.integers(-2, 9) | st.just(0.5) | st.just(math.nan), st.integers(2, 8))
def test_one_class_comes_or_none(target, classes):
    shown = [values[0] for values in Category(classes, L).shown((float(target), 1.0))]
    if target in range(classes):
        assert shown == [float(k == target) for k in range(classes)]
    else:
        assert all(math.isnan(value) for value in shown)


# angles

OWN = columns(L, 1, 3)


def pointed(turn, degrees, length=1.0, half=(0.1, 0.1)):
    """What is said of forecasts that point there (L,), sine and cosine each within ± half."""
    around = np.radians(degrees)
    said = rows()[:2, : OWN["all"].stop]
    for row, value, width in zip(said, (np.sin(around) * length, np.cos(around) * length), half, strict=True):
        row[OWN["yhat"]], row[OWN["lower"]], row[OWN["upper"]] = value, value - width, value + width
    found = Angle(turn).combined(said, Now(*np.zeros((4, 2), bool)), OWN, 0.0)
    return {name: found[part] for name, part in OWN.items()}


@given(st.floats(-1e3, 1e3), st.sampled_from([360.0, math.tau, 24.0]))
def test_an_angle_comes_back_from_its_sine_and_cosine(angle, turn):
    sine, cosine = (values[0] for values in Angle(turn).shown((angle, 2.0)))
    assert sine**2 + cosine**2 == pytest.approx(1)
    found = pointed(turn, np.degrees([np.arctan2(sine, cosine), 0.0]))["yhat"][0]
    assert 0 <= found < turn
    away = (found - angle + turn / 2) % turn - turn / 2
    assert away == pytest.approx(0, abs=1e-9 * turn)


def test_an_interval_is_wider_the_less_sure_the_direction():
    near, far = pointed(360.0, [90.0, 0.0]), pointed(360.0, [90.0, 0.0], length=0.4)
    np.testing.assert_allclose(near["upper"] - near["yhat"], np.degrees(np.arcsin(0.1)))
    np.testing.assert_allclose(far["upper"] - far["yhat"], np.degrees(np.arcsin(0.25)))
    lost = pointed(360.0, [90.0, 0.0], length=0.01)
    np.testing.assert_allclose(lost["upper"] - lost["lower"], 360)


def test_only_what_lies_across_the_direction_turns_it():
    found = pointed(360.0, [90.0, 0.0], half=(0.3, 0.1))
    np.testing.assert_allclose(found["upper"] - found["yhat"], np.degrees(np.arcsin([0.1, 0.3])))


def test_a_missing_angle_shows_nothing():
    assert all(math.isnan(values[0]) for values in Angle(360.0).shown((math.nan,)))
