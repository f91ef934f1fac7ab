"""Series that begin and end at any time: closed by the clock, and opened again with what they knew."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.config import Config, Stream
from streamlstm.daemon.history import History
from streamlstm.daemon.publisher import Publisher
from streamlstm.engine import Engine
from streamlstm.events import Closed, Discarded, Forecast, Observation, Opened, Output, Reason, State, Tick
from tests.observed import HOUR_NS
from tests.small import STREAM

TTL = 48 * HOUR_NS
MORTAL = STREAM.model_copy(update={"step": HOUR_NS, "gap": 24 * HOUR_NS, "ttl": TTL})
IMMORTAL = MORTAL.model_copy(update={"ttl": None})


def engine(stream: Stream = MORTAL, **limits: int) -> Engine:
    return Engine([stream], seed=1, **{"max_series": 10, **limits})


def reading(series: str, hour: int) -> Observation:
    y = 50 + 10 * math.sin(hour / 4) + (hour * 7919 % 13) / 5
    return Observation(series, STREAM.name, hour * HOUR_NS, (y,), hour, hour * HOUR_NS)


def lived(own: Engine, *spans: tuple[str, int, int]) -> list[Output]:
    """Readings of each series in its hours, and a tick an hour."""
    out: list[Output] = []
    for hour in range(max(end for _, _, end in spans)):
        out += own.feed([reading(name, hour) for name, begin, end in spans if begin <= hour < end])
        out += ticked(own, hour * HOUR_NS + HOUR_NS // 2)
    return out


def ticked(own: Engine, now_ns: int) -> list[Output]:
    """As a host does it: what is to end is asked for, and then fed."""
    out = own.feed([Tick(now_ns)])
    while ended := own.over(now_ns):
        out += own.feed(ended)
    return out


def numbers(outputs: list[Output], series: str) -> list[bytes]:
    """Its forecasts after readings."""
    found = [f for f in outputs if isinstance(f, Forecast) and f.series == series and f.y == f.y]
    return [np.int64(f.origin_ns).tobytes() + f.numbers.tobytes() for f in found]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400), st.integers(1, 120)), min_size=1, max_size=6),
)
@settings(deadline=None, max_examples=15)
def test_a_closed_series_goes_on_as_one_that_was_never_closed(spans):
    hours = sorted({(hour, name) for name, begin, n in spans for hour in range(begin, begin + n)})
    runs = [(name, hour, hour + 1) for hour, name in hours]
    mortal, immortal = engine(), engine(IMMORTAL)
    out, expected = lived(mortal, *runs), lived(immortal, *runs)
    for name in "abc":
        assert numbers(out, name) == numbers(expected, name)
    opened = sum(isinstance(one, Opened) for one in out)
    closed = sum(isinstance(one, Closed) for one in out)
    assert opened - closed == len(mortal.report().series)


def test_it_is_closed_after_its_ttl_and_its_place_is_used_again():
    own = engine(max_series=1)
    out = lived(own, ("a", 0, 60), ("b", 120, 121))
    assert [type(one) for one in out if isinstance(one, Opened | Closed)] == [Opened, Closed, Opened]
    report = own.report()
    assert [one.series for one in report.series] == ["b"]
    assert report.closed == 1 and 0 < report.closed_bytes < report.memory_bytes
    learner, slot = own.learner("b")
    assert slot == 0 and report.memory_bytes == learner.layout.row_bytes


def test_it_does_not_warm_up_again():
    out = lived(engine(), ("a", 0, 100), ("a", 200, 201))
    last = [one for one in out if isinstance(one, Forecast)][-1]
    assert last.origin_ns == 200 * HOUR_NS and last.state is not State.WARMING


@pytest.mark.parametrize(("stream", "refused"), [(MORTAL, 0), (IMMORTAL, 1)])
def test_names_that_come_once_are_closed_or_else_refused(stream, refused):
    own, out = engine(stream, closed_bytes=50_000), []
    most = shelf = 0
    for n in range(300):
        out += own.feed([reading(f"name{n}", 10 * n)]) + ticked(own, 10 * n * HOUR_NS)
        most, shelf = max(most, own.report().memory_bytes), max(shelf, own.report().closed_bytes)
    limits = [one for one in out if isinstance(one, Discarded)]
    assert bool(limits) == bool(refused) and {one.reason for one in limits} <= {Reason.SERIES_LIMIT}
    assert len(own.report().series) <= 10
    learner, _ = own.learner(own.report().series[-1].series)
    assert most <= 10 * learner.layout.row_bytes and shelf <= 50_000


def test_one_that_waits_for_its_step_is_counted_as_closed():
    own = engine(MORTAL.model_copy(update={"step": "auto"}))
    out = lived(own, ("a", 0, 3)) + ticked(own, 3 * TTL)
    assert [one.reason for one in out if isinstance(one, Discarded)] == [Reason.CLOSED] * 3
    report = own.report()
    assert report.held == 0 and report.closed == 0 and report.series == ()


def test_without_memory_for_its_row_it_is_refused_and_stays_kept():
    probe = engine()
    lived(probe, ("a", 0, 1))
    own = engine(memory_bytes=probe.report().memory_bytes)
    lived(own, ("a", 0, 50), ("b", 110, 111))
    (refused,) = own.feed([reading("a", 112)])
    assert isinstance(refused, Discarded) and refused.reason is Reason.SERIES_LIMIT and own.report().closed == 1


def test_where_the_clock_was_ahead_for_a_while_a_silence_is_counted_from_when_it_was_set_back():
    own = engine()
    lived(own, ("a", 0, 50))
    own.feed([reading("a", 50)._replace(received_ns=1_000_000 * HOUR_NS), Tick(51 * HOUR_NS)])
    assert [one for one in ticked(own, 51 * HOUR_NS + TTL) if isinstance(one, Closed)] == []
    assert [one.series for one in ticked(own, 52 * HOUR_NS + TTL) if isinstance(one, Closed)] == ["a"]


def totals(own: Engine) -> list[int]:
    """Of open and closed series together: what Prometheus counts."""
    report = own.report()
    parts = [*[one.totals for one in report.series], *report.ended.values()]
    return [sum(column) for column in zip(*parts, strict=True)]


def test_what_is_counted_of_rows_never_falls():
    own, before = engine(), [0, 0, 0, 0]
    for hour in range(420):
        is_live = hour < 60 or 150 <= hour < 240 or hour >= 330
        own.feed([reading("a", hour)] if is_live else [])
        ticked(own, hour * HOUR_NS + HOUR_NS // 2)
        now = totals(own) or [0, 0, 0, 0]
        assert all(a <= b for a, b in zip(before, now, strict=True))
        before = now
    assert before[0] > 20 and own.report().closed == 0


def test_coarser_series_are_closed_and_opened_again_with_the_finest():
    stream = Stream.model_validate(
        {
            **STREAM.model_dump(include={"name", "topic", "model"}),
            "step": "1h",
            "aggregate": "mean",
            "leads": [1, 2],
            "gap": "1d",
            "ttl": "2d",
            "resolutions": [{"step": "2h", "leads": [1, 3]}],
        }
    )
    own = engine(stream)
    out = lived(own, ("a", 0, 120), ("a", 240, 250))
    lives = [(type(one), one.series) for one in out if isinstance(one, Opened | Closed)]
    once = [(Opened, "a"), (Opened, "a/2h")]
    assert lives == [*once, (Closed, "a"), (Closed, "a/2h"), *once]
    again = [one for one in out if isinstance(one, Forecast) and one.origin_ns >= 240 * HOUR_NS]
    assert {one.series for one in again} == {"a", "a/2h"}
    assert all(np.isfinite(one.yhat).all() for one in again)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('ttl = "12h"', "streams.s.ttl = '12h': need a longer one than gap, which a series waits for"),
        ('ttl = "2d"\nhold = "3d"\nstep = "1h"', "streams.s.ttl = '2d': need a longer one than hold"),
        ('ttl = "0s"', "streams.s.ttl = '0s': need a duration"),
        ('ttl = "soon"', "streams.s.ttl = 'soon': need a duration"),
        (
            'ttl = "2d"\nstep = "1h"\naggregate = "mean"\nresolutions = [{ step = "1w", leads = [1] }]',
            "streams.s.ttl = '2d': need a longer one than the coarsest of resolutions",
        ),
    ],
)
def test_a_ttl_that_ends_before_what_is_waited_for_is_refused(problems, setting, expected):
    found = problems(f'[mqtt]\nurl = "mqtt://b"\n[[streams]]\nname = "s"\ntopic = "s"\n{setting}\n')
    assert any(one.startswith(expected) for one in found), found


class Link:
    def __init__(self) -> None:
        self.sent: list[tuple[str, object, bool]] = []

    def publish(self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> None:  # noqa: ARG002  as the real one
        self.sent.append((topic, payload, retain))


def test_what_the_broker_keeps_of_it_is_cleared_and_the_page_forgets_it():
    link, history = Link(), History()
    config = Config.model_validate({"mqtt": {"url": "mqtt://x"}, "streams": [{"name": "small", "topic": "small"}]})
    publisher = Publisher(link, config, history)
    out = lived(engine(), ("a", 0, 40))
    publisher.send([one for one in out if not isinstance(one, Closed)], 0)
    assert history.past("a") is not None
    kept = {topic for topic, _, retain in link.sent if retain}
    link.sent.clear()
    publisher.send([Closed("a", "small")], 0)
    assert {topic for topic, payload, retain in link.sent if retain and not payload} == kept
    assert history.past("a") is None
