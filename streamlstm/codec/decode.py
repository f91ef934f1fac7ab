"""One message in, one observation out, or the reason why not; and beside it what it says as a covariate.

Never a raise, whatever the bytes are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any
from zoneinfo import ZoneInfo

from streamlstm.codec import covariates
from streamlstm.codec.document import Path, lookup, parse, time_at
from streamlstm.codec.kinds import place, truth, whole
from streamlstm.codec.topics import Beside, Router
from streamlstm.codec.values import Unreadable, counted, number, shown, text_of, time_ns, too_early
from streamlstm.config import Stream
from streamlstm.events import Arrival, Discarded, Input, Known, Observation, Reason
from streamlstm.naming import key_path

__all__ = ["Decoder", "Unreadable", "number", "time_ns"]


@dataclass(frozen=True, slots=True)
class _Plan:
    """A stream's settings, made ready for many messages."""

    stream: str
    is_json: bool
    retained: bool
    target: Path
    read: Callable[[Any], float | Unreadable]  # a target's value
    covariates: tuple[Path, ...]  # or, of a joint stream, its further targets
    time: Path | None
    time_format: str
    zone: ZoneInfo
    words: Mapping[str, float]
    bounds: tuple[float, float] | None
    future_ns: int


class Decoder:
    """Turn arrivals into observations of the configured streams."""

    def __init__(self, streams: Sequence[Stream], base: str, payload_limit: int) -> None:
        self.router = Router(streams, base)
        self.payload_limit = payload_limit
        self._plans = {stream.name: _plan(stream) for stream in streams}
        self._joint = any(stream.joint for stream in streams)
        self._beside = {(s.name, n): covariates.plan(s, one) for s in streams for n, one in enumerate(s.covariates)}

    def inputs(self, arrivals: Iterable[Arrival]) -> list[Input]:
        """All that messages say, in order; of one message, what it says as a covariate first.

        However much that is, it counts once: for its own series, or else as a covariate, or else for the first reason
        why it is none.
        """
        if not self._beside and not self._joint:
            return [self.decode(arrival) for arrival in arrivals]
        return [item for arrival in arrivals for item in self._all(arrival)]

    def _all(self, arrival: Arrival) -> list[Input]:
        beside = self.router.beside(arrival.topic)
        if not beside:
            return [*self._own(arrival)]
        own = [] if self.router.match(arrival.topic) is Reason.UNKNOWN_TOPIC else self._own(arrival)
        said = self._covariates(arrival, beside)
        taken = [one for one in said if isinstance(one, Known)]
        if not taken and not own:
            return [Discarded("", arrival.received_ns, *one) for one in said[:1] if isinstance(one, Unreadable)]
        return [*[one._replace(counts=not own and n == 0) for n, one in enumerate(taken)], *own]

    def _own(self, arrival: Arrival) -> list[Observation | Discarded]:
        """What the message says of its own series, of which there may be several."""
        route = self.router.match(arrival.topic)
        if isinstance(route, Reason) or not route.further:
            return [self.decode(arrival)]
        plan, all_series = self._plans[route.stream.name], (route.series, *route.further)
        document = self._document(arrival, plan)
        at = document if isinstance(document, Unreadable) else _time(document, plan, arrival.received_ns)
        if isinstance(at, Unreadable):
            return [Discarded(route.series, arrival.received_ns, *at)]
        read = [_target(document, path, plan) for path in (plan.target, *plan.covariates)]
        known = [nan if isinstance(one, Unreadable) else one for one in read]
        return [
            Discarded(series, arrival.received_ns, *one)
            if isinstance(one, Unreadable)
            else Observation(
                series, plan.stream, at, (one, *known[:n], *known[n + 1 :]), arrival.position, arrival.received_ns
            )
            for n, (series, one) in enumerate(zip(all_series, read, strict=True))
        ]

    def _covariates(self, arrival: Arrival, beside: Sequence[Beside]) -> list[Known | Unreadable]:
        if oversized := self._oversized(arrival.payload):
            return [oversized]
        plans = [self._beside[one.stream, one.covariate] for one in beside]
        document = parse(arrival.payload) if any(plan.is_json for plan in plans) else None
        return [covariates.read(arrival, document, plan, one) for plan, one in zip(plans, beside, strict=True)]

    def decode(self, arrival: Arrival) -> Observation | Discarded:
        """What the message says of its own series, at its own time or else at that of its arrival."""
        route = self.router.match(arrival.topic)
        if isinstance(route, Reason):
            return Discarded("", arrival.received_ns, route, f"topic {shown(arrival.topic)}")
        found = self._read(arrival, route.series, self._plans[route.stream.name])
        if isinstance(found, Unreadable):
            return Discarded(route.series, arrival.received_ns, *found)
        return found

    def _oversized(self, payload: bytes) -> Unreadable | None:
        if len(payload) <= self.payload_limit:
            return None
        return Unreadable(Reason.OVERSIZED, f"{len(payload)} bytes; limits.payload is {self.payload_limit}")

    def _read(self, arrival: Arrival, series: str, plan: _Plan) -> Observation | Unreadable:
        document = self._document(arrival, plan)
        if isinstance(document, Unreadable):
            return document
        target = _target(document, plan.target, plan)
        if isinstance(target, Unreadable):
            return target
        at = _time(document, plan, arrival.received_ns)
        if isinstance(at, Unreadable):
            return at
        values = (target, *[_covariate(lookup(document, path), plan.words) for path in plan.covariates])
        return Observation(series, plan.stream, at, values, arrival.position, arrival.received_ns)

    def _document(self, arrival: Arrival, plan: _Plan) -> Any:
        """The payload as JSON values, or as its text; Unreadable where it is neither, or not wanted."""
        if arrival.retained and not plan.retained:
            return Unreadable(Reason.RETAINED, "kept by the broker, so old; retained = true would learn from it")
        if oversized := self._oversized(arrival.payload):
            return oversized
        return parse(arrival.payload) if plan.is_json else text_of(arrival.payload)


def _target(document: Any, path: Path, plan: _Plan) -> float | Unreadable:
    target = plan.read(lookup(document, path) if plan.is_json else document)
    if isinstance(target, Unreadable):
        return target
    if plan.bounds and not plan.bounds[0] <= target <= plan.bounds[1] and target == target:
        return Unreadable(Reason.OUT_OF_BOUNDS, f"{target} is outside bounds = {list(plan.bounds)}")
    return target


def _time(document: Any, plan: _Plan, received_ns: int) -> int | Unreadable:
    at = received_ns if plan.time is None else time_at(document, plan.time, plan.time_format, plan.zone)
    return at if isinstance(at, Unreadable) else too_early(at, received_ns, plan.future_ns) or at


def _plan(stream: Stream) -> _Plan:
    paths = [_path(text) for text in stream.value]
    return _Plan(
        stream=stream.name,
        is_json=stream.format == "json",
        retained=stream.retained,
        target=paths[0] if paths else (),
        read=reader(stream),
        covariates=tuple(paths[1:]),
        time=None if stream.time is None else _path(stream.time),
        time_format=stream.time_format,
        zone=ZoneInfo(stream.timezone),
        words=stream.map,
        bounds=_bounds(stream),
        future_ns=stream.future,
    )


def _path(text: str) -> Path:
    path = key_path(text)
    assert path is not None, f"{text!r} passed the configuration's own check"
    return path


def reader(stream: Stream) -> Callable[[Any], float | Unreadable]:
    """How a value of the stream's type is read."""
    match stream.type:
        case "boolean":
            return lambda found: truth(found, stream.map)
        case "category":
            return lambda found: place(found, stream.classes)
        case "count":
            return lambda found: whole(found, stream.map)
        case _:
            return lambda found: counted(found, stream.map)


def _bounds(stream: Stream) -> tuple[float, float] | None:
    """What a reading must lie within; of a counter it is the differences, and they are not known yet."""
    if stream.type == "count":
        return stream.limits
    return None if stream.type == "counter" else stream.bounds


def _covariate(found: Any, words: Mapping[str, float]) -> float:
    """Covariates help where they can be read, and are missing where not."""
    read = counted(found, words)
    return nan if isinstance(read, Unreadable) else read
