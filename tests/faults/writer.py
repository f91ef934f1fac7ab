"""A process that only feeds a keeper and an engine, and says how far it came: for calls to the disk that fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from streamlstm.daemon import keeper as keeping
from streamlstm.daemon.keeper import Keeper
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Observation
from streamlstm.store.errors import StateRefused, StoreFailed
from streamlstm.store.store import Store
from tests.faults.lives import STREAMS, engine

BATCHES, TOGETHER, SERIES = 40, 3, 6
BEGIN_NS, STEP_NS = 1_700_000_000 * SECOND_NS, 60 * SECOND_NS


def readings(begin: int, end: int) -> Iterator[Observation]:
    """From one position to the one before the other; the first is 1."""
    for position in range(begin, end):
        series, n = position % SERIES, position // SERIES
        y = round(10 * series + (n * (series + 3)) % 17 + 0.25 * (n % 100), 3)
        at_ns = BEGIN_NS + n * STEP_NS
        yield Observation(f"plain/{series}", STREAMS[0].name, at_ns, (y,), position, at_ns)


def opened(folder: Path) -> tuple[Engine, Keeper]:
    """Where the state in a folder ends."""
    own = engine()
    keeper = Keeper(own, Store(folder / "state"), every_ns=1)
    keeper.recover(lambda _: None)
    return own, keeper


def live(folder: Path) -> int:
    """Go on from where the last one came to, and end in order; the exit code of the command line."""
    acknowledged = os.open(folder / "told", os.O_RDWR | os.O_CREAT, 0o600)
    keeping.STEP_BYTES, keeping.STEP_EVERY_NS = 150_000, 1
    try:
        own, keeper = opened(folder)
        for batch in range(BATCHES):
            begin = keeper.position + 1
            own.feed(keeper.keep(list(readings(begin, begin + TOGETHER))))
            os.pwrite(acknowledged, (begin + TOGETHER - 1).to_bytes(8, "little"), 0)
            keeper.sweep(batch + 1)
        keeper.close(10.0)
    except StoreFailed as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    except StateRefused as error:
        print(f"refused: {error}", file=sys.stderr, flush=True)
        return 3
    return 0


def told(folder: Path) -> int:
    """The newest position that was acknowledged."""
    file = folder / "told"
    return int.from_bytes(file.read_bytes()[:8], "little") if file.exists() else 0
