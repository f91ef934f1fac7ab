"""A small sample of every harness, with a seed that is printed; the long runs are `python -m tests.faults`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.__main__ import HARNESSES, harness
from tests.faults.outcome import Budget

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
SEED = 1
SAMPLE: dict[str, tuple[int, float]] = {  # cycles and seconds of each harness here
    "fuzz": (6, 20.0),
    "soak": (12, 15.0),
    "flood": (5, 20.0),
    "lives": (5, 20.0),
    "flips": (150, 20.0),
    "fulldisk": (3, 30.0),
    "repairs": (80, 20.0),
    "iofaults": (40, 30.0),
    "kill": (20, 30.0),
    "powercut": (15, 30.0),
    "control": (2, 20.0),
    "broker": (4, 15.0),
    "partition": (2, 10.0),
    "tls": (1, 10.0),
}


@pytest.mark.parametrize("name", sorted(HARNESSES))
def test_a_sample_of_each_harness_finds_nothing(name, tmp_path):
    cycles, seconds = SAMPLE[name]
    print(f"python -m tests.faults {name} --cycles {cycles} --seconds {seconds} --seed {SEED}")
    outcome = harness(name)(Budget(cycles, seconds, SEED, tmp_path))
    assert outcome.problems == []
    assert outcome.passed, outcome


@pytest.mark.parametrize("fault", ["no-mark", "counts-that-are-not-saved"])
def test_a_planted_fault_is_noticed(fault):
    """Two of them; all are `python -m tests.faults.gate`."""
    command = [sys.executable, "-m", "tests.faults.gate", fault, "--seconds", "30", "--seed", str(SEED)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.startswith(f"noticed: {fault}") and ran.returncode == 0, ran.stdout + ran.stderr[-2000:]
