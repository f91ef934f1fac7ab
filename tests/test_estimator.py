"""LSTMForecaster: river's own checks, river's own tools around it, and the engine's own forecasts out of it."""

import copy
import doctest
import pickle
from datetime import UTC, datetime, timedelta
from math import nan, pi, sin

import numpy as np
import pytest
from river import checks, compose, datasets, evaluate, metrics, preprocessing

from streamlstm import estimator
from streamlstm.config import Stream
from streamlstm.engine import Engine
from streamlstm.estimator import LSTMForecaster, heads
from streamlstm.events import SECOND_NS, Forecast, Observation

SMALL = {"horizon": 5, "hidden": 4, "truncation": 8}  # everywhere, as in config/example.toml: see tests.small
LONG = [10 + 3 * sin(i * pi / 6) + 0.2 * float(e) for i, e in enumerate(np.random.default_rng(4).normal(size=2_000))]
WAVE = LONG[:260]
MODELS = [LSTMForecaster(**params) for params in LSTMForecaster._unit_test_params()]


def learned(values=WAVE, **params):
    model = LSTMForecaster(**{**SMALL, **params})
    for y in values:
        model.learn_one(y)
    return model


@pytest.mark.parametrize(
    ("model", "check"),
    [
        pytest.param(model, check, id=f"{place}-{check.__name__}")
        for place, model in enumerate(MODELS)
        for check in checks.yield_checks(model)
    ],
)
def test_every_check_that_river_has_for_it_passes(model, check):
    check(model.clone())


def test_the_example_shows_what_it_prints():
    assert doctest.testmod(estimator).failed == 0


def test_none_of_rivers_checks_is_skipped():
    assert MODELS[0]._unit_test_skips() == set()


def test_its_forecasts_are_the_engines_bit_for_bit():
    stream = Stream.model_validate(
        {
            "name": "y",
            "topic": "y",
            "step": "1s",
            "leads": heads(5),
            "calendar": False,
            "model": {"hidden": 4, "truncation": 8},
        }
    )
    engine = Engine((stream,), seed=5, max_series=1)
    model = LSTMForecaster(**SMALL, seed=5)
    for i, y in enumerate(WAVE, 1):
        outputs = engine.feed([Observation("y", "y", i * SECOND_NS, (y,), position=i)])
        newest = next(output for output in outputs if isinstance(output, Forecast))
        model.learn_one(y)
        if np.isfinite(newest.yhat).all():
            ours = [model.forecast(5)[lead - 1] for lead in newest.leads]
            assert np.array(ours).tobytes() == newest.yhat.tobytes()
            low, high = zip(*model.forecast_interval(5, level=0.95), strict=True)
            assert [low[lead - 1] for lead in newest.leads] == list(newest.lower[1])
            assert [high[lead - 1] for lead in newest.leads] == list(newest.upper[1])
    assert newest.n_seen == len(WAVE)


def test_forecasting_changes_nothing():
    asked, unasked = LSTMForecaster(**SMALL), LSTMForecaster(**SMALL)
    for y in WAVE:
        for horizon in (1, 5):
            asked.forecast(horizon)
            asked.forecast_interval(horizon)
        asked.learn_one(y)
        unasked.learn_one(y)
    assert asked.forecast(5) == unasked.forecast(5)


def test_a_shorter_horizon_is_the_beginning_of_a_longer_one():
    model = learned()
    assert model.forecast(2) == model.forecast(5)[:2]


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_goes_on_as_the_original_does_and_apart_from_it(twin):
    model = learned(WAVE[:150])
    other = twin(model)
    before = model.forecast(5)
    for y in WAVE[150:]:
        other.learn_one(y)
    assert model.forecast(5) == before
    for y in WAVE[150:]:
        model.learn_one(y)
    assert other.forecast(5) == model.forecast(5) != before


def test_a_clone_begins_anew_with_the_same_parameters():
    model = learned()
    clone = model.clone()
    assert clone.forecast(3) == [0.0] * 3
    for y in WAVE:
        clone.learn_one(y)
    assert clone.forecast(5) == model.forecast(5)


def test_another_seed_is_another_model():
    assert learned(seed=1).forecast(5) != learned(seed=2).forecast(5)


def test_it_says_the_last_value_until_it_can_say_more_and_zero_before_there_is_one():
    model = LSTMForecaster(**SMALL)
    assert model.forecast(3) == [0.0, 0.0, 0.0]
    model.learn_one(7.5)
    model.learn_one(None)
    assert model.forecast(2) == [7.5, 7.5]
    assert model.forecast_interval(1) == [(7.5, 7.5)]


def test_the_wider_level_has_the_wider_interval():
    model = learned()
    narrow, wide = model.forecast_interval(5, level=0.8), model.forecast_interval(5, level=0.95)
    assert all(a <= c <= d <= b for (a, b), (c, d) in zip(wide, narrow, strict=True))
    assert all(low < high for low, high in narrow)


@pytest.mark.parametrize(("inner", "between", "outer"), [(0.5, 0.8, 0.9), (0.8, 0.9, 0.95), (0.95, 0.99, 0.999)])
def test_an_interval_of_any_level_lies_between_its_neighbours(inner, between, outer):
    model = learned()
    found = [model.forecast_interval(5, level) for level in (outer, between, inner)]
    for (a, f), (b, e), (c, d) in zip(*found, strict=True):
        assert a <= b <= c <= d <= e <= f


def test_it_learns_a_wave_better_than_the_last_value_does():
    model, error, naive = LSTMForecaster(**SMALL), metrics.MAE(), metrics.MAE()
    for i, y in enumerate(LONG[:-3]):
        model.learn_one(y)
        if i > 1_500:
            error.update(LONG[i + 3], model.forecast(3)[2])
            naive.update(LONG[i + 3], y)
    assert error.get() < 0.5 * naive.get()


def test_it_stands_at_the_end_of_a_pipeline_and_is_evaluated_by_river():
    def month(x):
        return {"sin": sin(x["month"].month * pi / 6), "year": x["month"].year}

    model = compose.TransformerUnion(month) | preprocessing.StandardScaler() | LSTMForecaster(**SMALL)
    found = evaluate.evaluate(datasets.AirlinePassengers(), model, metrics.MAE(), horizon=5)
    assert len(found.get()) == 5
    assert all(0 < mae < 150 for mae in found.get())  # passengers; their mean is 280
    steps = evaluate.iter_evaluate(datasets.AirlinePassengers(), LSTMForecaster(**SMALL), metrics.MAE(), horizon=5)
    assert sum(1 for _ in steps) == 144 - 2 * 5


def test_a_pipeline_passes_the_time_on():
    model = preprocessing.StandardScaler() | LSTMForecaster(**SMALL, step="1h")
    start = datetime(2026, 3, 2, tzinfo=UTC)
    for i, y in enumerate(WAVE[:60]):
        model.learn_one({"a": i % 5, "b": i % 7}, y, time=start + timedelta(hours=i))
    assert model.forecast(2) != [WAVE[59]] * 2


def test_covariates_are_the_numbers_of_the_first_x_in_any_order():
    one, other = LSTMForecaster(**SMALL), LSTMForecaster(**SMALL)
    for i, y in enumerate(WAVE[:80]):
        one.learn_one(y, {"flag": i % 7 == 0, "a": None if i < 9 else i % 3, "note": "x"})
        other.learn_one(y, {"a": nan if i < 9 else i % 3, "flag": float(i % 7 == 0)} | ({"new": 1} if i else {}))
    assert one.forecast(5) == other.forecast(5)


def test_a_covariate_that_is_absent_is_the_same_as_one_that_is_none():
    absent, none = LSTMForecaster(**SMALL), LSTMForecaster(**SMALL)
    for i, y in enumerate(WAVE[:80]):
        x = {"a": i % 3, "b": 1.0}
        is_known = i % 4 > 0 or i == 0  # the first says which there are
        absent.learn_one(y, x if is_known else None)
        none.learn_one(y, x if is_known else {"a": None, "b": nan})
    assert absent.forecast(5) == none.forecast(5)


def test_times_on_a_grid_give_what_the_same_steps_give_without_times():
    timed, stepped = LSTMForecaster(**SMALL, step="1h"), LSTMForecaster(**SMALL, step="1h")
    for i, y in enumerate(WAVE, 1):
        timed.learn_one(y, time=3600 * i)
        stepped.learn_one(y)
    assert timed.forecast(5) == stepped.forecast(5)


def test_a_datetime_without_a_zone_is_utc_and_seconds_mean_the_same():
    models = [LSTMForecaster(**SMALL, step="1h") for _ in range(3)]
    for i, y in enumerate(WAVE[:60]):
        naive = datetime(2026, 3, 2) + timedelta(hours=i)
        aware = naive.replace(tzinfo=UTC)
        for model, time in zip(models, (naive, aware, aware.timestamp()), strict=True):
            model.learn_one(y, time=time)
    assert models[0].forecast(5) == models[1].forecast(5) == models[2].forecast(5)


def test_the_step_is_found_from_the_times():
    model = LSTMForecaster(**SMALL)
    for i, y in enumerate(WAVE):
        model.learn_one(y, time=900 * i)
    given = LSTMForecaster(**SMALL, step="15min")
    for i, y in enumerate(WAVE):
        given.learn_one(y, time=900 * i)
    assert model.forecast(5) == given.forecast(5)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"horizon": 0}, "horizon = 0"),
        ({"hidden": 0}, "hidden"),
        ({"layers": 4}, "layers"),
        ({"activation": "gelu"}, "activation"),
        ({"levels": (0.95, 0.8)}, "levels"),
        ({"step": "1 fortnight"}, "duration"),
        ({"period": (1, 2, 3)}, "seasons"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_once(params, told):
    with pytest.raises(ValueError, match=told):
        LSTMForecaster(**params)


def test_calls_that_make_no_sense_are_refused_in_words():
    model = learned(WAVE[:30])
    with pytest.raises(ValueError, match="made for 1 to 5 steps"):
        model.forecast(6)
    with pytest.raises(ValueError, match="need one for each of the 3 steps"):
        model.forecast(3, xs=[{}])
    with pytest.raises(ValueError, match="need a number between 0 and 1"):
        model.forecast_interval(3, level=80)
    with pytest.raises(ValueError, match="with every observation, or with none"):
        model.learn_one(1.0, time=5.0)
    with pytest.raises(ValueError, match="counts steps"):
        LSTMForecaster(**SMALL, period=24).learn_one(1.0, time=5.0)


@pytest.mark.parametrize("horizon", [1, 2, 15, 24, 500])
def test_the_leads_run_from_one_to_the_horizon_and_are_at_most_twenty_four(horizon):
    leads = heads(horizon)
    assert (leads[0], leads[-1]) == (1, horizon)
    assert len(leads) <= 24  # what the documentation says
    assert list(leads) == sorted(set(leads))
