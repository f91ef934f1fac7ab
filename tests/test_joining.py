"""Covariates on their way through the engine: what goes with each observation into the model."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamlstm.codec.decode import Decoder
from streamlstm.config import Stream, load
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Arrival, Discarded, Forecast, Known, Observation, Reason, State, Tick
from streamlstm.model.batch import Learner
from streamlstm.model.state import STATES
from tests.small import STREAM

PAGE = Path(__file__).parent.parent / "config" / "covariates.toml"
H = 3600 * SECOND_NS
LEADS = STREAM.leads
NAME = STREAM.name
OUTSIDE = {"topic": "weather/outside", "value": "temp", "time": "t"}
FORECAST = {"topic": "weather/forecast", "values": "h[].v", "times": "h[].t", "issued": "at", "known_ahead": True}
TARIFF = {"topic": "tariff", "value": "v", "time": "t", "known_ahead": True}


def joined(*covariates, **other) -> Stream:
    """The small stream with covariates."""
    return Stream.model_validate(
        {"name": NAME, "topic": "small", "step": "1h", "leads": LEADS, "covariates": covariates} | other
    )


@pytest.fixture
def steps(monkeypatch):
    """The steps that reach the models, which learn nothing here: what they would make of them is not the question."""
    taken = []

    def take(learner, steps):
        taken.extend(steps)
        return np.full((len(steps), learner.columns["all"].stop), np.nan)

    monkeypatch.setattr(Learner, "take", take)
    return taken


def engine(*streams: Stream, max_series: int = 10) -> Engine:
    return Engine(streams, seed=1, max_series=max_series)


def observed(hour: float, value: float = 1.0, received: int = 0) -> Observation:
    return Observation(NAME, NAME, round(hour * H), (value,), 0, received)


def outside(hour: float, value: float) -> Known:
    return Known(NAME, 0, (), round(hour * H), (round(hour * H),), (value,))


def forecast(covariate: int, since: float, first: int, *values: float) -> Known:
    return Known(NAME, covariate, (), round(since * H), tuple((first + n) * H for n in range(len(values))), values)


def test_an_observation_goes_with_what_was_known_at_its_time(steps):
    own = engine(joined(OUTSIDE, FORECAST))
    own.feed(
        [
            outside(0.5, 4.0),
            forecast(1, 0.5, 1, 10.0, 11.0, 12.0, 13.0, 14.0),
            observed(1),
            outside(1.75, 5.0),
            forecast(1, 2.5, 3, 30.0, 31.0, 32.0, 33.0),
            observed(2),
            observed(3),
        ]
    )
    assert [step.values for step in steps] == [
        (1.0, 4.0, 0.5, 11.0, 13.0),
        (1.0, 5.0, 0.25, 12.0, 14.0),  # the second forecast is not known at two
        (1.0, 5.0, 1.25, 31.0, 33.0),
    ]


def test_what_is_fed_after_an_observation_does_not_reach_it_within_one_call_either(steps):
    own = engine(joined(OUTSIDE, FORECAST))
    own.feed([observed(1), outside(0.5, 4.0), forecast(1, 0.5, 1, 10.0, 11.0, 12.0, 13.0, 14.0), observed(2)])
    assert all(map(isnan, (steps[0].values[1], *steps[0].values[3:])))
    assert steps[1].values == (1.0, 4.0, 1.5, 12.0, 14.0)


def test_an_observation_that_waits_for_earlier_ones_is_joined_as_of_its_time(steps):
    own = engine(joined(OUTSIDE, FORECAST, lateness="3h"))
    known = [outside(0.5, 4.0), forecast(1, 0.5, 1, 10.0, 11.0, 12.0, 13.0, 14.0)]
    later = [outside(1.5, 5.0), forecast(1, 1.5, 1, 60.0, 61.0, 62.0, 63.0, 64.0)]
    own.feed([*known, observed(2), *later, observed(1), observed(5)])
    assert [step.values for step in steps] == [(1.0, 4.0, 0.5, 11.0, 13.0), (1.0, 5.0, 0.5, 62.0, 64.0)]


def test_observations_that_wait_for_their_step_are_joined_as_of_their_times(steps):
    own = engine(joined(OUTSIDE, TARIFF, step="auto"))
    inputs = [item for hour in range(14) for item in (outside(hour - 0.5, hour), observed(hour))]
    own.feed([Known(NAME, 1, (), 0, (hour * H,), (0.1 * hour,)) for hour in range(20)] + inputs)
    assert len(steps) == 14
    for hour, step in enumerate(steps):
        assert step.values == (1.0, float(hour), 0.5, 0.1 * (hour + 1), 0.1 * (hour + 3))


def test_a_step_of_gathered_readings_is_joined_as_of_its_end(steps):
    own = engine(joined(OUTSIDE, FORECAST, aggregate="mean"))
    own.feed([outside(0.9, 4.0), forecast(1, 0.9, 0, 10.0, 11.0, 12.0, 13.0, 14.0)])
    own.feed(
        [observed(0.2, 1.0), observed(0.8, 3.0), outside(1.1, 9.0), forecast(1, 1.1, 0, *[99.0] * 9), observed(1.2)]
    )
    (step,) = steps
    assert step.time_ns == 0
    assert step.values == (2.0, 4.0, pytest.approx(0.1), 11.0, 13.0)


def test_a_day_that_is_shorter_by_an_hour_ends_an_hour_earlier_for_its_covariates_too(steps):
    own = engine(joined(OUTSIDE, step="1d", aggregate="mean", timezone="Europe/Berlin"))
    begin, end = 1_774_738_800 * SECOND_NS, 1_774_821_600 * SECOND_NS  # 2026-03-29, of 23 hours
    own.feed([observed((begin + H) / H), outside(end / H - 1, 4.0), outside(end / H + 0.5, 9.0), observed(end / H + 2)])
    assert [step.values for step in steps] == [(1.0, 4.0, pytest.approx(1 / 24))]


def test_covariates_of_the_same_message_have_an_age_too(steps):
    own = engine(joined(OUTSIDE, format="json", value=["v", "w"]))
    own.feed([outside(0, 4.0), Observation(NAME, NAME, H, (1.0, 7.0))])
    assert [step.values for step in steps] == [(1.0, 7.0, 4.0, 0.0, 1.0)]


def test_a_plain_stream_is_given_its_observation_and_nothing_else(steps):
    obs = observed(1)
    engine(STREAM).feed([obs])
    assert [step.values for step in steps] == [(1.0,)]
    assert steps[0].values is obs.values


def test_the_clock_ends_a_step_and_what_is_known_at_its_end_goes_with_it(steps):
    own = engine(joined(OUTSIDE, aggregate="mean"))
    own.feed([observed(0.5, received=H // 2), outside(0.75, 4.0), outside(1.25, 9.0), Tick(2 * H)])
    assert [step.values for step in steps] == [(1.0, 4.0, 0.25)]


def test_forecasts_while_nothing_comes_see_what_is_known_at_their_own_origins(steps, monkeypatch):
    def take(learner, taken):
        rows = np.zeros((len(taken), learner.columns["all"].stop))
        rows[:, learner.columns["tail"].start + 2] = STATES.index(State.ACTIVE)
        return rows

    def peek(learner, step):
        steps.append(step)
        return np.zeros(learner.columns["all"].stop)

    monkeypatch.setattr(Learner, "take", take)
    monkeypatch.setattr(Learner, "peek", peek)
    own = engine(joined(OUTSIDE, FORECAST))
    own.feed([outside(0.5, 4.0), forecast(1, 0.5, 1, *range(1, 30))])
    own.feed([observed(hour, received=hour * H + SECOND_NS) for hour in range(1, 6)])
    own.feed([outside(8.5, 9.0), forecast(1, 9.5, 1, *range(101, 130))])
    for hour in range(6, 12):
        own.feed([Tick(hour * H + H // 2)])
    found = {step.time_ns // H: step.values for step in steps}
    assert isnan(found[8][0]) and found[8][1:] == (4.0, 7.5, 9.0, 11.0)
    assert isnan(found[9][0]) and found[9][1:] == (9.0, 0.5, 10.0, 12.0)
    assert found[10][1:] == (9.0, 1.5, 111.0, 113.0)


# the property


@st.composite
def traffic(draw):
    """What is fed, in order: observations at ascending hours, and anything known of anything in between."""
    items = []
    hours = sorted(draw(st.sets(st.integers(1, 30), min_size=1, max_size=10)))
    times, numbers = st.integers(0, 40), st.integers(-5, 5).map(float)
    for hour in hours:
        for _ in range(draw(st.integers(0, 3))):
            which = draw(st.integers(0, 2))
            at, value = draw(times), draw(numbers)
            if which == 0:
                items.append(outside(at, value))
            elif which == 1:
                items.append(forecast(1, draw(times), at, *draw(st.lists(numbers, min_size=1, max_size=6))))
            else:
                items.append(Known(NAME, 2, (), draw(times) * H, (at * H,), (value,)))
        items.append(observed(hour))
    return items


ALL = joined(OUTSIDE, FORECAST, TARIFF, lateness="2h")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(traffic(), st.integers(0, 40))
def test_no_step_is_given_anything_that_was_not_known_at_its_origin(steps, items, hour):
    """Without all that came to be known later, the steps up to an origin are the same."""
    steps.clear()
    engine(ALL).feed([*items, observed(50)])
    whole = [(step.time_ns, repr(step.values)) for step in steps if step.time_ns <= hour * H]
    steps.clear()
    early = [i for i in items if not isinstance(i, Known) or i.since_ns <= hour * H]
    engine(ALL).feed([*early, observed(50)])
    assert [(step.time_ns, repr(step.values)) for step in steps if step.time_ns <= hour * H] == whole


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(traffic(), st.lists(st.integers(0, 40), max_size=6))
def test_how_messages_are_grouped_into_calls_changes_nothing(steps, items, cuts):
    steps.clear()
    whole, parts = engine(ALL), engine(ALL)
    whole.feed(items)
    one = [(step.time_ns, repr(step.values)) for step in steps]
    steps.clear()
    ends = [0, *sorted(cuts), len(items)]
    for begin, end in pairwise(ends):
        parts.feed(items[begin:end])
    assert [(step.time_ns, repr(step.values)) for step in steps] == one
    assert (whole.report().joined, whole.report().held) == (parts.report().joined, parts.report().held)


# outcomes


@pytest.mark.usefixtures("steps")
def test_every_message_has_one_outcome():
    family = [
        joined(OUTSIDE | {"topic": "other"}, {"topic": "w/{x}", "value": "v"}, name="{x}", topic="in/{x}"),
        Stream(name="other", topic="other", format="json", value="temp", step="1h", leads=(1,)),
    ]
    own, decoder = engine(*family, max_series=2), Decoder(family, "streamlstm", 100)
    messages = [
        ("in/a", b"1"),
        ("other", b'{"temp": 3, "t": 5}'),  # an observation and a covariate
        ("other", b'{"temp": "x"}'),  # neither
        ("w/a", b'{"v": 1}'),
        ("w/a", b'{"v": null}'),
        ("w/a", b'{"v": "x"}'),
        ("nowhere", b"1"),
        *[(f"w/{n}", b'{"v": 1}') for n in range(9)],  # of rooms that nobody knows
        ("w/a", b'{"v": 1e31}'),
    ]
    outputs = own.feed(decoder.inputs(Arrival(t, p, H + n, n) for n, (t, p) in enumerate(messages)))
    report = own.report()
    counted = report.learned + report.joined + report.missing + report.held + sum(report.discarded.values())
    assert counted == len(messages)
    assert report.discarded[Reason.SERIES_LIMIT] > 0 and report.joined >= 3
    assert sum(isinstance(output, Discarded) for output in outputs) == sum(report.discarded.values())


def test_a_host_that_feeds_what_cannot_be_computed_with_is_answered():
    own = engine(joined(OUTSIDE, FORECAST))
    (out,) = own.feed([forecast(1, 0, 0, 1.0, float("inf"))])
    assert isinstance(out, Discarded) and out.reason is Reason.NOT_FINITE


# the same messages, live and from a record


SAID = [
    ("tariff", {"v": 0.3, "t": 1}),
    ("weather/forecast", {"at": 1800, "h": [{"t": 3600 * n, "v": n} for n in range(30)]}),
    ("weather/outside", {"temp": 4, "t": 3000}),
    ("small", {"y": 1, "t": 3600}),
    ("weather/forecast", {"at": 7000, "h": [{"t": 3600 * n, "v": 10 * n} for n in range(30)]}),
    ("small", {"y": 2, "t": 7200}),
    ("weather/outside", {"temp": 5, "t": 7300}),
    ("weather/forecast", {"at": 10900, "h": [{"t": 3600 * n, "v": -n} for n in range(30)]}),
    ("small", {"y": 3, "t": 10800}),
]


@pytest.mark.parametrize("received_ns", [0, 10**18])
def test_a_record_gives_the_steps_that_the_live_messages_gave(steps, received_ns):
    """Where messages say since when what they say was known: with the clock that was, with another one, with none."""
    stream = joined(OUTSIDE, FORECAST, TARIFF | {"issued": "t"}, format="json", value="y", time="t")
    decoder = Decoder([stream], "streamlstm", 10_000)
    messages = [(topic, json.dumps(said).encode(), said.get("at", said.get("t", 0))) for topic, said in SAID]
    engine(stream).feed(decoder.inputs(Arrival(t, p, (at + 2) * SECOND_NS, n) for n, (t, p, at) in enumerate(messages)))
    live = [step.values for step in steps]
    steps.clear()
    engine(stream).feed(
        decoder.inputs(Arrival(t, p, received_ns and received_ns + n, n) for n, (t, p, _) in enumerate(messages))
    )
    assert [repr(step.values) for step in steps] == [repr(values) for values in live]
    assert [values[3] for values in live] == [2.0, 30.0, 40.0]  # ahead by one hour, as known then


# the page of configuration


def test_the_page_of_configuration_does_what_it_says(steps):
    config = load(PAGE, {})
    heating, weather = config.streams
    assert (heating.inputs, heating.ahead, weather.inputs) == (3, 4, 0)
    decoder = Decoder(config.streams, config.mqtt.base, config.limits.payload)
    own = Engine(config.streams, seed=config.seed, max_series=config.limits.max_series)
    day = "2026-12-24T"
    messages = [
        ("school/closed", '{"day": "2026-12-25", "off": true}'),
        ("school/closed", '{"day": "2026-12-28", "off": false}'),
        ("tariff", f'{{"from": ["{day}00:00", "{day}18:00", "{day}19:00"], "price": [0.3, 0.4, null]}}'),
        ("houses/mill/window", "open"),
        ("weather/outside", f'{{"temp": 4.0, "measured": "{day}11:30:00+01:00"}}'),
        ("weather/forecast", forecast_message("11:00", range(12, 48))),
        ("houses/mill/heatpump", f'{{"power": 900, "flow": 12, "ts": "{day}11:15:00+01:00"}}'),
        ("houses/mill/heatpump", f'{{"power": 1100, "flow": 16, "ts": "{day}11:45:00+01:00"}}'),
        ("weather/forecast", forecast_message("12:05", range(112, 148))),  # not known at twelve
        ("weather/outside", f'{{"temp": 9.0, "measured": "{day}12:01:00+01:00"}}'),
        ("houses/mill/heatpump", f'{{"power": 1, "flow": 1, "ts": "{day}12:15:00+01:00"}}'),
        ("weather/forecast", '{"run": 1, "hourly": []}'),
    ]
    begin = 1_798_106_400 * SECOND_NS  # 11:00 in Berlin
    arrivals = [Arrival(t, p.encode(), begin - 60 * SECOND_NS + n, n, n < 4) for n, (t, p) in enumerate(messages)]
    arrivals = [a._replace(received_ns=begin + 2 * H) if n > 3 else a for n, a in enumerate(arrivals)]
    own.feed(decoder.inputs(arrivals))
    (step,) = [step for step in steps if step.time_ns == begin]
    target, *values = step.values
    assert target == 1000.0
    assert values[:3] == [14.0, 4.0, 1.0]  # flow, outside, window
    assert values[3:6] == [0.0, 0.5, pytest.approx(61 / 60)]  # hours before twelve
    assert values[6:9] == [12.0, 17.0, 35.0]  # the temperature at 12:00, at 17:00 and tomorrow at 11:00
    assert values[9:11] == [0.3, 0.3] and isnan(values[11])
    assert isnan(values[12]) and isnan(values[13]) and values[14] == 1.0  # tomorrow the school is closed
    assert values[15:] == [0.0, 0.0, 1.0]  # tomorrow is a holiday
    report = own.report()
    assert (report.gathered, report.joined, report.discarded) == (3, 6, {Reason.MALFORMED: 1})
    assert report.learned == 2  # of the weather itself
    assert report.gathered + report.joined + report.learned + 1 == len(messages)


def forecast_message(run: str, temperatures: range) -> str:
    """A day and a half from twelve on."""
    times = [datetime(2026, 12, 24, 12) + timedelta(hours=n) for n in range(len(temperatures))]
    hourly = [{"time": f"{t:%Y-%m-%dT%H:%M}", "temp": v} for t, v in zip(times, temperatures, strict=True)]
    return json.dumps({"run": f"2026-12-24T{run}", "hourly": hourly})


# with a model


def test_a_model_learns_and_forecasts_beside_covariates_that_come_and_go():
    own = engine(joined(FORECAST, model=STREAM.model))
    inputs = [item for hour in range(60) for item in (forecast(0, hour, hour, *range(5)), observed(hour, hour % 24))]
    said = [output for output in own.feed(inputs) if isinstance(output, Forecast)]
    assert len(said) == 60
    assert np.isfinite(said[-1].yhat).all()
    assert (own.report().learned, own.report().joined) == (60, 60)
