"""Topics: which stream and series an incoming one names, and what ours are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from streamlstm.config import Stream
from streamlstm.events import Reason
from streamlstm.naming import PLACEHOLDER, RESERVED, VALUE, as_regex, is_series_name, topic_filter

_REMEMBERED = 32_768  # topics
_LONGEST_REMEMBERED = 512  # characters; MQTT allows 65,535, and a flood of those must not fill the memory


class Route(NamedTuple):
    """Where a topic leads."""

    stream: Stream
    series: str
    further: tuple[str, ...] = ()  # series of its further values, where they are forecast jointly


class Beside(NamedTuple):
    """Where a topic leads as a covariate."""

    stream: str
    covariate: int  # which of the stream's
    key: tuple[str, ...]  # the values of its placeholders, in the order of its topic


class Router:
    """Tell what a topic is to which stream. One series takes it: of several streams that match, that of the first one
    configured. As a covariate it serves all that name it."""

    def __init__(self, streams: Sequence[Stream], base: str) -> None:
        self.base = base
        covariates = [one for stream in streams for one in stream.covariates]
        listened = dict.fromkeys(map(topic_filter, [*[s.topic for s in streams], *[one.topic for one in covariates]]))
        # where two filters match, a broker may send a message twice
        self.filters = tuple(one for one in listened if not any(_covers(other, one) for other in listened))
        # What the broker keeps for a covariate is welcome again and again if it says when it is from.
        timed = [topic_filter(one.topic) for one in covariates if one.known_ahead or one.time is not None]
        self.fresh = {*timed} & {*self.filters} - {topic_filter(stream.topic) for stream in streams}
        self._patterns = [(stream, _pattern(stream.topic), _names(stream)) for stream in streams]
        # Remembered, 0.1 µs instead of 1 to 3 µs a topic, more with many streams.
        self._remembered = lru_cache(_REMEMBERED)(self._find)
        self._covariates = [
            (stream.name, place, _pattern(one.topic), PLACEHOLDER.findall(one.topic))
            for stream in streams
            for place, one in enumerate(stream.covariates)
        ]
        self._remembered_beside = lru_cache(_REMEMBERED)(self._find_beside)

    def beside(self, topic: str) -> tuple[Beside, ...]:
        """All covariates that a topic serves."""
        if not self._covariates:
            return ()
        return self._remembered_beside(topic) if len(topic) <= _LONGEST_REMEMBERED else self._find_beside(topic)

    def match(self, topic: str) -> Route | Reason:
        """UNKNOWN_TOPIC where no stream is meant; BAD_NAME where one is, but the series cannot be called so."""
        return self._remembered(topic) if len(topic) <= _LONGEST_REMEMBERED else self._find(topic)

    def _find(self, topic: str) -> Route | Reason:
        if topic.startswith(f"{self.base}/"):  # our own words; never learned from
            return Reason.UNKNOWN_TOPIC
        for stream, pattern, names in self._patterns:
            if found := pattern.fullmatch(topic):
                # split() leaves fixed text at even places and placeholders at odd ones
                series, *further = [
                    "".join(found[part] if place % 2 else part for place, part in enumerate(name)) for name in names
                ]
                if not all(map(is_series_name, (series, *further))):
                    return Reason.BAD_NAME
                return Route(stream, series, tuple(further))
        return Reason.UNKNOWN_TOPIC

    def _find_beside(self, topic: str) -> tuple[Beside, ...]:
        if topic.startswith(f"{self.base}/"):
            return ()
        found = []
        for stream, place, pattern, names in self._covariates:
            if match := pattern.fullmatch(topic):
                key = tuple(match[name] for name in names)
                if is_series_name("/".join(("-", *key))):  # else no series has such a part
                    found.append(Beside(stream, place, key))
        return tuple(found)


def bridge_state(base: str) -> str:
    """Whether we are there: online or offline, also the last will."""
    return f"{base}/{RESERVED}/state"


def bridge_info(base: str) -> str:
    """Who we are."""
    return f"{base}/{RESERVED}/info"


def bridge_health(base: str) -> str:
    """How we do."""
    return f"{base}/{RESERVED}/health"


def bridge_request(base: str, verb: str) -> str:
    """Where something is asked of us."""
    return f"{base}/{RESERVED}/request/{verb}"


def bridge_response(base: str, verb: str) -> str:
    """Where we answer."""
    return f"{base}/{RESERVED}/response/{verb}"


def forecast(base: str, series: str) -> str:
    """The forecast of one series, as JSON."""
    return f"{base}/{series}/forecast"


def value(base: str, series: str) -> str:
    """Its next value, plain, for simple subscribers."""
    return f"{base}/{series}/state"


def event(base: str, series: str) -> str:
    """What began or ended in a series, as JSON."""
    return f"{base}/{series}/event"


def availability(base: str, series: str) -> str:
    """Whether forecasts of it come: online or offline."""
    return f"{base}/{series}/availability"


def _covers(one: str, other: str) -> bool:
    """Whether one filter matches all that another one does, and more."""
    levels, theirs = one.split("/"), other.split("/")
    if one == other or len(levels) != len(theirs) or (theirs[0].startswith("$") and levels[0] == "+"):
        return False
    return all(level in ("+", their) for level, their in zip(levels, theirs, strict=True))


def _names(stream: Stream) -> list[list[str]]:
    """A series' name in parts, see `PLACEHOLDER.split`; several where each value is a series."""
    names = [stream.name.replace(VALUE, text) for text in stream.value] if stream.joint else [stream.name]
    return [PLACEHOLDER.split(name) for name in names]


def _pattern(topic: str) -> re.Pattern[str]:
    """A topic that begins with $ belongs to the broker, and no wildcard matches that, so no placeholder does either."""
    return re.compile((r"(?!\$)" if PLACEHOLDER.match(topic) else "") + as_regex(topic), re.DOTALL)
