"""The daemon: one loop that takes messages, feeds the engine, publishes what it answers, and acknowledges."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from streamlstm.codec.decode import Decoder
from streamlstm.config import Config
from streamlstm.daemon.broker import Embedded
from streamlstm.daemon.histogram import Histogram
from streamlstm.daemon.history import History
from streamlstm.daemon.http import serve
from streamlstm.daemon.inbox import Message
from streamlstm.daemon.link import Link
from streamlstm.daemon.publisher import Publisher
from streamlstm.daemon.status import LAG_BOUNDS, LEARN_BOUNDS, Connection, Status
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Tick

log = logging.getLogger(__name__)

BATCH = 256  # messages; the clock ticks between batches
NAP_S = 0.1  # how long an idle loop waits, and so how soon a stop is noticed
HEALTH_NS = 10 * SECOND_NS


class Daemon:
    """Runs in the thread that calls `run`; everything else may be read from any thread.

    Every message received has exactly one outcome in `status().report`, and is then acknowledged.
    """

    def __init__(self, config: Config, *, clock: Callable[[], int] = time.time_ns) -> None:
        self.config = config
        self.address = ""  # of the page, once it is served
        self.broker_url = ""  # where messages are expected, once that is known
        self.history = History()
        self._clock = clock
        self._version = _version()
        self._started_ns = clock()
        self._engine = Engine(
            config.streams,
            seed=config.seed,
            max_series=config.limits.max_series,
            memory_bytes=config.limits.memory,
            closed_bytes=config.limits.closed,
        )
        self._decoder = Decoder(config.streams, config.mqtt.base, config.limits.payload)
        self._lag = Histogram(LAG_BOUNDS)
        self._learning = Histogram(LEARN_BOUNDS)
        self._lag_s = 0.0
        self._is_starting = True
        self._told_ns = 0
        self._told_ready = False
        self._told_epoch = 0
        self._status = self._new_status(None, 0, "the kernels are being compiled")

    @property
    def ready(self) -> bool:
        """Connected, subscribed, and the kernels compiled."""
        return self._status.ready

    def status(self) -> Status:
        """An immutable copy, made once a second."""
        # Compiling may take a minute, and whoever asks for our health would take the silence for a fault.
        return replace(self._status, time_ns=self._clock()) if self._is_starting else self._status

    def run(self, stop: threading.Event) -> None:
        """Learn and forecast until `stop` is set. A fault of our own ends everything, and is raised here."""
        with ExitStack() as open_things:
            mqtt = self.config.mqtt
            if mqtt.url == "embedded":
                broker = open_things.enter_context(Embedded())
                mqtt = mqtt.model_copy(update={"url": broker.url(mqtt.version)})
            self.broker_url = mqtt.url
            http = self.config.http
            server = serve(
                http.listen,
                self.status,
                self.history,
                streams={stream.name: stream for stream in self.config.resolved},
                series_labels_max=http.series_labels_max if http.series_labels else 0,
            )
            open_things.callback(server.close)
            self.address = server.address
            log.info("event=listening address=%s", server.address)
            self._engine.warm_up()
            gc.freeze()  # what is there by now stays: no collection need look at it again
            router = self._decoder.router
            limit = self.config.limits.payload
            link = Link(mqtt, router.filters, fresh=router.fresh, clock=self._clock, payload_limit=limit)
            publisher = Publisher(link, self.config, self.history)
            open_things.callback(self._say_goodbye, link, publisher)
            link.start()
            self._loop(link, publisher, stop)

    def _loop(self, link: Link, publisher: Publisher, stop: threading.Event) -> None:
        next_tick_ns = 0
        while not stop.is_set():
            messages = link.take(BATCH, NAP_S)
            if messages:
                self._learn(messages, link, publisher)
            now_ns = self._clock()
            if not next_tick_ns - 2 * SECOND_NS < now_ns < next_tick_ns:  # due, or the clock was set back
                next_tick_ns = now_ns + SECOND_NS
                publisher.send(self._engine.feed([Tick(now_ns)]), now_ns)
                self._tell(link, publisher, now_ns)

    def _learn(self, messages: list[Message], link: Link, publisher: Publisher) -> None:
        inputs = self._decoder.inputs(message.arrival for message in messages)
        began_s = time.perf_counter()
        outputs = self._engine.feed(inputs)
        self._learning.add(time.perf_counter() - began_s)
        publisher.send(outputs, self._clock())
        link.acknowledge(messages)
        now_ns = self._clock()
        for message in messages:
            self._lag.add(max(0, now_ns - message.arrival.received_ns) / SECOND_NS)
        self._lag_s = max(0, now_ns - messages[-1].arrival.received_ns) / SECOND_NS

    def _tell(self, link: Link, publisher: Publisher, now_ns: int) -> None:
        """Say how we do: from here and nowhere else, so that a loop that hangs falls silent."""
        oldest_ns = link.oldest_ns
        waited_s = 0.0 if oldest_ns is None else max(0, now_ns - oldest_ns) / SECOND_NS
        connection = link.connection
        status = self._new_status(connection, link.waiting, connection.why, publisher.published, waited_s)
        if status.ready != self._told_ready:
            log.info("event=%s why=%r", "ready" if status.ready else "not_ready", status.why)
        if link.epoch not in (0, self._told_epoch):  # a new connection, perhaps to a broker that has forgotten us
            self._told_epoch = link.epoch
            publisher.info(status)
        if link.epoch and (status.ready != self._told_ready or now_ns - self._told_ns >= HEALTH_NS):
            self._told_ns = now_ns
            publisher.health(status)
        self._told_ready = status.ready
        self._status = status
        self._is_starting = False

    def _say_goodbye(self, link: Link, publisher: Publisher) -> None:
        link.stop()
        # the last word on what was received and what became of it
        connection = replace(link.connection, connected=False, why="stopped")
        self._status = self._new_status(connection, link.waiting, "stopped", publisher.published)

    def _new_status(
        self, connection: Connection | None, waiting: int, why: str, published: int = 0, waited_s: float = 0.0
    ) -> Status:
        return Status(
            version=self._version,
            started_ns=self._started_ns,
            time_ns=self._clock(),
            connection=connection or Connection(),
            ready=not why,
            why=why,
            queue_depth=waiting,
            oldest_unacknowledged_s=waited_s,
            lag_s=self._lag_s,
            published=published,
            lag_buckets=self._lag.cumulative,
            lag_sum=self._lag.total_s,
            learn_buckets=self._learning.cumulative,
            learn_sum=self._learning.total_s,
            report=self._engine.report(),
        )


def _version() -> str:
    try:
        return version("streamlstm")
    except PackageNotFoundError:
        return "0+source"  # run from a checkout that is not installed
