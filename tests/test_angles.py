"""Directions through the whole engine: 350 and 10 degrees are 20 apart."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from streamlstm.codec import encode
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Forecast, State
from tests.observed import forecasts, observations
from tests.small import STREAM

H = 3600 * SECOND_NS
ANGLE = STREAM.model_copy(update={"type": "angle", "unit": "°"})
HOURS = 700


def around_north(hours: int = HOURS) -> np.ndarray:
    """From 320 to 40 degrees and back, every day, with gusts."""
    t = np.arange(hours)
    return (40 * np.sin(t * 2 * np.pi / 24) + np.random.default_rng(9).normal(0, 5, hours)) % 360


def fed(values: np.ndarray, **settings: object) -> list[Forecast]:
    stream = ANGLE.model_copy(update=settings)
    own = Engine([stream], seed=1, max_series=10)
    return forecasts(own.feed(observations(values)))


@pytest.fixture(scope="module")
def said() -> list[Forecast]:
    return fed(around_north())


def errors(said, values, j, lead):
    origins = np.arange(len(values) // 2, len(values) - lead)
    yhat = np.array([f.yhat[j] for f in said])[origins]
    return np.abs((yhat - values[origins + lead] + 180) % 360 - 180), origins


def test_across_north_the_forecast_is_as_near_as_elsewhere(said) -> None:
    values = around_north()
    turned = (values + 137) % 360
    for j, lead in enumerate(ANGLE.leads):
        here, origins = errors(said, values, j, lead)
        there, _ = errors(fed(turned), turned, j, lead)
        naive = np.abs((values[origins] - values[origins + lead] + 180) % 360 - 180)
        assert here.mean() < 0.8 * naive.mean()
        assert here.mean() == pytest.approx(there.mean(), rel=0.15)


def test_forecasts_lie_in_the_turn_and_within_their_intervals(said) -> None:
    for f in said[20:]:
        assert ((f.yhat >= 0) & (f.yhat < 360)).all()
        assert ((f.lower <= f.yhat) & (f.yhat <= f.upper)).all()
        assert (f.upper - f.lower <= 360 + 1e-9).all()  # two roundings of half the turn


def test_intervals_hold_about_what_they_say(said) -> None:
    values = around_north()
    for j, lead in enumerate(ANGLE.leads):
        away, origins = errors(said, values, j, lead)
        for q, level in enumerate(ANGLE.levels):
            half = np.array([0.5 * (f.upper - f.lower)[q, j] for f in said])[origins]
            assert np.mean(away <= half) == pytest.approx(level, abs=0.12)


def test_in_radians_it_is_the_same(said) -> None:
    found = fed(np.radians(around_north()[:200]), unit="rad")
    np.testing.assert_allclose([f.yhat for f in found[50:]], np.radians([f.yhat for f in said[50:200]]), rtol=1e-6)


def test_the_payload_is_as_its_schema_says(said) -> None:
    payload = json.loads(encode.forecast(said[-1], unit="°", issued_ns=0, model_rev="", config_hash=""))
    Draft202012Validator(encode.schema("forecast")).validate(payload)
    assert payload["y"] == around_north()[-1]
    assert set(payload["coverage"].values()) == {None}


def test_a_missing_direction_is_forecast_through() -> None:
    values = around_north(200)
    values[150:153] = math.nan
    found = fed(values)
    away = abs((found[152].yhat[0] - around_north(200)[153] + 180) % 360 - 180)
    assert away < 40


def test_before_the_first_direction_nothing_has_happened() -> None:
    with np.errstate(invalid="raise"):
        said = fed(np.array([math.nan, math.nan, 350.0]))
    assert [f.state for f in said] == [State.WARMING] * 3
