"""Messages without end for a daemon that is broken in the middle of them, and what must have become of all of them.

Some series say their time and some do not. Every message that was published is in the state exactly once, in order; and
where times are said, the state is byte for byte that of an engine that was fed the same and never stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import struct
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from streamlstm.codec.encode import rfc3339
from streamlstm.config import Config, load
from streamlstm.daemon.recovery import recover
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Observation
from streamlstm.living import Family, unpacked
from streamlstm.store.store import Store
from tests.faults.nursery import Nursery
from tests.faults.outcome import Budget, Outcome
from tests.system.servers import Client, Mosquitto, until

SERIES, UNTIMED, BEGIN_NS, STEP_NS = 20, 2, 1_700_000_000 * SECOND_NS, 60 * SECOND_NS
PATIENCE_S = 10.0  # without one more message, when the daemon must have all of them
AHEAD = 6_000  # messages that the broker holds for the daemon, so that it always has something to do
CONFIG = """
[mqtt]
url = "{url}"
keepalive = "5s"
[http]
listen = "127.0.0.1:0"
[limits]
shed_after = "0s"
[state]
directory = "{state}"
snapshot = "300ms"
[[streams]]
name = "{{room}}"
topic = "in/{{room}}"
format = "json"
value = "v"
time = "t"
step = "1min"
leads = [1, 3]
[streams.model]
hidden = 4
truncation = 8
memory = 64
[[streams]]
name = "untimed/{{room}}"
topic = "untimed/{{room}}"
step = "1min"
leads = [1, 3]
[streams.model]
hidden = 4
truncation = 8
memory = 64
"""


Break = Callable[[Nursery, "Load"], str]  # breaks a daemon and mends what it needs; what must not have been, or empty


def broken(budget: Budget, name: str, state: Path, break_: Break, faults: tuple[str, ...] = ()) -> Outcome:
    """Break a daemon in each cycle, then let one come to the end of what was published."""
    outcome, dice = Outcome(), budget.dice(name)
    file = budget.folder / "config.toml"
    with Mosquitto(budget.folder) as broker, Client(broker.url) as publisher:
        file.write_text(CONFIG.format(url=broker.url, state=state))
        with Nursery(file, faults) as nursery:
            load_ = Load(publisher, state)
            nursery.start()
            # so that the broker has a session for it, and holds what is published
            until(lambda: b"event=online client='streamlstm' " in nursery.log.read_bytes(), 120)
            for cycle in budget.each():
                if not nursery.pid:
                    nursery.start()
                before = load_.durable
                if cycle % 5 == 4:  # while it starts and recovers
                    load_.go_on(dice.uniform(0.0, 0.15))
                else:  # while it works
                    load_.go_on(10.0, until_durable=before + 1)
                    load_.go_on(dice.uniform(0.0, 1.5))
                progress = load_.durable > before
                if problem := break_(nursery, load_):
                    outcome.problems.append(f"cycle {cycle}: {problem}: {last_words(nursery.log)}")
                    return outcome
                outcome.cycles += 1
                outcome.progress += progress
            _drained(nursery, load_, outcome)
        _compare(file, load_, outcome)
    outcome.figures |= {"cycles with progress": outcome.progress, "observations": load_.sent}
    return outcome


class Load:
    """Publishes ahead of what the daemon has made durable."""

    def __init__(self, client: Client, state: Path) -> None:
        self.sent = 0
        self._client, self._mark = client, state / "acknowledged"

    @property
    def durable(self) -> int:
        """Inputs in the journal, by what it says of itself; clock ticks are among them."""
        try:
            written = self._mark.read_bytes()
        except FileNotFoundError:
            return 0
        slots = [written[at : at + 8] for at in (0, 512)]
        return max([int(struct.unpack("<Q", slot)[0]) for slot in slots if len(slot) == 8], default=0)

    def publish(self) -> None:
        """As much as is wanted, without waiting for it."""
        for _ in range(min(500, AHEAD + self.durable - self.sent)):
            topic, payload = message(self.sent)
            self._client.send(topic, payload)
            self.sent += 1

    def go_on(self, seconds: float, *, until_durable: int = 2**63) -> None:
        """Publish for so long, or until so many inputs are durable."""
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s and self.durable < until_durable:
            self.publish()
            time.sleep(0.002)


def value(number: int) -> float:
    """What the nth message says."""
    series, n = number % SERIES, number // SERIES
    return round(10 * series + (n * (series + 3)) % 17 + 0.25 * (n % 100), 3)


def message(number: int) -> tuple[str, str]:
    """The nth message that is published; the last series do not say when it is from."""
    series, at_ns = number % SERIES, BEGIN_NS + number // SERIES * STEP_NS
    if series >= SERIES - UNTIMED:
        return f"untimed/r{series}", str(value(number))
    return f"in/r{series}", json.dumps({"t": rfc3339(at_ns), "v": value(number)})


def observations(count: int) -> Iterator[Observation]:
    """What the first messages say, where they say when it is from."""
    for number in range(count):
        series, at_ns = number % SERIES, BEGIN_NS + number // SERIES * STEP_NS
        if series < SERIES - UNTIMED:
            yield Observation(f"r{series}", "{room}", at_ns, (value(number),), number + 1, 0)


def digest(engine: Engine) -> str:
    """Of everything in series that say their times, but for when messages came in: no two runs have that in common."""
    found = hashlib.sha256()
    for series in sorted(name for name in engine.series() if not name.startswith("untimed/")):
        family: Family = unpacked(Family, engine.export(series)[1])
        for living in family.members:
            said = living.said
            timeless = living._replace(
                heard_ns=0, said=said and said._replace(obs=said.obs._replace(received_ns=0)), early=()
            )
            found.update(repr(timeless).encode())
    return found.hexdigest()


def opened(checked: Config) -> Engine:
    return Engine(checked.streams, seed=checked.seed, max_series=checked.limits.max_series)


def _drained(nursery: Nursery, load_: Load, outcome: Outcome) -> None:
    """A last daemon takes all that the broker still has, and ends as it is asked to."""
    said = len(nursery.log.read_bytes())
    nursery.start()
    address = until(lambda: re.search(rb"address=(\S+)", nursery.log.read_bytes()[said:]), 60)[1].decode()
    last, changed_s = 0, time.monotonic()
    while last < load_.sent and time.monotonic() - changed_s < PATIENCE_S:
        if (now := _learned(address)) != last:
            last, changed_s = now, time.monotonic()
        time.sleep(0.1)
    began_s = time.monotonic()
    code = nursery.end(signal.SIGTERM)
    outcome.figures["seconds to end by SIGTERM"] = round(time.monotonic() - began_s, 2)
    if code:
        outcome.problems.append(f"the last daemon ended with {code}: {last_words(nursery.log)}")


def _learned(address: str) -> int:
    """Observations that were learned from, as the daemon itself says."""
    with urllib.request.urlopen(f"{address}metrics", timeout=10) as answer:
        found = re.findall(rb'^streamlstm_observations_total\{outcome="learned"\} (\S+)', answer.read(), re.M)
    return round(sum(map(float, found)))


def _compare(file: Path, load_: Load, outcome: Outcome) -> None:
    """The state on the disk with that of an engine that was never stopped."""
    checked = load(file, dict(os.environ))
    assert checked.state.directory is not None
    recovered, uninterrupted = opened(checked), opened(checked)
    store = Store(checked.state.directory)
    try:
        recover(store, recovered)
    finally:
        store.close()
    said = observations(load_.sent)
    while some := list(islice(said, 1000)):
        uninterrupted.feed(some)
    learned = 0
    for series in range(SERIES):
        name = f"untimed/r{series}" if series >= SERIES - UNTIMED else f"r{series}"
        learner, slot = recovered.learner(name) or (None, 0)
        seen = int(learner.rows.record(slot)["seen"]) if learner else 0
        learned += seen
        if seen != (sent := len(range(series, load_.sent, SERIES))):
            what = f"{sent - seen} of {sent} are lost" if seen < sent else f"{seen - sent} are counted twice"
            outcome.problems.append(f"observations of {name}: {what}")
    outcome.figures |= {"learned": learned, "sent again": sum(recovered.report().discarded.values())}
    if digest(recovered) != digest(uninterrupted):
        outcome.problems.append(f"state {digest(recovered)}, need {digest(uninterrupted)}")
    outcome.figures["state"] = digest(recovered)[:16]


def last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:]
