"""The daemon in a process of its own, as `streamlstm run` starts it, with an engine that can be held still.

`python -m tests.faults.subject CONFIG HOLD [PLANTED ...]`: while the file HOLD exists, the engine waits before it takes
messages, and says so by the file HOLD.held. Everything else is asked from outside: the topics, /readyz, /metrics.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

KEEPALIVE_S = 2
# As shipped, a connection that did not last ten seconds is not counted as one that worked, and the third of them makes
# us wait half a minute. So many faults in a row need other figures; the rule is the same.
BACKOFF = {"first_s": 0.2, "most_s": 1.0, "lasting_s": 1.0}
CLIENT_ID = "us"
ROOMS = ("r0", "r1", "r2", "r3")
CONFIG = """
[mqtt]
url = "{url}"
client_id = "us"
keepalive = "{keepalive}s"
version = "{version}"
[http]
listen = "{listen}"
[state]
directory = "{state}"
[[streams]]
name = "{{room}}"
topic = "in/{{room}}"
format = "json"
value = "v"
time = "time"
leads = [1, 3]
step = "1min"
model = {{ hidden = 4, truncation = 8, memory = 64 }}
"""


class Subject:
    """The process, from its start until it is ready, to its end."""

    def __init__(
        self,
        folder: Path,
        url: str,
        listen: str,
        *,
        version: str = "5",
        within: Iterable[str] = (),
        faults: Iterable[str] = (),
    ) -> None:
        """within: a command that runs it somewhere else, such as in a network namespace. faults: planted ones."""
        folder.mkdir(exist_ok=True)
        self._log_file = folder / "daemon.log"
        self._hold = folder / "hold"
        self._address = f"http://{listen}"
        text = CONFIG.format(url=url, keepalive=KEEPALIVE_S, version=version, listen=listen, state=folder / "state")
        (folder / "config.toml").write_text(text)
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [*within, sys.executable, "-m", __name__, str(folder / "config.toml"), str(self._hold), *faults],
                stdin=subprocess.PIPE,  # closed when we end, however we end
                stderr=log,
                cwd=Path(__file__).parents[2],
            )

    def is_ready(self) -> bool:
        assert self._process.poll() is None, f"the daemon has ended: {self.log()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{self._address}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self) -> dict[str, float]:
        """Every sample by its name and labels as they are written."""
        with urllib.request.urlopen(f"{self._address}/metrics", timeout=5) as answer:
            return {k: float(v) for k, v in re.findall(r"^([^#\s]\S*) (\S+)$", answer.read().decode(), re.M)}

    def log(self) -> str:
        return self._log_file.read_text(errors="replace")

    def hold(self) -> None:
        self._hold.touch()

    def is_held(self) -> bool:
        return self._hold.with_suffix(".held").exists()

    def release(self) -> None:
        self._hold.unlink(missing_ok=True)

    def stop(self) -> None:
        self.release()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.communicate()


def received_and_accounted(metrics: dict[str, float]) -> tuple[float, float]:
    """How many messages the daemon says it received, and of how many it says what became of them."""
    outcomes = sum(n for name, n in metrics.items() if name.startswith("streamlstm_observations_total{"))
    gathered = metrics.get('streamlstm_observations_total{outcome="gathered"}', 0.0)  # they are told twice
    return metrics["streamlstm_messages_received_total"], outcomes - gathered + metrics["streamlstm_observations_held"]


def _end_with_the_harness() -> None:
    """Else a daemon whose engine is held would outlive a harness that was killed, and never end."""
    sys.stdin.buffer.read()
    os._exit(70)


def main() -> None:
    from streamlstm import cli
    from streamlstm.daemon import run
    from streamlstm.daemon.backoff import Backoff
    from streamlstm.engine import Engine
    from streamlstm.events import Tick
    from tests.faults.planted_between import FAULTS

    config, hold = sys.argv[1], Path(sys.argv[2])
    for name in sys.argv[3:]:
        FAULTS[name].plant()
    held = hold.with_suffix(".held")
    feed = Engine.feed

    def held_feed(self: Engine, inputs: Iterable[Any], *more: Any, **named: Any) -> Any:
        inputs = list(inputs)
        while hold.exists() and any(not isinstance(item, Tick) for item in inputs):
            held.touch()
            time.sleep(0.01)
        held.unlink(missing_ok=True)
        return feed(self, inputs, *more, **named)

    threading.Thread(target=_end_with_the_harness, daemon=True).start()
    Engine.feed = held_feed  # type: ignore[method-assign]
    run.Link = partial(run.Link, backoff=lambda: Backoff(**BACKOFF))  # type: ignore[misc,assignment]
    sys.argv[1:] = ["run", "--config", config]
    cli.main()


if __name__ == "__main__":
    main()
