"""One daemon, a durable broker, a publisher and a subscriber that stay; and after each fault, what became of what."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest

from tests.faults.ledger import Ledger, Name
from tests.faults.subject import BACKOFF, CLIENT_ID, KEEPALIVE_S, Subject, received_and_accounted
from tests.faults.wire import SETTINGS, Wire
from tests.system.servers import Client, Mosquitto, free_port, until

ALLOWED_S = 2 * KEEPALIVE_S + BACKOFF["most_s"]  # in which we are to be back
BUSY_S = 5.0  # beyond that, on a busy machine, before it is called a problem
FAILURES = (AssertionError, pytest.fail.Exception)  # what waiting in vain raises


@contextmanager
def scene(
    folder: Path,
    version: str,
    *,
    host: str = "127.0.0.1",
    ours: str = "127.0.0.1",
    within: Iterable[str] = (),
    faults: Iterable[str] = (),
) -> Iterator[Scene]:
    """All of it running, and each series warm.

    The daemon runs at the address `ours`, started by the command `within`, and finds the broker at `host`.
    """
    folder.mkdir()
    settings, port = SETTINGS, None
    if host != "127.0.0.1":
        port = free_port()
        settings += f"\nlistener {port} {host}"
    with (
        Mosquitto(folder, durable=True, settings=settings) as server,
        Client(server.url) as sensor,
        Client(server.url, "+/+/forecast", client_id="reader", persistent=True) as reader,
    ):
        url, listen = f"mqtt://{host}:{port or server.port}", f"{ours}:{free_port()}"
        subject = Subject(folder / "daemon", url, listen, version=version, within=within, faults=faults)
        try:
            until(subject.is_ready, 240.0)
            ledger = Ledger(sensor, reader)
            made = Scene(server, subject, ledger, Wire(folder / "mosquitto.log", CLIENT_ID, KEEPALIVE_S, ledger.named))
            made.port = port or server.port
            made.settle(ledger.publish(30))
            yield made
        finally:
            subject.stop()


class Scene:
    """What a harness does to it is its own; what must hold afterwards is here."""

    def __init__(self, server: Mosquitto, subject: Subject, ledger: Ledger, wire: Wire) -> None:
        self.server, self.subject, self.ledger, self.wire = server, subject, ledger, wire
        self.port = 0  # of the broker, as the daemon sees it
        self.problems: list[str] = []
        self.learned = 0
        self.lost = 0  # by the broker, in the last cycle
        self._is_held = False
        self._before = 0

    def begin(self, dice: random.Random) -> list[Name]:
        """Something to lose: messages on their way; and in half of the cycles an engine that does not take them."""
        self.problems = []
        self._before = self.wire.acknowledgements
        self._is_held = dice.random() < 0.5
        if self._is_held:
            self.subject.hold()
        names = self.ledger.publish(dice.randint(5, 60))
        if self._is_held:
            self.until("the engine is held", self.subject.is_held)
        self.wait(dice.uniform(0.0, 0.2))
        return names

    def release(self) -> None:
        """Nothing may have been acknowledged since an engine was held, on whatever connection."""
        if not self._is_held:
            return
        self.until("the broker has all messages", self.ledger.is_published)
        time.sleep(0.3)  # so that the new connection carries what a late acknowledgement could hit
        self.wire.follow()
        if early := self.wire.acknowledgements - self._before:
            self.problems.append(f"{early} messages were acknowledged while the engine did not have them yet")
        self.subject.release()

    def settle(self, names: list[Name], *, keeps: bool = True) -> None:
        """Wait until all is quiet, and compare. keeps: the broker still has our session and all messages."""
        self.until("the broker has all messages", self.ledger.is_published)
        last = self.ledger.publish(1)
        self.until("a forecast after the last message of each series", lambda: all(map(self.ledger.has_answer, last)))
        self.until("nothing is unacknowledged", lambda: self.ledger.is_published() and not self.wire.outstanding)
        ours, sent = self.wire.acknowledged, set(self.wire.sent)
        missing = {*names, *last} - ours
        if missing and keeps:
            self.problems.append(f"the session was kept, and {len(missing)} messages missed: {sorted(missing)[:4]}")
        self.ledger.check(ours, sent, self.problems)
        self.problems += self.wire.problems
        self.lost = len(missing - sent)
        self.learned += len(ours)
        self.wire.forget()

    def accounts(self) -> None:
        """Every message received has its outcome. Asked at the end: the metrics are a second old."""
        time.sleep(1.5)
        received, accounted = received_and_accounted(self.subject.metrics())
        if received != accounted:
            self.problems.append(f"{received} messages received, {accounted} accounted for")

    def wait(self, seconds: float) -> None:
        """While messages go on being published."""
        ends_s = time.monotonic() + seconds
        self.until("time", lambda: time.monotonic() >= ends_s)

    def until(self, what: str, seen: Callable[[], object], patience_s: float = 30.0) -> None:
        """Wait for it, reading the broker's log; say what was waited for where it does not come."""
        deadline_s = time.monotonic() + patience_s
        while True:
            self.ledger.offer()
            self.wire.follow()
            if seen():
                return
            late = time.monotonic() > deadline_s
            assert not late, f"not within {patience_s} s: {what}; the daemon's log ends: {self.subject.log()[-1000:]}"
            time.sleep(0.005)


def figures(back_s: list[float]) -> dict[str, float]:
    """How soon the daemon was back."""
    if not back_s:
        return {}
    return {"most": round(max(back_s), 2), "median": round(median(back_s), 2), "allowed": ALLOWED_S}
