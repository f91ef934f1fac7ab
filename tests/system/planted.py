"""A daemon with a planted fault that the first message sets off: `python -m tests.system.planted FAULT URL PORT`."""

from __future__ import annotations

import ctypes
import fcntl
import os
import sys
import threading
import time
from typing import Any

import numba
import numpy as np

from streamlstm.cli import _log_to_stderr
from streamlstm.daemon import health, http, watch
from streamlstm.daemon.notify import Notify
from streamlstm.daemon.run import Daemon
from streamlstm.events import Observation
from tests.system.test_daemon import PLAIN, config

STUCK_S = 3.0  # long enough for a busy machine to come round


def for_ever(cell: Any) -> None:
    while cell[0] == 0:
        cell[1] += 1


def kernel(*, nogil: bool) -> None:
    numba.njit(nogil=nogil)(for_ever)(np.zeros(2, np.int64))


def fill_stderr() -> None:
    """As where whoever should read the log has stopped reading."""
    flags = fcntl.fcntl(2, fcntl.F_GETFL)
    fcntl.fcntl(2, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        while True:
            os.write(2, b"x" * 512)
    except BlockingIOError:
        fcntl.fcntl(2, fcntl.F_SETFL, flags)


def end(name: str) -> None:
    """End a thread as an error that nobody foresaw does."""
    found = next(thread for thread in threading.enumerate() if thread.name == name)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(found.ident or 0), ctypes.py_object(SystemExit))


def set_off(fault: str) -> None:
    match fault:
        case "kernel":
            kernel(nogil=True)
        case "kernel that holds the interpreter, and a log that nobody reads":
            fill_stderr()
            kernel(nogil=False)
        case "http thread ended":
            end("http")
        case "http thread stuck":
            http._Server.on_tick = _hang  # type: ignore[method-assign]
        case _:
            raise ValueError(fault)


async def _hang(*_: object) -> bool:
    while True:
        time.sleep(1)


def main() -> None:
    fault, url, port = sys.argv[1:]
    _log_to_stderr()
    health.STALLED_S, http.STUCK_S, watch.DUMPING_S = 1, 1.0, 1.0
    tells = Notify.of(os.environ, os.getpid())
    daemon = Daemon(
        config(url, PLAIN, http={"listen": f"127.0.0.1:{port}"}), watch=watch.Watch(tells, ends=True, stuck_s=STUCK_S)
    )
    feed, planted = daemon._engine.feed, [fault]

    def faulty(inputs: Any) -> Any:
        if planted and any(isinstance(one, Observation) for one in inputs):
            set_off(planted.pop())
        return feed(inputs)

    daemon._engine.feed = faulty  # type: ignore[method-assign]
    daemon.run(threading.Event())


if __name__ == "__main__":
    main()
