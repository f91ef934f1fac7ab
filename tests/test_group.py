"""A new member of a group of alike series begins with what another one has learned."""

from __future__ import annotations

import numpy as np
import pytest

from streamlstm.engine import Engine
from streamlstm.events import Forecast
from tests.observed import HOUR_NS, forecasts, observations
from tests.small import STREAM

ROWS, NEW = 1500, 400


def member(number: int, rows: int) -> np.ndarray:
    """A sawtooth of 17 hours, which no profile of the day knows, at a level and with noise of its own."""
    dice = np.random.default_rng(number)
    phase, level, size = dice.integers(0, 17), dice.uniform(-100, 100), dice.uniform(1, 20)
    return level + size * (((np.arange(rows) + phase) % 17) / 4 + dice.normal(0, 0.3, rows))


def engine(group: bool = True) -> Engine:
    return Engine([STREAM.model_copy(update={"step": HOUR_NS, "group": group, "seasons": ()})], seed=1, max_series=100)


def errors(own: Engine, numbers: range) -> float:
    """Of new members, in their first observations, in units of each one's noise."""
    found = []
    for number in numbers:
        y = member(number, NEW)
        said = forecasts(own.feed(observations(y, series=f"new{number}")))
        found.append(np.mean([abs(said[i].yhat[0] - y[i + 1]) for i in range(30, NEW - 1)]) / np.abs(np.diff(y)).mean())
    return float(np.mean(found))


@pytest.fixture(scope="module")
def alone() -> float:
    return errors(engine(group=False), range(100, 106))


def grown(mad: bool = False) -> Engine:
    own = engine()
    for number in range(3):
        own.feed(observations(member(number, ROWS), series=f"old{number}"))
    if mad:
        noise = np.random.default_rng(9).standard_cauchy(ROWS) * 1e6
        own.feed(observations(noise, series="mad"))
    return own


def test_a_new_member_of_a_group_is_better_in_its_first_weeks_than_alone(alone):
    assert errors(grown(), range(100, 106)) < 0.95 * alone


def test_a_mad_member_does_not_reach_the_new_ones():
    sane, among = grown(), grown(mad=True)
    assert errors(sane, range(100, 106)) == errors(among, range(100, 106))


def test_nobody_has_anything_to_give_before_it_has_learned():
    own, plain = engine(), engine(group=False)
    for of in (own, plain):
        of.feed(observations(member(1, 900), series="old"))
    assert errors(own, range(100, 101)) == errors(plain, range(100, 101))


def test_when_a_member_is_born_is_the_same_however_observations_are_grouped_into_calls():
    old, new = observations(member(1, ROWS), series="old"), observations(member(2, 100), series="new")
    mixed = old[:1100] + [obs for pair in zip(old[1100:1200], new, strict=True) for obs in pair]
    whole, parts = engine(), engine()
    one = [f.yhat.tobytes() for f in whole.feed(mixed) if isinstance(f, Forecast)]
    other = [f.yhat.tobytes() for obs in mixed for f in parts.feed([obs]) if isinstance(f, Forecast)]
    assert one == other
