"""What a daemon would show: forecasts of river's WaterFlow by a few plain lines, with true scores, and a status."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from river.datasets import WaterFlow

from streamlstm.config import Stream
from streamlstm.daemon.status import LAG_BOUNDS, LEARN_BOUNDS, Connection, Status
from streamlstm.events import Forecast, Reason, State
from streamlstm.member import Report, SeriesReport, Totals
from tests import forecasts as by_hand

HOUR_NS = 3_600_000_000_000
DAY = 24  # rows
WARM = 2 * DAY  # rows before the first forecast
LEADS = (1, 3, 6, 12, 24)
LEVELS = (0.8, 0.95)
WATER = Stream(name="water/{meter}", topic="water/{meter}", unit="L/s")


@cache
def water() -> tuple[tuple[int, float], ...]:
    """River's WaterFlow: event time and litres per second, hourly, with gaps."""
    return tuple((int(x["Time"].timestamp()) * 1_000_000_000, float(y)) for x, y in WaterFlow())


def forecasts(
    rows: Sequence[tuple[int, float]],
    series: str = "water/inflow",
    stream: str = "water/{meter}",
    leads: tuple[int, ...] = LEADS,
) -> list[Forecast]:
    """One forecast a row: yesterday's value plus what is left of today's deviation from it."""
    times = np.array([t for t, _ in rows])
    y = np.array([v for _, v in rows])
    L, Q, N = len(leads), len(LEVELS), len(rows)
    yhat = np.full((N, L), np.nan)
    lower, upper = np.full((2, N, Q, L), np.nan)
    told: list[Forecast] = []
    for now in range(N):
        error = np.full((3, L), np.nan)  # of ours, persistence, seasonal naive
        coverage = np.full((Q, L), np.nan)
        for at, lead in enumerate(leads):
            made = np.arange(WARM, now - lead + 1)
            if made.size >= 10:
                came = y[made + lead]
                rivals = yhat[made, at], y[made], y[made + lead - DAY]
                error[:, at] = [np.nanmean(np.abs(came - rival)) for rival in rivals]
                coverage[:, at] = np.mean((came >= lower[made, :, at].T) & (came <= upper[made, :, at].T), axis=1)
            if now >= WARM:
                kept = 0.8**lead
                yhat[now, at] = y[now + lead - DAY] + kept * (y[now] - y[now - DAY])
                back = np.arange(DAY, now - lead + 1)
                residual = np.abs(y[back + lead] - y[back + lead - DAY] - kept * (y[back] - y[back - DAY]))[-200:]
                half = np.quantile(residual, LEVELS)
                lower[now, :, at], upper[now, :, at] = yhat[now, at] - half, yhat[now, at] + half
        told.append(
            by_hand.made(
                series=series,
                stream=stream,
                position=now + 1,
                origin_ns=int(times[now]),
                step_ns=HOUR_NS,
                y=float(y[now]),
                leads=leads,
                levels=LEVELS,
                yhat=yhat[now].copy(),
                lower=lower[now].copy(),
                upper=upper[now].copy(),
                lstm=yhat[now].copy(),
                seasonal=np.array([y[now + lead - DAY] if now + lead >= DAY else np.nan for lead in leads]),
                taus=(0.5,),
                quantiles=yhat[now][None].copy(),
                weights={"lstm": 0.7, "seasonal": 0.3},
                naive=np.zeros(L),
                skill_persistence=1 - error[0] / error[1],
                skill_seasonal=1 - error[0] / error[2],
                absolute_error=error[0],
                coverage=coverage,
                anomaly_score=0.4 if now >= WARM else np.nan,
                state=State.ACTIVE if now >= WARM else State.WARMING,
                n_seen=now + 1,
            )
        )
    return told


def report(last: Forecast | None, series: str = "", **other: Any) -> SeriesReport:
    """One series' line of the report; `other` replaces single fields, or single totals."""
    told = SeriesReport(
        series=last.series if last else series,
        stream=last.stream if last else "water/{meter}",
        state=last.state if last else State.WARMING,
        last=last,
        totals=Totals(updates=last.n_seen // 8 if last else 0, gaps=2, drifts=1),
        gradient_norm=0.42 if last else float("nan"),
        bytes=147_000,
    )
    totals = {name: other.pop(name) for name in Totals._fields if name in other}
    return replace(told, totals=told.totals._replace(**totals), **other)


def status(series: Iterable[SeriesReport] = (), *, time_ns: int, **other: Any) -> Status:
    """A healthy daemon's status at `time_ns`; `other` replaces single fields."""
    told = tuple(series)
    learned = sum(one.last.n_seen for one in told if one.last)
    discarded = {Reason.DUPLICATE: 3, Reason.MALFORMED: 1} if told else {}
    healthy = Status(
        version="0.1.0",
        started_ns=time_ns - 7 * HOUR_NS,
        time_ns=time_ns,
        connection=Connection(connected=True, reconnects=1, received=learned + sum(discarded.values()), why=""),
        ready=True,
        why="",
        queue_depth=0,
        oldest_unacknowledged_s=0.0,
        lag_s=0.004,
        published=learned,
        lag_buckets=tuple(range(1, len(LAG_BOUNDS) + 2)),
        lag_sum=0.5,
        learn_buckets=tuple(range(1, len(LEARN_BOUNDS) + 2)),
        learn_sum=0.25,
        report=Report(
            learned=learned,
            gathered=0,
            joined=0,
            missing=0,
            quarantined=0,
            held=0,
            discarded=discarded,
            series=told,
            memory_bytes=147_000 * len(told),
        ),
    )
    return replace(healthy, **other)
