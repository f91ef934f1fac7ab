"""`python -m tests.faults.gate [FAULT ...]`: plant each fault, and see whether its harness notices.

A harness that passes without a fault and does not pass with one is one that looks. Each runs in a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults.__main__ import harness
from tests.faults.outcome import Budget, Outcome
from tests.faults.planted_between import FAULTS

ROOT = Path(__file__).parents[2]
IN_PROCESS = ("lives", "flips")  # harnesses that start no process of their own to plant it in


def notices(name: str, seed: int, seconds: float) -> Outcome:
    """What its harness says of a fault."""
    fault = FAULTS[name]
    with tempfile.TemporaryDirectory(prefix=f"gate-{name}-") as folder:
        budget = Budget(fault.cycles, seconds, seed, Path(folder))
        if fault.harness not in IN_PROCESS:
            return harness(fault.harness)(budget, (name,))
        fault.plant()
        return harness(fault.harness)(budget)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.gate", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="FAULT", help=f"of {', '.join(FAULTS)}; none: all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each, at most")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in FAULTS]:
        parser.error(f"no fault {', '.join(unknown)}; need one of {', '.join(FAULTS)}")
    if len(given.names) == 1:
        try:
            said = "; ".join(notices(given.names[0], given.seed, given.seconds).problems)[:300]
        except Exception as error:  # a harness that falls over a fault has noticed it
            said = f"{type(error).__name__}: {error}"[:300]
        print(f"{'noticed' if said else 'NOT NOTICED'}: {given.names[0]} ({FAULTS[given.names[0]].harness}): {said}")
        return 0 if said else 1
    names = given.names or list(FAULTS)
    options = ["--seconds", str(given.seconds), "--seed", str(given.seed)]
    codes = [subprocess.run([sys.executable, "-m", "tests.faults.gate", name, *options], cwd=ROOT) for name in names]
    noticed = sum(not one.returncode for one in codes)
    print(f"{noticed} of {len(names)} planted faults noticed")
    return 0 if noticed == len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
