"""What is asked is understood or refused in words, and the asker hears its transaction again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.request import LISTED, Misunderstood, done, meant, parsed, refused

keys = st.sampled_from(["series", "transaction"]) | st.text(max_size=3)
json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NAMES = ["home/load", "home/pv", "lab/[1]", "lab/1"]


def test_one_name_or_several_and_a_transaction_are_understood():
    assert parsed(b'{"series": "a"}', of_series=True) == (("a",), None)
    assert parsed(b'{"series": ["a", "b*"], "transaction": "7"}', of_series=True) == (("a", "b*"), "7")
    assert parsed(b'{"transaction": 7}', of_series=False) == ((), 7)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 5000, "no JSON"),
        (b"null", "found None"),
        (b'["a"]', 'found [\'a\']; need {"series": "name or pattern"'),
        (b"{}", "series is None"),
        (b'{"series": 3}', "series is 3"),
        (b'{"series": ["a", 3]}', "series is ['a', 3]"),
        (b'{"series": []}', "no series is named"),
        (b'{"serie": "a"}', "found 'serie'"),
        (b'{"series": "a", "transaction": {}}', "transaction is {}"),
        (b'{"series": "a", "transaction": "' + b"x" * 300 + b'"}', "transaction is 'xxx"),
    ],
)
def test_what_is_no_request_is_refused_with_what_was_found_and_what_is_needed(payload, words):
    with pytest.raises(Misunderstood, match=r"need|no JSON") as caught:
        parsed(payload, of_series=True)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_refusal_knows_the_transaction_where_it_could_be_read():
    with pytest.raises(Misunderstood) as caught:
        parsed(b'{"series": 3, "transaction": "x"}', of_series=True)
    assert caught.value.transaction == "x"


def test_patterns_mean_the_names_that_fit_each_once_and_a_name_means_itself():
    assert meant(["home/*"], NAMES) == ["home/load", "home/pv"]
    assert meant(["home/pv", "home/*"], NAMES) == ["home/pv", "home/load"]
    assert meant(["lab/[1]"], NAMES) == ["lab/[1]"]
    assert meant(["lab/?"], NAMES) == ["lab/1"]
    with pytest.raises(Misunderstood, match=r"no series is called 'lap/\*'; there are 4"):
        meant(["home/*", "lap/*"], NAMES)


def test_answers_are_bounded_and_carry_the_transaction_where_there_is_one():
    many = [f"s{n}" for n in range(5000)]
    said = json.loads(done(many, "7"))
    assert said["data"]["count"] == 5000 and said["data"]["series"] == many[:LISTED]
    assert said["status"] == "ok" and said["transaction"] == "7"
    assert json.loads(refused("so", None)) == {"status": "error", "error": "so"}


@given(st.binary(max_size=300) | st.recursive(json_values, lambda some: st.lists(some) | st.dictionaries(keys, some)))
def test_whatever_bytes_come_they_are_understood_or_refused_and_nothing_else(said):
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    for of_series in (True, False):
        try:
            request = parsed(payload, of_series=of_series)
        except Misunderstood as why:
            json.loads(refused(str(why), why.transaction))
        else:
            assert bool(request.patterns) == of_series
            json.loads(done(request.patterns, request.transaction))
