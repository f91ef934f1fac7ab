"""A configuration is read whole or refused with every reason, each saying where, what was found and what is needed."""

import re
import tomllib
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.codec.covariates import plan
from streamlstm.config import Config, Covariate, Limits, Model, Stream, config_hash, load
from streamlstm.naming import EACH, is_series_name, key_path, reaches, topic_filter
from streamlstm.problems import ConfigError
from streamlstm.sections import Http, Mqtt, State
from streamlstm.units import UNITS_NS, duration_ns, lead, size_bytes

EXAMPLE = Path(__file__).parent.parent / "config" / "example.toml"
H, D = UNITS_NS["h"], UNITS_NS["d"]
SMALL = """
[mqtt]
url = "mqtt://broker.example"
[[streams]]
name = "power"
topic = "house/power"
"""


def stream(**settings):
    lines = {"name": "'power'", "topic": "'house/power'"} | settings
    return "[mqtt]\nurl = 'embedded'\n[[streams]]\n" + "\n".join(f"{name} = {text}" for name, text in lines.items())


def mqtt(**settings):
    lines = {"url": "'mqtts://broker.example'"} | settings
    return "[mqtt]\n" + "\n".join(f"{n} = {t}" for n, t in lines.items()) + "\n[[streams]]\nname = 'a'\ntopic = 'b'"


# the example


def test_the_example_is_a_valid_configuration():
    config = load(EXAMPLE, {})
    assert config.streams[0].value == ("temperature", "humidity")


def line_of(name, header):
    """The example's line of one setting."""
    _, _, text = EXAMPLE.read_text(encoding="utf-8").partition(f"\n{header}")
    return next(line for line in text.splitlines() if re.match(rf"\s*(# )?{name} = ", line))


def declared(section):
    """Each setting of a section with its default, as the model has it."""
    return {name: None if field.is_required() else field.default for name, field in section.model_fields.items()}


@pytest.mark.parametrize(
    ("header", "path", "section"),
    [
        ("[mqtt]", ("mqtt",), Mqtt),
        ("[state]", ("state",), State),
        ("[http]", ("http",), Http),
        ("[limits]", ("limits",), Limits),
        ("[[streams]]", ("streams", 0), Stream),
        ("  [[streams.covariates]]", ("streams", 0, "covariates", 0), Covariate),
        ("  [streams.model]", ("streams", 0, "model"), Model),
    ],
)
def test_the_example_names_every_setting_and_its_true_default(header, path, section):
    text = EXAMPLE.read_text(encoding="utf-8")
    table, values = tomllib.loads(text), load(EXAMPLE, {})
    for key in path:
        table = table[key]
        values = values[key] if isinstance(key, int) else getattr(values, key)
    optional = set(re.findall(r"^ *# (\w+) = ", text, re.MULTILINE))  # absent by default
    assert set(table) | (optional & set(section.model_fields)) == set(section.model_fields)
    for name, default in declared(section).items():
        if name in ("model", "covariates"):  # tables of their own
            continue
        line = line_of(name, header)
        if "no default" in line:
            assert section.model_fields[name].is_required()
        elif "example" in line or '"number" (default)' in line:
            assert getattr(values, name) != default
        elif line.lstrip().startswith("# "):
            assert default is None
        else:
            assert getattr(values, name) == default, line


def test_the_example_names_the_seed():
    assert tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["seed"] == Config.model_fields["seed"].default


def test_ranges_in_the_example_are_the_true_ones():
    for header, section in (("[mqtt]", Mqtt), ("[http]", Http), ("[limits]", Limits), ("  [streams.model]", Model)):
        for name, field in section.model_fields.items():
            limits = [getattr(note, "ge", getattr(note, "le", None)) for note in field.metadata]
            for limit in limits:
                if isinstance(limit, int) and limit < 2**20:  # larger ones are written with a unit
                    line = line_of(name, header)
                    assert re.search(rf"\b{limit}B?\b", line), line


# what is read


def test_a_small_configuration_has_defaults_for_the_rest(given_text):
    config = given_text(SMALL)
    assert config.mqtt.url == "mqtt://broker.example"
    assert config.streams[0].leads == (1, 3, 6, 12, 24)
    assert config.limits == Limits()


def test_units_are_read_as_nanoseconds_and_bytes(given_text):
    config = given_text(stream(step="'5min'", leads="[1, '1.5h']", gap="'2d'") + "\n[limits]\npayload = '1KiB'\n")
    assert config.streams[0].step == 300 * UNITS_NS["s"]
    assert config.streams[0].leads == (1, -3 * H // 2)
    assert config.streams[0].gap == 2 * D
    assert config.limits.payload == 1024


@given(st.integers(1, 10**9), st.sampled_from(sorted(UNITS_NS)))
def test_a_whole_number_of_any_unit_is_exact(number, unit):
    if number * UNITS_NS[unit] < 2**63:
        assert duration_ns(f"{number}{unit}") == duration_ns(f" {number}.0 {unit} ") == number * UNITS_NS[unit]


@given(st.text(max_size=30) | st.integers() | st.floats() | st.none() | st.booleans())
def test_any_other_value_is_no_duration_size_or_lead_and_nothing_else_happens(value):
    for read in (duration_ns, size_bytes, lead):
        try:
            assert isinstance(read(value), int)
        except ValueError as error:
            assert "need" in str(error)


def test_a_byte_order_mark_is_passed_over(given_text):
    assert given_text("\ufeff" + SMALL) == given_text(SMALL)


# the environment


def test_the_environment_goes_over_the_file(given_text):
    env = {
        "STREAMLSTM_MQTT__URL": "mqtts://other.example",
        "STREAMLSTM_LIMITS__MAX_SERIES": "7",
        "STREAMLSTM_SEED": "9",
        "STREAMLSTM_STREAMS__0__LEADS": "[2, '1h']",
        "STREAMLSTM_STREAMS__0__MODEL__HIDDEN": "8",
        "STREAMLSTM_STREAMS__0__RETAINED": "true",
        "UNRELATED": "x",
    }
    config = given_text(SMALL, env)
    assert config.mqtt.url == "mqtts://other.example"
    assert (config.limits.max_series, config.seed) == (7, 9)
    assert (config.streams[0].leads, config.streams[0].model.hidden) == ((2, -H), 8)
    assert config.streams[0].retained is True


def test_variables_that_kubernetes_sets_for_a_service_are_left_alone(given_text):
    env = {"STREAMLSTM_PORT": "tcp://10.0.0.1:9464", "STREAMLSTM_SERVICE_HOST": "10.0.0.1"}
    assert given_text(SMALL, env) == given_text(SMALL)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LIMITS__MAX_SERIES", "many", "limits.max_series = 'many': need a whole number, 1 to 1000000 (from {})"),
        ("MQTT__ULR", "x", "mqtt.ulr: no such setting; did you mean 'url'? (from {})"),
        ("STREAMS__3__UNIT", "W", "{}: need a number, 0 to 0, in place of '3'"),
        ("STREAMS__0__LEADS", "[1,", "{} = '[1,': need a list or table as TOML writes it"),
        ("MQTT__URL__HOST", "x", "{}: mqtt.url is a value, not a table"),
    ],
)
def test_a_problem_from_the_environment_names_the_variable(problems, name, value, expected):
    assert problems(SMALL, {f"STREAMLSTM_{name}": value}) == [expected.format(f"STREAMLSTM_{name}")]


# the file


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.toml: no such file"):
        load(tmp_path / "nothing.toml", {})


def test_a_directory_is_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path, {})


def test_other_encodings_are_refused_with_the_place(tmp_path):
    (tmp_path / "c.toml").write_bytes(b"# \xe9t\xe9\n")
    with pytest.raises(ConfigError, match="byte 2 is not UTF-8"):
        load(tmp_path / "c.toml", {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[mqtt]\nurl = \n", "c.toml, line 2, column 7: Invalid value"),
        ("[mqtt]\nurl = 'a'\nurl = 'b'\n", "c.toml, line 3, column 10: Cannot overwrite a value"),
        ("[mqtt", "c.toml, line 1, at its end: Expected ']' at the end of a table declaration"),
        ("a = " + "[" * 5_000, "c.toml: nested too deep"),
    ],
)
def test_a_mistake_in_the_syntax_names_line_and_column(problems, text, expected):
    (found,) = problems(text)
    assert found.endswith(expected)


def test_an_empty_file_says_what_is_needed(problems):
    assert problems("") == [
        "mqtt: missing; need a table, begun with [mqtt]",
        "streams: missing; need tables, each begun with [[streams]]",
    ]


# every setting


@pytest.mark.parametrize(
    ("setting", "text", "expected"),
    [
        ("model", "{ truncaton = 8 }", ".model.truncaton: no such setting; did you mean 'truncation'?"),
        ("model", "{ hidden = 0 }", ".model.hidden = 0: need a whole number, 1 to 256 (width of the hidden state)"),
        (
            "model",
            "{ hidden = true }",
            ".model.hidden = true: need a whole number, 1 to 256 (width of the hidden state)",
        ),
        (
            "model",
            "{ learning_rate = 2 }",
            ".model.learning_rate[0]: need a number, above 0, at most 1 (the optimiser's step, of as many cells as "
            "there are numbers)",
        ),
        (
            "model",
            "{ preset = 'fulll' }",
            ".model.preset = 'fulll': need 'full', 'fleet' or 'tiny' (best forecasts; thousands of "
            "series; least of everything)",
        ),
        ("model", "5", ".model = 5: need a table, begun with [streams.model]"),
        ("hidden", "3", ".hidden: no such setting; 'hidden' belongs to [streams.model]"),
        ("format", "'jsn'", ".format = 'jsn': need 'number' or 'json'"),
        ("bounds", "[1]", ".bounds = [1]: need a list of 2: a number each ([lowest, highest] value that is physical)"),
        ("bounds", "[2, 1]", ".bounds = [2, 1]: need the lowest first, then a higher one"),
        ("levels", "[0.8, 0.8]", ".levels = [0.8, 0.8]: need ascending values without repetition"),
        ("step", "'0s'", ".step = '0s': need a duration such as '30s', '5min' or '1h', or 'auto'"),
        ("step", "5", ".step = 5: need a duration such as '30s', '5min' or '1h', or 'auto'"),
        ("leads", "[1, 0]", ".leads[1] = 0: need a whole number of steps, 1 to 10000, or a duration such as '1h'"),
        ("leads", "[1, 1]", ".leads = [1, 1]: two of them are the same number of steps; need each once"),
        ("timezone", "'Mars'", ".timezone = 'Mars': need a zone of the IANA database such as 'Europe/Berlin'"),
        ("map", "{ on = 'x' }", ".map.on = 'x': need a number (what booleans and categories count as, e.g. {on = 1})"),
        ("value", "'v'", ".value = 'v': format 'number' is a bare number without keys; need format = 'json' for it"),
        ("retained", "'maybe'", ".retained = 'maybe': need true or false (learn from retained messages too)"),
        ("unit", "5", ".unit = 5: need text, at most 32 characters"),
    ],
)
def test_what_is_wrong_with_a_stream_is_said_with_its_name(problems, setting, text, expected):
    assert problems(stream(**{setting: text})) == [f"streams.power{expected}"]


def test_durations_and_their_limits_are_shown_with_units(problems):
    (found,) = problems(mqtt(keepalive="'2min'"))
    assert found.startswith(
        "mqtt.keepalive = '2min': need a duration such as '30s', '5min', '1h' or '7d', above 0, at most '1min'"
    )
    (found,) = problems(mqtt(keepalive="90"))
    assert found.startswith("mqtt.keepalive = 90: need a duration such as '30s'")


def test_all_problems_are_told_at_once(problems):
    text = """
    sed = 3
    [mqtt]
    url = "http://x"
    [limits]
    payload = "64KB"
    [[streams]]
    name = "power"
    topic = "house/+/power"
    gap = 5
      [streams.model]
      hidden = 0
    [[streams]]
    name = "x/{rom}"
    topic = "x/{room}"
    [[streams]]
    topic = "y"
    """
    found = "\n".join(problems(text))
    for where in (
        "sed:", "mqtt.url =", "limits.payload =", "streams.power.topic =", "streams.power.gap =",
        "streams.power.model.hidden =", "streams.x/{rom}.name = 'x/{rom}': {rom} is not in the topic",
        "streams.x/{rom}.name = 'x/{rom}': need {room} too", "streams[2].name: missing",
    ):  # fmt: skip
        assert where in found


def test_a_single_bracket_is_pointed_out(problems):
    assert problems("[mqtt]\nurl = 'embedded'\n[streams]\nname = 'a'\n") == [
        "streams = {...}: need tables, each begun with [[streams]]"
    ]


# names and topics


@pytest.mark.parametrize(
    ("name", "topic", "expected"),
    [
        ("a", "x/+/y", "'+' and '#' would pour many topics into one series"),
        ("a", "x/#", "'+' and '#' would pour many topics into one series"),
        ("a", "x/y+", "'+' and '#' would pour many topics into one series"),
        ("a", "#/x", "'+' and '#' would pour many topics into one series"),
        ("a", "$share/group/x", "deals one series out among several readers, who lose its order"),
        ("a", "x/{a b}", "'{a b}' is no placeholder"),
        ("a", "x/}", "'}' is no placeholder"),
        ("{a}", "x/{a}/{a}", "{a} stands twice"),
        ("{a}-{b}", "x/{a}-{b}", "holds two placeholders"),
        ("{a}", "x/y", "{a} is not in the topic"),
        ("a", "x/{a}", "need {a} too, as in the topic"),
        ("bridge/{a}", "x/{a}", "'bridge' is kept for topics of our own"),
        ("a//b", "x", "need levels with text between each '/'"),
        ("a+b", "x", "need levels with text between each '/'"),
        ("a" * 300, "x", "at most 256 bytes"),
        ("a", "x\\u0000", "control character"),
    ],
)
def test_names_and_topics_that_cannot_work(problems, name, topic, expected):
    found = problems(stream(name=f'"{name}"', topic=f'"{topic}"'))
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ("base", "topic", "hint"),
    [
        ("streamlstm", "streamlstm/{a}/state", "need a fixed level in front"),
        ("streamlstm", "{a}/power", "mqtt.base = 'streamlstm/forecasts'"),
        ("b/c", "b/{a}/state", "need a fixed level in front, or mqtt.base = 'b/forecasts/forecasts'"),
        ("streamlstm", "{a}_x/power", "mqtt.base = 'streamlstm/forecasts'"),  # the subscription is +/power all the same
    ],
)
def test_a_topic_that_would_bring_back_our_own_forecasts_is_refused(problems, base, topic, hint):
    (found,) = problems(f"[mqtt]\nurl = 'embedded'\nbase = '{base}'\n[[streams]]\nname = '{{a}}'\ntopic = '{topic}'")
    assert "would bring back our own forecasts" in found
    assert hint in found


def test_the_base_that_is_proposed_works(given_text):
    given_text(
        "[mqtt]\nurl = 'embedded'\nbase = 'streamlstm/forecasts'\n[[streams]]\nname = '{a}'\ntopic = '{a}/power'"
    )
    given_text(
        "[mqtt]\nurl = 'embedded'\nbase = 'b/forecasts/forecasts'\n[[streams]]\nname = '{a}'\ntopic = 'b/{a}/state'"
    )


def test_topics_of_the_broker_itself_may_be_learned(given_text):
    assert given_text(stream(topic="'$SYS/broker/load/messages/received/1min'"))


def test_two_streams_need_two_names_and_two_topics(problems):
    text = "[mqtt]\nurl = 'embedded'\n[[streams]]\nname = 'x/{a}'\ntopic = 't/{a}'\n[[streams]]\n"
    assert problems(text + "name = 'x/{b}'\ntopic = 'u/{b}'") == [
        "streams.x/{b}.name = 'x/{b}': stream 0 has this name already; need another"
    ]
    assert problems(text + "name = 'y/{b}'\ntopic = 't/{b}'") == [
        "streams.y/{b}.topic = 't/{b}': stream 'x/{a}' takes every message of it already"
    ]


def test_gathering_readings_needs_a_step_to_gather_them_into(problems):
    (found,) = problems(stream(aggregate="'sum'"))
    assert found.endswith(
        "aggregate = 'sum': need step beside it, such as step = '15min': into how long steps to gather"
    )
    (found,) = problems(stream(hold="'1h'"))
    assert "hold = '1h': need step beside it" in found


def test_a_sum_has_no_use_for_values_that_hold(problems):
    (found,) = problems(stream(step="'1h'", aggregate="'sum'", hold="'1h'"))
    assert "a reading that is not sent again adds nothing to a sum" in found


def test_leads_shorter_than_the_step_or_equal_in_steps_are_refused(problems):
    (found,) = problems(stream(step="'1h'", leads="['5min', 1]"))
    assert "'300s' is less than one step" in found
    (found,) = problems(stream(step="'1h'", leads="['1h', 1]"))
    assert "same number of steps" in found


# covariates


def joined(*covariates, **settings):
    """A stream with covariates, as inline tables."""
    return stream(covariates=f"[{', '.join(f'{{ {one} }}' for one in covariates)}]", **settings)


def test_covariates_are_counted_by_what_is_known_of_them(given_text):
    (own,) = given_text(
        joined(
            "topic = 'weather/outside', value = 'temp'",
            "topic = 'weather/forecast', values = 'hourly[].temp', times = 'hourly[].time', known_ahead = true",
            "topic = 'tariff', value = 'price', time = 'from', known_ahead = true, hold = '1h'",
            "topic = 'door', format = 'number', map = {open = 1, closed = 0}",
            format="'json'",
            value="['v', 'w']",
        )
    ).streams
    assert (own.inputs, own.ahead) == (3, 2)
    assert own.covariates[2].hold == H


def test_the_times_of_values_that_are_known_ahead_stand_beside_them_unless_told_otherwise(given_text):
    own = given_text(
        joined(
            "topic = 'weather/outside', value = 'temp'",
            "topic = 'weather/forecast', values = 'hourly[].temp', known_ahead = true",
        )
    ).streams[0]
    assert plan(own, own.covariates[1]).times == ("hourly", EACH, "time")
    columns = own.covariates[1].model_copy(update={"values": 'h."temp.2m"[]'})
    assert plan(own, columns).times == ("h", "time", EACH)


AHEAD = "topic = 'w', known_ahead = true"


@pytest.mark.parametrize(
    ("covariate", "expected"),
    [
        ("topic = 'w'", "[0].value: missing; format 'json' needs the key path of the value"),
        ("topic = 'w', value = 'a', valu = 'b'", "[0].valu: no such setting; did you mean 'value'?"),
        ("topic = 'w/+', value = 'a'", "[0].topic = 'w/+': '+' and '#' would pour many topics into one series"),
        ("topic = 'w/{a b}', value = 'a'", "[0].topic = 'w/{a b}': '{a b}' is no placeholder"),
        ("topic = 'w/{room}', value = 'a'", "[0].topic = 'w/{room}': {room} is not in the stream's topic"),
        ("topic = 'streamlstm/x/state', value = 'a'", "[0].topic = 'streamlstm/x/state': would bring back our own"),
        ("topic = 'w', value = 'a[]'", "[0].value = 'a[]': 'a[]' is no key path"),
        (f"{AHEAD}, values = 'a', times = 'b[]'", "[0].values = 'a': need a key path with [] for each element"),
        (f"{AHEAD}", "[0].known_ahead = true: for which times? known_ahead needs values and times"),
        (f"{AHEAD}, value = 'a'", "[0].known_ahead = true: for which times?"),
        (f"{AHEAD}, time = 'a'", "[0].known_ahead = true: for which times?"),
        (f"{AHEAD}, values = '[][1]'", "[0].times: missing; need it where 'time' has no key"),
        (f"{AHEAD}, times = 'a[]'", "[0].values: missing; need it beside times"),
        (f"{AHEAD}, value = 'a', values = 'a[]', times = 'b[]'", "[0].values = 'a[]': need either value (one a"),
        (f"{AHEAD}, values = 'a[]', times = 'b[]', time = 'c'", "[0].time = 'c': the values have times; is it issued"),
        (f"{AHEAD}, format = 'number'", "[0].known_ahead = true: a bare number does not say for when it is"),
        ("topic = 'w', values = 'a[]', times = 'b[]'", "[0].values = 'a[]': many values are for times to come; need"),
        ("topic = 'w', value = 'a', times = 'b[]'", "[0].times = 'b[]': many values are for times to come; need"),
        ("topic = 'w', format = 'number', value = 'a'", "[0].value = 'a': format 'number' is a bare number"),
        ("topic = 'w', value = 'a', issued = 'b'", "[0].issued = 'b': is for what is known ahead; need"),
        ("topic = 'w', value = 'a', hold = '1h'", "[0].hold = '1h': is for what is known ahead"),
        ("topic = 'w', value = 'a', hold = '0s'", "[0].hold = '0s': need a duration"),
    ],
)
def test_what_is_wrong_with_a_covariate_is_said_with_its_place(problems, covariate, expected):
    (found,) = problems(joined(covariate))
    assert found.startswith(f"streams.power.covariates{expected}")


def test_a_covariate_that_stands_twice_is_pointed_out(problems):
    one = "topic = 'w', value = 'a'"
    assert problems(joined(one, "topic = 'w', value = 'b'", one)) == [
        "streams.power.covariates[2]: stands twice; need it once"
    ]


def test_a_covariate_of_some_series_needs_names_that_can_be_taken_apart(problems, given_text):
    one = "topic = 'w/{a}', value = 'v'"
    (found,) = problems(joined(one, name="'{a}.{b}'", topic="'x/{a}/{b}'"))
    assert "need a '/' between the placeholders of the stream's name" in found
    assert given_text(joined(one, name="'{a}/{b}'", topic="'x/{a}/{b}'"))
    assert given_text(joined("topic = 'w', value = 'v'", name="'{a}.{b}'", topic="'x/{a}/{b}'"))


levels = st.sampled_from(["a", "b", "streamlstm", "{x}", "p{x}"])


@given(
    st.lists(levels, min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "b", "streamlstm"]), min_size=1, max_size=2),
)
def test_a_topic_reaches_our_own_exactly_when_some_topic_of_ours_matches(topic, base):
    def matches(ours):
        filter_ = topic_filter("/".join(topic)).split("/")
        return len(filter_) == len(ours) and all(f in ("+", o) for f, o in zip(filter_, ours, strict=True))

    below = [rest for depth in (1, 2, 3) for rest in product(("a", "b", "streamlstm"), repeat=depth)]
    assert reaches("/".join(topic), "/".join(base)) == any(matches([*base, *rest]) for rest in below)


@given(st.text(max_size=30))
def test_a_name_of_a_series_is_one_that_can_be_sent(name):
    if is_series_name(name):
        assert name.encode()
        assert "\x00" not in name
        assert all(name.split("/"))


@given(st.text(max_size=20) | st.text(alphabet='ab.[]"0$ ', max_size=12))
def test_any_text_is_a_key_path_or_none(text):
    path, paths = key_path(text), key_path(text, many=True)
    assert path is None or (all(isinstance(key, str | int) for key in path) and EACH not in path)
    assert paths is None or (path is None and EACH in paths)


@given(st.lists(st.text("ab.c[]\"' :é", min_size=1, max_size=4) | st.integers(0, 99), min_size=1, max_size=4))
def test_a_quoted_key_path_leads_through_any_keys(keys):
    steps = [f"[{k}]" if isinstance(k, int) else '."' + k.replace("\\", "\\\\").replace('"', '\\"') + '"' for k in keys]
    assert key_path("$" + "".join(steps)) == tuple(keys)


# the broker


@pytest.mark.parametrize(
    "url",
    [
        "http://x",
        "mqtt://",
        "broker",
        "mqtt://x:0",
        "mqtt://x:99999",
        "mqtt://x:port",
        "mqtt://[::1",
        "mqtt://a b",
        "",
        "mqtt://x/path",
    ],
)
def test_an_address_that_cannot_be_a_broker_is_refused(problems, url):
    (found,) = problems(mqtt(url=f"'{url}'"))
    assert found.startswith(f"mqtt.url = '{url}': ")
    assert "need mqtt://, mqtts://, ws:// or wss://" in found


@pytest.mark.parametrize("url", ["mqtt://x", "mqtts://x:8883", "ws://x:80/mqtt", "wss://[::1]:443/a?b=c", "embedded"])
def test_addresses_of_brokers(given_text, url):
    assert given_text(mqtt(url=f"'{url}'")).mqtt.url == url


def test_a_password_in_the_address_is_refused_and_not_repeated(problems):
    (found,) = problems(mqtt(url="'mqtt://me:secret@x'"))
    assert "mqtt.password_file" in found
    assert "secret" not in found


@pytest.mark.parametrize("base", ["a/#", "+", "a//b", "/a", "$SYS", "{x}"])
def test_a_base_is_plain_levels(problems, base):
    (found,) = problems(mqtt(base=f"'{base}'"))
    assert found.startswith(f"mqtt.base = '{base}': need plain levels")


def test_files_are_looked_for_beside_the_configuration(given_text, tmp_path):
    (tmp_path / "ca.pem").write_text("")
    assert given_text(mqtt(ca_file="'ca.pem'")).mqtt.ca_file == tmp_path / "ca.pem"
    assert given_text(mqtt(ca_file=f"'{tmp_path}/ca.pem'")).mqtt.ca_file == tmp_path / "ca.pem"


def test_files_that_do_not_exist_are_named(problems, tmp_path):
    assert problems(mqtt(ca_file="'ca.pem'")) == [f"mqtt.ca_file = '{tmp_path}/ca.pem': no such file or directory"]
    assert problems(mqtt(ca_file="'.'")) == [f"mqtt.ca_file = '{tmp_path}': is a directory"]


def test_certificates_go_with_their_key_and_with_tls(problems, tmp_path):
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).write_text("")
    assert "need key_file beside it" in problems(mqtt(cert_file="'c.pem'"))[0]
    assert "need cert_file beside it" in problems(mqtt(key_file="'k.pem'"))[0]
    assert "is not encrypted; need mqtts://" in problems(mqtt(url="'mqtt://x'", ca_file="'c.pem'"))[0]
    assert "need username beside it" in problems(mqtt(password_file="'c.pem'"))[0]


# the hash


def test_the_hash_changes_with_a_setting_and_not_with_who_we_are(given_text, tmp_path):
    (tmp_path / "p").write_text("secret")
    plain = config_hash(given_text(SMALL))
    assert re.fullmatch("[0-9a-f]{12}", plain)
    assert config_hash(given_text(SMALL)) == plain
    assert config_hash(given_text(SMALL, {"STREAMLSTM_SEED": "2"})) != plain
    login = {"STREAMLSTM_MQTT__USERNAME": "me", "STREAMLSTM_MQTT__PASSWORD_FILE": "p"}
    assert config_hash(given_text(SMALL, login)) == plain


def test_the_state_is_kept_beside_the_configuration_where_its_path_is_relative(given_text, tmp_path):
    config = given_text(SMALL + '\n[state]\ndirectory = "state"\n')
    assert config.state.directory == tmp_path / "state"
    assert given_text(SMALL).state.directory is None
    assert config_hash(config) == config_hash(given_text(SMALL))  # where it is kept changes no forecast
