"""What is wrong between settings that are each right by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from streamlstm.naming import PLACEHOLDER, reaches, topic_filter
from streamlstm.problems import Where
from streamlstm.units import UNITS_NS

if TYPE_CHECKING:
    from streamlstm.config import Mqtt, Stream


def between(mqtt: Mqtt | None, streams: Iterable[tuple[int, Stream]]) -> list[tuple[Where, str]]:
    """What is wrong between sections that are each right by themselves."""
    found: list[tuple[Where, str]] = []
    names: dict[str, int] = {}
    topics: dict[str, str] = {}
    for n, stream in streams:
        if mqtt is not None and reaches(stream.topic, mqtt.base):
            found.append(
                (
                    ("streams", n, "topic"),
                    f"would bring back our own forecasts under '{mqtt.base}/'; {_apart(stream, mqtt)}",
                )
            )
        name, topic = PLACEHOLDER.sub("{}", stream.name), PLACEHOLDER.sub("{}", stream.topic)
        if name in names:
            found.append((("streams", n, "name"), f"stream {names[name]} has this name already; need another"))
        if topic in topics:
            found.append((("streams", n, "topic"), f"stream {topics[topic]!r} takes every message of it already"))
        names.setdefault(name, n)
        topics.setdefault(topic, stream.name)
    return found


def _apart(stream: Stream, mqtt: Mqtt) -> str:
    """How topic and base can be told apart."""
    for depth, level in enumerate(topic_filter(stream.topic).split("/")):
        if level != "+":
            base = "/".join([mqtt.base.split("/")[0], *["forecasts"] * depth])
            if not reaches(stream.topic, base):
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


def lead_problems(leads: tuple[int, ...], step: int | Literal["auto"]) -> list[str]:
    """Leads that repeat or that the step cannot reach, as far as the step is known."""
    if step != "auto":
        short = [f"'{-lead / UNITS_NS['s']:g}s'" for lead in leads if lead < 0 and 2 * -lead < step]
        if short:
            return [f"{', '.join(short)} is less than one step; need at least the step"]
        leads = tuple(lead if lead > 0 else (2 * -lead + step) // (2 * step) for lead in leads)
    repeated = sorted({lead for lead in leads if leads.count(lead) > 1})
    return ["two of them are the same number of steps; need each once"] if repeated else []
