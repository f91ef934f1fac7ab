"""Every payload that we publish is as its schema says, and says no more than is known."""

import json
from datetime import datetime
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jsonschema import Draft202012Validator

from streamlstm.codec import encode
from streamlstm.codec.values import number
from streamlstm.events import SECOND_NS, Event, Kind, State
from tests.forecasts import made

T0 = 1_772_432_100 * SECOND_NS  # 2026-03-02 06:15:00 UTC
SCHEMAS = {name: Draft202012Validator(encode.schema(name)) for name in ("forecast", "event", "info", "health")}
SOURCES = ["persistence", "seasonal", "profile", "linear", "analogue", "median", "lstm", "committee", "covariates"]
anyfloat = st.floats(width=64)


def shaped(*shape, elements=anyfloat):
    return arrays.arrays(np.float64, shape, elements=elements)


@st.composite
def weights(draw):
    shares = draw(st.dictionaries(st.sampled_from(SOURCES), st.integers(1, 100), min_size=1))
    return {name: share / sum(shares.values()) for name, share in shares.items()}


@st.composite
def forecasts(draw):
    leads = tuple(draw(st.lists(st.integers(1, 10_000), min_size=1, max_size=5, unique=True)))
    levels = tuple(sorted(draw(st.lists(st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]), min_size=1, unique=True))))
    n, q = len(leads), len(levels)
    share = st.floats(0, 1) | st.just(nan)
    skill = st.floats(max_value=1) | st.just(nan)
    return made(
        series=draw(st.text("abcäöß /\"'{}\\😀", min_size=1, max_size=20)),
        stream="s",
        position=draw(st.integers(0, 2**62)),
        origin_ns=draw(st.integers(0, 2**62)),
        step_ns=draw(st.integers(1, 10**12) | st.just(SECOND_NS)),
        y=draw(anyfloat),
        leads=leads,
        levels=levels,
        yhat=draw(shaped(n)),
        lower=draw(shaped(q, n)),
        upper=draw(shaped(q, n)),
        lstm=draw(shaped(n)),
        seasonal=draw(shaped(n)),
        taus=(0.5,),
        quantiles=draw(shaped(1, n)),
        weights=draw(weights()),
        naive=draw(shaped(n, elements=st.sampled_from([0.0, 1.0]))),
        skill_persistence=draw(shaped(n, elements=skill)),
        skill_seasonal=draw(shaped(n, elements=skill)),
        absolute_error=draw(shaped(n)),
        coverage=draw(shaped(q, n, elements=share)),
        anomaly_score=draw(st.floats(min_value=0) | st.just(nan)),
        state=draw(st.sampled_from(State)),
        n_seen=draw(st.integers(0, 2**53)),
    )


def example(**changes):
    """Two leads, two levels, in the active state."""
    fields = {
        "series": "home/load",
        "stream": "home/{what}",
        "position": 18_231,
        "origin_ns": T0,
        "step_ns": 300 * SECOND_NS,
        "y": 405.0,
        "leads": (1, 24),
        "levels": (0.8, 0.95),
        "yhat": np.array([412.0, 399.5]),
        "lower": np.array([[390.1, 350.0], [371.0, 320.0]]),
        "upper": np.array([[433.2, 450.0], [455.9, 480.0]]),
        "lstm": np.array([412.0, 401.0]),
        "seasonal": np.array([nan, 399.5]),
        "taus": (0.5,),
        "quantiles": np.array([[412.0, 399.5]]),
        "weights": {"lstm": 0.5, "seasonal": 0.5},
        "naive": np.array([0.0, 1.0]),
        "skill_persistence": np.array([0.21, 0.5]),
        "skill_seasonal": np.array([nan, 0.12]),
        "absolute_error": np.array([4.0, 9.0]),
        "coverage": np.array([[0.79, 0.81], [nan, 0.95]]),
        "anomaly_score": 0.3,
        "state": State.ACTIVE,
        "n_seen": 18_200,
    }
    return made(**(fields | changes))


def sent(f, issued_ns=T0 + 1_250_000_000):
    return json.loads(
        encode.forecast(f, unit="W", issued_ns=issued_ns, model_rev="m1", config_hash="c1"), parse_constant=refuse
    )


def refuse(word):
    raise AssertionError(f"{word} is no JSON")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_themselves_are_sound(name):
    Draft202012Validator.check_schema(encode.schema(name))
    sometimes = {"classes"} if name == "forecast" else set()  # of a category alone
    assert set(encode.schema(name)["required"]) == set(encode.schema(name)["properties"]) - sometimes


@given(forecasts())
def test_any_forecast_is_as_its_schema_says(f):
    payload = sent(f)
    SCHEMAS["forecast"].validate(payload)
    assert set(payload) == set(encode.schema("forecast")["required"])
    assert len(payload["time"]) == len(payload["yhat"]) == len(f.leads)
    for ends in (payload["lower"], payload["upper"]):
        assert list(ends) == [str(level) for level in f.levels]
        assert all(len(row) == len(f.leads) for row in ends.values())
    assert sum(payload["weights"].values()) == pytest.approx(1)


@given(forecasts())
def test_numbers_pass_unchanged_and_what_is_not_finite_becomes_null(f):
    def same(said, meant):
        return said == meant if np.isfinite(meant) else said is None

    payload = sent(f)
    assert all(map(same, payload["yhat"], f.yhat))
    assert same(payload["y"], f.y)
    for ends, rows in ((payload["lower"], f.lower), (payload["upper"], f.upper)):
        assert all(
            same(a, b) for said, row in zip(ends.values(), rows, strict=True) for a, b in zip(said, row, strict=True)
        )


def test_the_whole_of_a_payload():
    assert sent(example()) == {
        "v": 1,
        "series": "home/load",
        "issued": "2026-03-02T06:15:01.25Z",
        "origin": "2026-03-02T06:15:00Z",
        "position": 18231,
        "unit": "W",
        "step_s": 300,
        "time": ["2026-03-02T06:20:00Z", "2026-03-02T08:15:00Z"],
        "yhat": [412.0, 399.5],
        "lower": {"0.8": [390.1, 350.0], "0.95": [371.0, 320.0]},
        "upper": {"0.8": [433.2, 450.0], "0.95": [455.9, 480.0]},
        "y": 405.0,
        "anomaly_score": 0.3,
        "state": "active",
        "source": "blend",
        "weights": {"lstm": 0.5, "seasonal": 0.5},
        "skill": {"1": 0.21, "24": 0.12},
        "coverage": {"0.8": 0.8, "0.95": 0.95},
        "n_seen": 18200,
        "model_rev": "m1",
        "config_hash": "c1",
    }


def test_a_source_that_has_nearly_all_the_weight_is_named():
    payload = sent(example(weights={"seasonal": 0.04, "lstm": 0.96}))
    assert (payload["source"], payload["weights"]) == ("lstm", {"seasonal": 0.04, "lstm": 0.96})
    assert sent(example(weights={"seasonal": 0.06, "lstm": 0.94}))["source"] == "blend"


def test_what_is_not_known_of_skill_and_coverage_is_null():
    unknown = np.full(2, nan)
    payload = sent(example(skill_persistence=unknown, skill_seasonal=unknown, coverage=np.full((2, 2), nan)))
    assert payload["skill"] == {"1": None, "24": None}
    assert payload["coverage"] == {"0.8": None, "0.95": None}


def test_nothing_is_published_before_there_is_a_forecast():
    assert not encode.is_publishable(example(yhat=np.full(2, nan), state=State.WARMING))
    assert not encode.is_publishable(example(yhat=np.array([nan, inf])))
    assert encode.is_publishable(example(yhat=np.array([nan, 1.0])))


def test_a_forecast_beyond_the_calendar_is_not_published():
    century = 100 * 365 * 86_400 * SECOND_NS
    assert encode.is_publishable(example(step_ns=century))
    assert not encode.is_publishable(example(step_ns=century, leads=(1, 100)))


@given(forecasts())
def test_the_plain_value_is_that_of_the_nearest_lead_and_can_be_read_back(f):
    nearest = f.yhat[np.argmin(f.leads)]
    text = encode.value(f).decode()
    if np.isfinite(nearest):
        assert float(text) == nearest
    else:
        assert isnan(number(text))


@given(st.integers(0, 2**62))
def test_times_are_exact_and_no_longer_than_needed(ns):
    text = encode.rfc3339(ns)
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    whole = (datetime.fromisoformat(seconds) - datetime(1970, 1, 1)).total_seconds()
    assert int(whole) * SECOND_NS + int(fraction.ljust(9, "0")) == ns
    assert not fraction.endswith("0")


@given(st.text("abc0.1-ü", min_size=1), st.integers(0, 10**9), st.integers(0, 2**62))
def test_info_is_as_its_schema_says(version, series, started_ns):
    payload = json.loads(encode.info(version=version, config_hash="c1", series=series, started_ns=started_ns))
    SCHEMAS["info"].validate(payload)
    assert set(payload) == set(encode.schema("info")["properties"])


@given(st.booleans(), st.text("aü \n"), st.booleans(), st.floats(min_value=0) | st.just(nan), st.integers(0, 2**62))
def test_health_is_as_its_schema_says(is_ready, why, sheds, seconds, time_ns):
    payload = json.loads(
        encode.health(
            is_ready=is_ready,
            why=why,
            sheds=sheds,
            lag_s=seconds,
            oldest_unacknowledged_s=seconds,
            time_ns=time_ns,
        ),
        parse_constant=refuse,
    )
    SCHEMAS["health"].validate(payload)
    assert set(payload) == set(encode.schema("health")["properties"])
    assert (payload["status"] == "ok") == is_ready


def test_the_schema_refuses_what_it_should():
    payload = sent(example())
    for spoiled in ({"yhat": ["nan"]}, {"state": "fine"}, {"origin": "yesterday"}, {"coverage": {"80": 0.8}}, {"v": 2}):
        assert not SCHEMAS["forecast"].is_valid(payload | spoiled)


@given(st.integers(0, 2**62), st.sampled_from(Kind), st.booleans(), st.floats(min_value=0) | st.just(nan))
def test_an_event_is_as_its_schema_says(time_ns, kind, begins, strength):
    happened = Event("home/load", "home/{what}", time_ns, 7, kind, begins, strength)
    payload = json.loads(encode.event(happened), parse_constant=refuse)
    SCHEMAS["event"].validate(payload)
    assert set(payload) == set(encode.schema("event")["properties"])
    assert (payload["event"], payload["phase"]) == (kind.value, "begin" if begins else "end")
