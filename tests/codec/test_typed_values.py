"""Values of each type, as devices write them."""

from __future__ import annotations

import json
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.decode import Decoder
from streamlstm.codec.kinds import TRUTHS
from streamlstm.config import Stream
from streamlstm.events import Arrival, Discarded, Observation, Reason

CLASSES = ("heat", "cool", "off")


def decoder(kind: str, form: str = "json", **settings: object) -> Decoder:
    named = {"value": "v"} if form == "json" else {}
    stream = {"name": "s", "topic": "s", "type": kind, "format": form, **named, **settings}
    return Decoder([Stream.model_validate(stream)], "streamlstm", 64 * 1024)


def read(own: Decoder, value: object) -> float | Reason:
    payload = value if isinstance(value, bytes) else json.dumps({"v": value}).encode()
    found = own.decode(Arrival("s", payload, 1))
    return found.values[0] if isinstance(found, Observation) else found.reason


@pytest.mark.parametrize("value", [True, 1, 1.0, "true", "ON", " on ", "open", "1", "detected", "Home"])
def test_truth_is_understood_without_a_map(value) -> None:
    assert read(decoder("boolean"), value) == 1.0


@pytest.mark.parametrize("value", [False, 0, 0.0, "false", "OFF", "closed", "0", "clear", "not_home"])
def test_so_is_its_contrary(value) -> None:
    assert read(decoder("boolean"), value) == 0.0


@pytest.mark.parametrize("payload", [b"ON", b"true", b"1", b" open\n"])
def test_a_bare_word_is_a_truth_value_too(payload) -> None:
    assert read(decoder("boolean", "number"), payload) == 1.0


@pytest.mark.parametrize("value", [0.5, 2, "perhaps", [], {"on": 1}])
def test_what_is_neither_true_nor_false_is_refused(value) -> None:
    assert read(decoder("boolean"), value) is Reason.WRONG_TYPE


def test_a_stream_s_own_words_go_before_the_usual_ones() -> None:
    own = decoder("boolean", map={"open": 0, "zu": 1})
    assert [read(own, word) for word in ("open", "zu", "OPEN", "on")] == [0.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("kind", ["boolean", "category", "count", "counter", "angle"])
@pytest.mark.parametrize("value", [None, "unavailable", "", "NaN"])
def test_no_value_is_a_missing_one(kind, value) -> None:
    found = read(decoder(kind, **({"classes": CLASSES} if kind == "category" else {})), value)
    assert isinstance(found, float) and isnan(found)


def test_a_truth_value_in_a_stream_of_numbers_is_refused_with_the_way_out() -> None:
    found = decoder("number").decode(Arrival("s", b'{"v": true}', 1))
    assert isinstance(found, Discarded)
    assert "type = 'boolean'" in found.detail


def test_a_class_is_its_place_among_them() -> None:
    own = decoder("category", classes=CLASSES)
    assert [read(own, word) for word in ("heat", "cool", "off", "Cool", " off")] == [0.0, 1.0, 2.0, 1.0, 2.0]
    assert read(own, "dry") is Reason.WRONG_TYPE


def test_numbers_and_truth_values_can_be_classes() -> None:
    own = decoder("category", classes=("0", "1", "2.5", "true"))
    assert [read(own, value) for value in (0, 1, 2.5, True, "1", 7)] == [0.0, 1.0, 2.0, 3.0, 1.0, Reason.WRONG_TYPE]


def test_a_class_may_be_called_what_is_no_value_elsewhere() -> None:
    assert read(decoder("category", classes=("unknown", "known")), "unknown") == 0.0


def test_two_classes_that_differ_in_case_alone_are_told_apart_by_it() -> None:
    own = decoder("category", classes=("on", "On"))
    assert [read(own, word) for word in ("on", "On", "ON")] == [0.0, 1.0, Reason.WRONG_TYPE]


def test_counts_are_whole_and_not_below_zero() -> None:
    own = decoder("count")
    assert [read(own, value) for value in (0, 3, "4", 2.0)] == [0.0, 3.0, 4.0, 2.0]
    assert [read(own, value) for value in (2.5, -1)] == [Reason.WRONG_TYPE, Reason.OUT_OF_BOUNDS]


def test_bounds_of_a_counter_are_not_those_of_its_readings() -> None:
    assert read(decoder("counter", bounds=[0, 5]), 123456.7) == 123456.7


@given(st.sampled_from(["boolean", "category", "count"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner), max_leaves=3
))  # fmt: skip
def test_whatever_is_sent_is_a_value_of_the_type_or_a_reason(kind, value) -> None:
    found = read(decoder(kind, **({"classes": CLASSES} if kind == "category" else {})), value)
    if isinstance(found, float) and not isnan(found):
        assert found in {"boolean": (0.0, 1.0), "category": (0.0, 1.0, 2.0)}.get(kind, (abs(round(found)),))


def test_no_word_is_true_and_false() -> None:
    assert all(word == word.lower() for word in TRUTHS)
    assert set(TRUTHS.values()) == {0.0, 1.0}
