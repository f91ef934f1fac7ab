"""One stream at several resolutions: each is forecast by itself, and those that are issued together agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.agreement import Said, agree
from streamlstm.config import Stream
from streamlstm.engine import Engine
from streamlstm.events import Forecast, Frame, Observation, Opened, Reason, State, Tick
from streamlstm.model.batch import columns
from tests.observed import HOUR_NS, forecasts
from tests.small import STREAM

MIN = HOUR_NS // 60
# The sizes of tests.small: two leads each. A coarser step's first lead is what both of the finer one's make up.
PAIR = {"step": "1h", "aggregate": "mean", "leads": [1, 2], "resolutions": [{"step": "2h", "leads": [1, 3]}]}


def stream(**changed) -> Stream:
    own = STREAM.model_dump(include={"name", "topic", "model"})
    return Stream.model_validate({**own, **PAIR, **changed})


def readings(hours: int, seed: int = 1) -> list[Observation]:
    """A day's wave in six readings an hour."""
    dice = np.random.default_rng(seed)
    t = np.arange(6 * hours)
    values = 10 + 3 * np.sin(t * 2 * np.pi / 144) + dice.normal(0, 0.5, len(t))
    return [Observation("small", "small", i * 10 * MIN, (v,), i) for i, v in enumerate(values.tolist())]


def by_origin(made: list[Forecast]) -> dict[tuple[str, int], Forecast]:
    return {(one.series, one.origin_ns): one for one in made}


def pairs(made: list[Forecast]) -> list[tuple[Forecast, Forecast]]:
    """A finer forecast and the coarser one that was issued after the same step."""
    found = by_origin(made)
    return [(found["small", o + HOUR_NS], one) for (name, o), one in found.items() if name == "small/2h"]


@pytest.mark.parametrize("how", ["mean", "sum"])
def test_what_both_forecast_agrees_and_lies_within_its_intervals(how):
    own = stream(aggregate=how)
    made = forecasts(Engine([own], seed=1, max_series=2).feed(readings(400)))
    spoken = [(fine, coarse) for fine, coarse in pairs(made) if np.isfinite(coarse.yhat).all()]
    assert len(spoken) > 150
    for fine, coarse in spoken:
        made_up = fine.yhat.sum() if how == "sum" else fine.yhat.mean()
        assert coarse.yhat[0] == made_up
        assert (coarse.lower <= coarse.yhat).all()
        assert (coarse.yhat <= coarse.upper).all()


def test_what_a_coarser_step_takes_is_what_the_finer_ones_were():
    made = forecasts(Engine([stream()], seed=1, max_series=2).feed(readings(100)))
    found = by_origin(made)
    for (name, origin_ns), one in found.items():
        if name == "small/2h":
            steps = [found["small", origin_ns + i * HOUR_NS].y for i in range(2)]
            np.testing.assert_allclose(one.y, np.mean(steps), rtol=1e-12)


def test_a_coarser_series_forecasts_as_it_would_by_itself_but_for_the_agreement():
    made = forecasts(Engine([stream()], seed=1, max_series=2).feed(readings(300)))
    coarse = [one for one in made if one.series == "small/2h"]
    by_itself = stream().coarser[0]
    alone = Engine([by_itself], seed=1, max_series=1)
    said = forecasts(
        alone.feed(Observation("small/2h", by_itself.name, one.origin_ns, (one.y,), one.position) for one in coarse)
    )
    assert [one.yhat[1] for one in said[50:]] == [one.yhat[1] for one in coarse[50:]]  # nothing finer makes it up
    assert [one.yhat[0] for one in said[50:]] != [one.yhat[0] for one in coarse[50:]]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_how_readings_are_grouped_into_calls_changes_nothing(size):
    everything = readings(150)
    engine, made = Engine([stream()], seed=1, max_series=2), []
    for begin in range(0, len(everything), size):
        made += forecasts(engine.feed(everything[begin : begin + size]))
    whole = forecasts(Engine([stream()], seed=1, max_series=2).feed(everything))
    assert [(o.series, o.origin_ns, o.numbers.tobytes()) for o in made] == [
        (o.series, o.origin_ns, o.numbers.tobytes()) for o in whole
    ]


def test_a_series_is_opened_with_its_coarser_ones_or_not_at_all():
    engine = Engine([stream()], seed=1, max_series=3)
    first, second = (reading._replace(series=name) for reading, name in zip(readings(1)[:2], ("a", "b"), strict=True))
    assert engine.feed([first]) == [Opened("a", "small"), Opened("a/2h", "small/2h")]
    assert [one.reason for one in engine.feed([second])] == [Reason.SERIES_LIMIT]
    report = engine.report()
    assert [one.series for one in report.series] == ["a", "a/2h"]
    assert report.gathered == 1  # a reading counts once


def test_a_step_that_the_clock_ends_ends_the_coarser_one_too():
    own = stream()
    live = [one._replace(received_ns=one.time_ns + 1) for one in readings(2)]
    engine = Engine([own], seed=1, max_series=2)
    engine.feed(live)
    made = forecasts(engine.feed([Tick(2 * HOUR_NS + 1)]))
    assert [(one.series, one.origin_ns) for one in made] == [("small", HOUR_NS), ("small/2h", 0)]


# the projection alone


def frame(step_ns: int, leads: tuple[int, ...]) -> Frame:
    own = STREAM.model_copy(update={"leads": leads})
    parts = columns(len(leads), len(own.levels), 13)
    return Frame(step_ns, leads, own.levels, tuple(range(13)), parts, ())


def made(own: Stream, end_ns: int, yhat, error) -> Said:
    assert isinstance(own.step, int)
    about = frame(own.step, own.leads)
    obs = Observation("s", own.name, end_ns - own.step, (0.0,))
    one = Forecast(obs, about, np.zeros(about.parts["all"].stop), State.ACTIVE)
    one.yhat[:], one.absolute_error[:] = yhat, error
    one.lower[:], one.upper[:] = one.yhat - 1, one.yhat + 1
    one.quantiles[:] = one.yhat + np.linspace(-2, 2, 13)[:, None]
    return Said(one, own)


THREE = stream(
    leads=[1, 2, 3, 4],
    resolutions=[{"step": "2h", "leads": [1, 2, 3]}, {"step": "6h", "leads": [1, 2]}],
)
numbers = st.floats(-100, 100).map(lambda x: round(x, 3))
errors = st.one_of(st.just(float("nan")), st.floats(0, 50))


@settings(max_examples=200)
@given(st.lists(numbers, min_size=9, max_size=9), st.lists(errors, min_size=9, max_size=9), st.booleans())
def test_all_that_hang_together_agree_whatever_was_said(said, error, is_sum):
    family = []
    for own, part in zip((THREE, *THREE.coarser), (slice(0, 4), slice(4, 7), slice(7, 9)), strict=True):
        family.append(made(own, 100 * HOUR_NS, said[part], error[part]))
    agree(family, is_sum=is_sum)
    fine, middle, coarse = (one.forecast.yhat for one in family)
    of = np.sum if is_sum else np.mean
    np.testing.assert_allclose(middle[0], of(fine[:2]), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(middle[1], of(fine[2:]), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(coarse[0], of(middle), rtol=1e-6, atol=1e-6)
    assert coarse[1] == said[8]  # nothing finer makes it up


def test_the_surer_forecast_moves_less_and_intervals_move_along():
    own = stream()
    fine, coarse = made(own, 0, [10.0, 10.0], [1.0, 1.0]), made(own.coarser[0], 0, [16.0, 5.0], [3.0, 3.0])
    agree([fine, coarse], is_sum=False)
    # V = (1, 1, 9), C = (1/2, 1/2, -1): x moves by V Cᵀ · 6 / 9.5
    np.testing.assert_allclose(fine.forecast.yhat, 10 + 0.5 * 6 / 9.5)
    np.testing.assert_allclose(coarse.forecast.yhat, [16 - 9 * 6 / 9.5, 5.0])
    np.testing.assert_allclose(coarse.forecast.upper[0], [17 - 9 * 6 / 9.5, 6.0])


def test_agreement_keeps_to_the_bounds():
    own = stream(aggregate="sum", bounds=[0, 10])
    fine, coarse = made(own, 0, [0.5, 9.9], [1.0, 1.0]), made(own.coarser[0], 0, [30.0, 0.0], [0.1, 1.0])
    agree([fine, coarse], is_sum=True)
    assert fine.forecast.yhat.max() <= 10.0
    assert fine.forecast.upper.max() <= 10.0
    assert coarse.forecast.yhat[0] == fine.forecast.yhat.sum()


def test_nothing_moves_before_all_that_belong_together_can_speak():
    own = stream()
    fine, coarse = made(own, 0, [10.0, np.nan], [1.0, 1.0]), made(own.coarser[0], 0, [16.0, 5.0], [3.0, 3.0])
    agree([fine, coarse], is_sum=False)
    assert (fine.forecast.yhat[0], coarse.forecast.yhat[0]) == (10.0, 16.0)


# its settings


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ('aggregate = "max"', "resolutions = [{...}]: need a step, and aggregate = 'mean', 'sum' or 'count' beside it"),
        ('step = "7min"', "resolutions[0].step = '1h': need a multiple of '7min', the step before it"),
        ('step = "1h"', "resolutions[0].step = '1h': need a multiple of '1h', the step before it"),
        ('leads = ["1h"]', "resolutions[0].leads = ['10min']: '600s' is less than one step"),
    ],
)
def test_what_does_not_go_with_coarser_steps_is_said(problems, changed, expected):
    given = {"step": 'step = "15min"', "aggregate": 'aggregate = "mean"', "leads": "leads = [1]"}
    given[changed.split(" ")[0]] = changed
    leads = '["10min"]' if "less than one step" in expected else "[1]"
    lines = ['[mqtt]\nurl = "mqtt://broker"\n[[streams]]\nname = "s"\ntopic = "s"', *given.values()]
    found = problems("\n".join([*lines, f'resolutions = [{{ step = "1h", leads = {leads} }}]']))
    assert any(expected in problem for problem in found), found
