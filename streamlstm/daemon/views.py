"""What the page reads, as plain values ready for JSON: of the whole, of a list of series, of one series."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from streamlstm.config import Stream
from streamlstm.daemon.history import Band, History, Past
from streamlstm.daemon.status import Status
from streamlstm.events import Floats, Forecast
from streamlstm.member import SeriesReport

SPARK = 48  # values in the small picture of a series
GAP_STEPS = 1.5  # a longer spacing interrupts the line
MS_NS = 1_000_000

Streams = Mapping[str, Stream]  # by name: what the values of their series are


def overview(status: Status) -> dict[str, Any]:
    """The whole: connection, readiness, counts."""
    report = status.report
    return {
        "version": status.version,
        "started_ms": _ms(status.started_ns),
        "time_ms": _ms(status.time_ns),
        "connected": status.connection.connected,
        "connection": status.connection.why,
        "reconnects": status.connection.reconnects,
        "ready": status.ready,
        "why": status.why,
        "received": status.connection.received,
        "published": status.published,
        "queue_depth": status.queue_depth,
        "oldest_unacknowledged_s": status.oldest_unacknowledged_s,
        "lag_s": status.lag_s,
        "learned": report.learned,
        "gathered": report.gathered,
        "joined": report.joined,
        "missing": report.missing,
        "quarantined": report.quarantined,
        "held": report.held,
        "sheds": report.sheds,
        "discarded": {reason.value: n for reason, n in sorted(report.discarded.items()) if n},
        "series": len(report.series),
        "states": Counter(one.state.value for one in report.series),
        "memory_bytes": report.memory_bytes,
    }


def listing(
    status: Status,
    history: History,
    streams: Streams,
    *,
    search: str = "",
    state: str = "",
    offset: int = 0,
    limit: int = 50,
) -> dict[str, Any]:
    """A page of the series whose name contains `search`, in order of their names."""
    wanted = search.casefold()
    found = [
        one
        for one in status.report.series
        if wanted in one.series.casefold() and (not state or one.state.value == state)
    ]
    found.sort(key=lambda one: _natural(one.series))
    rows = [_row(one, history, streams) for one in found[offset : offset + limit]]
    return {"total": len(status.report.series), "matched": len(found), "offset": offset, "series": rows}


def detail(one: SeriesReport, past: Past | None, streams: Streams, lead: int | None = None) -> dict[str, Any]:
    """One series: values, forecast fan, the past forecasts made `lead` steps ahead (absent: the first), scores."""
    last = one.last
    told: dict[str, Any] = {
        "series": clean(one.series),
        "stream": clean(one.stream),
        **_values_are(streams.get(one.stream)),
        "state": one.state.value,
        "updates": one.totals.updates,
        "updates_skipped": one.totals.updates_skipped,
        "gradient_norm": one.gradient_norm,
        "gaps": one.totals.gaps,
        "bytes": one.bytes,
        "kept": past is not None,
        "n_seen": last.n_seen if last else 0,
    }
    if last is None:
        return told | {"leads": [], "levels": []}
    told |= {
        "position": last.position,
        "origin_ms": _ms(last.origin_ns),
        "step_s": last.step_ns / 1e9,
        "y": last.y,
        "anomaly_score": last.anomaly_score,
        "leads": last.leads,
        "levels": last.levels,
        "fan": _fan(last),
        "scores": {
            "persistence": last.skill_persistence.tolist(),
            "seasonal": last.skill_seasonal.tolist(),
            "absolute_error": last.absolute_error.tolist(),
            "coverage": _by_level(last, last.coverage),
        },
    }
    if past is not None and past.leads == last.leads and past.levels == last.levels:
        chosen = lead if lead in past.leads else past.leads[0]
        told["values"] = _values(past, last.step_ns)
        told["past"] = {"lead": chosen} | _band(past.at_lead(chosen), past.levels, last)
    return told


def clean(text: str) -> str:
    """Text that can be sent: a lone surrogate has no UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


@lru_cache(20_000)
def _natural(name: str) -> tuple[str | tuple[int, str], ...]:
    """A key that puts "room 2" before "room 10": texts and numbers in turn, a number by its length and digits."""
    parts = re.split("([0-9]+)", name)
    return tuple((len(part.lstrip("0")), part.lstrip("0")) if at % 2 else part for at, part in enumerate(parts))


def _row(one: SeriesReport, history: History, streams: Streams) -> dict[str, Any]:
    last = one.last
    row: dict[str, Any] = {
        "series": clean(one.series),
        "stream": clean(one.stream),
        **_values_are(streams.get(one.stream)),
        "state": one.state.value,
        "n_seen": last.n_seen if last else 0,
    }
    if last is None:
        return row
    past = history.past(one.series)
    return row | {
        "origin_ms": _ms(last.origin_ns),
        "step_s": last.step_ns / 1e9,
        "y": last.y,
        "leads": last.leads,
        "yhat": last.yhat.tolist(),
        "skill": _skill(last),
        "coverage": {str(level): _mean(shares) for level, shares in zip(last.levels, last.coverage, strict=True)},
        "anomaly_score": last.anomaly_score,
        "spark": past.y[-SPARK:].tolist() if past else [],
    }


def _values_are(stream: Stream | None) -> dict[str, Any]:
    """How numbers are to be read. `turn`: once around, of an angle; `classes`: words for the places of a category."""
    if stream is None:
        return {"unit": "", "type": "number"}
    told: dict[str, Any] = {"unit": stream.unit, "type": stream.type}
    if stream.type == "angle":
        told["turn"] = stream.turn
    return told | ({"classes": stream.classes} if stream.classes else {})


def _skill(last: Forecast) -> float | None:
    """Against the better of the naive rivals at each lead, mean over the leads."""
    return _mean(np.fmin(last.skill_persistence, last.skill_seasonal))


def _mean(values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _fan(last: Forecast) -> dict[str, Any]:
    return {
        "time_ms": [_ms(t) for t in last.times_ns],
        "yhat": last.yhat.tolist(),
        **({"chances": last.classes.tolist()} if last.frame.classes else {}),  # by class and lead
        "lower": _by_level(last, last.lower),
        "upper": _by_level(last, last.upper),
        "naive": [bool(naive) for naive in last.naive],
        "weights": last.weights,
    }


def _by_level(last: Forecast, values: Floats) -> dict[str, list[float]]:
    return {str(level): row.tolist() for level, row in zip(last.levels, values, strict=True)}


def _values(past: Past, step_ns: int) -> dict[str, Any]:
    """What came. A spacing beyond GAP_STEPS gets a null between, which interrupts the line."""
    after_gap = np.flatnonzero(np.diff(past.times_ns) > GAP_STEPS * step_ns) + 1
    times = np.insert(past.times_ns, after_gap, past.times_ns[after_gap - 1] + step_ns)
    y = np.insert(past.y, after_gap, np.nan)
    return {"time_ms": (times / MS_NS).tolist(), "y": y.tolist()}


def _band(band: Band, levels: tuple[float, ...], last: Forecast) -> dict[str, Any]:
    """Past forecasts for times that have come, without those that were not made."""
    shown = (band.times_ns <= last.origin_ns) & np.isfinite(band.yhat)
    times = band.times_ns[shown]
    return {
        "time_ms": (times / MS_NS).tolist(),
        "gap": (np.flatnonzero(np.diff(times) > GAP_STEPS * last.step_ns) + 1).tolist(),  # indices that start anew
        "yhat": band.yhat[shown].tolist(),
        "lower": {str(level): row[shown].tolist() for level, row in zip(levels, band.lower, strict=True)},
        "upper": {str(level): row[shown].tolist() for level, row in zip(levels, band.upper, strict=True)},
    }


def _ms(time_ns: int) -> float:
    return time_ns / MS_NS
