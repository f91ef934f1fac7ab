"""Who takes the messages: each a process, whose session the broker keeps while it is away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.end_to_end.readings import STREAM
from tests.system.servers import free_port

LOOK_S = 0.005
LEEWAY_S = 5.0  # a daemon's last sweep begins before it has ended
PATIENCE_S = 600.0  # the first start compiles
_TICKS = os.sysconf("SC_CLK_TCK")


class Drain(NamedTuple):
    """How messages were taken."""

    messages_s: float
    cpu_us: float = 0.0  # of all threads, a message; 0: not looked at


class Nothing:
    """A paho client that does nothing with them."""

    def __init__(self, port: int, version: str, how: str) -> None:
        self.name = f"paho, MQTT {version}, {how} acknowledgement"
        self._command = [sys.executable, "-m", "benchmarks.end_to_end.consumer"]
        self._command += [str(port), f"nothing-{version}-{how}", version, how]
        self._run(0)

    def drain(self, count: int) -> Drain:
        return Drain((count - 1) / self._run(count))

    def end(self) -> None:
        pass

    def _run(self, count: int) -> float:
        done = subprocess.run([*self._command, str(count)], check=True, capture_output=True, text=True)
        return float(done.stdout)


class Daemon:
    """`streamlstm run`, with everything that it does by itself, durable; learning is never shed."""

    def __init__(
        self, folder: Path, port: int, model: dict[str, object], series: int, version: str, leads: list[int]
    ) -> None:
        self.name = f"streamlstm, MQTT {version}"
        self.pid = 0
        self._http = f"http://127.0.0.1:{(http := free_port())}"
        self._state = folder / "state"
        self._log = folder / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ended_s = time.time()
        self._config = folder / "streamlstm.toml"
        folder.mkdir(exist_ok=True)
        tables = {
            "mqtt": {"url": f"mqtt://127.0.0.1:{port}", "version": version, "client_id": f"daemon-{version}"},
            "http": {"listen": f"127.0.0.1:{http}"},
            "state": {"directory": str(self._state)},
            "limits": {"max_series": series, "shed_after": "0s"},
        }
        lines = [line for name, table in tables.items() for line in (f"[{name}]", *_lines(table))]
        lines += ["[[streams]]", *_lines({**STREAM, "leads": leads}), "[streams.model]", *_lines(model)]
        self._config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Return when it is connected and subscribed."""
        self._begin()
        self._await(self._is_ready, "is not ready")

    def wait(self, count: int) -> None:
        """Until so many inputs are durable, of all its life."""
        self._await(lambda: self.durable() >= count, f"has {self.durable()} of {count} messages")

    def settle(self) -> None:
        """Wait until all series are saved: that began when it ended, went on with its start, and comes once an hour."""
        self._await(lambda: self._saved_s() >= self._ended_s - LEEWAY_S, "does not save its series", 1.0)

    def end(self) -> None:
        """Stop it as a supervisor does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
            self._process, self._ended_s = None, time.time()

    def drain(
        self, count: int, begin: Callable[[], None] = lambda: None, end: Callable[[], None] = lambda: None
    ) -> Drain:
        """Start it where the broker holds `count` messages, and end it when it has taken them.

        begin, end: called when it is there, and before it ends.

        When how many were durable is seen from the state's mark: nobody who measures asks the daemon for it. Then each
        was learned from, and its forecast published, but for the newest batch.
        """
        before = self.durable()
        self._begin()
        begin()
        self._await(lambda: self.durable() > before, "takes nothing")
        began_s, first, cpu_s = time.perf_counter(), self.durable(), self.cpu_s()
        self._await(lambda: self.durable() >= before + count, "has not taken all")
        taken, took_s, cpu_s = self.durable() - first, time.perf_counter() - began_s, self.cpu_s() - cpu_s
        end()
        self.end()
        return Drain(taken / took_s, cpu_s / taken * 1e6)

    def durable(self) -> int:
        """Inputs in the journal, of all its life."""
        mark = self._state / "acknowledged"
        data = mark.read_bytes() if mark.exists() else b""
        return max((int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 512)), default=0)

    def cpu_s(self) -> float:
        """All that its threads have had."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_bytes(self) -> int:
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self._http + "/readyz", timeout=5) as found:
                return found.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _saved_s(self) -> float:
        """When the newest sweep that is through began."""
        with urllib.request.urlopen(f"{self._http}/metrics", timeout=10) as found:
            lines = found.read().decode().splitlines()
        ages = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("streamlstm_snapshot_age_seconds ")]
        return time.time() - ages[0] if ages else 0.0

    def _begin(self) -> None:
        command = [sys.executable, "-m", "streamlstm", "run", "--config", str(self._config)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.pid = self._process.pid

    def _await(self, seen: Callable[[], bool], what: str, look_s: float = LOOK_S) -> None:
        ends_s = time.monotonic() + PATIENCE_S
        while not seen():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > ends_s:
                raise RuntimeError(f"the daemon {what}: {self._log.read_text()[-2000:]}")
            time.sleep(look_s)


def _lines(table: dict[str, object]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]  # plain values are written alike in TOML
