"""A JSON document has one reading, or is refused with the reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.document import DEEPEST, lookup, parse
from streamlstm.codec.values import Unreadable
from streamlstm.events import Reason
from streamlstm.naming import key_path

keys = st.text(max_size=4) | st.sampled_from(["a", "b", ":", '"', "\\", "a:b"])
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
documents = st.recursive(
    scalars | keys,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def refuse(word):
    raise ValueError(word)


def written(pairs):
    """An object as text, with its keys in the given order, repeated ones too."""
    return "{" + ", ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in pairs) + "}"


@given(documents, st.sampled_from([None, 1]), st.booleans())
def test_what_json_writes_is_read_back(document, indent, ascii_only):
    try:
        payload = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:  # half a character
        return
    assert parse(payload) == document


@given(st.lists(st.tuples(keys, documents), max_size=5), st.booleans())
def test_a_key_is_repeated_exactly_where_it_is_refused(pairs, nested):
    text = written(pairs)
    payload = (f'[1, {{"x": {text}}}]' if nested else text).encode("utf-8", "surrogatepass")
    found = parse(payload)
    if len({k for k, _ in pairs}) < len(pairs):
        assert found.reason is Reason.DUPLICATE_KEY
    else:
        assert not isinstance(found, Unreadable)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\0129eEtruefalsn ', max_size=40).map(str.encode))
def test_any_bytes_are_a_document_or_a_reason_and_the_standard_reader_agrees(payload):
    found = parse(payload)
    try:
        expected = json.loads(payload.decode(), parse_constant=refuse, parse_int=float)
    except ValueError:
        assert isinstance(found, Unreadable)
        return
    if isinstance(found, Unreadable):
        assert found.reason in (Reason.DUPLICATE_KEY, Reason.TOO_DEEP, Reason.MALFORMED)
    else:
        assert json.loads(json.dumps(found), parse_int=float) == expected


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b'{"temperature": 20.', Reason.MALFORMED),
        (b"{'a': 1}", Reason.MALFORMED),
        (b'{"a": NaN}', Reason.MALFORMED),
        (b'{"a": -Infinity}', Reason.MALFORMED),
        (b'{"a": 01}', Reason.MALFORMED),
        (b'{"a": 1} x', Reason.MALFORMED),
        (b'{"a": 1,}', Reason.MALFORMED),
        (b'{"a": "\x01"}', Reason.MALFORMED),
        ('{"a": 1}'.encode("utf-16-le"), Reason.MALFORMED),  # NULs between the characters
        ('{"a": 1}'.encode("utf-16"), Reason.NOT_UTF8),
        (b"\xff\xfe\x00\x01", Reason.NOT_UTF8),
        (b'{"a": "\xc3("}', Reason.NOT_UTF8),
        (b'{"a": 1, "a": 2}', Reason.DUPLICATE_KEY),
        (b'{"a": "x:y", "a": 2}', Reason.DUPLICATE_KEY),
        (b'{"a\\u003ab": 1, "x": 1, "x": 2}', Reason.DUPLICATE_KEY),
        (b'{"a": 1, "\\u0061": 2}', Reason.DUPLICATE_KEY),
        (b'[{"b": {"a": 1, "a": 1}}]', Reason.DUPLICATE_KEY),
        (b"[" * 100_000, Reason.TOO_DEEP),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, Reason.TOO_DEEP),
    ],
)
def test_what_is_refused_and_why(payload, reason):
    assert parse(payload).reason is reason


def test_nesting_is_allowed_to_its_limit_and_not_beyond():
    def nested(levels):
        return b"[" * levels + b"]" * levels

    assert parse(nested(DEEPEST)) == json.loads(nested(DEEPEST))
    assert parse(nested(DEEPEST + 1)).reason is Reason.TOO_DEEP
    assert parse(b'{"a": ' + nested(DEEPEST - 1) + b"}") == {"a": json.loads(nested(DEEPEST - 1))}
    assert parse(b'{"a": ' + nested(DEEPEST) + b"}").reason is Reason.TOO_DEEP


def test_brackets_within_strings_nest_nothing():
    assert parse(b'{"a": "' + b"[" * 100 + b'", "b": "\\"' + b"{" * 100 + b'"}') == {
        "a": "[" * 100,
        "b": '"' + "{" * 100,
    }


def test_an_open_string_full_of_escapes_is_refused_without_delay():
    assert parse(b'"' + b'\\"' * 30_000).reason is Reason.MALFORMED


def test_an_open_string_that_ends_with_a_backslash_is_one_string():
    assert parse(b'"' + b'\\"' * 100 + b"[" * 100 + b"\\").reason is Reason.MALFORMED


def test_numbers_beyond_any_double_are_infinite_and_spoil_no_other_field():
    found = parse(b'{"a": 1e999, "b": 2, "c": ' + b"9" * 5_000 + b"}")
    assert found == {"a": float("inf"), "b": 2, "c": float("inf")}


DEVICE = {"ENERGY": {"Power": 742}, "items": [{"v": 1.5}], "a.b": {"c": 2}, "switch:0": {"apower": 61.3}, "s": "text"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("ENERGY.Power", 742),
        ("$.ENERGY.Power", 742),
        ("items[0].v", 1.5),
        ("$.items[0].v", 1.5),
        ('"a.b".c', 2),
        ("switch:0.apower", 61.3),
        ("$", DEVICE),
    ],
)
def test_a_key_path_leads_to_its_field(path, expected):
    assert lookup(DEVICE, key_path(path)) == expected


@pytest.mark.parametrize(
    "path", ["nothing", "ENERGY.power", "items[1].v", "items.v", "ENERGY[0]", "s[0]", "s.t", "$[0]"]
)
def test_a_key_path_that_leads_nowhere_says_where_it_ends(path):
    found = lookup(DEVICE, key_path(path))
    assert found.reason is Reason.MISSING_FIELD
    assert found.detail
