"""Months in minutes: a thousand series, gaps, late readings, series that end and others that begin, a clock of ours.

Everything but the broker: decoder, journal, engine, sweeps, payloads, the page's history. After a warm-up, memory must
not grow with what has been, nor threads, nor open files.
"""

from __future__ import annotations

import gc
import json
import os
import random
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from streamlstm.codec import encode
from streamlstm.codec.decode import Decoder
from streamlstm.codec.encode import rfc3339
from streamlstm.config import Stream
from streamlstm.daemon.history import History
from streamlstm.daemon.keeper import Keeper
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Arrival, Closed, Forecast
from streamlstm.store.store import Store
from tests.faults.outcome import Budget, Outcome

SERIES, BATCH, STEP_NS, BEGIN_NS = 1000, 250, 60 * SECOND_NS, 1_700_000_000 * SECOND_NS
ROUNDS = 10  # of all series, a cycle
SLOPE_MIB = 1.0  # per million observations, at most
STREAM = Stream.model_validate(
    {
        "name": "{room}",
        "topic": "in/{room}",
        "format": "json",
        "value": "v",
        "time": "t",
        "step": "1min",
        "leads": [1, 3],
        "lateness": "2min",
        "gap": "10min",
        "ttl": "40min",
        "model": {"hidden": 4, "truncation": 8, "memory": 64},
    }
)


def run(budget: Budget) -> Outcome:
    """A cycle is ten readings of each series."""
    outcome, dice, house = Outcome(), budget.dice("soak"), House(budget.folder / "state")
    samples = list[tuple[int, float, int, int]]()
    for cycle in budget.each():
        for _ in range(ROUNDS):
            house.round(dice)
        samples.append((house.taken, *_resources()))
        outcome.cycles += 1
        del cycle
    outcome.progress = house.taken
    house.keeper.close(5.0)
    settled = samples[len(samples) // 3 :]
    taken, mib, threads, files = (np.array(column, float) for column in zip(*settled, strict=True))
    report = house.engine.report()
    outcome.figures |= {
        "series": len(report.series),
        "closed so far": house.ended,
        "late": int(sum(report.discarded.values())),
        "MiB": [round(mib[0], 1), round(mib[-1], 1)],
        "threads": sorted({*threads}),
        "open files": sorted({*files}),
    }
    if len(settled) >= 20:
        slope = float(np.polyfit(taken / 1e6, mib, 1)[0])
        outcome.figures["MiB per million"] = round(slope, 3)
        if slope > SLOPE_MIB and taken[-1] > 2e6:  # before that it is the noise of one allocation
            outcome.problems.append(f"memory grows by {slope:.2f} MiB a million observations")
    if len({*threads}) > 1 or max(files) - min(files) > 1:
        outcome.problems.append(f"threads {sorted({*threads})}, open files {sorted({*files})}")
    return outcome


class House:
    """A daemon without its broker, and a thousand sensors of which some fall silent for good and others are new."""

    def __init__(self, folder: Path) -> None:
        self.taken = self.ended = 0
        self.engine = Engine([STREAM], seed=1, max_series=3 * SERIES, closed_bytes=8 * 2**20)
        self.keeper = Keeper(self.engine, Store(folder), every_ns=20 * STEP_NS)
        self._decoder, self._history = Decoder([STREAM], "streamlstm", 65_536), History(series_max=100)
        self._rooms, self._next, self._now_ns = deque(range(SERIES)), SERIES, BEGIN_NS

    def round(self, dice: random.Random) -> None:
        """A minute: nearly all rooms send a reading, some a late one; a few are replaced."""
        self._now_ns += STEP_NS
        for _ in range(dice.randrange(3)):
            self._rooms.popleft()
            self._rooms.append(self._next)
            self._next += 1
        readings = list(self._readings(dice))
        for begin in range(0, len(readings), BATCH):
            self._say(self.engine.feed(self.keeper.keep(self._decoder.inputs(readings[begin : begin + BATCH]))))
        self._say(self.keeper.tick(self._now_ns))
        self.keeper.sweep(self._now_ns)
        self.taken += len(readings)

    def _readings(self, dice: random.Random) -> Iterator[Arrival]:
        for room in self._rooms:
            if dice.random() < 0.02:
                continue
            at_ns = self._now_ns - (dice.randrange(5) * STEP_NS if dice.random() < 0.02 else 0)
            said = {"t": rfc3339(at_ns), "v": round(20 + room % 9 + dice.gauss(0, 1), 2)}
            yield Arrival(f"in/r{room}", json.dumps(said).encode(), self._now_ns)

    def _say(self, outputs: list[object]) -> None:
        for output in outputs:
            if isinstance(output, Forecast):
                self._history.record(output)
                if encode.is_publishable(output):
                    encode.forecast(output, unit="", issued_ns=0, model_rev="", config_hash="")
            elif isinstance(output, Closed):
                self.ended += 1
                self._history.forget(output.series)


def _resources() -> tuple[float, int, int]:
    """Resident MiB, threads, open files."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return (
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        threading.active_count(),
        len(list(Path("/proc/self/fd").iterdir())),
    )
