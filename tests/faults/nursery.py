"""Starts daemons fast: everything is imported and compiled once, then each is a fork of this process.

`python -m tests.faults.nursery CONFIG [PLANTED ...]` reads a line for each daemon that is to be started, and answers
with its process number; at the end of its input it ends. Planted faults are put in first, see `planted`.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from tests.faults import planted

ROOT = Path(__file__).parents[2]


class Nursery:
    """A nursery and the one daemon that lives; `log` is what all of them said."""

    def __init__(self, config: Path, faults: tuple[str, ...] = (), *, wrap: tuple[str, ...] = ()) -> None:
        self.log = config.with_name("daemon.log")
        self.pid = 0
        command = [*wrap, sys.executable, "-m", "tests.faults.nursery", str(config), *faults]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def start(self) -> int:
        """Start a daemon; returns its process number."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("start\n")
        self._process.stdin.flush()
        self.pid = int(self._process.stdout.readline() or 0)
        assert self.pid, f"the nursery ended: {self.log.read_text()[-2000:]}"
        return self.pid

    def end(self, how: signal.Signals) -> int:
        """End the daemon that lives; returns its exit code, negative where it was a signal."""
        assert self._process.stdin and self._process.stdout
        with suppress(ProcessLookupError):  # it has ended already, which the exit code tells
            os.kill(self.pid, how)
        return self.wait()

    def wait(self) -> int:
        """The exit code of the daemon that lives, once it has ended."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("wait\n")
        self._process.stdin.flush()
        self.pid = 0
        return int(self._process.stdout.readline())

    def close(self) -> None:
        if self.pid:
            self.end(signal.SIGKILL)
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _serve(config_file: str, faults: list[str]) -> None:
    from streamlstm.config import load
    from streamlstm.engine import Engine

    checked = load(Path(config_file), {})
    for name in faults:
        planted.FAULTS[name].plant()
    Engine(checked.streams, seed=checked.seed, max_series=10).warm_up()
    child = 0
    for line in sys.stdin:
        if line.strip() == "start":
            child = os.fork()
            if not child:
                _live(config_file)
            print(child, flush=True)
        else:
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


def _live(config_file: str) -> None:
    """A daemon as the command line runs it."""
    from streamlstm import cli

    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(devnull, 1)
    code = 70
    try:
        cli.main(["run", "--config", config_file])
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    assert threading.active_count() == 1, "a fork takes no other thread along"
    _serve(sys.argv[1], sys.argv[2:])
