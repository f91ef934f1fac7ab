"""The folder of a state: private, and held by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from streamlstm.store.errors import StateRefused, StoreFailed

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
LOCK = "lock"


class Folder:
    """Held from its making to `close`. Readers do not hold it: `create` is False for them, and it must be there."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        try:
            if create:
                path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            elif not path.is_dir():
                raise StateRefused(f"{path}: no such folder; need the folder of a state ([state] directory)")
            self._lock = private(path / LOCK)
        except OSError as error:
            raise StoreFailed(f"state.directory = {path}: {error.strerror}; need a folder that we may write") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StateRefused(f"{path}: another process works with this state; stop it first") from error

    def sync(self) -> None:
        """Make it durable which files there are."""
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let go of it. The lock's file stays, or two could hold files of the same name."""
        os.close(self._lock)


def private(path: Path) -> int:
    """Open a file, for reading and writing, that only its owner may read; made where it is missing."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
