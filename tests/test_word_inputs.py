"""Covariates whose values are words: each word an input of its own, from the message to the forecast."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.decode import Decoder
from streamlstm.codec.kinds import bucket
from streamlstm.codec.values import Unreadable
from streamlstm.config import Stream
from streamlstm.engine import Engine
from streamlstm.events import Arrival, Discarded, Known, Reason
from streamlstm.timeline.join import Joins
from tests.observed import HOUR_NS, forecasts
from tests.small import STREAM

MODES = ["heat", "cool", "off"]


def stream(**covariate) -> Stream:
    own = STREAM.model_dump(include={"name", "topic", "leads", "model"})
    given = {"topic": "mode", "format": "number", **covariate}
    return Stream.model_validate({**own, "step": "1h", "covariates": [given]})


def said(own: Stream, payload: bytes) -> Known | Discarded:
    (one,) = Decoder([own], "streamlstm", 1_000).inputs([Arrival("mode", payload, 10 * HOUR_NS)])
    assert isinstance(one, Known | Discarded)
    return one


def inputs(own: Stream, *payloads: bytes) -> tuple[float, ...]:
    """What is joined to a reading of 7 after these messages, an hour later."""
    joins = Joins(own, 10)
    for payload in payloads:
        known = said(own, payload)
        if isinstance(known, Known):
            joins.take(known)
    return joins.join("small").values((7.0,), 11 * HOUR_NS, 11 * HOUR_NS, HOUR_NS, (1, 3))


def test_each_class_is_an_input_of_its_own_with_the_age_of_the_word():
    own = stream(classes=MODES)
    assert inputs(own, b"cool") == (7.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0)
    assert inputs(own, b"cool", b"Heat") == (7.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0)
    assert (own.inputs, own.ahead) == (3, 0)


def test_before_a_word_was_said_none_of_them_is_known():
    assert all(math.isnan(value) for value in inputs(stream(classes=MODES))[1:4])


def test_a_word_that_is_no_class_is_refused_and_what_was_said_before_it_holds():
    own = stream(classes=MODES)
    assert said(own, b"boost").reason is Reason.WRONG_TYPE
    assert inputs(own, b"cool", b"boost") == inputs(own, b"cool")


def test_words_that_nobody_listed_fall_into_one_of_so_many_inputs():
    own = stream(hashed=4)
    seen = {word: inputs(own, word.encode())[1:5] for word in ("breakfast", "lunch", "dinner", "party", "none at all")}
    assert all(sum(found) == 1.0 and set(found) == {0.0, 1.0} for found in seen.values())
    assert len(set(seen.values())) > 1
    assert seen["lunch"] == inputs(own, b"dinner", b"lunch")[1:5]


def test_which_input_a_word_falls_to_is_the_same_for_ever():
    assert [bucket(word, 8) for word in ("heat", "cool", "off", 3, True)] == [0.0, 0.0, 7.0, 1.0, 7.0]


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_whatever_comes_falls_into_an_input_or_is_refused_or_says_nothing(found):
    place = bucket(found, 5)
    assert isinstance(place, Unreadable) or math.isnan(place) or place in range(5)


def test_words_known_ahead_are_inputs_at_each_lead():
    own = stream(format="json", classes=MODES, values="plan[].mode", times="plan[].t", known_ahead=True)
    plan = [{"t": 3600 * hour, "mode": mode} for hour, mode in ((11, "off"), (12, "heat"), (14, "cool"))]
    assert inputs(own, json.dumps({"plan": plan}).encode()) == (7.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    assert (own.inputs, own.ahead) == (0, 3)


def test_a_series_that_follows_a_word_is_forecast_better_with_it():
    own, n = stream(classes=["on", "off"]), 700
    dice = np.random.default_rng(4)
    on = dice.random(n) < 0.5
    y = 10 + 5 * np.concatenate([[0], on[:-1]]) + dice.normal(0, 0.3, n)  # an hour after the word

    def error(told: bool) -> float:
        engine, decoder, made = Engine((own,), seed=1, max_series=1), Decoder([own], "streamlstm", 1_000), []
        for i in range(n):
            word = (b"on" if on[i] else b"off") if told else b"on"
            arrivals = [Arrival("mode", word, i * HOUR_NS), Arrival("small", str(y[i]).encode(), i * HOUR_NS, i)]
            made += forecasts(engine.feed(decoder.inputs(arrivals)))
        return float(np.mean([abs(y[k + 1] - made[k].yhat[0]) for k in range(400, n - 1)]))

    assert error(told=True) < 0.3 * error(told=False)


@pytest.mark.parametrize(
    ("covariate", "expected"),
    [
        ("classes = ['a']", "covariates[0].classes = ['a']: need 2 to 16 different words"),
        ("classes = ['a', 'a']", "covariates[0].classes = ['a', 'a']: need 2 to 16 different words"),
        ("hashed = 1", "covariates[0].hashed = 1: need a whole number, 2 to 16"),
        ("hashed = 4, classes = ['a', 'b']", "covariates[0].hashed = 4: is for words that are not known beforehand"),
        ("hashed = 4, map = { a = 1 }", "makes numbers of words; need it or classes or hashed"),
    ],
)
def test_what_does_not_go_with_words_is_said_with_its_place(problems, covariate, expected):
    start = '[mqtt]\nurl = "mqtt://b"\n[[streams]]\nname = "s"\ntopic = "s"\n'
    found = problems(f"{start}covariates = [{{ topic = 'w', format = 'number', {covariate} }}]\n")
    assert any(expected in one for one in found), found


def test_more_inputs_than_there_is_room_for_are_counted(problems):
    start = '[mqtt]\nurl = "mqtt://b"\n[[streams]]\nname = "s"\ntopic = "s"\n'
    three = ", ".join(f"{{ topic = 'w{n}', format = 'number', hashed = 16 }}" for n in range(3))
    assert "48 inputs, each word being one; need at most 32" in problems(f"{start}covariates = [{three}]\n")[0]
