"""Readings that are not believed: told of once, kept out of the model, and in the end believed if they stay."""

from __future__ import annotations

import numpy as np
import pytest

from streamlstm.engine import Engine
from streamlstm.events import Forecast, Kind, State
from tests.observed import HOUR_NS, forecasts, observations, told
from tests.small import STREAM

ROWS = 1200


def wave(seed: int = 1) -> np.ndarray:
    hours = np.arange(ROWS)
    return 50 + 10 * np.sin(hours * 2 * np.pi / 24) + np.random.default_rng(seed).normal(0, 1, ROWS)


def run(values: np.ndarray) -> tuple[list[Forecast], list[tuple[bool, int]], Engine]:
    """The forecasts, when quarantine began and ended, and the engine."""
    own = Engine([STREAM.model_copy(update={"step": HOUR_NS})], seed=1, max_series=1)
    out = own.feed(observations(values))
    return forecasts(out), told(out, Kind.QUARANTINE), own


def error(found: list[Forecast], truth: np.ndarray, begin: int, end: int) -> float:
    return float(np.mean([abs(found[i].yhat[0] - truth[i + 1]) for i in range(begin, end)]))


@pytest.mark.parametrize("spike", [1e9, -1e9, 1e12, 5000.0])
def test_after_one_absurd_reading_the_next_hundred_forecasts_are_no_worse(spike):
    clean = wave()
    spiked = clean.copy()
    spiked[900] = spike
    plain, nothing, _ = run(clean)
    found, events, own = run(spiked)
    assert (nothing, events) == ([], [(True, 900), (False, 901)])
    assert found[900].state is State.QUARANTINED and found[901].state is not State.QUARANTINED
    assert error(found, clean, 900, 1000) <= 1.05 * error(plain, clean, 900, 1000)
    assert (own.report().quarantined, own.report().learned) == (1, ROWS - 1)


def test_a_changed_unit_is_believed_with_the_third_reading():
    values = wave()
    values[800:] *= 1000
    found, events, own = run(values)
    assert events == [(True, 800), (False, 802)]
    assert own.report().quarantined == 2
    assert error(found, values, 1100, 1199) < 4 * 1000


def test_a_stuck_sensor_is_noticed_and_not_learned_until_it_has_stood_for_very_long():
    values = wave()
    values[700:800] = values[700]
    found, events, own = run(values)
    assert events == [(True, 707), (False, 800)]
    assert {f.state for f in found[707:800]} == {State.QUARANTINED}
    assert own.report().quarantined == 93
    # it goes on forecasting the wave that it knows, not the value that the sensor is stuck at
    assert error(found, wave(), 720, 798) < 0.5 * float(np.mean(np.abs(values[700] - wave()[720:798])))
