"""Categories through the whole engine: a probability for each class, and the likeliest as the forecast."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from streamlstm.codec import encode
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Forecast, Kind, Observation, State, Tick
from streamlstm.model.arena import row_bytes
from tests.observed import forecasts, observations
from tests.small import STREAM

H = 3600 * SECOND_NS
CLASSES = ("heat", "cool", "off")
CATEGORY = STREAM.model_copy(update={"type": "category", "classes": CLASSES, "leads": (1, 3, 6)})  # as in config/
HOURS = 900


def engine(**limits: int) -> Engine:
    return Engine([CATEGORY], seed=1, **{"max_series": 10, **limits})


def modes(hours: int = HOURS) -> np.ndarray:
    """Heating in the morning, cooling in the afternoon, mostly."""
    hour, dice = np.arange(hours) % 24, np.random.default_rng(6)
    usual = np.where((hour >= 5) & (hour < 10), 0, np.where((hour >= 13) & (hour < 19), 1, 2))
    return np.where(dice.random(hours) < 0.15, dice.integers(0, 3, hours), usual).astype(float)


def readings(values: np.ndarray) -> list[Observation]:
    return observations(values, after_ns=1)


@pytest.fixture(scope="module")
def said() -> list[Forecast]:
    return forecasts(engine().feed(readings(modes())))


def test_probabilities_beat_the_running_frequencies(said) -> None:
    y = modes()
    assert len(said) == HOURS
    counts = np.cumsum(y[:, None] == np.arange(3), axis=0) + 1
    often = counts / counts.sum(axis=1, keepdims=True)
    for j, lead in enumerate(CATEGORY.leads):
        origins = np.arange(HOURS // 3, HOURS - lead)
        truth = y[origins + lead].astype(int)
        p = np.array([f.classes[:, j] for f in said])[origins]
        np.testing.assert_allclose(p.sum(axis=1), 1)
        at = np.arange(len(origins))
        assert -np.log(p[at, truth]).mean() < -0.75 * np.log(often[origins][at, truth]).mean()
        assert np.array_equal(p.argmax(axis=1), np.array([f.yhat[j] for f in said])[origins])


def test_the_payload_names_the_classes_and_is_as_its_schema_says(said) -> None:
    payload = json.loads(encode.forecast(said[-1], unit="", issued_ns=0, model_rev="", config_hash=""))
    Draft202012Validator(encode.schema("forecast")).validate(payload)
    assert tuple(payload["classes"]) == CLASSES
    assert np.sum(list(payload["classes"].values()), axis=0) == pytest.approx([1, 1, 1])
    assert encode.value(said[-1]).decode() == CLASSES[int(payload["yhat"][0])]
    assert set(payload["lower"]["0.8"]) == {None}
    assert max(payload["skill"].values()) > 0
    assert sum(payload["weights"].values()) == pytest.approx(1)


def test_a_class_that_never_comes_there_is_rare() -> None:
    regular = (np.arange(HOURS) % 24 // 8).astype(float)
    regular[HOURS - 50] = (regular[HOURS - 50] + 1) % 3
    scores = [f.anomaly_score for f in forecasts(engine().feed(readings(regular)))]
    assert np.nanargmax(scores[200:]) == HOURS - 50 - 200
    assert scores[HOURS - 50] > 1


def test_how_observations_are_grouped_into_calls_changes_nothing() -> None:
    whole, single = engine(), engine()
    values = readings(modes(80))
    one = forecasts(whole.feed(values))
    many = [f for obs in values for f in forecasts(single.feed([obs]))]
    assert [f.numbers.tobytes() for f in one] == [f.numbers.tobytes() for f in many]


def test_missing_readings_and_the_clock_are_forecast_through() -> None:
    values = modes(300)
    values[200:204] = math.nan
    own = engine()
    found = forecasts(own.feed(readings(values)))
    assert found[203].state is State.GAP
    silent = own.feed([Tick(305 * H)])
    kinds = [(e.kind, e.begins) for e in silent if not isinstance(e, Forecast)]
    assert kinds == [(Kind.GAP, True)]
    for f in (found[203], *forecasts(silent)):
        np.testing.assert_allclose(f.classes.sum(axis=0), 1)


def test_events_of_a_kind_begin_and_end_in_turn() -> None:
    dice = np.random.default_rng(8)
    outputs = engine().feed(readings(np.concatenate([modes(400), dice.integers(0, 3, 300)])))
    for kind in Kind:
        told = [out.begins for out in outputs if not isinstance(out, Forecast) and getattr(out, "kind", None) is kind]
        assert all(a != b for a, b in pairwise(told))


def test_a_series_takes_a_row_for_each_class_or_does_not_begin() -> None:
    need = row_bytes(CATEGORY, H)
    assert need == len(CLASSES) * row_bytes(STREAM.model_copy(update={"type": "boolean", "leads": CATEGORY.leads}), H)
    assert len(forecasts(engine(memory_bytes=need).feed(readings(modes(5))))) == 5
    assert forecasts(engine(memory_bytes=need - 1).feed(readings(modes(5)))) == []
    own = engine()
    own.feed(readings(modes(5)))
    assert own.report().memory_bytes == own.report().series[0].bytes == need
