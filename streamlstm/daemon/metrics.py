"""The status as Prometheus metrics, worked out when scraped. Nothing is counted here, and nothing is kept."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from math import isfinite

import numpy as np
from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from streamlstm.daemon.status import LAG_BOUNDS, LEARN_BOUNDS, Status
from streamlstm.events import SECOND_NS, Floats, Forecast, Reason, State
from streamlstm.member import SeriesReport, Totals


def register(registry: CollectorRegistry, status: Callable[[], Status], series_labels_max: int = 0) -> None:
    """Let `registry` show the status, and this process' memory and CPU time.

    `series_labels_max` is how many series also get metrics of their own, named streamlstm_per_series_*.
    """
    registry.register(StatusCollector(status, series_labels_max))
    ProcessCollector(registry=registry)


class StatusCollector(Collector):
    """Reads one immutable status a scrape, so that all values of a scrape belong to one moment."""

    def __init__(self, status: Callable[[], Status], series_labels_max: int = 0) -> None:
        self._status = status
        self._series_labels_max = series_labels_max

    def describe(self) -> Iterable[Metric]:
        return ()  # registering must not need a status

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        yield from _process(status)
        yield from _observations(status)
        yield from _learning(status)
        yield from _skill(status.report.series)
        if self._series_labels_max:
            yield from _per_series(status.report.series, self._series_labels_max)


def _process(status: Status) -> Iterator[Metric]:
    build = {"version": status.version, "python": platform.python_version()}
    yield InfoMetricFamily("streamlstm_build", "Version of streamlstm and of the Python it runs on.", build)
    yield _gauge("ready", "1 while connected, subscribed and compiled.", status.ready)
    yield _gauge("mqtt_connected", "1 while connected to the broker.", status.connection.connected)
    yield _counter("mqtt_reconnects", "Connections to the broker after the first.", status.connection.reconnects)
    dropped, unpublished = status.connection.dropped, status.connection.unpublished
    yield _counter("messages_dropped", "QoS 0 messages that a full inbox turned away.", dropped)
    yield _counter("publications_dropped", "Publications that gave way to newer ones, or were refused.", unpublished)
    yield _counter("network_thread_errors", "Faults of our own in the network thread.", status.connection.errors)
    yield _gauge("queue_depth", "Messages waiting in the inbox.", status.queue_depth)
    yield _gauge(
        "oldest_unacknowledged_seconds",
        "Age of the oldest message that the broker still waits to have acknowledged.",
        status.oldest_unacknowledged_s,
    )
    yield _histogram(
        "observation_lag_seconds",
        "From the receipt of a message to the publication of its forecast.",
        LAG_BOUNDS,
        status.lag_buckets,
        status.lag_sum,
    )
    yield _histogram(
        "learn_duration_seconds",
        "Time to learn one batch of observations and forecast after them.",
        LEARN_BOUNDS,
        status.learn_buckets,
        status.learn_sum,
    )
    yield _counter("forecast_publish", "Forecasts published.", status.published)
    reloads = CounterMetricFamily("streamlstm_config_reloads", "Reloads of the configuration.", labels=["status"])
    for outcome, count in zip(("applied", "refused"), status.reloads, strict=True):
        reloads.add_metric([outcome], count)
    yield reloads
    requests = CounterMetricFamily("streamlstm_requests", "What was asked of us over MQTT.", labels=["status"])
    for outcome, count in zip(("done", "refused"), status.requests, strict=True):
        requests.add_metric([outcome], count)
    yield requests
    yield _gauge("journal_bytes", "Journal and snapshots on the disk; 0 where nothing survives.", status.state_bytes)
    if status.snapshot_age_s == status.snapshot_age_s:
        yield _gauge("snapshot_age_seconds", "Age of the oldest snapshot of a series.", status.snapshot_age_s)
    if status.replays_exactly is not None:
        exact = "1 if the start computed the journal anew as it was; 0: another build, which may differ in last digits."
        yield _gauge("replay_exact", exact, status.replays_exactly)


def _observations(status: Status) -> Iterator[Metric]:
    report = status.report
    yield _counter("messages_received", "Messages from the broker, but for requests.", status.connection.received)
    rejected = CounterMetricFamily(
        "streamlstm_messages_rejected", "Messages that were not learned from, by reason.", labels=["reason"]
    )
    for reason in Reason:
        rejected.add_metric([reason.value], report.discarded.get(reason, 0))
    yield rejected
    outcomes = CounterMetricFamily(
        "streamlstm_observations",
        "What became of the observations: learned from; gathered into a step of a coarser grid, which is then learned "
        "from; joined (of a covariate); missing (the reading said that there is no value); quarantined (not believed); "
        "discarded.",
        labels=["outcome"],
    )
    outcomes.add_metric(["learned"], report.learned)
    outcomes.add_metric(["gathered"], report.gathered)
    outcomes.add_metric(["joined"], report.joined)
    outcomes.add_metric(["missing"], report.missing)
    outcomes.add_metric(["quarantined"], report.quarantined)
    outcomes.add_metric(["discarded"], sum(report.discarded.values()))
    yield outcomes
    yield _gauge("observations_held", "Observations that wait for an earlier one or for their step.", report.held)


def _learning(status: Status) -> Iterator[Metric]:
    series = status.report.series
    yield _gauge("series", "Series that are known.", len(series))
    states = GaugeMetricFamily("streamlstm_series_state", "Series in each state.", labels=["state"])
    counts = Counter(one.state for one in series)
    for state in State:
        states.add_metric([state.value], counts[state])
    yield states
    yield _gauge("series_memory_bytes", "Memory of all series' models and states.", status.report.memory_bytes)
    yield _gauge(
        "series_closed", "Closed series whose models are kept until they are heard again.", status.report.closed
    )
    yield _gauge("series_closed_bytes", "Memory of these models, compressed.", status.report.closed_bytes)
    ended = status.report.ended
    totals = sum([*[one.totals for one in series], *ended.values()], Totals())
    yield _counter("updates", "Updates of the weights.", totals.updates)
    skipped = CounterMetricFamily(
        "streamlstm_updates_skipped",
        "Updates of the weights that were not made: refused as not finite, or shed when more came than can be learned.",
        labels=["reason"],
    )
    skipped.add_metric(["not_finite"], totals.updates_skipped)
    skipped.add_metric(["overload"], status.report.shed)
    yield skipped
    yield _gauge("learning_shed", "1 while forecasts go on without learning.", status.report.sheds)
    yield _counter("gaps", "How often at least one step of a series was missed.", totals.gaps)
    norms = GaugeMetricFamily(
        "streamlstm_gradient_norm",
        "Norm of the last update's gradient before the clip: the largest over the stream's series.",
        labels=["stream"],
    )
    newest = GaugeMetricFamily(
        "streamlstm_last_observation_timestamp_seconds",
        "Event time of the newest observation: the newest over the stream's series.",
        labels=["stream"],
    )
    drifts = CounterMetricFamily(
        "streamlstm_drift_events",
        "How often a series' errors began to be larger than they used to be.",
        labels=["stream"],
    )
    by_stream = dict(_by_stream(series))
    for stream in {**by_stream, **ended}:
        found = sum([one.totals for one in by_stream.get(stream, ())], ended.get(stream, Totals()))
        drifts.add_metric([_label(stream)], found.drifts)
    for stream, members in by_stream.items():
        finite = [one.gradient_norm for one in members if isfinite(one.gradient_norm)]
        if finite:
            norms.add_metric([_label(stream)], max(finite))
        seen = [one.last.origin_ns for one in members if one.last]
        if seen:
            newest.add_metric([_label(stream)], max(seen) / SECOND_NS)
    yield drifts
    yield norms
    yield newest


def _skill(series: tuple[SeriesReport, ...]) -> Iterator[Metric]:
    skill = GaugeMetricFamily(
        "streamlstm_skill_ratio",
        "1 - MAE / MAE of the naive forecast, above 0 is better than it: the median over the stream's series.",
        labels=["stream", "baseline", "lead"],
    )
    error = GaugeMetricFamily(
        "streamlstm_absolute_error",
        "Running mean absolute error in the stream's unit, lead in steps: the median over the stream's series.",
        labels=["stream", "lead"],
    )
    coverage = GaugeMetricFamily(
        "streamlstm_interval_coverage_ratio",
        "Share of observations inside the interval of this nominal level: the mean over leads and the stream's series.",
        labels=["stream", "level"],
    )
    for stream, members in _by_stream(series):
        name = _label(stream)
        lasts = [one.last for one in members if one.last]
        for baseline in ("persistence", "seasonal"):
            for lead, value in _medians(lasts, f"skill_{baseline}"):
                skill.add_metric([name, baseline, str(lead)], value)
        for lead, value in _medians(lasts, "absolute_error"):
            error.add_metric([name, str(lead)], value)
        for level, value in _coverages(lasts):
            coverage.add_metric([name, str(level)], value)
    yield skill
    yield error
    yield coverage


def _medians(lasts: Iterable[Forecast], field: str) -> Iterator[tuple[int, float]]:
    """The median of a field at each lead, over the series where it is known."""
    found: dict[int, list[Floats]] = {}
    for leads, group in groupby(sorted(lasts, key=lambda last: last.leads), key=lambda last: last.leads):
        columns = np.stack([getattr(last, field) for last in group]).T
        for lead, column in zip(leads, columns, strict=True):
            found.setdefault(lead, []).append(column)
    for lead in sorted(found):
        values = np.concatenate(found[lead])
        known = values[np.isfinite(values)]
        if known.size:
            yield lead, float(np.median(known))


def _coverages(lasts: Iterable[Forecast]) -> Iterator[tuple[float, float]]:
    found: dict[float, list[Floats]] = {}
    for last in lasts:
        for level, row in zip(last.levels, last.coverage, strict=True):
            found.setdefault(level, []).append(row)
    for level in sorted(found):
        values = np.concatenate(found[level])
        known = values[np.isfinite(values)]
        if known.size:
            yield level, float(known.mean())


def _per_series(series: tuple[SeriesReport, ...], cap: int) -> Iterator[Metric]:
    """Metrics of single series. What has left the report is not shown again, so nothing has to be removed."""
    own = ["stream", "series"]
    prefix = "streamlstm_per_series_"
    value = GaugeMetricFamily(prefix + "value", "The newest observation, in the stream's unit.", labels=own)
    yhat = GaugeMetricFamily(prefix + "forecast", "The forecast, lead in steps.", labels=[*own, "lead"])
    score = GaugeMetricFamily(
        prefix + "anomaly_score", "Surprise at the newest observation: 0 to 1 is usual, above 1 rare.", labels=own
    )
    time = GaugeMetricFamily(
        prefix + "last_observation_timestamp_seconds", "Event time of the newest observation.", labels=own
    )
    seen = CounterMetricFamily(prefix + "observations", "Observations learned from.", labels=own)
    skill = GaugeMetricFamily(
        prefix + "skill_ratio",
        "1 - MAE / MAE of the naive forecast: above 0 is better than it.",
        labels=[*own, "baseline", "lead"],
    )
    error = GaugeMetricFamily(prefix + "absolute_error", "Running mean absolute error.", labels=[*own, "lead"])
    coverage = GaugeMetricFamily(
        prefix + "interval_coverage_ratio",
        "Share of observations inside the interval of this nominal level: the mean over leads.",
        labels=[*own, "level"],
    )
    for one in series[:cap]:
        last = one.last
        if last is None:
            continue
        names = [_label(one.stream), _label(one.series)]
        _add(value, names, last.y)
        _add(score, names, last.anomaly_score)
        time.add_metric(names, last.origin_ns / SECOND_NS)
        seen.add_metric(names, last.n_seen)
        for field, family, baseline in (
            (last.yhat, yhat, []),
            (last.absolute_error, error, []),
            (last.skill_persistence, skill, ["persistence"]),
            (last.skill_seasonal, skill, ["seasonal"]),
        ):
            for lead, number in zip(last.leads, field.tolist(), strict=True):
                _add(family, [*names, *baseline, str(lead)], number)
        for level, share in _coverages([last]):
            coverage.add_metric([*names, str(level)], share)
    yield from (value, yhat, score, time, seen, skill, error, coverage)
    yield GaugeMetricFamily(
        prefix + "omitted", "Series without metrics of their own because of the cap.", value=max(0, len(series) - cap)
    )


def _add(family: GaugeMetricFamily, labels: list[str], value: float) -> None:
    if isfinite(value):  # what is not known is left out
        family.add_metric(labels, value)


def _by_stream(series: Iterable[SeriesReport]) -> Iterator[tuple[str, list[SeriesReport]]]:
    members: dict[str, list[SeriesReport]] = {}
    for one in series:
        members.setdefault(one.stream, []).append(one)
    yield from sorted(members.items())


def _label(text: str) -> str:
    """One lone surrogate would end the whole scrape."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"streamlstm_{name}", text, value=float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"streamlstm_{name}", text, value=float(value))


def _histogram(name: str, text: str, bounds: tuple[float, ...], cumulative: tuple[int, ...], total: float) -> Metric:
    assert len(cumulative) == len(bounds) + 1, f"{name}: need a count for each bound and one for all"
    edges = [*map(str, bounds), "+Inf"]
    return HistogramMetricFamily(
        f"streamlstm_{name}", text, buckets=list(zip(edges, map(float, cumulative), strict=True)), sum_value=total
    )
