"""A flood of topics: a hundred for each place that there is, and some of 60,000 characters, at a daemon that works."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.request
from pathlib import Path

from streamlstm.codec.encode import rfc3339
from streamlstm.events import SECOND_NS
from tests.faults.nursery import Nursery
from tests.faults.outcome import Budget, Outcome
from tests.faults.under_load import CONFIG
from tests.system.servers import Client, Mosquitto, until

MOST, BEFORE = 1000, 50  # series; those that are there first
TOPICS, LONG = 1000, 5  # topics a cycle; long ones among them


def run(budget: Budget) -> Outcome:
    """A cycle is a thousand topics that nobody has seen before."""
    outcome, file = Outcome(), budget.folder / "config.toml"
    with Mosquitto(budget.folder) as broker, Client(broker.url) as client:
        limited = CONFIG.replace('shed_after = "0s"', f'shed_after = "0s"\nmax_series = {MOST}')
        labels = f"series_labels = true\nseries_labels_max = {MOST}"
        limited = limited.replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:0"\n{labels}')
        file.write_text(limited.format(url=broker.url, state=budget.folder / "state"))
        with Nursery(file) as nursery:
            nursery.start()
            address = until(lambda: re.search(rb"address=(\S+)", nursery.log.read_bytes()), 180)[1].decode()
            until(lambda: b"event=ready" in nursery.log.read_bytes(), 60)
            _readings(client, range(40))
            until(lambda: _metric(address, 'observations_total{outcome="learned"}') == 40 * BEFORE, 60)
            before, sent = _resident_mib(nursery.pid), 0
            for cycle in budget.each():
                topics = [f"in/new{cycle}-{n}" for n in range(TOPICS - LONG)] + [
                    f"in/{cycle}-{n}-" + "x" * (60_000 - 20) for n in range(LONG)
                ]
                client.send_all([(topic, json.dumps({"t": rfc3339(BEGIN_NS), "v": 1})) for topic in topics])
                sent += len(topics)
                outcome.cycles += 1
            received = 40 * BEFORE + sent
            until(lambda: _metric(address, "messages_received_total") >= received, 120)
            during = _resident_mib(nursery.pid)
            scrapes = sorted(_scrape_s(address) for _ in range(9))
            _readings(client, range(40, 60))
            until(lambda: _metric(address, 'observations_total{outcome="discarded"}') > 0, 60)
            expected = 60 * BEFORE + (MOST - BEFORE)
            learned = until(lambda: _metric(address, 'observations_total{outcome="learned"}') >= expected, 60)
            series, counted = _metric(address, "series"), _metric(address, "messages_received_total")
            outcome.progress = sent
            outcome.figures |= {
                "series": series,
                "refused": _metric(address, 'messages_rejected_total{reason="series_limit"}'),
                "bad names": _metric(address, 'messages_rejected_total{reason="bad_name"}'),
                "resident MiB before, after": [before, during],
                "scrape ms, median of 9": round(scrapes[4] * 1000),
            }
            if series > MOST or counted != received + 20 * BEFORE or not learned:
                outcome.problems.append(f"{series} series of at most {MOST}; {counted} messages received of {received}")
            if code := nursery.end(signal.SIGTERM):
                outcome.problems.append(f"it ended with {code}")
    return outcome


BEGIN_NS = 1_700_000_000 * SECOND_NS


def _readings(client: Client, steps: range) -> None:
    """Of the series that were there before."""
    messages = []
    for n in steps:
        at = rfc3339(BEGIN_NS + n * 60 * SECOND_NS)
        messages += [(f"in/old{room}", json.dumps({"t": at, "v": n % 7 + room})) for room in range(BEFORE)]
    client.send_all(messages)


def _text(address: str) -> str:
    with urllib.request.urlopen(f"{address}metrics", timeout=20) as answer:
        return answer.read().decode()


def _scrape_s(address: str) -> float:
    began_s = time.perf_counter()
    _text(address)
    return time.perf_counter() - began_s


def _metric(address: str, name: str) -> float:
    found = re.search(rf"^streamlstm_{re.escape(name)} (\S+)", _text(address), re.M)
    return float(found[1]) if found else 0.0


def _resident_mib(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0
