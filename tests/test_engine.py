"""The engine against itself: cut, regrouped, disturbed and starved, it must say the same, and count everything."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Changed, Discarded, Forecast, Observation, Opened, Reason, State, Tick
from streamlstm.kernels.season import COUNT
from streamlstm.model.batch import Learner
from streamlstm.model.forecaster import READY_AFTER
from streamlstm.model.state import record
from tests.observed import forecasts, observations
from tests.small import STREAM, with_model

HOUR_NS = 3600 * SECOND_NS
NAME = STREAM.name


def engine(max_series: int = 100, **limits: int) -> Engine:
    return Engine([STREAM], seed=1, max_series=max_series, **limits)


def wave(count: int, series: str = NAME, seed: int = 0) -> list[Observation]:
    """Hourly values with a daily season and noise."""
    noise = np.random.default_rng(seed).normal(0, 0.3, count)
    values = 10 + 3 * np.sin(np.arange(count) * 2 * math.pi / 24) + noise
    return [Observation(series, NAME, i * HOUR_NS, (float(y),), i) for i, y in enumerate(values)]


def numbers(forecast: Forecast) -> bytes:
    """All that a forecast says, as bytes: equal only when equal bit for bit."""
    arrays = (forecast.yhat, forecast.lower, forecast.upper, forecast.coverage, forecast.absolute_error)
    return b"".join(array.tobytes() for array in arrays) + np.float64(forecast.anomaly_score).tobytes()


def held(of: Engine, series: str = NAME) -> tuple[Learner, int]:
    """The rows that hold a series, and its slot there."""
    found = of.learner(series)
    assert found is not None
    return found


def state(of: Engine, series: str = NAME) -> bytes:
    learner, slot = held(of, series)
    return learner.rows.export(slot)


def number(of: Engine, name: str, series: str = NAME) -> np.ndarray:
    learner, slot = held(of, series)
    return np.array(learner.rows.record(slot)[name])


def test_no_forecast_hangs_on_what_comes_after_it() -> None:
    true, cut = wave(400), 250
    dice = np.random.default_rng(5)
    noise = [obs._replace(values=(float(dice.normal(0, 1e3)),)) for obs in true[cut:]]
    one, other = engine(), engine()
    before, after = forecasts(one.feed(true)), forecasts(other.feed(true[:cut] + noise))
    assert [numbers(f) for f in before[:cut]] == [numbers(f) for f in after[:cut]]
    assert numbers(before[-1]) != numbers(after[-1])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 299), max_size=8))
def test_how_observations_are_grouped_into_calls_changes_nothing(cuts: list[int]) -> None:
    observations = [obs for pair in zip(wave(150, "a"), wave(150, "b", seed=1), strict=True) for obs in pair]
    whole, parts = engine(), engine()
    one = forecasts(whole.feed(observations))
    ends = [0, *sorted(cuts), len(observations)]
    other = [f for begin, end in pairwise(ends) for f in forecasts(parts.feed(observations[begin:end]))]
    assert [numbers(f) for f in one] == [numbers(f) for f in other]
    assert state(whole, "a") == state(parts, "a")


def test_other_series_change_nothing() -> None:
    alone, among = engine(), engine()
    crowd = [wave(120, f"other{i}", seed=i) for i in range(20)]
    own = wave(120)
    alone.feed(own)
    for i, obs in enumerate(own):
        among.feed([*(other[i] for other in crowd[:10]), obs, *(other[i] for other in crowd[10:])])
    assert state(alone) == state(among)


def test_a_series_goes_on_byte_for_byte_in_a_restored_row() -> None:
    observations = wave(300)
    whole, first, second = engine(), engine(), engine()
    whole.feed(observations)
    first.feed(observations[:203])
    second.feed(wave(203, seed=9))  # another past, at the same times: all of it is overwritten
    learner, slot = held(second)
    learner.rows.restore(slot, state(first))
    second.feed(observations[203:])
    assert state(second) == state(whole)


def test_a_state_of_another_shape_is_refused() -> None:
    one = engine()
    one.feed(wave(20))
    learner, slot = held(one)
    good = bytearray(learner.rows.export(slot))
    with pytest.raises(ValueError, match="bytes: need"):
        learner.rows.restore(slot, bytes(good[:-1]))
    good[0] += 1
    with pytest.raises(ValueError, match="need format"):
        learner.rows.restore(slot, bytes(good))


ODD = st.sampled_from([math.nan, math.inf, -math.inf, 1e308, -1e31, 0.0, 5.0, 1e29])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["a", "b", "c"]), ODD), max_size=60))
def test_everything_fed_is_accounted_for(arrivals: list[tuple[int, str, float]]) -> None:
    own = engine(max_series=2)
    outputs = own.feed(Observation(s, NAME, t * HOUR_NS, (y,), i) for i, (t, s, y) in enumerate(arrivals))
    report = own.report()
    assert report.learned + report.missing + report.quarantined + report.held + sum(report.discarded.values()) == len(
        arrivals
    )
    assert sum(isinstance(output, Discarded) for output in outputs) == sum(report.discarded.values())
    assert len(report.series) <= 2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.floats(-1e29, 1e29) | st.just(math.nan)), min_size=40, max_size=120))
def test_whatever_comes_forecasts_stay_numbers_in_nested_intervals(arrivals: list[tuple[int, float]]) -> None:
    own, time_ns, said = engine(), 0, []
    for skip, y in arrivals:
        time_ns += skip * HOUR_NS
        said += forecasts(own.feed([Observation(NAME, NAME, time_ns, (y,))]))
    for forecast in said:
        if forecast.state == State.WARMING:
            assert np.isnan(forecast.yhat).all()
            continue
        assert np.isfinite(forecast.yhat).all()
        edges = np.vstack([forecast.lower[::-1], forecast.yhat, forecast.upper])
        assert (np.diff(edges, axis=0) >= 0).all()
    assert np.isfinite(number(own, "weights")).all()


def test_a_missing_reading_moves_the_hidden_state_and_teaches_nothing() -> None:
    own = engine()
    own.feed(wave(100))
    taught = ("weights", "average", "first_moment", "mean", "variance", "labels", "covariance", "coefficients", "seen")
    before = {name: number(own, name).tobytes() for name in taught}
    hidden = number(own, "hidden_state").tobytes()
    (said,) = forecasts(own.feed([Observation(NAME, NAME, 100 * HOUR_NS, (math.nan,))]))
    assert said.state == State.GAP
    assert math.isnan(said.y)
    assert np.isfinite(said.yhat).all()
    assert {name: number(own, name).tobytes() for name in taught} == before
    assert number(own, "hidden_state").tobytes() != hidden
    assert own.report().missing == 1


def test_after_a_gap_the_forecast_of_that_lead_is_settled() -> None:
    own = engine()
    observations = wave(100)
    own.feed(observations)
    before = number(own, "labels")
    own.feed([Observation(NAME, NAME, 102 * HOUR_NS, (10.0,))])  # two steps missed: it answers lead 3 only
    assert STREAM.leads == (1, 3)
    assert (number(own, "labels") - before).tolist() == [0, 1]
    assert own.report().series[0].totals.gaps == 1
    assert int(number(own, "index")) == 102


def test_too_long_a_gap_forgets_the_hidden_state_and_keeps_the_weights() -> None:
    own = engine()
    own.feed(wave(100))
    weights = number(own, "weights").tobytes()
    later = 100 * HOUR_NS + 3 * STREAM.gap
    own.feed([Observation(NAME, NAME, later, (math.nan,))])
    learner, slot = held(own)
    states = learner.rows.ring(slot, "past_states")
    assert int(number(own, "index")) == 104  # one step beyond the longest lead, and the one that came
    assert not states[104 // 8].any()  # the state it began from
    assert states[96 // 8].any()
    assert number(own, "weights").tobytes() == weights
    # what comes next is neither scored nor taught against anything before the gap
    labels = number(own, "labels")
    own.feed([Observation(NAME, NAME, later + HOUR_NS, (10.0,))])
    assert (number(own, "labels") == labels).all()


def test_a_series_begins_by_its_name_alone() -> None:
    one, other = engine(), engine()
    one.feed(wave(30, "a") + wave(30, "b"))
    other.feed(wave(30, "b") + wave(30, "a"))
    assert state(one, "a") == state(other, "a")
    assert state(one, "a") != state(one, "b")


def test_it_learns_the_wave_better_than_any_naive_forecast() -> None:
    quick = with_model(STREAM, learning_rate=(0.01, 0.02, 0.04))  # so small cells want high rates
    last = forecasts(Engine([quick], seed=1, max_series=1).feed(wave(3000)))[-1]
    assert (last.skill_persistence > 0.2).all()
    assert (last.skill_seasonal > 0.1).all()
    assert np.abs(last.coverage - [[0.8], [0.95]]).max() < 0.04
    assert last.state == State.ACTIVE


def test_a_constant_series_is_forecast_as_what_it_is() -> None:
    own = engine()
    last = forecasts(own.feed(Observation(NAME, NAME, i * HOUR_NS, (21.5,)) for i in range(200)))[-1]
    assert last.yhat == pytest.approx([21.5, 21.5])
    assert (last.upper - last.lower < 1e-6).all()


def test_a_random_walk_falls_back_or_stays_close_to_persistence() -> None:
    steps = np.random.default_rng(3).normal(0, 1, 1500).cumsum()
    last = forecasts(engine().feed(Observation(NAME, NAME, i * HOUR_NS, (float(y),)) for i, y in enumerate(steps)))[-1]
    assert (last.skill_persistence > -0.05).all()


def test_nothing_is_said_before_there_is_something_to_say() -> None:
    said = forecasts(engine().feed(wave(READY_AFTER + 1)))
    assert [f.state for f in said[: READY_AFTER - 1]] == [State.WARMING] * (READY_AFTER - 1)
    assert np.isnan(said[0].yhat).all()
    assert said[-1].state != State.WARMING
    assert np.isfinite(said[-1].yhat).all()
    assert (said[-1].upper > said[-1].lower).all()


def test_a_series_beyond_the_limit_is_refused_and_the_others_go_on() -> None:
    own = engine(max_series=1)
    outputs = own.feed([*wave(20, "a"), *wave(20, "b"), *wave(21, "a")[20:]])
    assert [o for o in outputs if isinstance(o, Opened)] == [Opened("a", NAME)]
    assert own.report().discarded == {Reason.SERIES_LIMIT: 20}
    assert own.report().learned == 21


def test_memory_is_a_limit_too() -> None:
    own = engine()
    own.feed(wave(20, "a"))
    one = own.report().memory_bytes
    own = engine(memory_bytes=int(1.5 * one))
    own.feed(wave(20, "a") + wave(20, "b"))
    assert own.report().memory_bytes == one
    assert own.report().discarded == {Reason.SERIES_LIMIT: 20}


def test_a_series_that_falls_silent_is_stale_once_and_comes_back() -> None:
    own = engine()
    heard = [obs._replace(received_ns=obs.time_ns + 1) for obs in wave(30)]
    own.feed(heard)
    late = heard[-1].received_ns + max(STREAM.gap, 4 * HOUR_NS)
    assert own.feed([Tick(late)]) == []
    assert own.feed([Tick(late + 1)]) == [Changed(NAME, State.STALE)]
    assert own.feed([Tick(late + 2)]) == []
    assert own.report().series[0].state == State.STALE
    (said,) = forecasts(own.feed([Observation(NAME, NAME, late, (10.0,), received_ns=late + 3)]))
    assert said.state not in (State.STALE, State.WARMING)


def test_wild_values_are_refused_before_they_reach_the_model() -> None:
    own = engine()
    own.feed(wave(50))
    before = state(own)
    for odd in (math.inf, -math.inf, 1e308):
        (out,) = own.feed([Observation(NAME, NAME, 50 * HOUR_NS, (odd,))])
        assert isinstance(out, Discarded)
        assert out.reason == Reason.NOT_FINITE
    assert state(own) == before


def test_every_byte_of_a_row_belongs_to_the_table() -> None:
    own = engine()
    own.feed(wave(30))
    learner, slot = held(own)
    fixed = record(learner.layout.sizes).itemsize
    ends = [fixed, *(b * learner.rows.ring(slot, n).itemsize for n, b in learner.layout.begins.items())]
    sizes = [0, *(learner.rows.ring(slot, n).nbytes for n in learner.layout.begins)]
    for (begin, size), (following, _) in pairwise(zip(ends, sizes, strict=True)):
        assert 0 <= following - (begin + size) < 64
    learner.rows.ring(slot, "season_0")[COUNT, 0] = 123.0  # a view, not a copy
    assert np.float64(123.0).tobytes() in learner.rows.export(slot)


def test_from_the_first_forecast_on_every_lead_has_an_interval() -> None:
    first = forecasts(engine().feed(wave(READY_AFTER)))[-1]
    assert first.state != State.WARMING
    narrow, wide = first.upper - first.lower
    assert (narrow > 0.1).all()  # the noise alone is 0.3
    assert (wide > 1.5 * narrow).all()


def test_in_the_first_days_the_intervals_hold_at_least_what_they_say_and_are_not_for_ever() -> None:
    inside, count = np.zeros((2, 2)), 0
    for seed in range(20):
        observations = wave(120, seed=seed)
        said = forecasts(engine().feed(observations))
        for i in range(READY_AFTER, 110):
            for j, lead in enumerate(STREAM.leads):
                y = observations[i + lead].values[0]
                inside[:, j] += (said[i].lower[:, j] <= y) & (y <= said[i].upper[:, j])
            count += 1
    assert (inside / count > [[0.77], [0.92]]).all()
    assert (inside[0] / count < 0.95).all()


@pytest.mark.parametrize("every_ns", [1, 1_000])
def test_a_step_so_fine_that_its_leads_would_not_fit_into_the_memory_is_refused(every_ns):
    stream = STREAM.model_copy(update={"step": "auto", "leads": (-HOUR_NS, -3 * HOUR_NS)})
    own = Engine([stream], seed=1, max_series=10, memory_bytes=2**32)
    out = own.feed(observations(range(20), every_ns=every_ns))
    assert [one.reason for one in out if isinstance(one, Discarded)] == [Reason.SERIES_LIMIT] * 20
    assert own.report().memory_bytes == 0
