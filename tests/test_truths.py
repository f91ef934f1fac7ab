"""Truth values through the whole engine: what is forecast is the probability of a 1."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from streamlstm.codec import encode
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Event, Forecast, Kind, State
from streamlstm.model.arena import Layout
from streamlstm.model.state import record, work_dtype
from tests.observed import forecasts, observations
from tests.small import STREAM

H = 3600 * SECOND_NS
TRUTH = STREAM.model_copy(update={"type": "boolean", "leads": (1, 3, 6)})  # as many as the pages of config/ have
HOURS = 1200


def engine() -> Engine:
    return Engine([TRUTH], seed=1, max_series=10)


def shifts(hours: int = HOURS) -> np.ndarray:
    """On for most hours of the day, off for most of the night; each hour by the same dice."""
    t, dice = np.arange(hours) % 24, np.random.default_rng(4).random(hours)
    return np.where((t >= 8) & (t < 20), dice < 0.9, dice < 0.05).astype(float)


@pytest.fixture(scope="module")
def said() -> list[Forecast]:
    return forecasts(engine().feed(observations(shifts())))


def test_a_probability_is_forecast_that_beats_the_running_share(said) -> None:
    y, known = shifts(), [f for f in said if f.state is not State.WARMING]
    assert all(((f.yhat > 0) & (f.yhat < 1)).all() for f in known)
    share = np.cumsum(y) / (np.arange(HOURS) + 1)
    for j, lead in enumerate(TRUTH.leads):
        origins = np.arange(HOURS // 4, HOURS - lead)
        p, truth = np.array([said[o].yhat[j] for o in origins]), y[origins + lead]
        loss, rival = (
            -np.log(np.where(truth > 0, p, 1 - p)),
            -np.log(np.where(truth > 0, share[origins], 1 - share[origins])),
        )
        assert loss.mean() < 0.75 * rival.mean()
        assert np.mean(p) == pytest.approx(np.mean(truth), abs=0.06)


def test_an_interval_is_one_value_where_it_is_sure_enough_else_both(said) -> None:
    for f in said[HOURS // 2 :]:
        for q, level in enumerate(f.levels):
            for p, low, high in zip(f.yhat, f.lower[q], f.upper[q], strict=True):
                assert (low, high) == ((1.0, 1.0) if p >= level else (0.0, 0.0) if 1 - p >= level else (0.0, 1.0))
    held = said[-1].coverage
    assert (held >= np.array(TRUTH.levels)[:, None] - 0.05).all()
    assert np.array_equal(np.unique(said[-1].quantiles), [0.0, 1.0])


def test_the_skill_is_brier_s(said) -> None:
    error, rival = said[-1].absolute_error, said[-1].absolute_error / (1 - said[-1].skill_persistence)
    y = shifts()
    for j, lead in enumerate(TRUTH.leads):
        origins = np.arange(HOURS - 400, HOURS - lead)
        p = np.array([said[o].yhat[j] for o in origins])
        assert error[j] == pytest.approx(np.mean((p - y[origins + lead]) ** 2), abs=0.03)
        assert rival[j] == pytest.approx(np.mean(y[origins] != y[origins + lead]), abs=0.05)


def test_shares_of_the_sources_add_up(said) -> None:
    assert sum(said[-1].weights.values()) == pytest.approx(1.0)
    assert len(said[-1].weights) > 3


def test_what_was_hardly_possible_scores_as_rare() -> None:
    regular = (np.arange(HOURS) % 24 >= 12).astype(float)
    odd = HOURS - 30
    regular[odd] = 1 - regular[odd]
    scores = [o.anomaly_score for o in engine().feed(observations(regular)) if isinstance(o, Forecast)]
    assert scores[odd] > 1
    assert max(scores[HOURS // 2 : odd]) < 0.1


def test_a_value_that_never_changes_is_no_anomaly_and_not_in_doubt() -> None:
    outputs = engine().feed(observations(np.zeros(700)))
    assert {o.kind for o in outputs if isinstance(o, Event)} <= {Kind.FALLBACK}
    last = [o for o in outputs if isinstance(o, Forecast)][-1]
    assert last.yhat.max() < 0.05
    assert last.state is not State.QUARANTINED


def test_missing_readings_are_forecast_through() -> None:
    values = shifts(300)
    values[250:260] = math.nan
    outputs = [o for o in engine().feed(observations(values)) if isinstance(o, Forecast)]
    assert outputs[255].state is State.GAP
    assert ((outputs[255].yhat > 0) & (outputs[255].yhat < 1)).all()


def test_the_payload_tells_the_probability(said) -> None:
    payload = json.loads(encode.forecast(said[-1], unit="", issued_ns=0, model_rev="", config_hash=""))
    assert payload["yhat"] == said[-1].yhat.tolist()
    assert set(payload["lower"]["0.95"]) <= {0.0, 1.0}
    assert float(encode.value(said[-1])) == said[-1].yhat[0]


def test_the_row_of_a_plain_stream_holds_nothing_of_it() -> None:
    plain, truth = Layout.of(STREAM.model_copy(update={"leads": TRUTH.leads}), H, True), Layout.of(TRUTH, H, True)
    for table in (record, work_dtype):
        name = "logit" if table is record else "odds"
        assert table(plain.sizes)[name].itemsize == 0 < table(truth.sizes)[name].itemsize
    assert truth.row_bytes - plain.row_bytes == -(-record(truth.sizes)["logit"].itemsize // 64) * 64
