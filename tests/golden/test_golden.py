"""Arithmetic changes on purpose or not at all: short journals, what they came to once, and what they come to today."""

from __future__ import annotations

import json

import numpy as np
import pytest

from streamlstm import golden
from streamlstm.codec.journal import from_bytes, to_bytes
from streamlstm.engine import Engine
from streamlstm.events import (
    Close,
    Closed,
    Discarded,
    Event,
    Forecast,
    Known,
    Observation,
    Opened,
    Reason,
    Shed,
    State,
    Tick,
)
from streamlstm.kernels import KERNEL_REVISION
from tests.golden.journals import EXPECTED, STREAMS, build_name, came_to, file_of, made, run
from tests.kernels import needs_compiler
from tests.small import STREAM, STREAM_BESIDE, with_model

AGAIN = "python -m tests.golden.journals"
TOLERANCE = 1e-6  # x86-64 without any extension came within 1e-8 of one with AVX-512; elsewhere libm is another, too


@pytest.fixture(scope="module")
def expected():
    return json.loads(EXPECTED.read_text())


@pytest.mark.parametrize("name", STREAMS)
def test_the_bytes_of_a_journal_are_read_as_ever_and_written_so_but_for_fields_that_came_behind(name):
    stored = file_of(name).read_bytes()
    today = to_bytes(from_bytes(stored))
    assert today == made(name)
    assert today[1:].startswith(stored[1:])  # the first byte says how many fields there are


def test_the_journals_hold_every_kind_of_input():
    entries = [from_bytes(file_of(name).read_bytes()) for name in STREAMS]
    assert {type(one) for said in entries for one in said.inputs} == {Observation, Known, Tick, Close, Shed}
    assert entries[0].refused == {Reason.MALFORMED: 1} and len(entries[0].deliveries) == 1


@needs_compiler
@pytest.mark.parametrize("name", STREAMS)
def test_a_journal_comes_to_the_bits_that_this_revision_stands_for(name, expected):
    assert expected["revision"] == KERNEL_REVISION, f"{AGAIN} makes the digests of this revision"
    digest, forecasts = came_to(name, file_of(name).read_bytes())
    known = expected["digests"][name]
    if build_name() in known:
        assert digest == known[build_name()], f"arithmetic has changed: let KERNEL_REVISION go up, then {AGAIN}"
    _assert_near(forecasts, expected["forecasts"][name])


def _assert_near(forecasts, known):
    """As near as other processors come: see TOLERANCE."""
    assert forecasts.keys() == known.keys()
    for series, parts in known.items():
        for part, numbers in parts.items():
            np.testing.assert_allclose(forecasts[series][part], numbers, rtol=TOLERANCE, err_msg=f"{series} {part}")


@needs_compiler
def test_the_journals_meet_all_that_may_happen_to_a_series():
    said = [one for name in STREAMS for one in run(name, file_of(name).read_bytes())[1]]
    states = {one.state for one in said if isinstance(one, Forecast)}
    assert states >= {State.WARMING, State.ACTIVE, State.QUARANTINED}
    assert {type(one) for one in said} >= {Forecast, Opened, Closed, Event, Discarded}
    assert {one.reason for one in said if isinstance(one, Discarded)} == {Reason.LATE, Reason.DUPLICATE}


@needs_compiler
def test_the_run_of_a_start_is_the_same_each_time_and_another_for_another_model():
    runs = [STREAM, STREAM, with_model(STREAM, learning_rate=(2e-3, 4e-3, 9e-3)), STREAM_BESIDE]
    first, again, faster, other = [golden.digest(stream) for stream in runs]
    assert first == again and len({first, faster, other}) == 3


@needs_compiler
def test_the_run_of_a_start_meets_all_that_may_happen_to_a_series():
    probe = golden.probe(STREAM)
    said = Engine([probe], seed=1, max_series=1).feed(golden.inputs(probe))
    assert {one.state for one in said if isinstance(one, Forecast)} >= {State.WARMING, State.ACTIVE, State.QUARANTINED}
    assert [one.reason for one in said if isinstance(one, Discarded)] == [Reason.DUPLICATE]
    assert sum(one.y != one.y for one in said if isinstance(one, Forecast)) == 1
    assert {one.kind for one in said if isinstance(one, Event)} >= {"gap", "quarantine"}


@needs_compiler
def test_the_run_of_a_start_is_of_the_type_of_the_values():
    types = ({}, {"type": "count"}, {"type": "counter"}, {"type": "angle"}, {"type": "angle", "unit": "rad"})
    streams = [STREAM.model_copy(update=one) for one in types]
    assert len({golden.settings(one) for one in streams}) == len({golden.digest(one) for one in streams}) == len(types)


def test_the_run_of_a_start_asks_for_the_model_and_not_for_what_a_stream_is_called():
    renamed = STREAM.model_copy(update={"name": "other/{x}", "topic": "other/{x}", "unit": "K", "lateness": 10**9})
    assert golden.settings(renamed) == golden.settings(STREAM) != golden.settings(with_model(STREAM, hidden=5))
    assert golden.smallest_first([STREAM_BESIDE, with_model(STREAM, hidden=5), STREAM])[0] is STREAM
