"""The unit for systemd: each of its keys is one, it asks for little, and its times fit those of the watchdog."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamlstm.daemon.watch import DUMPING_S, STUCK_S
from tests.system.servers import need

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "streamlstm.service"
EXPOSURE_MOST = 1.5  # a unit that asks for nothing has 9.6


def verified(folder: Path, text: str) -> str:
    """What systemd has to say of a unit, which names a program of this machine: it would be missed."""
    own = folder / UNIT.name
    own.write_text(text.replace("/opt/streamlstm/bin/streamlstm", sys.executable))
    ran = subprocess.run([need("systemd-analyze"), "verify", str(own)], capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


def times() -> dict[str, float]:
    return {
        name: float(value)
        for name, _, value in (line.partition("=") for line in UNIT.read_text().splitlines())
        if name.endswith("Sec") and not name.startswith("#")
    }


def test_systemd_understands_every_line_of_the_unit(tmp_path):
    assert verified(tmp_path, UNIT.read_text()) == ""
    assert "Unknown key" in verified(tmp_path, UNIT.read_text().replace("Restart=", "Restarts="))


def test_the_unit_may_do_little_and_still_compile():
    tool, threshold = need("systemd-analyze"), str(round(10 * EXPOSURE_MOST))
    ran = subprocess.run(
        [tool, "security", "--offline=true", "--no-pager", f"--threshold={threshold}", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    assert "\nMemoryDenyWriteExecute" not in UNIT.read_text()  # it would lower the score, and nothing could be compiled


def test_systemd_loses_patience_before_the_process_does_and_gives_it_time_to_say_where_it_stood():
    of = times()
    assert 0 < of["WatchdogSec"] < STUCK_S
    assert of["TimeoutAbortSec"] >= DUMPING_S
    assert of["TimeoutStopSec"] > 5


def test_when_systemd_aborts_the_process_it_says_where_its_threads_stood():
    code = "import os; from streamlstm.daemon.watch import Watch\ndef stood(): os.abort()\nWatch(ends=True); stood()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGABRT
    assert "in stood" in ran.stderr
