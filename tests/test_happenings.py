"""What the engine finds out by itself: anomalies, fallback and return, seasons, the changing of the clocks."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Event, Forecast, Kind, Observation, Output, State
from tests.small import STREAM

HOUR_NS = 3600 * SECOND_NS
NAME = STREAM.name


def hourly(values: np.ndarray, begin_ns: int = 0) -> list[Observation]:
    return [Observation(NAME, NAME, begin_ns + i * HOUR_NS, (float(y),), i) for i, y in enumerate(values)]


def wave(count: int, period: int = 24, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.3, count)
    return 10 + 3 * np.sin(np.arange(count) * 2 * math.pi / period) + noise


def fed(values: np.ndarray) -> tuple[Engine, list[Output]]:
    engine = Engine([STREAM], seed=1, max_series=1)
    return engine, engine.feed(hourly(values))


def events(outputs: list[Output], kind: Kind) -> list[tuple[int, bool]]:
    """When each began (True) or ended (False), in hours."""
    found = [o for o in outputs if isinstance(o, Event) and o.kind is kind]
    return [(event.time_ns // HOUR_NS, event.begins) for event in found]


def seasons_h(engine: Engine) -> list[float]:
    found = engine.learner(NAME)
    assert found is not None
    learner, slot = found
    return [period / HOUR_NS for period in learner.rows.record(slot)["season_ns"].tolist()]


def test_a_spike_is_told_once_and_so_is_its_end() -> None:
    values = wave(900)
    values[700] += 40
    _, outputs = fed(values)
    told = [event for event in events(outputs, Kind.ANOMALY) if event[0] >= 650]
    assert told[0] == (700, True)
    assert [begins for _, begins in told] == [True, False]
    score = {o.position: o.anomaly_score for o in outputs if isinstance(o, Forecast)}
    assert score[700] > 1


def test_a_usual_series_has_no_anomalies() -> None:
    _, outputs = fed(wave(1500, seed=4))
    assert len(events(outputs, Kind.ANOMALY)) <= 2  # one in fourteen thousand by chance, and it may end


def test_it_begins_as_naive_and_says_when_it_has_learned_better() -> None:
    _, outputs = fed(wave(1500))
    told = events(outputs, Kind.FALLBACK)
    assert told[0][1] is False
    assert all(a != b for (_, a), (_, b) in pairwise(told))  # by turns
    states = {o.position: o.state for o in outputs if isinstance(o, Forecast)}
    for hour, begins in told:
        assert states[hour] is (State.FALLBACK if begins else State.ACTIVE)
    assert states[1499] is State.ACTIVE
    weights = [o.weights for o in outputs if isinstance(o, Forecast)][-1]
    assert sum(weights.values()) == pytest.approx(1)
    assert weights.get("persistence", 0) + weights.get("seasonal", 0) < 0.4


def test_an_odd_period_is_found_and_forecast() -> None:
    engine, outputs = fed(wave(1600, period=37))
    assert any(abs(period - 37) < 0.75 for period in seasons_h(engine))
    last = [o for o in outputs if isinstance(o, Forecast)][-1]
    assert (last.skill_seasonal > -0.2).all()
    assert last.absolute_error.max() < 0.6  # the noise alone is 0.24


def test_without_a_period_the_calendar_s_seasons_stay() -> None:
    steps = np.random.default_rng(3).normal(0, 1, 1200).cumsum()
    engine, _ = fed(steps)
    assert seasons_h(engine) == [24, 168]


def test_looking_for_seasons_does_not_hang_on_how_observations_are_grouped() -> None:
    observations = hourly(wave(700, period=37))
    whole, parts = (Engine([STREAM], seed=1, max_series=1) for _ in range(2))
    whole.feed(observations)
    for i in range(0, 700, 7):
        parts.feed(observations[i : i + 7])
    states = []
    for engine in (whole, parts):
        found = engine.learner(NAME)
        assert found is not None
        states.append(found[0].rows.export(found[1]))
    assert states[0] == states[1]


@pytest.mark.parametrize("change", [(2026, 3, 29), (2026, 10, 25)])
def test_across_a_change_of_the_clocks_the_seasonal_forecast_is_of_the_same_hour_on_the_wall(change) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    stream = STREAM.model_copy(update={"timezone": "Europe/Berlin"})
    turn_ns = int(datetime(*change, 1, tzinfo=UTC).timestamp()) * SECOND_NS
    begin_ns = turn_ns - 500 * HOUR_NS

    def hour(time_ns: int) -> float:  # on the wall
        return float(datetime.fromtimestamp(time_ns // SECOND_NS, berlin).hour)

    values = np.array([hour(begin_ns + i * HOUR_NS) for i in range(520)])
    outputs = Engine([stream], seed=1, max_series=1).feed(hourly(values, begin_ns))
    checked = 0
    for said in (o for o in outputs if isinstance(o, Forecast) and o.position > 200):
        for at, time_ns in enumerate(said.times_ns):
            if said.origin_ns < turn_ns <= time_ns:
                assert said.seasonal[at] == hour(time_ns)
                checked += 1
    assert checked == sum(STREAM.leads)
