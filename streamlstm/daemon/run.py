"""The daemon: one loop that takes messages, feeds the engine, publishes what it answers, and acknowledges."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
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
from streamlstm.daemon.keeper import Keeper
from streamlstm.daemon.link import Link
from streamlstm.daemon.overload import Overload
from streamlstm.daemon.publisher import Publisher
from streamlstm.daemon.reload import Reload
from streamlstm.daemon.requests import Requests
from streamlstm.daemon.status import LAG_BOUNDS, LEARN_BOUNDS, Connection, Status
from streamlstm.daemon.watch import Watch
from streamlstm.engine import Engine
from streamlstm.events import BEGINNING, SECOND_NS, Discarded, Forecast, Output, Reason, Shed
from streamlstm.store.store import Store

log = logging.getLogger(__name__)

BATCH = 256  # messages; the clock ticks between batches
NAP_S = 0.1  # how long an idle loop waits, and so how soon a stop is noticed
AGAIN = Discarded("", BEGINNING, Reason.DUPLICATE, "sent again, and the journal has it")
HEALTH_NS = 10 * SECOND_NS
FAREWELL_S, DRAINING_S, SAVING_S = 2.5, 0.5, 1.5  # at the end: together less than the five seconds of a supervisor


class Daemon:
    """Runs in the thread that calls `run`; everything else may be read from any thread.

    Every message received has exactly one outcome in `status().report`, and is then acknowledged.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], int] = time.time_ns,
        watch: Watch | None = None,
        before: Daemon | None = None,
    ) -> None:
        """before: one that has ended, to go on from with another configuration."""
        self.config = config
        self.has_begun = False  # it takes messages
        self.address = ""  # of the page, once it is served
        self.broker_url = ""  # where messages are expected, once that is known
        self.history: History = before.history if before else History()
        self._before = before
        self._reload: Reload | None = before._reload if before else None
        self._newer: Config | None = None
        self._clock = clock
        self._watch = watch or Watch()
        self._version = _version()
        self._started_ns = clock()
        self._engine = Engine(
            config.streams,
            seed=config.seed,
            max_series=config.limits.max_series,
            memory_bytes=config.limits.memory,
            closed_bytes=config.limits.closed,
        )
        self._keeper = Keeper(self._engine)
        self._received_before = 0  # messages, of all processes that had this state
        self._resumed = True  # what was recovered is published
        self._decoder = Decoder(config.streams, config.mqtt.base, config.limits.payload)
        self._requests = Requests(config.mqtt.base, config.requests.allow, config.limits.payload)
        self._overload = Overload(config.limits.shed_after / SECOND_NS)
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

    def run(self, stop: threading.Event, reload: Reload | None = None) -> Config | None:
        """Learn and forecast until `stop` is set. A fault of our own ends everything, and is raised here.

        So does a disk that fails (StoreFailed) and a state that cannot be right (StateRefused). Where `reload` wants
        another configuration it ends, too, and returns that: another daemon is to go on `before` which this one was.
        """
        self._reload = reload
        with ExitStack() as open_things:
            if self._before is None and (directory := self.config.state.directory):
                of = self.config.state
                self._keeper = Keeper(self._engine, Store(directory), of.snapshot, of.undo, of.undo_size)
            open_things.push(self._put_away)
            open_things.callback(self._watch.end)
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
            self._watch.over(server)
            self._engine.warm_up(self._watch.starting)
            router = self._decoder.router
            limit = self.config.limits.payload
            filters = (*router.filters, *self._requests.filters)
            link = Link(mqtt, filters, fresh=router.fresh, clock=self._clock, payload_limit=limit)
            publisher = Publisher(link, self.config, self.history)
            self._recover()
            gc.freeze()  # what is there by now stays: no collection need look at it again
            open_things.push(lambda kind, *_: self._say_goodbye(link, publisher, is_well=kind is None))
            link.start()
            self._watch.over(link)
            self.has_begun = True
            self._loop(link, publisher, stop)
        return self._newer

    def _loop(self, link: Link, publisher: Publisher, stop: threading.Event) -> None:
        next_tick_ns = 0
        while not stop.is_set() and self._newer is None:
            messages = link.take(BATCH, NAP_S)
            if not self._resumed and link.epoch:
                self._resumed = True
                publisher.resume(self._engine.report(), self._engine.closed(), self._clock())
            if self._overload.changes(len(messages) < BATCH, time.monotonic()):
                self._engine.feed(self._keeper.keep([Shed(self._overload.sheds)]))
                log.warning("event=overload sheds_learning=%s waiting=%d", self._overload.sheds, link.waiting)
            self._take(messages, link, publisher)
            now_ns = self._clock()
            if not next_tick_ns - 2 * SECOND_NS < now_ns < next_tick_ns:  # due, or the clock was set back
                next_tick_ns = now_ns + SECOND_NS
                publisher.send(self._keeper.tick(now_ns), now_ns)
                self._tell(link, publisher, now_ns)
            self._keeper.sweep(now_ns)
            if self._reload and (newer := self._reload.wanted(self.config)):
                log.info("event=reloading")
                self._watch.reloading()
                self._newer = newer

    def _take(self, messages: list[Message], link: Link, publisher: Publisher) -> None:
        for asks, some in self._requests.apart(messages):
            (self._obey if asks else self._learn)(some, link, publisher)

    def _obey(self, messages: list[Message], link: Link, publisher: Publisher) -> None:
        """Do what somebody asks for, once: the answer says that it is durable."""
        fresh, deliveries = self._keeper.fresh(messages)
        for message in fresh:
            inputs, topic, answer = self._requests.understood(message.arrival, self._engine, self._keeper)
            log.info("event=request topic=%.200r series=%d answer=%.200r", message.arrival.topic, len(inputs), answer)
            publisher.send(self._engine.feed(self._keeper.keep(inputs, deliveries)), self._clock())
            if topic:
                publisher.answer(topic, answer)
        link.acknowledge(messages)

    def _learn(self, messages: list[Message], link: Link, publisher: Publisher) -> None:
        fresh, deliveries = self._keeper.fresh(messages)
        inputs = [*self._decoder.inputs(one.arrival for one in fresh), *[AGAIN] * (len(messages) - len(fresh))]
        inputs = self._keeper.keep(inputs, deliveries)
        began_s = time.perf_counter()
        outputs = self._engine.feed(inputs)
        self._learning.add(time.perf_counter() - began_s)
        publisher.send(outputs, self._clock())
        link.acknowledge(messages)
        now_ns = self._clock()
        for message in messages:
            self._lag.add(max(0, now_ns - message.arrival.received_ns) / SECOND_NS)
        self._lag_s = max(0, now_ns - messages[-1].arrival.received_ns) / SECOND_NS

    def _recover(self) -> None:
        """Be where the last process was, and subscribe only then."""

        def heard(outputs: Sequence[Output]) -> None:
            for output in outputs:
                if isinstance(output, Forecast):
                    self.history.record(output)

        if self._before:
            self._take_over(self._before)
        else:
            self._keeper.recover(heard, self.config.streams)
        if self._engine.sheds:  # the last process did; this one has seen no overload
            self._engine.feed(self._keeper.keep([Shed(False)]))
        report = self._engine.report()
        counts = (report.learned, report.gathered, report.joined, report.missing, report.quarantined, report.held)
        self._received_before = sum(counts) + sum(report.discarded.values())
        self._resumed = not (report.series or report.closed)

    def _take_over(self, before: Daemon) -> None:
        """Go on with what another daemon has learned, in this process."""
        settings = [(one.seed, one.limits, one.streams) for one in (self.config, before.config)]
        if settings[0] == settings[1]:
            self._engine = before._engine
        self._keeper = before._keeper
        of = self.config.state
        self._keeper.hand_over(self._engine, of.snapshot, of.undo, of.undo_size, self.config.streams)
        self._before = None
        if self._reload:
            self._reload.applied += 1

    def _put_away(self, kind: type[BaseException] | None, *_: object) -> None:
        """Unless another daemon goes on with it."""
        if self._newer is None and self._before is None:
            self._keeper.close(SAVING_S if kind is None else 0.0)

    def _tell(self, link: Link, publisher: Publisher, now_ns: int) -> None:
        """Say how we do: from here and nowhere else, so that a loop that hangs falls silent."""
        oldest_ns = link.oldest_ns
        waited_s = 0.0 if oldest_ns is None else max(0, now_ns - oldest_ns) / SECOND_NS
        connection = link.connection
        fault = self._watch.beat(connection.why)
        status = self._new_status(connection, link.waiting, connection.why, publisher.published, waited_s, fault)
        if status.ready != self._told_ready:
            log.info("event=%s why=%r", "ready" if status.ready else "not_ready", status.why)
        if link.epoch not in (0, self._told_epoch):  # a new connection, perhaps to a broker that has forgotten us
            self._told_epoch = link.epoch
            publisher.info(status)
        is_news = status.ready != self._told_ready or self._status.fault != fault
        is_news |= status.report.sheds != self._status.report.sheds
        if link.epoch and (is_news or now_ns - self._told_ns >= HEALTH_NS):
            self._told_ns = now_ns
            publisher.health(status)
        self._told_ready = status.ready
        self._status = status
        self._is_starting = False

    def _say_goodbye(self, link: Link, publisher: Publisher, *, is_well: bool) -> None:
        """is_well: else nothing more is taken, since what failed must come before it."""
        if self._newer is None:
            self._watch.stopping()
        link.stop(FAREWELL_S)
        ends_s = time.monotonic() + DRAINING_S
        while is_well and time.monotonic() < ends_s and (messages := link.take(BATCH, 0.0)):
            self._take(messages, link, publisher)  # what is sent again is known then
        # the last word on what was received and what became of it
        connection = replace(link.connection, connected=False, why="stopped")
        self._status = self._new_status(connection, link.waiting, "stopped", publisher.published)

    def _new_status(
        self,
        connection: Connection | None,
        waiting: int,
        why: str,
        published: int = 0,
        waited_s: float = 0.0,
        fault: str = "",
    ) -> Status:
        connection = connection or Connection()
        now_ns = self._clock()
        requests = self._requests
        received = connection.received + self._received_before - requests.seen
        return Status(
            version=self._version,
            started_ns=self._started_ns,
            time_ns=now_ns,
            connection=replace(connection, received=received),
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
            state_bytes=self._keeper.bytes,
            snapshot_age_s=self._keeper.age_s(now_ns),
            replays_exactly=self._keeper.replays_exactly,
            fault=fault,
            requests=(requests.taken, requests.refused),
            reloads=(self._reload.applied, self._reload.refused) if self._reload else (0, 0),
        )


def _version() -> str:
    try:
        return version("streamlstm")
    except PackageNotFoundError:
        return "0+source"  # run from a checkout that is not installed
