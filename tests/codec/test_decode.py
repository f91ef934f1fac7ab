"""A message becomes one observation, or ends with one reason; whatever its bytes are."""

import json
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.decode import Decoder
from streamlstm.config import Stream
from streamlstm.events import SECOND_NS, Arrival, Discarded, Observation, Reason

NOW = 1_772_440_000 * SECOND_NS  # 2026-03-02 08:26:40 UTC


def decoded(payload, received_ns=NOW, is_retained=False, limit=65_536, **settings):
    stream = Stream(name="s", topic="in", **settings)
    return Decoder([stream], "streamlstm", limit).decode(Arrival("in", payload, received_ns, 7, is_retained))


def reason(payload, **settings):
    found = decoded(payload, **settings)
    assert isinstance(found, Discarded)
    assert found.time_ns == NOW
    return found.reason


def as_json(value="v", **settings):
    return {"format": "json", "value": value} | settings


def test_an_observation_carries_series_stream_time_position_and_receipt():
    stream = Stream(name="moisture/{bed}", topic="greenhouse/{bed}/moisture")
    found = Decoder([stream], "streamlstm", 100).decode(Arrival("greenhouse/bed2/moisture", b"412", NOW, 7))
    assert found == Observation("moisture/bed2", "moisture/{bed}", NOW, (412.0,), 7, NOW)


# what devices send


def test_a_number_with_white_space_around_it():
    assert decoded(b" 37.25\n").values == (37.25,)


@pytest.mark.parametrize("payload", [b"nan", b"inf", b"unknown", b"unavailable", b"None", b""])
def test_a_word_for_no_value_is_an_observation_without_value(payload):
    assert isnan(decoded(payload).values[0])


def test_a_zigbee_sensor_with_its_own_time():
    payload = (
        b'{"battery":91,"humidity":51.3,"last_seen":"2026-03-02T08:15:41+01:00","linkquality":80,"temperature":19.42}'
    )
    found = decoded(payload, **as_json("$.temperature", time="$.last_seen"))
    assert found.values == (19.42,)
    assert found.time_ns == 1_772_435_741 * SECOND_NS


def test_a_zigbee_plug_without_time_takes_that_of_its_arrival():
    payload = (
        b'{"current":0.5,"power":101.5,"state":"ON","update":{"installed_version":3,"state":"idle"},"voltage":231}'
    )
    found = decoded(payload, **as_json("power"))
    assert (found.values, found.time_ns) == ((101.5,), NOW)


def test_a_tasmota_meter_tells_civil_time_without_offset():
    payload = (
        b'{"Time":"2026-03-02T07:15:30","ENERGY":{"TotalStartTime":"2025-01-04T10:11:12","Power":515,"Factor":0.9}}'
    )
    found = decoded(payload, **as_json("ENERGY.Power", time="Time", timezone="Europe/Berlin"))
    assert (found.values, found.time_ns) == ((515.0,), 1_772_432_130 * SECOND_NS)


def test_a_shelly_status_with_epoch_seconds_inside():
    payload = (
        b'{"id":0,"output":true,"apower":44.1,"aenergy":{"total":12.5,"by_minute":[1.5,2.5],"minute_ts":1772432100},'
        b'"temperature":{"tC":41.5,"tF":106.7}}'
    )
    settings = as_json(["apower", "temperature.tC", "aenergy.by_minute[1]"], time="aenergy.minute_ts")
    found = decoded(payload, **settings)
    assert (found.values, found.time_ns) == ((44.1, 41.5, 2.5), 1_772_432_100 * SECOND_NS)


def test_availability_and_wills_are_no_readings():
    assert reason(b"Online") is Reason.WRONG_TYPE
    assert reason(b'{"state":"offline"}', **as_json("temperature")) is Reason.MISSING_FIELD


# booleans, words, text


def test_a_boolean_counts_only_as_the_map_says():
    assert reason(b'{"v":true}', **as_json()) is Reason.WRONG_TYPE
    assert decoded(b'{"v":true}', **as_json(map={"true": 1, "false": 0})).values == (1.0,)
    assert decoded(b'{"v":false}', **as_json(map={"true": 1, "false": 0})).values == (0.0,)


def test_words_count_as_the_map_says():
    assert decoded(b'{"v":"ON"}', **as_json(map={"ON": 1})).values == (1.0,)
    assert decoded(b" ON\n", map={"ON": 1, "OFF": 0}).values == (1.0,)
    assert reason(b"on", map={"ON": 1, "OFF": 0}) is Reason.WRONG_TYPE
    assert decoded(b"unknown", map={"unknown": -1}).values == (-1.0,)  # the map goes before the words for no value


def test_a_number_as_text_is_a_number():
    assert decoded(b'{"v":"20.5"}', **as_json()).values == (20.5,)
    assert reason(b'{"v":"1_000"}', **as_json()) is Reason.WRONG_TYPE


@pytest.mark.parametrize("value", [b"null", b'""', b'"nan"', b'"unavailable"'])
def test_a_json_value_that_says_nothing_is_missing(value):
    assert isnan(decoded(b'{"v":' + value + b"}", **as_json()).values[0])


def test_the_whole_document_may_be_the_value():
    assert decoded(b"20.5", **as_json("$")).values == (20.5,)


# refused


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"v": 20.', Reason.MALFORMED),
        (b"20,5", Reason.MALFORMED),
        (b'{"v": NaN}', Reason.MALFORMED),
        (b"\xff\xfe0\x00", Reason.NOT_UTF8),
        (b"[" * 40 + b"]" * 40, Reason.TOO_DEEP),
        (b'{"v": 1, "v": 2}', Reason.DUPLICATE_KEY),
        (b'{"w": 1}', Reason.MISSING_FIELD),
        (b"[1]", Reason.MISSING_FIELD),
        (b"5", Reason.MISSING_FIELD),
        (b'{"v": {"v": 1}}', Reason.WRONG_TYPE),
        (b'{"v": [1]}', Reason.WRONG_TYPE),
        (b'{"v": "warm"}', Reason.WRONG_TYPE),
        (b'{"v": 1e308}', Reason.NOT_FINITE),
        (b'{"v": 1e999}', Reason.NOT_FINITE),
        (b'{"v": -1e31}', Reason.NOT_FINITE),
        (b'{"v": ' + b"9" * 5_000 + b"}", Reason.NOT_FINITE),
    ],
)
def test_bad_json_and_its_reason(payload, expected):
    assert reason(payload, **as_json()) is expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\xff\xfe\x00\x01", Reason.NOT_UTF8),
        (b"1e308", Reason.NOT_FINITE),
        (b"{}", Reason.WRONG_TYPE),
        ("٣".encode(), Reason.WRONG_TYPE),
        (b"1" * 101, Reason.OVERSIZED),
    ],
)
def test_a_bad_number_and_its_reason(payload, expected):
    assert reason(payload, limit=100) is expected


def test_a_payload_of_exactly_the_limit_is_read():
    assert decoded(b"1".rjust(100), limit=100).values == (1.0,)


def test_a_retained_message_is_old_unless_the_stream_asks_for_it():
    assert reason(b"5", is_retained=True) is Reason.RETAINED
    assert decoded(b"5", is_retained=True, retained=True).values == (5.0,)


def test_topics_without_stream_and_topics_that_name_no_series_are_told_apart():
    decoder = Decoder([Stream(name="{x}", topic="in/{x}")], "b", 100)
    assert decoder.decode(Arrival("elsewhere/ab", b"5", NOW)).reason is Reason.UNKNOWN_TOPIC
    assert decoder.decode(Arrival("in/a\x00b", b"5", NOW)).reason is Reason.BAD_NAME


@pytest.mark.parametrize("value", [b"-40.1", b"85.5"])
def test_a_value_outside_the_physical_bounds_is_dropped(value):
    assert reason(value, bounds=(-40, 85)) is Reason.OUT_OF_BOUNDS


@pytest.mark.parametrize("value", [b"-40", b"85", b"nan"])
def test_bounds_include_their_ends_and_do_not_concern_missing_values(value):
    assert isinstance(decoded(value, bounds=(-40, 85)), Observation)


# time


def test_a_time_that_cannot_be_used_has_a_reason():
    settings = as_json(time="t")
    assert reason(b'{"v":1}', **settings) is Reason.MISSING_FIELD
    assert reason(b'{"v":1,"t":null}', **settings) is Reason.BAD_TIME
    assert reason(b'{"v":1,"t":"soon"}', **settings) is Reason.BAD_TIME
    assert reason(b'{"v":1,"t":-5}', **settings) is Reason.BEFORE_1970
    assert reason(b'{"v":1,"t":1772440301}', **settings) is Reason.FUTURE
    assert decoded(b'{"v":1,"t":1772440300}', **settings).time_ns == NOW + 300 * SECOND_NS


def test_milliseconds_taken_for_seconds_are_pointed_out():
    found = decoded(b'{"v":1,"t":1772440000123}', **as_json(time="t"))
    assert found.reason is Reason.BAD_TIME
    assert "is time_format right?" in found.detail
    assert decoded(b'{"v":1,"t":1772440000123}', **as_json(time="t", time_format="ms")).time_ns == NOW + 123_000_000


def test_recorded_data_has_no_clock_beside_it_and_no_future():
    found = decoded(b'{"v":1,"t":"2100-01-01T00:00:00Z"}', received_ns=0, **as_json(time="t"))
    assert (found.time_ns, found.received_ns) == (4_102_444_800 * SECOND_NS, 0)


# covariates


@pytest.mark.parametrize("other", [b"null", b'"x"', b"1e300", b"true", b"{}", b"[]"])
def test_a_covariate_that_cannot_be_read_is_missing_and_nothing_else(other):
    values = decoded(b'{"v":1,"w":' + other + b"}", **as_json(["v", "w", "absent"])).values
    assert values[0] == 1.0
    assert isnan(values[1])
    assert isnan(values[2])


def test_bounds_are_those_of_the_target():
    assert decoded(b'{"v":1,"w":500}', **as_json(["v", "w"], bounds=(0, 10))).values == (1.0, 500.0)


# any bytes at all

STREAMS = [
    Stream(name="n/{x}", topic="n/{x}", bounds=(-1e6, 1e6), map={"on": 1}),
    Stream(name="j/{x}", topic="j/{x}", format="json", value=["v", "a[0].b"], time="t", timezone="Europe/Berlin"),
    Stream(name="k/{x}", topic="k/{x}", format="json", value="$", map={"true": 1}),
    Stream(name="m/{x}", topic="m/{x}", format="json", value="v", time="t", time_format="ms", retained=True),
]
DECODER = Decoder(STREAMS, "streamlstm", 200)
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["v", "t", "a", "b"]) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)
payloads = (
    st.binary(max_size=220)
    | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.text(alphabet='{}[]":,\\0129eE+-.truefalsnvab ', max_size=40).map(str.encode)
    | json_like.map(lambda value: json.dumps(value).encode())
)
received = st.integers(0, 2**62)


@given(st.sampled_from("njkm?"), st.text(max_size=6), payloads, received, st.booleans())
def test_any_message_at_all_is_an_observation_or_has_one_reason(family, name, payload, received_ns, retained):
    found = DECODER.decode(Arrival(f"{family}/{name}", payload, received_ns, 3, retained))
    if isinstance(found, Discarded):
        assert isinstance(found.reason, Reason)
        assert found.detail
        found.detail.encode()
    else:
        assert found.series == f"{family}/{name}"
        assert found.stream == f"{family}/{{x}}"
        assert 0 <= found.time_ns < 2**63
        assert (found.position, found.received_ns) == (3, received_ns)
        assert all(isinstance(value, float) for value in found.values)
        assert all(isnan(value) or abs(value) <= 1e30 for value in found.values)


@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30) | st.just(nan), st.integers(0, NOW // SECOND_NS))
def test_what_a_device_writes_is_what_is_learned(target, other, seconds):
    payload = json.dumps({"v": target, "a": [{"b": None if isnan(other) else other}], "t": seconds}).encode()
    found = DECODER.decode(Arrival("j/x", payload, NOW))
    assert found.values[0] == target
    assert found.values[1] == other or isnan(other)
    assert found.time_ns == seconds * SECOND_NS
