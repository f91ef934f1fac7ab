"""The power goes: everything that the file system had not been told to make durable is gone.

A file system of its own on a loop device is shut down under the daemon, without writing its log (ext4's
EXT4_IOC_SHUTDOWN, flag NOLOGFLUSH), and mounted again. Needs root.
"""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
from pathlib import Path

from tests.faults.nursery import Nursery
from tests.faults.outcome import Budget, Outcome
from tests.faults.under_load import Load, broken
from tests.system.servers import need, need_root

SHUTDOWN, WITHOUT_LOG = 0x8004587D, struct.pack("I", 2)
SIZE = 64 * 2**20


def run(budget: Budget, faults: tuple[str, ...] = ()) -> Outcome:
    """Cut the power in each cycle."""
    need_root("mounting a file system of its own")
    with Disk(budget.folder) as disk:
        return broken(budget, "powercut", disk.folder / "state", disk.cut, faults)


class Disk:
    """An ext4 on a loop device, mounted at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._image = folder / "disk", folder / "disk.img"
        self.folder.mkdir()

    def cut(self, nursery: Nursery, _: Load) -> str:
        """Cut the power; what had been running is not there any more, and the disk is as it was found."""
        place = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(place, SHUTDOWN, WITHOUT_LOG)
        finally:
            os.close(place)
        nursery.end(signal.SIGKILL)
        self._umount()
        self._mount()
        return ""

    def __enter__(self) -> Disk:
        with self._image.open("wb") as image:
            image.truncate(SIZE)
        subprocess.run([need("mkfs.ext4"), "-q", "-F", str(self._image)], check=True)
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        self._umount()

    def _mount(self) -> None:
        subprocess.run([need("mount"), "-o", "loop", str(self._image), str(self.folder)], check=True)

    def _umount(self) -> None:
        subprocess.run([need("umount"), str(self.folder)], check=True)
