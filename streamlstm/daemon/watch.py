"""Whether all that must move does move, judged by the engine's loop each time it comes round, and what follows if not.

A loop that hangs cannot say so. So it is the other way round: only a loop that has come round, and found every thread
that we need alive and moving, puts off the end. Otherwise systemd hears nothing more and restarts us; and where nobody
watches us, the process shows where each thread stands and ends by itself, for whoever started it to start it again.
"""

from __future__ import annotations

import faulthandler
import logging
import signal
import sys
import time
from typing import Protocol

from streamlstm.daemon import notify
from streamlstm.daemon.notify import Notify

log = logging.getLogger(__name__)

STARTING_S = 1800.0  # of one step of the start: a stream's kernels compile in a minute, on small machines in several
STUCK_S = 120.0  # from then on: a batch takes seconds at the very most, a broker that does not answer a keepalive
STOPPING_S = 60.0  # stopping takes five seconds
DUMPING_S = 10.0  # for saying where the threads stand; stderr may be a pipe that nobody reads
SHARE = 3  # words for systemd in each of its intervals


class Part(Protocol):
    def fault(self) -> str:
        """What is wrong with it, in the same words for as long as it is; empty: nothing."""


class Watch:
    """Kept by the engine's thread. `ends`: it may end this process; otherwise it only watches and tells."""

    def __init__(self, tells: Notify | None = None, *, ends: bool = False, stuck_s: float = STUCK_S) -> None:
        self._tells = tells or Notify()
        self._ends = ends
        self._stuck_s = stuck_s
        self._parts: list[Part] = []
        self._fault = ""
        self._said = ""  # STATUS= as systemd knows it
        self._is_ready = False
        self._fed_s = 0.0
        if ends:
            faulthandler.enable()  # SIGABRT is how systemd ends what it has not heard of for too long

    def over(self, part: Part) -> None:
        """One more without which we are of no use."""
        self._parts.append(part)

    def starting(self, what: str) -> None:
        """Another step of the start begins, or goes on: how long each may take is bounded, all of them are not."""
        self._put_off(STARTING_S)
        self._tells.say(*notify.starting(what, STARTING_S))

    def beat(self, why: str) -> str:
        """The loop has come round; `why`: what readiness waits for. Returns the fault of a part, or nothing.

        Ready, to systemd, is a loop that turns. A broker that is absent is no reason to hold up the machine's start, or
        to start us again: it is told as the status.
        """
        fault = next((found for part in self._parts if (found := part.fault())), "")
        if fault != self._fault:
            log.log(*(logging.ERROR, "event=unwell why=%r", fault) if fault else (logging.WARNING, "event=well_again"))
            self._fault = fault
        status = fault or why or "ready"
        if not self._is_ready:
            self._is_ready = True
            self._tells.say(*notify.ready(status))
        elif status != self._said:
            self._tells.say(f"STATUS={status}")
        self._said = status
        if not fault:
            self._put_off(self._stuck_s)
            self._feed()
        return fault

    def reloading(self) -> None:
        """The next beat says that it is over."""
        self._is_ready = False
        self._tells.say(*notify.reloading())

    def stopping(self) -> None:
        self._put_off(STOPPING_S)
        self._tells.say("STOPPING=1", "STATUS=stopping")

    def end(self) -> None:
        """There is nothing left to watch."""
        if self._ends:
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _feed(self) -> None:
        now_s = time.monotonic()
        if self._tells.watchdog_s and now_s - self._fed_s >= self._tells.watchdog_s / SHARE:
            self._fed_s = now_s
            self._tells.say("WATCHDOG=1")

    def _put_off(self, seconds: float) -> None:
        """Neither needs the interpreter, which a fault may hold: one is a thread in C, the other the kernel's alarm,
        that ends the process also where the first cannot write what it has to say."""
        if self._ends:
            faulthandler.dump_traceback_later(seconds, exit=True, file=sys.stderr)
            signal.setitimer(signal.ITIMER_REAL, seconds + DUMPING_S)
