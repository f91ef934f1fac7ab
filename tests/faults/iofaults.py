"""Every call to the disk fails once: with an error, with no room, or with the end of the process.

A writer is stopped right after its birth, strace takes hold of it, and fails the nth call of one kind on the files of
the state. The writer must say so and end, or go on rightly; what it had acknowledged is there afterwards.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from tests.faults.lives import engine, state
from tests.faults.nursery import Nursery
from tests.faults.outcome import Budget, Outcome
from tests.faults.writer import opened, readings, told
from tests.system.servers import need

CALLS = ("openat", "pwrite64", "pread64", "fdatasync", "fsync", "ftruncate", "unlink", "newfstatat")
HOWS = ("error=EIO", "error=ENOSPC", "error=EROFS", "signal=KILL")
FIRST = 20
FILES = ("state.db", "state.db-wal", "state.db-journal", "acknowledged", "lock")


def run(budget: Budget, faults: tuple[str, ...] = ()) -> Outcome:
    """One call fails in each cycle: all kinds of calls and of failures in turn, then the next place."""
    outcome, strace, hit = Outcome(), need("strace"), 0
    folder, codes, uninterrupted = budget.folder, dict[str, int](), Uninterrupted()
    with Nursery(folder, faults) as nursery:
        for cycle in budget.each():
            place, kind = divmod(cycle, len(CALLS) * len(HOWS))
            call, how = CALLS[kind % len(CALLS)], HOWS[kind // len(CALLS)]
            what = f"{call}:{how}:when={1 + (place + 7 * kind) % FIRST}"
            was_hit, code = _cycle(nursery, strace, folder, what)
            codes[str(code)] = codes.get(str(code), 0) + 1
            if problem := _wrong(code, call, how, was_hit) or _difference(folder, uninterrupted):
                outcome.problems.append(f"cycle {cycle}, {what}: {problem}; {nursery.log.read_text()[-500:]}")
                break
            outcome.cycles, hit = outcome.cycles + 1, hit + was_hit
    outcome.progress = hit
    outcome.figures |= {"faults that were met": hit, "exit codes": codes, "acknowledged": told(folder)}
    return outcome


def _cycle(nursery: Nursery, strace: str, folder: Path, what: str) -> tuple[bool, int]:
    """Whether the fault was met, and how the writer ended."""
    pid = nursery.start(stopped=True)
    said = folder / "strace"
    paths = [word for name in FILES for word in ("-P", str(folder / "state" / name))]
    call = what.split(":")[0]
    command = [strace, "-f", "-o", str(said), "-p", str(pid), *paths, "-e", f"trace={call}", "-e", f"inject={what}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr
        attached = tracer.stderr.readline()
        assert "attached" in attached, attached
        os.kill(pid, signal.SIGCONT)
        code = nursery.wait()
        tracer.wait(20)
    text = said.read_text(errors="replace")
    return bool(re.search(r"INJECTED|killed by SIGKILL", text)), code


def _wrong(code: int, call: str, how: str, was_hit: bool) -> str:
    """What is wrong with the way it ended."""
    if not was_hit:
        return "" if code == 0 else f"ended with {code} although nothing failed"
    # SQLite takes some failures to read for damage: 3
    allowed = (-signal.SIGKILL,) if how == "signal=KILL" else (0, 1, 3) if call == "pread64" else (0, 1)
    return "" if code in allowed else f"ended with {code}, need one of {allowed}"


class Uninterrupted:
    """An engine that goes on and on."""

    def __init__(self) -> None:
        self._engine, self._position = engine(), 0

    def at(self, position: int) -> dict[str, object]:
        """Its state at a position, which is no earlier than the last."""
        self._engine.feed(readings(self._position + 1, position + 1))
        self._position = position
        return state(self._engine)


def _difference(folder: Path, uninterrupted: Uninterrupted) -> str:
    """What is wrong with the state that it left."""
    own, keeper = opened(folder)
    try:
        if keeper.position < told(folder):
            return f"{told(folder)} were acknowledged, {keeper.position} are there"
        is_same = state(own) == uninterrupted.at(keeper.position)
        return "" if is_same else f"another state at {keeper.position}"
    finally:
        keeper.close(0.0)
