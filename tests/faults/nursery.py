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
import traceback
from contextlib import suppress
from pathlib import Path

from tests.faults import planted
from tests.system.servers import until

ROOT = Path(__file__).parents[2]


class Nursery:
    """A nursery and the one daemon that lives; `log` is what all of them said."""

    def __init__(self, config: Path, faults: tuple[str, ...] = ()) -> None:
        """config: a daemon's, or the folder of writers."""
        self.log = (config if config.is_dir() else config.parent) / "daemon.log"
        self.pid = 0
        command = [sys.executable, "-m", "tests.faults.nursery", str(config), *faults]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def start(self, *, stopped: bool = False) -> int:
        """Start a daemon; returns its process number. stopped: it waits for a SIGCONT."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("stopped\n" if stopped else "start\n")
        self._process.stdin.flush()
        self.pid = int(self._process.stdout.readline() or 0)
        assert self.pid, f"the nursery ended: {self.log.read_text()[-2000:]}"
        if stopped:
            status = Path(f"/proc/{self.pid}/stat")
            until(lambda: status.read_text().rpartition(")")[2].split()[0] in "Tt")
        return self.pid

    def lives(self) -> bool:
        """Whether the daemon has not ended."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

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


def _serve(place: Path, faults: list[str]) -> None:
    from streamlstm.config import load
    from streamlstm.engine import Engine
    from tests.faults import lives

    for name in faults:
        planted.FAULTS[name].plant()
    if place.is_dir():
        lives.engine().warm_up()
    else:
        Engine(load(place, {}).streams, seed=1, max_series=10).warm_up()
    child = 0
    for line in sys.stdin:
        if line.strip() != "wait":
            child = os.fork()
            if not child:
                if line.strip() == "stopped":
                    os.kill(os.getpid(), signal.SIGSTOP)
                _live(place)
            print(child, flush=True)
        else:
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


def _live(place: Path) -> None:
    """A daemon as the command line runs it, or a writer."""
    from streamlstm import cli
    from tests.faults import writer

    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(devnull, 1)
    code = 70
    try:
        code = writer.live(place) if place.is_dir() else cli.main(["run", "--config", str(place)]) or 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    assert threading.active_count() == 1, "a fork takes no other thread along"
    _serve(Path(sys.argv[1]), sys.argv[2:])
