"""Values as observations of a series, hour by hour, and what was said of them, for tests of the whole engine."""

from __future__ import annotations

from collections.abc import Iterable

from streamlstm.events import SECOND_NS, Event, Forecast, Kind, Observation, Output
from tests.small import STREAM

HOUR_NS = 3600 * SECOND_NS


def observations(
    values: Iterable[float],
    *,
    stream: str = STREAM.name,
    series: str = "",
    every_ns: int = HOUR_NS,
    after_ns: int | None = None,
) -> list[Observation]:
    """One value a step, the first at time 0. series: named as the stream if not given.

    after_ns: how long each took to arrive; None: recorded, which knows no arrival.
    """
    return [
        Observation(
            series or stream, stream, i * every_ns, (float(y),), i, 0 if after_ns is None else i * every_ns + after_ns
        )
        for i, y in enumerate(values)
    ]


def forecasts(outputs: Iterable[Output]) -> list[Forecast]:
    return [output for output in outputs if isinstance(output, Forecast)]


def told(outputs: Iterable[Output], kind: Kind) -> list[tuple[bool, int]]:
    """Whether each event of a kind began or ended, and at which hour."""
    return [(e.begins, e.time_ns // HOUR_NS) for e in outputs if isinstance(e, Event) and e.kind is kind]
