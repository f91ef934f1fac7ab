"""Forecasts, and what we say of ourselves, as the bytes that subscribers read. `schema/` describes each of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from math import isfinite, nan
from typing import Any

import orjson

from streamlstm.events import SECOND_NS, Event, Forecast

VERSION = 1  # of the payloads
ALONE = 0.95  # of the weight: so much of it makes a source the only one worth naming
UNKNOWN = b"unknown"  # a next value that is not known; home automation reads it so, and so do we
_EPOCH = datetime(1970, 1, 1)
_LAST_NS = 253_402_300_800 * SECOND_NS  # the year 10000, which RFC 3339 cannot write


def is_publishable(f: Forecast) -> bool:
    """Whether there is anything honest to say: at least one lead has a value."""
    return any(map(isfinite, f.yhat.tolist())) and f.origin_ns + max(f.leads) * f.step_ns < _LAST_NS


def forecast(f: Forecast, *, unit: str, issued_ns: int, model_rev: str, config_hash: str) -> bytes:
    """One publishable forecast. What is not known is null (orjson writes no NaN)."""
    numbers, frame = f.numbers.tolist(), f.frame  # all of them at once: part by part would take three times as long
    leads, levels, parts = frame.leads, _keys(frame.levels), frame.parts
    n = len(leads)

    def row(name: str) -> list[float]:
        found: list[float] = numbers[parts[name]]
        return found

    def rows(name: str) -> list[list[float]]:
        found = numbers[parts[name]]
        return [found[begin : begin + n] for begin in range(0, len(found), n)]

    shares = zip(frame.sources, row("weights"), strict=True)
    weights = {name: share for name, share in shares if share > 0}
    first = max(weights, key=weights.__getitem__, default="persistence")
    return orjson.dumps(
        {
            "v": VERSION,
            "series": f.series,
            "issued": _issued(issued_ns),
            "origin": rfc3339(f.origin_ns),
            "position": f.position,
            "unit": unit,
            "step_s": _seconds(frame.step_ns),
            "time": _times(f.origin_ns, frame.step_ns, leads),
            "yhat": row("yhat"),
            **({"classes": dict(zip(frame.classes, rows("classes"), strict=True))} if frame.classes else {}),
            "lower": dict(zip(levels, rows("lower"), strict=True)),
            "upper": dict(zip(levels, rows("upper"), strict=True)),
            "y": f.y,
            "anomaly_score": row("anomaly_score")[0],
            "state": f.state.value,
            "source": first if weights.get(first, 0.0) >= ALONE else "blend",
            "weights": weights,
            "skill": dict(zip(_keys(leads), map(_skill, row("skill_persistence"), row("skill_seasonal")), strict=True)),
            "coverage": dict(zip(levels, map(_mean, rows("coverage")), strict=True)),
            "n_seen": f.n_seen,
            "model_rev": model_rev,
            "config_hash": config_hash,
        }
    )


def value(f: Forecast) -> bytes:
    """The forecast of the nearest lead, as a bare number; of a category, as the word."""
    nearest = float(f.yhat[f.leads.index(min(f.leads))])
    if f.frame.classes and isfinite(nearest):
        return f.frame.classes[int(nearest)].encode()
    return repr(nearest).encode() if isfinite(nearest) else UNKNOWN


def event(e: Event) -> bytes:
    """Something that began or ended."""
    return orjson.dumps(
        {
            "v": VERSION,
            "series": e.series,
            "time": rfc3339(e.time_ns),
            "position": e.position,
            "event": e.kind.value,
            "phase": "begin" if e.begins else "end",
            "strength": e.strength,
        }
    )


def info(*, version: str, config_hash: str, series: int, started_ns: int) -> bytes:
    """Who we are."""
    return orjson.dumps(
        {
            "v": VERSION,
            "version": version,
            "config_hash": config_hash,
            "series": series,
            "started": rfc3339(started_ns),
        }
    )


def health(
    *, is_ready: bool, why: str, sheds: bool, lag_s: float, oldest_unacknowledged_s: float, time_ns: int
) -> bytes:
    """How we do; `why` says what readiness waits for, `sheds` whether forecasts go on without learning."""
    return orjson.dumps(
        {
            "v": VERSION,
            "status": "ok" if is_ready else "not_ready",
            "why": why,
            "learning": "shed" if sheds else "on",
            "lag_s": lag_s,
            "oldest_unacknowledged_s": oldest_unacknowledged_s,
            "time": rfc3339(time_ns),
        }
    )


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a payload: forecast, event, info or health."""
    found: dict[str, Any] = orjson.loads((resources.files("streamlstm.codec") / "schema" / f"{name}.json").read_bytes())
    return found


def rfc3339(time_ns: int) -> str:
    """A time in UTC, with as many digits of the second as it has.

    >>> rfc3339(1_772_432_141_250_000_000)
    '2026-03-02T06:15:41.25Z'
    """
    seconds, rest_ns = divmod(time_ns, SECOND_NS)
    text = _whole_second(seconds)
    return f"{text}.{rest_ns:09d}".rstrip("0") + "Z" if rest_ns else text + "Z"


@lru_cache(16_384)
def _whole_second(seconds: int) -> str:
    """Remembered: what lead 24 speaks of now lead 12 will speak of later, and other series at the same time."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()


_issued = lru_cache(4)(rfc3339)  # all forecasts of a batch are issued at once


@lru_cache(1_024)
def _times(origin_ns: int, step_ns: int, leads: tuple[int, ...]) -> tuple[str, ...]:
    """Remembered, since other series have the same."""
    return tuple(rfc3339(origin_ns + lead * step_ns) for lead in leads)


def _seconds(ns: int) -> int | float:
    return ns // SECOND_NS if ns % SECOND_NS == 0 else ns / SECOND_NS


@lru_cache(256)
def _keys(numbers: tuple[float, ...]) -> tuple[str, ...]:
    """Leads or levels as keys: "24", "0.8", never "1e-05". They repeat with every forecast of a stream."""
    return tuple(str(n) if isinstance(n, int) else f"{n:.12f}".rstrip("0") for n in numbers)


def _skill(persistence: float, seasonal: float) -> float:
    """Against the better of the two naive forecasts, or against the one that is known."""
    return persistence if persistence <= seasonal or seasonal != seasonal else seasonal


def _mean(values: list[float]) -> float:
    """Over what is known."""
    mean = sum(values) / len(values)
    if mean == mean:
        return mean
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else nan
