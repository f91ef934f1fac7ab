"""A topic names one stream and one series, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec import topics
from streamlstm.codec.topics import Route, Router
from streamlstm.config import Stream
from streamlstm.events import Reason
from streamlstm.naming import is_series_name, topic_filter

CLIMATE = Stream(name="climate/{room}", topic="zigbee2mqtt/{room}_climate", format="json", value="temperature")
LEVEL = Stream(name="{place}.{tank}", topic="{place}/tank/{tank}/level")
ONE = Stream(name="roof", topic="roof/temperature")
ROUTER = Router([CLIMATE, LEVEL, ONE], "streamlstm")


def test_placeholders_subscribe_as_plus_and_each_filter_once():
    again = Stream(name="plug/{room}", topic="zigbee2mqtt/{room}_plug")
    assert Router([CLIMATE, LEVEL, ONE, again], "b").filters == ("zigbee2mqtt/+", "+/tank/+/level", "roof/temperature")


@pytest.mark.parametrize(
    ("topic", "route"),
    [
        ("zigbee2mqtt/bedroom_climate", Route(CLIMATE, "climate/bedroom")),
        ("zigbee2mqtt/a_climate_climate", Route(CLIMATE, "climate/a_climate")),
        ("lab/tank/7/level", Route(LEVEL, "lab.7")),
        ("roof/temperature", Route(ONE, "roof")),
        ("zigbee2mqtt/Küche {0}'\"_climate", Route(CLIMATE, "climate/Küche {0}'\"")),
        ("zigbee2mqtt/.._climate", Route(CLIMATE, "climate/..")),
    ],
)
def test_a_topic_leads_to_its_stream_and_names_the_series(topic, route):
    assert ROUTER.match(topic) == route


@pytest.mark.parametrize(
    "topic",
    [
        "zigbee2mqtt/bedroom_plug",
        "zigbee2mqtt/bedroom_climate/availability",
        "zigbee2mqtt/_climate",
        "zigbee2mqtt/a/b_climate",
        "roof/temperature/",
        "Roof/temperature",
        "lab//tank/x/level",
        "$SYS/tank/x/level",  # no wildcard matches what belongs to the broker
        "streamlstm/tank/x/level",  # ours
        "../../etc/passwd",
        "",
    ],
)
def test_other_topics_are_unknown(topic):
    assert ROUTER.match(topic) is Reason.UNKNOWN_TOPIC


@pytest.mark.parametrize("room", ["a\x00b", "a\nb", "a+b", "#", "\ud800", "x" * 300, "ü" * 130, "\x7f", "a\ufffe"])
def test_a_series_cannot_be_called_so(room):
    assert ROUTER.match(f"zigbee2mqtt/{room}_climate") is Reason.BAD_NAME


def test_no_series_takes_the_place_of_the_bridge():
    router = Router([Stream(name="{device}", topic="in/{device}")], "streamlstm")
    assert router.match("in/bridge") is Reason.BAD_NAME
    assert router.match("in/bridges") == Route(router.match("in/bridges").stream, "bridges")


def test_the_first_stream_that_matches_takes_a_message():
    special = Stream(name="special", topic="in/x")
    rest = Stream(name="{device}", topic="in/{device}")
    assert Router([special, rest], "b").match("in/x") == Route(special, "special")
    assert Router([special, rest], "b").match("in/y") == Route(rest, "y")


def test_topics_of_the_greatest_length_are_answered_and_not_kept():
    flood = "zigbee2mqtt/" + "_" * 65_000 + "_climate"
    assert ROUTER.match(flood) is Reason.BAD_NAME
    assert ROUTER.match(flood[:-1]) is Reason.UNKNOWN_TOPIC


@given(st.text(max_size=20))
def test_any_topic_is_routed_or_refused_and_names_can_be_published(text):
    for topic in (text, f"zigbee2mqtt/{text}_climate", f"{text}/tank/{text}/level"):
        found = ROUTER.match(topic)
        if isinstance(found, Route):
            assert is_series_name(found.series)
            assert matches(topic_filter(found.stream.topic), topic)
            topics.forecast("base", found.series).encode()
        else:
            assert found in (Reason.UNKNOWN_TOPIC, Reason.BAD_NAME)


def matches(filter_, topic):
    """A broker's rule, as the standard words it, for filters without #."""
    ours, theirs = filter_.split("/"), topic.split("/")
    if topic.startswith("$") and ours[0] == "+":
        return False
    return len(ours) == len(theirs) and all(a in ("+", b) for a, b in zip(ours, theirs, strict=True))


def test_what_we_publish_and_where():
    assert topics.bridge_state("b") == "b/bridge/state"
    assert topics.bridge_info("b") == "b/bridge/info"
    assert topics.bridge_health("b") == "b/bridge/health"
    assert topics.forecast("b", "home/load") == "b/home/load/forecast"
    assert topics.value("b", "home/load") == "b/home/load/state"
    assert topics.availability("b", "home/load") == "b/home/load/availability"
