"""What goes with an observation: its covariates as of its time, their ages, and what was known ahead."""

from __future__ import annotations

from math import isnan, nan

from hypothesis import given
from hypothesis import strategies as st

from streamlstm.config import Stream
from streamlstm.events import Known
from streamlstm.timeline.join import Joins

HOUR = 3_600_000_000_000
CLIMATE = Stream(
    name="{house}/climate/{room}",
    topic="{house}/{room}/climate",
    format="json",
    value=("temp", "humidity"),
    covariates=(
        {"topic": "weather", "value": "temp"},
        {"topic": "forecast", "values": "h[].v", "times": "h[].t", "known_ahead": True},
        {"topic": "{house}/{room}/window", "format": "number"},
        {"topic": "{house}/tariff", "value": "v", "time": "t", "known_ahead": True},
    ),
)
NAME = CLIMATE.name


def past(covariate, key, hour, value):
    return Known(NAME, covariate, key, hour * HOUR, (hour * HOUR,), (value,))


def ahead(covariate, key, since, **by_hour):
    times = tuple(int(name[1:]) * HOUR for name in by_hour)
    return Known(NAME, covariate, key, since * HOUR, times, tuple(by_hour.values()))


def test_each_value_and_its_age_stand_where_the_model_looks_for_them():
    joins = Joins(CLIMATE, 100)
    join = joins.join("mill/climate/attic")
    for known in (
        past(0, (), 8, 3.0),
        past(2, ("mill", "attic"), 9, 1.0),
        ahead(1, (), 5, h11=11.0, h12=12.0, h13=13.0),
        ahead(3, ("mill",), 5, h10=0.3),
        ahead(3, ("mill",), 5, h12=0.2),
    ):
        assert joins.take(known)
    target, *others = join.values((20.0, 55.0), 10 * HOUR, 10 * HOUR, HOUR // 2, (2, 4, 9))
    assert target == 20.0
    assert others[:3] == [55.0, 3.0, 1.0]  # in the message, then those joined
    assert others[3:6] == [0.0, 4.0, 2.0]  # half hours
    assert others[6:8] == [11.0, 12.0] and isnan(others[8])  # 11:00, 12:00, 14:30
    assert others[9:11] == [0.3, 0.2] and isnan(others[11])


def test_a_covariate_of_one_room_is_joined_to_that_room_and_one_of_a_house_to_that_house():
    joins = Joins(CLIMATE, 100)
    rooms = {name: joins.join(name) for name in ("mill/climate/attic", "mill/climate/hall", "barn/climate/attic")}
    joins.take(past(0, (), 1, 5.0))
    joins.take(past(2, ("mill", "attic"), 1, 1.0))
    joins.take(ahead(3, ("mill",), 1, h2=0.3))
    joins.take(ahead(3, ("mill",), 1, h3=0.3))
    found = {name: join.values((1.0, 2.0), HOUR, HOUR, HOUR, (1,)) for name, join in rooms.items()}
    windows = {name: values[3] for name, values in found.items()}
    tariffs = {name: values[-1] for name, values in found.items()}
    assert all(values[2] == 5.0 for values in found.values())
    assert windows["mill/climate/attic"] == 1.0
    assert isnan(windows["mill/climate/hall"]) and isnan(windows["barn/climate/attic"])
    assert tariffs["mill/climate/attic"] == tariffs["mill/climate/hall"] == 0.3
    assert isnan(tariffs["barn/climate/attic"])


def test_what_is_unknown_has_age_zero_like_a_covariate_that_its_message_left_out():
    found = Joins(CLIMATE, 100).join("mill/climate/attic").values((1.0, nan), HOUR, HOUR, HOUR, (1, 2))
    assert found[0] == 1.0
    assert all(map(isnan, (*found[1:4], *found[7:])))
    assert found[4:7] == (0.0, 0.0, 0.0)


def test_topics_that_belong_to_no_series_do_not_fill_the_memory_nor_keep_series_out():
    joins = Joins(CLIMATE, 3)
    taken = [joins.take(past(2, ("mill", f"room{n}"), 1, 1.0)) for n in range(5)]
    assert taken == [True, True, True, False, False]
    join = joins.join("mill/climate/cellar")
    assert joins.take(past(2, ("mill", "cellar"), 1, 4.0))
    assert join.values((1.0, 2.0), HOUR, HOUR, HOUR, (1,))[3] == 4.0


def test_names_that_begin_like_topics_of_the_broker_are_names_all_the_same():
    stream = Stream(name="{x}", topic="in/{x}", covariates=({"topic": "w/{x}", "value": "v"},))
    joins = Joins(stream, 10)
    join = joins.join("$a\n.b")
    joins.take(Known("{x}", 0, ("$a\n.b",), 5, (5,), (2.0,)))
    assert join.values((1.0,), 5, 5, 1, (1,)) == (1.0, 2.0, 0.0)


@given(
    st.lists(st.tuples(st.sampled_from([0, 2]), st.integers(0, 30), st.floats(-9, 9)), max_size=20), st.integers(0, 30)
)
def test_there_are_always_as_many_values_as_the_model_is_told(messages, hour):
    joins = Joins(CLIMATE, 100)
    for covariate, at, value in messages:
        joins.take(past(covariate, ("mill", "attic") if covariate else (), at, value))
    leads = (1, 3, 7)
    found = joins.join("mill/climate/attic").values((1.0, 2.0), hour * HOUR, hour * HOUR, HOUR, leads)
    assert len(found) == 1 + 2 * CLIMATE.inputs + CLIMATE.ahead * len(leads)
    ages = found[1 + CLIMATE.inputs : 1 + 2 * CLIMATE.inputs]
    assert all(age >= 0 for age in ages)
