"""What the engine answers, as messages: which topic, retained or not, and how surely it must arrive."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from streamlstm.codec import encode, topics
from streamlstm.config import Config, config_hash
from streamlstm.daemon.history import History
from streamlstm.daemon.link import Link
from streamlstm.daemon.status import Status
from streamlstm.events import Changed, Closed, Discarded, Event, Forecast, Opened, Output, Reason, State
from streamlstm.kernels import KERNEL_REVISION, SOURCE_DIGEST
from streamlstm.member import Report

log = logging.getLogger(__name__)

MODEL_REV = f"{KERNEL_REVISION}-{SOURCE_DIGEST[:8]}"  # forecasts of the same one come from the same arithmetic


class Publisher:
    """Sends outputs on their way, and keeps what the page draws."""

    def __init__(self, link: Link, config: Config, history: History) -> None:
        self.published = 0  # forecasts
        self._link = link
        self._base = config.mqtt.base
        self._units = {stream.name: stream.unit for stream in config.resolved}
        self._config_hash = config_hash(config)
        self._history = history
        self._silent: set[str] = set()  # series that are said to be offline
        self._seen: set[Reason] = set()

    def send(self, outputs: Iterable[Output], now_ns: int) -> None:
        for output in outputs:
            match output:
                case Forecast():
                    self._forecast(output, now_ns)
                case Opened():
                    log.info("event=series_opened series=%r stream=%r", output.series, output.stream)
                    self._availability(output.series, "online")
                case Changed(series, State.STALE | State.PAUSED as state):
                    log.info("event=series_%s series=%r", state, series)
                    self._silent.add(series)
                    self._availability(series, "offline")
                case Closed():
                    log.info("event=series_closed series=%r stream=%r", output.series, output.stream)
                    self._clear(output.series)
                case Event():
                    log.info("event=%s series=%r begins=%s", output.kind.value, output.series, output.begins)
                    self._link.publish(topics.event(self._base, output.series), encode.event(output))
                case Discarded():
                    self._note(output)

    def resume(self, report: Report, closed: Iterable[str], now_ns: int) -> None:
        """Say how it stands with all series after a new start: what was said last may never have arrived."""
        for one in report.series:
            if one.last is not None:
                self._forecast(one.last, now_ns)
            is_silent = one.state in (State.STALE, State.PAUSED)
            if is_silent:
                self._silent.add(one.series)
            self._availability(one.series, "offline" if is_silent else "online")
        for series in closed:
            self._clear(series)

    def health(self, status: Status) -> None:
        health = encode.health(
            is_ready=status.ready and not status.fault,
            why=status.fault or status.why,
            sheds=status.report.sheds,
            lag_s=status.lag_s,
            oldest_unacknowledged_s=status.oldest_unacknowledged_s,
            time_ns=status.time_ns,
        )
        self._link.publish(topics.bridge_health(self._base), health, qos=0, retain=True)

    def info(self, status: Status) -> None:
        info = encode.info(
            version=status.version,
            config_hash=self._config_hash,
            series=len(status.report.series),
            started_ns=status.started_ns,
        )
        self._link.publish(topics.bridge_info(self._base), info, retain=True)

    def answer(self, topic: str, payload: bytes) -> None:
        """To a request."""
        self._link.publish(topic, payload)

    def _forecast(self, forecast: Forecast, now_ns: int) -> None:
        self._history.record(forecast)
        if forecast.series in self._silent:
            self._silent.discard(forecast.series)
            self._availability(forecast.series, "online")
        if not encode.is_publishable(forecast):
            return
        series = forecast.series
        payload = encode.forecast(
            forecast,
            unit=self._units[forecast.stream],
            issued_ns=now_ns,
            model_rev=MODEL_REV,
            config_hash=self._config_hash,
        )
        self._link.publish(topics.forecast(self._base, series), payload, retain=True)
        # at most once is enough for a plain number that is replaced soon, and costs a third
        self._link.publish(topics.value(self._base, series), encode.value(forecast), qos=0, retain=True)
        self.published += 1

    def _clear(self, series: str) -> None:
        """An empty message takes what the broker keeps: a latecomer should not find a series that is no more."""
        self._history.forget(series)
        self._silent.discard(series)
        for topic in (topics.forecast, topics.value, topics.availability):
            self._link.publish(topic(self._base, series), "", retain=True)

    def _availability(self, series: str, state: str) -> None:
        self._link.publish(topics.availability(self._base, series), state, retain=True)

    def _note(self, discarded: Discarded) -> None:
        """The first of its kind is worth a line, since it shows what is wrong; then they are only counted."""
        if discarded.reason not in self._seen:
            self._seen.add(discarded.reason)
            log.warning(
                "event=first_discarded reason=%s series=%r detail=%r",
                discarded.reason,
                discarded.series,
                discarded.detail,
            )
