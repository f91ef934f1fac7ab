"""What is wrong between settings that are each right by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from streamlstm.naming import (
    PLACEHOLDER,
    VALUE,
    is_series_name,
    key_path,
    reaches,
    sibling,
    topic_filter,
    topic_problems,
)
from streamlstm.problems import Where
from streamlstm.units import UNITS_NS

if TYPE_CHECKING:
    from streamlstm.config import Covariate, Stream
    from streamlstm.sections import Mqtt


MOST_COLUMNS = 32  # inputs from topics of their own


def between(mqtt: Mqtt | None, streams: Iterable[tuple[int, Stream]]) -> list[tuple[Where, str]]:
    """What is wrong between sections that are each right by themselves."""
    found: list[tuple[Where, str]] = []
    names: dict[str, int] = {}
    topics: dict[str, str] = {}
    for n, stream in streams:
        listened = {("streams", n, "topic"): stream.topic} | {
            ("streams", n, "covariates", m, "topic"): one.topic for m, one in enumerate(stream.covariates)
        }
        found += [
            (where, f"would bring back our own forecasts under '{mqtt.base}/'; {_apart(topic, mqtt)}")
            for where, topic in listened.items()
            if mqtt is not None and reaches(topic, mqtt.base)
        ]
        name, topic = PLACEHOLDER.sub("{}", stream.name), PLACEHOLDER.sub("{}", stream.topic)
        if name in names:
            found.append((("streams", n, "name"), f"stream {names[name]} has this name already; need another"))
        if topic in topics:
            found.append((("streams", n, "topic"), f"stream {topics[topic]!r} takes every message of it already"))
        names.setdefault(name, n)
        topics.setdefault(topic, stream.name)
    return found


def _apart(topic: str, mqtt: Mqtt) -> str:
    """How topic and base can be told apart."""
    for depth, level in enumerate(topic_filter(topic).split("/")):
        if level != "+":
            base = "/".join([mqtt.base.split("/")[0], *["forecasts"] * depth])
            if not reaches(topic, base):
                return f"need a fixed level in front, or mqtt.base = '{base}'"
    return "need a fixed level in front"


def step_problems(step: int | Literal["auto"], aggregate: str | None, hold: int) -> list[tuple[Where, str]]:
    """What does not go with how readings are gathered into steps."""
    found: list[tuple[Where, str]] = []
    if step == "auto" and (aggregate or hold):
        name = "aggregate" if aggregate else "hold"
        found.append(((name,), "need step beside it, such as step = '15min': into how long steps to gather"))
    if hold and aggregate in ("sum", "count"):
        found.append((("hold",), f"a reading that is not sent again adds nothing to a {aggregate}; need no hold"))
    return found


def ttl_problems(stream: Stream) -> list[tuple[Where, str]]:
    """What a series waits for, it cannot wait for once it is closed."""
    waits = {"gap": stream.gap, "lateness": stream.lateness, "hold": stream.hold, "step": stream.step}
    waits["the coarsest of resolutions"] = max((one.step for one in stream.resolutions), default=0)
    ttl = stream.ttl
    late = [name for name, wait in waits.items() if isinstance(wait, int) and ttl is not None and ttl <= wait]
    return [(("ttl",), f"need a longer one than {name}, which a series waits for") for name in late]


def covariate_problems(covariate: Covariate) -> list[tuple[Where, str]]:
    """What does not go together within one covariate."""
    found: list[tuple[Where, str]] = [(("topic",), what) for what in topic_problems(covariate.topic)]
    found += word_problems(covariate)
    given = {name for name in ("value", "time", "values", "times", "issued") if getattr(covariate, name) is not None}
    if covariate.format == "number":
        bare = "format 'number' is a bare number without keys; need format = 'json' for it"
        found += [((name,), bare) for name in sorted(given)]
        if covariate.known_ahead:
            found.append((("known_ahead",), "a bare number does not say for when it is; need format = 'json' for it"))
        return found
    if covariate.known_ahead:
        if given >= {"value", "values"}:
            found.append((("values",), "need either value (one a message) or values (many), not both"))
        elif given & {"values", "times"}:
            if "values" not in given:
                found.append((("values",), "missing; need it beside times"))
            elif "times" not in given and sibling(key_path(covariate.values or "", many=True) or (), "time") is None:
                found.append((("times",), "missing; need it where 'time' has no key of the values to stand beside"))
            if "time" in given:
                found.append((("time",), "the values have times; is it issued, when they came to be known?"))
        elif not given >= {"value", "time"}:
            need = "known_ahead needs values and times (many a message), or value and time (one a message)"
            found.append((("known_ahead",), f"for which times? {need}"))
        return found
    if "values" in given or "times" in given:
        name = "values" if "values" in given else "times"
        found.append(((name,), "many values are for times to come; need known_ahead = true, or value for one"))
    elif "value" not in given:
        found.append((("value",), "missing; format 'json' needs the key path of the value"))
    if "issued" in given:
        found.append((("issued",), "is for what is known ahead; need known_ahead = true, or time"))
    if covariate.hold is not None:
        found.append((("hold",), "is for what is known ahead: the age of any other value is an input beside it"))
    return found


def word_problems(covariate: Covariate) -> list[tuple[Where, str]]:
    """What does not go with a covariate of words."""
    if not covariate.width:
        return []
    found: list[tuple[Where, str]] = []
    if covariate.classes and covariate.hashed:
        found.append((("hashed",), "is for words that are not known beforehand; need either it or classes"))
    if covariate.classes and len(set(covariate.classes)) < max(2, len(covariate.classes)):
        found.append((("classes",), "need 2 to 16 different words, such as ['heat', 'cool', 'off']"))
    if covariate.map:
        found.append((("map",), "makes numbers of words; need it or classes or hashed"))
    return found


def joining_problems(stream: Stream) -> list[tuple[Where, str]]:
    """What keeps a stream's covariates from being joined to its series."""
    found: list[tuple[Where, str]] = []
    own = PLACEHOLDER.findall(stream.topic)
    columns = sum(one.width or 1 for one in stream.covariates)
    if columns > MOST_COLUMNS:
        found.append((("covariates",), f"{columns} inputs, each word being one; need at most {MOST_COLUMNS}"))
    for n, one in enumerate(stream.covariates):
        where: Where = ("covariates", n, "topic")
        theirs = PLACEHOLDER.findall(one.topic)
        found += [
            (where, f"{{{name}}} is not in the stream's topic: to which of its series would a value belong?")
            for name in dict.fromkeys(theirs)
            if name not in own
        ]
        if theirs and any(len(PLACEHOLDER.findall(level)) > 1 for level in stream.name.split("/")):
            found.append((where, "need a '/' between the placeholders of the stream's name, to tell them apart"))
        if one in stream.covariates[:n]:
            found.append((("covariates", n), ": stands twice; need it once"))
    return found


def joint_problems(stream: Stream) -> list[tuple[Where, str]]:
    """What keeps a stream's values from being forecast each beside the others."""
    if not stream.joint:
        return []
    found: list[tuple[Where, str]] = []
    if len(stream.value) < 2:
        found.append((("value",), "joint needs several key paths: each is forecast beside the others"))
    if len(set(stream.value)) < len(stream.value):
        found.append((("value",), "one stands twice; joint needs each once"))
    if VALUE in stream.topic:
        found.append((("topic",), f"{VALUE} stands for a key path where joint is true; need another name for it"))
    if VALUE not in stream.name:
        found.append(
            (("name",), f"need {VALUE} in it: joint gives each value a series, such as '{stream.name}/{VALUE}'")
        )
    found += [
        (("value",), f"'{text}' would stand in a series' name: need a key path without '/', '+', '#' and braces")
        for text in stream.value
        if {*"/{}"} & {*text} or not is_series_name(f"x/{text}")
    ]
    if stream.type not in ("number", "boolean", "count"):
        found.append((("joint",), f"is not for the type {stream.type}; need number, boolean or count"))
    return found


def lead_problems(leads: tuple[int, ...], step: int | Literal["auto"]) -> list[str]:
    """Leads that repeat or that the step cannot reach, as far as the step is known."""
    if step != "auto":
        short = [f"'{-lead / UNITS_NS['s']:g}s'" for lead in leads if lead < 0 and 2 * -lead < step]
        if short:
            return [f"{', '.join(short)} is less than one step; need at least the step"]
        leads = tuple(lead if lead > 0 else (2 * -lead + step) // (2 * step) for lead in leads)
    repeated = sorted({lead for lead in leads if leads.count(lead) > 1})
    return ["two of them are the same number of steps; need each once"] if repeated else []
