"""Inputs become bytes and the same inputs again; bytes that are none are told."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.journal import FORMAT, Delivery, entry, from_bytes, to_bytes
from streamlstm.events import BEGINNING, Close, Discarded, Known, Mode, Observation, Reason, Shed, Switch, Tick

times = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(width=64)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
observation = st.builds(
    Observation, names, names, times, st.lists(floats, min_size=1, max_size=4).map(tuple), st.integers(0, 2**62), times
)
known = st.builds(
    Known,
    names,
    st.integers(0, 31),
    st.lists(names, max_size=2).map(tuple),
    times,
    st.lists(times, max_size=3).map(tuple),
    st.lists(floats, max_size=3).map(tuple),
    st.integers(0, 2**62),
    times,
    st.booleans(),
)
discarded = st.builds(Discarded, names, times, st.sampled_from(Reason), names)
others = st.builds(Tick, times) | st.builds(Close, names, st.booleans()) | st.builds(Shed, st.booleans())
others |= st.builds(Switch, names, st.sampled_from(Mode))
inputs = st.lists(observation | known | others | discarded, max_size=20)
deliveries = st.lists(st.builds(Delivery, st.integers(1, 65535), st.binary(min_size=8, max_size=8)), max_size=5)


@given(inputs, deliveries)
def test_an_entry_is_the_same_again_and_what_was_refused_is_counted(items, sent):
    said = entry(items, sent)
    again = from_bytes(to_bytes(said))
    # NaN is not equal to itself: so by their text, and by their bytes
    assert repr(again) == repr(said) and to_bytes(again) == to_bytes(said)
    assert [type(one) for one in again.inputs] == [type(one) for one in items if not isinstance(one, Discarded)]
    assert sum(again.refused.values()) == sum(isinstance(one, Discarded) for one in items)
    assert said.size >= 1


@given(st.binary(max_size=200))
def test_bytes_that_are_no_entry_are_told(body):
    with pytest.raises(ValueError, match=r"no entry of a journal|an entry of format"):
        from_bytes(body)


def test_an_entry_that_was_cut_or_is_of_another_format_is_told():
    items = [Observation("s", "s", 5, (1.0, math.nan), 1, 7), Tick(9), Discarded("", BEGINNING, Reason.LATE)]
    body = to_bytes(entry(items, []))
    for end in range(len(body)):
        with pytest.raises(ValueError, match="no entry of a journal"):
            from_bytes(body[:end])
    values = msgspec.msgpack.decode(body)
    with pytest.raises(ValueError, match=f"format 99: this program knows {FORMAT}"):
        from_bytes(msgspec.msgpack.encode([99, *values[1:]]))
    with pytest.raises(ValueError, match="its order is not that of its inputs"):
        from_bytes(msgspec.msgpack.encode([values[0], "ooo", *values[2:]]))
