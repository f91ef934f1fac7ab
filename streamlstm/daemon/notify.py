"""sd_notify: what systemd is told, a datagram each, to the socket that it names. Without one nothing is said."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping

log = logging.getLogger(__name__)


class Notify:
    """Whom to tell, and how often systemd wants to hear that we are alive (`watchdog_s`; 0: it does not ask)."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self.watchdog_s = watchdog_s
        self._address = address
        self._failed = False

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> Notify:
        """As systemd has put it into the environment of the process `pid`."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        asked = microseconds.isdecimal() and environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        return cls(environment.get("NOTIFY_SOCKET", ""), int(microseconds) / 1e6 if asked else 0.0)

    def say(self, *words: str) -> None:
        """Tell all of it at once; never waits. What cannot be told is not worth an end of its own: systemd, if it waits
        for a word, will act by itself."""
        if not self._address:
            return
        text = "\n".join(word.replace("\n", " ") for word in words)
        where = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto(text.encode("utf-8", "replace"), where)
        except OSError as error:
            if not self._failed:  # once: it is said every few seconds
                log.warning("event=notify_failed socket=%r why=%r", self._address, str(error))
            self._failed = True


def ready(status: str) -> tuple[str, ...]:
    return "READY=1", f"STATUS={status}"


def reloading() -> tuple[str, ...]:
    """To be followed by `ready` when it is over; the time tells systemd which of several it was."""
    return "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"


def starting(status: str, at_most_s: float) -> tuple[str, ...]:
    """Not there yet, but getting on: wait so much longer before you lose patience."""
    return f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={round(at_most_s * 1e6)}"
