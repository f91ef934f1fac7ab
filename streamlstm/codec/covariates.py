"""A covariate's message: one value at its time, or many for times to come. What comes of them is `timeline.join`'s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any
from zoneinfo import ZoneInfo

from streamlstm.codec.document import Path, each, lookup, time_at
from streamlstm.codec.kinds import bucket, place
from streamlstm.codec.topics import Beside
from streamlstm.codec.values import Unreadable, counted, text_of, time_ns, too_early
from streamlstm.config import Covariate, Stream
from streamlstm.events import Arrival, Known, Reason
from streamlstm.naming import key_path, sibling

Series = tuple[tuple[int, ...], tuple[float, ...]]  # times, values

MOST = 10_000  # values of one message: as many as a lead may have steps


@dataclass(frozen=True, slots=True)
class Plan:
    """A covariate's settings, made ready for many messages."""

    is_json: bool
    is_ahead: bool
    value: Path
    time: Path | None
    values: Path | None
    times: Path
    issued: Path | None
    time_format: str
    zone: ZoneInfo
    read: Callable[[Any], float | Unreadable]  # a value
    future_ns: int


def plan(stream: Stream, covariate: Covariate) -> Plan:
    """Read the key paths once."""
    values = _path(covariate.values)
    return Plan(
        is_json=covariate.format == "json",
        is_ahead=covariate.known_ahead,
        value=_path(covariate.value) or (),
        time=_path(covariate.time),
        values=values,
        times=_path(covariate.times) or sibling(values or (), "time") or (),
        issued=_path(covariate.issued),
        time_format=covariate.time_format,
        zone=ZoneInfo(stream.timezone),
        read=_reader(covariate),
        future_ns=stream.future,
    )


def read(arrival: Arrival, document: Any, plan: Plan, beside: Beside) -> Known | Unreadable:
    """What a message says of a covariate. document: its payload as `document.parse` has it, for those in JSON."""
    if plan.is_json and isinstance(document, Unreadable):
        return document
    since = _since(arrival.received_ns, document, plan)
    if isinstance(since, Unreadable):
        return since
    found = _many(document, plan.values, plan) if plan.values is not None else _one(arrival, document, since, plan)
    if isinstance(found, Unreadable):
        return found
    return Known(*beside, since, *found, arrival.position, arrival.received_ns)


def _since(received_ns: int, document: Any, plan: Plan) -> int | Unreadable:
    """Since when it is known: as the message says, or else since its arrival."""
    path = plan.issued if plan.is_ahead else plan.time
    since = received_ns if path is None else time_at(document, path, plan.time_format, plan.zone)
    return since if isinstance(since, Unreadable) else too_early(since, received_ns, plan.future_ns) or since


def _one(arrival: Arrival, document: Any, since_ns: int, plan: Plan) -> Series | Unreadable:
    """One value, at the time it is for."""
    found = plan.read(lookup(document, plan.value) if plan.is_json else text_of(arrival.payload))
    if isinstance(found, Unreadable):
        return found
    at: int | Unreadable = since_ns
    if plan.is_ahead and plan.time is not None:
        at = time_at(document, plan.time, plan.time_format, plan.zone)
    return at if isinstance(at, Unreadable) else ((at,), (found,))


def _many(document: Any, path: Path, plan: Plan) -> Series | Unreadable:
    """Values with the times they are for, ascending. Where a time stands twice, the last of its values is the one."""
    found, given = each(document, path, MOST), each(document, plan.times, MOST)
    if isinstance(found, Unreadable):
        return found
    if isinstance(given, Unreadable):
        return given
    if len(found) != len(given) or not found:
        return Unreadable(Reason.MALFORMED, f"{len(found)} values and {len(given)} times: need one for each, and some")
    at: dict[int, float] = {}
    unreadable = []
    for raw, raw_time in zip(found, given, strict=True):
        time = raw_time if isinstance(raw_time, Unreadable) else time_ns(raw_time, plan.time_format, plan.zone)
        if isinstance(time, Unreadable):
            return time
        value = plan.read(raw)
        if isinstance(value, Unreadable):
            unreadable.append(value)
            value = nan
        at[time] = value
    if len(unreadable) == len(found):
        return unreadable[0]
    times = sorted(at)
    return tuple(times), tuple(at[time] for time in times)


def _reader(covariate: Covariate) -> Callable[[Any], float | Unreadable]:
    """A number; of words, the place of the input that is to be 1."""
    if covariate.classes:
        return lambda found: place(found, covariate.classes)
    if covariate.hashed:
        return lambda found: bucket(found, covariate.hashed or 1)
    return lambda found: counted(found, covariate.map)


def _path(text: str | None) -> Path | None:
    """A key path that has passed the configuration's own check."""
    if text is None:
        return None
    found = key_path(text)
    return key_path(text, many=True) if found is None else found
