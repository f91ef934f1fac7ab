"""A small sample of every harness, with a seed that is printed; the long runs are `python -m tests.faults`."""

from __future__ import annotations

import pytest

from tests.faults.__main__ import HARNESSES, harness
from tests.faults.outcome import Budget

pytestmark = pytest.mark.system

SEED = 1
SAMPLE: dict[str, tuple[int, float]] = {  # cycles and seconds of each harness here
    "lives": (5, 20.0),
    "flips": (150, 20.0),
    "fulldisk": (3, 30.0),
    "iofaults": (40, 30.0),
    "kill": (20, 30.0),
    "powercut": (15, 30.0),
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
