"""`python -m tests.faults [NAME ...] --cycles N --seconds S --seed K`: run harnesses, print what each found."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.outcome import Budget, Harness, Outcome

# name of a module in this folder that has `run(budget) -> Outcome`, and what one cycle of it is
HARNESSES: dict[str, str] = {
    "fuzz": "about 1,500 hostile messages to one kind of stream; the kinds take turns",
    "soak": "ten readings of each of a thousand series, with a clock of ours",
    "flood": "a thousand topics that nobody has seen before",
    "lives": "a random life in one process, killed and recovered again and again",
    "flips": "damage to one of the state's files",
    "fulldisk": "a file system without room, until the daemon ends",
    "repairs": "damage to one of the state's files, and its repair",
    "iofaults": "a call to the disk that fails, or is the last one",
    "kill": "kill -9 while messages come in",
    "powercut": "a file system that is shut down while messages come in",
    "control": "a power cut of a daemon that syncs nothing, which must lose something",
    "broker": "the broker killed, restarted or robbed of our session, or another client with our id",
    "partition": "packets dropped between us and the broker, both ways or one (needs root and iptables)",
    "tls": "each wrong certificate, and TLS where there is none: refused, and why",
}


def harness(name: str) -> Harness:
    run: Harness = importlib.import_module(f"tests.faults.{name}").run
    return run


def main() -> int:
    text = "; ".join(f"{name}: {what}" for name, what in HARNESSES.items())
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__, epilog=text)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(HARNESSES)}; none: all")
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each harness, at most")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in HARNESSES]:
        parser.error(f"no harness {', '.join(unknown)}; need one of {', '.join(HARNESSES)}")
    return max([0, *[_told(name, given) for name in given.names or HARNESSES]])


def _told(name: str, given: argparse.Namespace) -> int:
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"faults-{name}-") as folder:
        outcome: Outcome = harness(name)(Budget(given.cycles, given.seconds, given.seed, Path(folder)))
    said = {
        "harness": name,
        "seed": given.seed,
        "passed": outcome.passed,
        "cycles": outcome.cycles,
        "progress": outcome.progress,
        "seconds": round(time.monotonic() - began_s, 1),
        **outcome.figures,
    }
    print(json.dumps(said, ensure_ascii=False), flush=True)
    for problem in outcome.problems:
        print(f"  {problem}", file=sys.stderr, flush=True)
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
