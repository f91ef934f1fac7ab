"""What one update of a plain LSTM costs: H = 32, D = 8, 8 leads, truncation 16, float32, one series, one thread.

    python -m benchmarks.kernel [--peers DIR] [--only torch,...] [--rounds 9] [--seconds 0.3] [--json FILE]

Forward, linear heads, truncated BPTT, norm clip and Adam, with an update every observation (k1 = 1) or every sixteenth:
microseconds of processor time an observation, which others on the machine disturb least; the median of rounds in which
all take turns. Ours and its twins agree before they are timed. With --peers others take part, each in an environment of
its own in that folder, made by pip where it is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.kernel import machine, ours, peers, twin
from benchmarks.kernel.sizes import PLAIN, Sizes, observations, state
from benchmarks.kernel.with_numpy import Plain

EVERY = (1, 16)  # k1
COMPARED = 64  # observations after which forecasts have to agree
# float32 sums in another order, through up to 64 updates by Adam, which magnifies small differences of small gradients
TOLERANCE = 1e-4
KEPT = 4096  # observations that a series goes through, over and over
Run = Callable[[int, int], float]  # observations from, to; returns seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kernel", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", type=Path, metavar="DIR", help="folder of others' environments")
    parser.add_argument("--only", default=",".join(peers.ENVIRONMENTS), help="of these environments")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.3, help="at least, of each row in each round")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    names = tuple(name.strip() for name in given.only.split(",") if name.strip())
    if strange := [name for name in names if name not in peers.ENVIRONMENTS]:
        parser.error(f"--only: no {', '.join(strange)}; there are {', '.join(peers.ENVIRONMENTS)}")
    document = measure(given.peers, names, given.rounds, given.seconds)
    if given.json:
        given.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(page(document))


def measure(folder: Path | None, names: tuple[str, ...], rounds: int, seconds: float) -> dict[str, object]:
    about = machine.about()
    rows = {f"{name}, k1={every}": run for every in EVERY for name, run in runners(PLAIN, every).items()}
    took: dict[str, list[float]] = {}
    with ExitStack() as stack:
        others = stack.enter_context(peers.started(folder, names, sys.stderr)) if folder else []
        for turn in range(rounds):
            for name, run in rows.items():
                took.setdefault(name, []).append(us_per_observation(run, seconds))
            for peer in others:
                for name in peer.rows:
                    took.setdefault(name, []).append(peer.us_per_observation(name, seconds))
            print(f"round {turn + 1} of {rounds}", file=sys.stderr, flush=True)
        for peer in others:
            about |= {package: number for package, number in peer.versions.items() if package not in about}
    about["load after"] = machine.about()["load before"]
    return {
        "about": about,
        "sizes": PLAIN._asdict(),
        "rounds": rounds,
        "us_per_observation": {name: median(all_of_them) for name, all_of_them in took.items()},
        "fastest": {name: min(all_of_them) for name, all_of_them in took.items()},
        "skipped": [] if twin.compiler() == "clang" else ["clang: not installed, so the twin in C has no row"],
    }


def runners(n: Sizes, every: int) -> Mapping[str, Run]:
    """Ours and its twins in this process, each with a series of its own that has already begun."""
    x, label = observations(n, KEPT)
    name = twin.compiler()
    agree(n, every)
    rows, said = state(n), np.zeros((KEPT, n.leads), np.float32)
    plain = Plain(n)
    found: dict[str, Run] = {
        "ours": timed(lambda begin, end: ours.run(rows, x, label, said, every, begin, end)),
        "NumPy": timed(lambda begin, end: plain.run(x, label, said, every, begin, end)),
    }
    if name == "clang":
        for title, more in (("clang", ()), ("clang, 512 bits", (twin.WIDE,))):
            if not more or "avx512f" in cpu_flags():
                found[title] = in_c(twin.compiled(name, n, more), n, every)
    return found


def in_c(compiled: twin.Twin, n: Sizes, every: int) -> Run:
    x, label = observations(n, KEPT)
    rows, said = state(n), np.zeros((KEPT, n.leads), np.float32)
    return timed(lambda begin, end: compiled.run(rows, x, label, said, every, begin, end))


def cpu_flags() -> str:
    return Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").is_file() else ""


def agree(n: Sizes, every: int, tolerance: float = TOLERANCE) -> None:
    """Ours and its twins, from the same weights over the same observations, forecast the same."""
    x, label = observations(n, KEPT)
    first, last = n.steps, n.steps + COMPARED
    said = {name: np.zeros((KEPT, n.leads), np.float32) for name in ("ours", "C", "NumPy")}
    ours.run(state(n), x, label, said["ours"], every, first, last)
    Plain(n).run(x, label, said["NumPy"], every, first, last)
    if name := twin.compiler():
        twin.compiled(name, n).run(state(n), x, label, said["C"], every, first, last)
    else:
        del said["C"]
    for name, forecasts in said.items():
        apart = float(np.abs(forecasts - said["ours"]).max())
        if name != "ours" and not apart <= tolerance:
            raise RuntimeError(
                f"k1={every}: forecasts of {name} are up to {apart:.2g} from ours; at most {tolerance:g}"
            )
    if not np.abs(said["ours"][first:last]).max() > 0.1:
        raise RuntimeError(f"k1={every}: our forecasts are all near zero, so nothing is compared")


def timed(run: Callable[[int, int], object]) -> Run:
    def seconds(begin: int, end: int) -> float:
        began_s = time.thread_time()
        run(begin, end)
        return time.thread_time() - began_s

    return seconds


def us_per_observation(run: Run, seconds: float) -> float:
    """Of at least so many seconds, in pieces that grow; the first piece, which warms up, does not count."""
    first, size = PLAIN.steps, PLAIN.steps
    run(first, first + size)
    took_s, done = 0.0, 0
    while took_s < seconds:
        took_s += run(first, first + size)
        done += size
        size = min(2 * size, KEPT - first - PLAIN.steps)
    return 1e6 * took_s / done


def page(document: Mapping[str, object]) -> str:
    """Ratios first: how many times as long as ours."""
    took: Mapping[str, float] = document["us_per_observation"]  # type: ignore[assignment]
    fastest: Mapping[str, float] = document["fastest"]  # type: ignore[assignment]
    lines = ["| | k1=1: × ours | µs (fastest) | k1=16: × ours | µs (fastest) |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(row.rpartition(", ")[0] for row in took):
        cells = []
        for every in EVERY:
            row, own = f"{name}, k1={every}", took[f"ours, k1={every}"]
            cells += [f"{took[row] / own:.2f}", f"{took[row]:.2f} ({fastest[row]:.2f})"] if row in took else ["–", "–"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", *document["skipped"]]  # type: ignore[misc]
    lines += [f"{key}: {value}" for key, value in document["about"].items()]  # type: ignore[attr-defined]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
