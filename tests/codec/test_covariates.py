"""A covariate's message becomes values with times, or ends with one reason; and one message counts once."""

from __future__ import annotations

import json
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.covariates import MOST
from streamlstm.codec.decode import Decoder
from streamlstm.config import Stream
from streamlstm.events import SECOND_NS, Arrival, Discarded, Known, Observation, Reason

NOW = 1_772_440_000 * SECOND_NS  # 2026-03-02 08:26:40 UTC
HOUR = 3600 * SECOND_NS
VINTAGE = {"topic": "w", "values": "h[].v", "times": "h[].t", "issued": "at", "known_ahead": True, "time_format": "s"}
COLUMNS = {"topic": "w", "values": "h.v[]", "times": "h.t[]", "known_ahead": True, "time_format": "s"}


def decoder(*covariates, limit=2**20, **settings):
    return Decoder([Stream(name="s", topic="s", covariates=covariates, **settings)], "streamlstm", limit)


def inputs(payload, covariate, received_ns=NOW, limit=2**20, **settings):
    arrival = Arrival("w", payload if isinstance(payload, bytes) else json.dumps(payload).encode(), received_ns, 7)
    return decoder(covariate, limit=limit, **settings).inputs([arrival])


def known(payload, covariate, **settings):
    (found,) = inputs(payload, covariate, **settings)
    assert isinstance(found, Known), found
    return found


def reason(payload, covariate, **settings):
    (found,) = inputs(payload, covariate, **settings)
    assert isinstance(found, Discarded) and found.detail
    return found.reason


# what is read


def test_a_value_counts_from_its_own_time_or_from_its_arrival():
    own = known({"temp": 4.5, "t": "2026-03-02T08:00:00Z"}, {"topic": "w", "value": "temp", "time": "t"})
    assert own == Known("s", 0, (), NOW - 1600 * SECOND_NS, (NOW - 1600 * SECOND_NS,), (4.5,), 7, NOW)
    assert known({"temp": 4.5}, {"topic": "w", "value": "temp"}).since_ns == NOW
    assert known(b" 12 \n", {"topic": "w", "format": "number"}).values == (12.0,)
    assert known(b"open", {"topic": "w", "format": "number", "map": {"open": 1}}).values == (1.0,)


def test_a_forecast_has_values_for_times_and_a_time_since_which_it_is_known():
    payload = {"at": NOW // SECOND_NS - 60, "h": [{"t": 1_772_442_000, "v": 3}, {"t": 1_772_445_600, "v": 4.5}]}
    found = known(payload, VINTAGE)
    assert (found.times_ns, found.values) == ((1_772_442_000 * SECOND_NS, 1_772_445_600 * SECOND_NS), (3.0, 4.5))
    assert found.since_ns == NOW - 60 * SECOND_NS


def test_a_forecast_in_columns_is_known_from_its_arrival():
    found = known({"h": {"t": [1_772_442_000, 1_772_445_600], "v": [3, 4.5]}}, COLUMNS)
    assert (found.since_ns, found.values) == (NOW, (3.0, 4.5))


def test_arrays_within_arrays_are_read_one_after_the_other():
    payload = {"day": [{"hour": [{"t": 1, "v": 1}]}, {"hour": [{"t": 2, "v": 2}, {"t": 3, "v": 3}]}]}
    nested = COLUMNS | {"values": "day[].hour[].v", "times": "day[].hour[].t"}
    assert known(payload, nested).values == (1.0, 2.0, 3.0)
    assert known([[1, 5.0], [2, 6.0]], COLUMNS | {"values": "[][1]", "times": "$[][0]"}).values == (5.0, 6.0)


def test_a_tariff_comes_with_one_time_and_value_a_message():
    covariate = {"topic": "w", "value": "price", "time": "from", "known_ahead": True}
    found = known({"price": 0.31, "from": "2026-12-24T00:00:00Z"}, covariate)
    assert (found.since_ns, found.times_ns, found.values) == (NOW, (1_798_070_400 * SECOND_NS,), (0.31,))


def test_times_without_an_offset_are_in_the_streams_timezone():
    covariate = {"topic": "w", "value": "price", "time": "from", "known_ahead": True}
    found = known({"price": 1, "from": "2026-03-03T00:00:00"}, covariate, timezone="Europe/Berlin")
    assert found.times_ns == (1_772_492_400 * SECOND_NS,)


def test_what_the_broker_kept_is_welcome():
    (found,) = decoder({"topic": "w", "value": "v"}).inputs([Arrival("w", b'{"v": 1}', NOW, 7, True)])
    assert isinstance(found, Known)


# untidy vintages


def test_times_out_of_order_are_put_in_order_and_the_last_of_two_counts():
    found = known({"h": {"t": [30, 10, 20, 10], "v": [3, 1, 2, 9]}}, COLUMNS)
    assert found.times_ns == (10 * SECOND_NS, 20 * SECOND_NS, 30 * SECOND_NS)
    assert found.values == (9.0, 2.0, 3.0)


@pytest.mark.parametrize("odd", [None, "nan", "soon", True, {}, [], 1e300])
def test_a_value_that_cannot_be_read_is_missing_among_others(odd):
    found = known({"h": {"t": [10, 20, 30], "v": [1, odd, 3]}}, COLUMNS)
    assert isnan(found.values[1])
    assert (found.values[0], found.values[2]) == (1.0, 3.0)


def test_an_element_without_the_key_is_missing_among_others():
    found = known({"at": 5, "h": [{"t": 10, "v": 1}, {"t": 20}]}, VINTAGE)
    assert found.values[0] == 1.0
    assert isnan(found.values[1])


def test_a_vintage_of_nothing_but_null_is_known_to_be_unknown():
    assert all(map(isnan, known({"h": {"t": [10, 20], "v": [None, None]}}, COLUMNS).values))


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"h": {"t": [10, 20, 30], "v": [1, 2]}}, Reason.MALFORMED),
        ({"h": {"t": [], "v": []}}, Reason.MALFORMED),
        ({"h": {"t": [10], "v": ["x"]}}, Reason.WRONG_TYPE),
        ({"h": {"t": [10], "v": [True]}}, Reason.WRONG_TYPE),
        ({"h": {"t": [10], "v": 3}}, Reason.MISSING_FIELD),
        ({"h": {"t": [10], "v": {"0": 3}}}, Reason.MISSING_FIELD),
        ({"h": {"v": [1]}}, Reason.MISSING_FIELD),
        ({"h": {"t": ["soon"], "v": [1]}}, Reason.BAD_TIME),
        ({"h": {"t": [None], "v": [1]}}, Reason.BAD_TIME),
        ({"h": {"t": [10, -1], "v": [1, 2]}}, Reason.BEFORE_1970),
        ({"h": {"t": [10, 1e30], "v": [1, 2]}}, Reason.BAD_TIME),
        (b"[[[[", Reason.MALFORMED),
        (b"\xff", Reason.NOT_UTF8),
        (b"", Reason.MALFORMED),
    ],
)
def test_a_vintage_that_cannot_be_read_has_one_reason(payload, expected):
    assert reason(payload, COLUMNS) is expected


def test_a_million_entries_are_refused_before_any_is_read():
    payload = b'{"h": {"t": [%s], "v": [%s]}}' % ((b",".join([b"1"] * 1_000_000),) * 2)
    assert reason(payload, COLUMNS, limit=2**24) is Reason.OVERSIZED
    assert reason(payload, COLUMNS) is Reason.OVERSIZED  # of bytes
    many = {"h": {"t": list(range(MOST)), "v": [1] * MOST}}
    assert len(known(many, COLUMNS).values) == MOST
    many["h"]["t"].append(MOST)
    assert reason(many, COLUMNS) is Reason.OVERSIZED


def test_nothing_is_known_since_a_time_that_is_still_to_come():
    payload = {"at": NOW // SECOND_NS + 301, "h": [{"t": 10, "v": 1}]}
    assert reason(payload, VINTAGE) is Reason.FUTURE
    assert known(payload, VINTAGE, future="10min").since_ns > NOW
    assert reason({"v": 1, "t": NOW // SECOND_NS + 301}, {"topic": "w", "value": "v", "time": "t"}) is Reason.FUTURE
    assert known(payload, VINTAGE, received_ns=0).since_ns == (NOW // SECOND_NS + 301) * SECOND_NS  # a record: no clock


# one message, many uses


FAMILY = [
    Stream(
        name="climate/{room}",
        topic="home/{room}/climate",
        format="json",
        value="temp",
        covariates=(
            {"topic": "weather", "value": "temp"},
            {"topic": "home/{room}/window", "format": "number", "map": {"open": 1, "closed": 0}},
        ),
    ),
    Stream(name="weather", topic="weather", format="json", value="temp", bounds=(-60, 60)),
    Stream(name="load", topic="load", covariates=({"topic": "weather", "value": "wind"},)),
]
ROUTED = Decoder(FAMILY, "streamlstm", 1_000)


def test_a_topic_serves_its_stream_and_all_whose_covariate_it_is_and_counts_once():
    found = ROUTED.inputs([Arrival("weather", b'{"temp": 4, "wind": 9}', NOW, 7)])
    assert [(k.stream, k.covariate, k.values, k.counts) for k in found[:-1]] == [
        ("climate/{room}", 0, (4.0,), False),
        ("load", 0, (9.0,), False),
    ]
    assert found[-1] == Observation("weather", "weather", NOW, (4.0,), 7, NOW)


def test_the_outcome_of_a_message_is_that_of_its_own_series():
    *beside, own = ROUTED.inputs([Arrival("weather", b'{"temp": 400, "wind": 9}', NOW, 7)])
    assert isinstance(own, Discarded) and own.reason is Reason.OUT_OF_BOUNDS
    assert [k.counts for k in beside] == [False, False]


def test_the_outcome_of_a_covariates_message_is_that_it_was_of_use_or_the_reason_why_not():
    (found,) = ROUTED.inputs([Arrival("home/attic/window", b"open", NOW, 7)])
    assert found == Known("climate/{room}", 1, ("attic",), NOW, (NOW,), (1.0,), 7, NOW)
    (found,) = ROUTED.inputs([Arrival("home/attic/window", b"ajar", NOW, 7)])
    assert isinstance(found, Discarded) and found.reason is Reason.WRONG_TYPE


@pytest.mark.parametrize("room", ["a\x00b", "#", "x" * 300, "\ud800"])
def test_a_part_that_no_series_can_have_joins_nothing(room):
    (found,) = ROUTED.inputs([Arrival(f"home/{room}/window", b"open", NOW, 7)])
    assert found.reason is Reason.UNKNOWN_TOPIC


def test_what_is_subscribed_to_is_all_that_is_of_use():
    assert ROUTED.router.filters == ("home/+/climate", "weather", "load", "home/+/window")


def test_what_the_broker_keeps_is_asked_for_again_where_it_says_when_it_is_from():
    covariates = (
        {"topic": "now", "value": "v"},  # sent again, it would pass for new
        {"topic": "timed", "value": "v", "time": "t"},
        COLUMNS | {"topic": "ahead"},
        COLUMNS | {"topic": "own"},  # its stream does not want what was kept
    )
    router = Decoder([Stream(name="s", topic="own", covariates=covariates)], "streamlstm", 100).router
    assert router.filters == ("own", "now", "timed", "ahead")
    assert router.fresh == {"timed", "ahead"}


def test_a_topic_that_another_filter_brings_already_is_not_subscribed_to_twice():
    covariates = ({"topic": "home/attic/climate", "value": "v"}, {"topic": "$SYS/attic/climate", "value": "v"})
    family = [Stream(name="{r}", topic="home/{r}/climate", covariates=covariates), Stream(name="z{r}", topic="{r}/b/c")]
    assert Decoder(family, "streamlstm", 100).router.filters == ("home/+/climate", "+/b/c", "$SYS/attic/climate")


def test_our_own_words_are_no_covariates():
    family = [Stream(name="s", topic="s", covariates=({"topic": "streamlstm/x", "value": "v"},))]
    (found,) = Decoder(family, "streamlstm", 100).inputs([Arrival("streamlstm/x", b'{"v": 1}', NOW)])
    assert found.reason is Reason.UNKNOWN_TOPIC


# any bytes at all

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
jsons = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("hvtat"), inner, max_size=4),
    max_leaves=12,
)
columns = st.fixed_dictionaries({"h": st.fixed_dictionaries({"t": st.lists(leaves), "v": st.lists(leaves)})})
payloads = st.binary(max_size=60) | (jsons | columns).map(lambda value: json.dumps(value).encode())
ALL = decoder(
    {"topic": "w", "value": "v", "time": "t"},
    {"topic": "w", "format": "number"},
    VINTAGE,
    COLUMNS,
    {"topic": "w", "value": "v", "time": "t", "known_ahead": True},
    limit=500,
)


@given(payloads, st.integers(0, 2**62))
def test_any_message_at_all_is_known_values_or_has_one_reason(payload, received_ns):
    found = ALL.inputs([Arrival("w", payload, received_ns, 3)])
    assert sum(isinstance(item, Discarded) or item.counts for item in found) == 1
    for item in found:
        if isinstance(item, Discarded):
            assert isinstance(item.reason, Reason) and item.detail
            item.detail.encode()
        else:
            assert len(item.times_ns) == len(item.values) > 0
            assert list(item.times_ns) == sorted(set(item.times_ns))
            assert all(0 <= time < 2**63 for time in (item.since_ns, *item.times_ns))
            assert all(isnan(value) or abs(value) <= 1e30 for value in item.values)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(-1e30, 1e30) | st.just(nan)), min_size=1, max_size=30))
def test_what_a_service_writes_is_what_is_known(entries):
    payload = {"h": {"t": [t for t, _ in entries], "v": [None if isnan(v) else v for _, v in entries]}}
    found = known(payload, COLUMNS)
    wanted = {t * SECOND_NS: v for t, v in entries}
    assert list(found.times_ns) == sorted(wanted)
    assert [repr(v) for v in found.values] == [repr(float(wanted[t])) for t in found.times_ns]
