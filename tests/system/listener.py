"""The other end of sd_notify: a socket as systemd has one, and what was said to it."""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType

from tests.system.servers import until


class Listener:
    """Bound at `path`, or in the abstract namespace under its name."""

    def __init__(self, path: Path, *, abstract: bool = False) -> None:
        self.address = f"@{path}" if abstract else str(path)
        self._path = None if abstract else path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{path}" if abstract else str(path))
        self._socket.setblocking(False)
        self._kept: list[str] = []

    def heard(self) -> list[str]:
        """The lines that have come since the last time."""
        lines, self._kept = self._kept, []
        while True:
            try:
                lines += self._socket.recv(65536).decode().split("\n")
            except BlockingIOError:
                return lines

    def until(self, line: str, patience_s: float = 120.0) -> list[str]:
        """Wait for a line that begins so; returns all up to it and with it. What came after it is still to be heard."""

        def place() -> int:
            """Counted from 1; 0: not yet."""
            self._kept = self.heard()
            return next((at for at, one in enumerate(self._kept, 1) if one.startswith(line)), 0)

        found = until(place, patience_s)
        lines, self._kept = self._kept[:found], self._kept[found:]
        return lines

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        if self._path:
            self._path.unlink()
