"""The disk is full: the daemon says so and ends, and goes on when there is room again. A small tmpfs; needs root."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.faults.nursery import Nursery
from tests.faults.outcome import Budget, Outcome
from tests.faults.under_load import Load, broken
from tests.system.servers import need, need_root

SIZE = 48 * 2**20
PATIENCE_S = 8.0  # a daemon may work for a while in the room that its files have already


def run(budget: Budget, faults: tuple[str, ...] = ()) -> Outcome:
    """Fill it in each cycle."""
    need_root("mounting a file system of its own")
    with Small(budget.folder / "disk") as disk:
        outcome = broken(budget, "fulldisk", disk.folder / "state", disk.fill, faults)
        outcome.figures["ended by themselves"] = disk.ended
        if not disk.ended:
            outcome.problems.append("no daemon has noticed that the disk is full")
    return outcome


class Small:
    """A file system without much room."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ended = folder, 0

    def fill(self, nursery: Nursery, load: Load) -> str:
        """Leave no room, until the daemon gives up; then give it back."""
        said, filler = len(nursery.log.read_bytes()), self.folder / "filler"
        _filled(filler)
        ends_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends_s and nursery.lives():
            load.publish()
            time.sleep(0.01)
        has_ended = not nursery.lives()
        code = nursery.end(signal.SIGKILL)
        filler.unlink()
        if not has_ended:
            return ""
        self.ended += 1
        words = nursery.log.read_bytes()[said:].decode(errors="replace")
        return "" if code == 1 and "SQLITE_FULL" in words else f"ended with {code}, need 1 and that the disk is full"

    def __enter__(self) -> Small:
        self.folder.mkdir()
        subprocess.run([need("mount"), "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self.folder)], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([need("umount"), str(self.folder)], check=True)


def _filled(file: Path) -> None:
    """Write until there is no room for another page."""
    with file.open("wb", buffering=0) as filler:
        for size in (2**20, 2**12):
            with suppress(OSError):
                while True:
                    filler.write(bytes(size))
        try:
            filler.write(bytes(2**12))
        except OSError as error:
            assert error.errno == errno.ENOSPC, os.strerror(error.errno or 0)
        else:
            raise AssertionError("there is room left")
