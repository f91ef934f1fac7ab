"""Under overload forecasts go on without learning; that is an input, so that it can be gone through again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.config import Stream
from streamlstm.engine import Engine
from streamlstm.events import Shed
from tests.observed import forecasts
from tests.small import STREAM
from tests.test_engine import NAME, engine, held, number, numbers, state, wave

WEIGHTS = ("weights", "average", "first_moment", "second_moment")
ON, OFF = Shed(True), Shed(False)


def updates(of: Engine) -> int:
    """In all rows that the series takes."""
    learner, slot = held(of)
    return sum(int(learner.rows.record(slot + k)["updates"].sum()) for k in range(learner.rows_a_series))


def test_while_learning_is_shed_each_observation_is_scored_and_forecast_from_and_no_weight_moves():
    true, cut = wave(300), 200
    taught, spared = engine(), engine()
    taught.feed(true[:cut])
    spared.feed(true[:cut])
    before = {name: number(spared, name) for name in WEIGHTS}
    learned, said = forecasts(taught.feed(true[cut:])), forecasts(spared.feed([ON, *true[cut:]]))
    assert all((number(spared, name) == values).all() for name, values in before.items())
    assert not (number(taught, "weights") == before["weights"]).all()
    assert len(said) == len(true) - cut
    assert all(np.isfinite(forecast.yhat).all() for forecast in said)
    assert len({numbers(forecast) for forecast in said}) == len(said)
    assert [f.n_seen for f in said] == [f.n_seen for f in learned]
    for name in ("labels", "seen", "index", "phase", "base_labels", "mean", "coefficients"):
        assert (number(spared, name) == number(taught, name)).all(), name
    assert not (number(spared, "hidden_state") == number(taught, "hidden_state")).all()


@pytest.mark.parametrize("stream", [STREAM, STREAM.model_copy(update={"type": "angle"})], ids=["number", "angle"])
def test_updates_that_were_made_and_those_that_were_not_are_together_all(stream: Stream):
    true = wave(300)
    taught, spared = (Engine([stream], seed=1, max_series=9) for _ in range(2))
    taught.feed(true)
    spared.feed([*true[:100], ON, *true[100:250], OFF, *true[250:]])
    assert spared.report().shed > 0
    assert updates(spared) + spared.report().shed == updates(taught)
    assert taught.report().shed == 0


def test_when_it_is_over_learning_goes_on_and_until_it_begins_nothing_is_otherwise():
    true = wave(300)
    one, other = engine(), engine()
    never = forecasts(one.feed(true))
    shed = forecasts(other.feed([*true[:150], ON, *true[150:200]]))
    assert [numbers(f) for f in shed[:150]] == [numbers(f) for f in never[:150]]
    assert other.report().sheds
    before = number(other, "updates")
    other.feed([OFF, *true[200:]])
    assert not other.report().sheds
    assert (number(other, "updates") > before).all()


def test_a_shedding_that_ends_before_anything_comes_changes_nothing():
    true = wave(150)
    one, other = engine(), engine()
    one.feed(true)
    other.feed([*true[:70], ON, OFF, *true[70:]])
    assert state(one) == state(other)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 301), max_size=8), st.integers(0, 290), st.integers(0, 290))
def test_how_inputs_are_grouped_into_calls_changes_nothing_where_learning_is_shed_between(cuts, begins, lasts):
    inputs = [obs for pair in zip(wave(150, "a"), wave(150, "b", seed=1), strict=True) for obs in pair]
    inputs.insert(begins, ON)
    inputs.insert(min(begins + lasts + 1, len(inputs)), OFF)
    whole, parts = engine(), engine()
    one = forecasts(whole.feed(inputs))
    ends = [0, *sorted(cuts), len(inputs)]
    other = [f for begin, end in pairwise(ends) for f in forecasts(parts.feed(inputs[begin:end]))]
    assert [numbers(f) for f in one] == [numbers(f) for f in other]
    assert state(whole, "a") == state(parts, "a")
    assert whole.report().shed == parts.report().shed


def test_a_series_that_is_born_while_learning_is_shed_is_spared_too_and_learns_later():
    late = engine()
    late.feed([ON, *wave(100)])
    assert number(late, "updates", NAME).sum() == 0
    late.feed([OFF, *wave(200)[100:]])
    assert (number(late, "updates", NAME) > 0).all()
