"""What a series costs: resident memory, and microseconds an observation, in the compiled part and in the whole engine.

    python benchmarks/engine.py [--series 1000] [--observations 300]

Prints the machine, the versions and the median of five runs.
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

from streamlstm.config import Model, Stream
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Observation, Shed
from streamlstm.model.batch import Learner, Step

STREAM = Stream(name="s/{n}", topic="s/{n}", leads=(1, 5, 24, 48), step="1h")
HOUR_NS = 3600 * SECOND_NS
RUNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--observations", type=int, default=300)
    parser.add_argument("--preset", default="full")
    parser.add_argument("--shed", action="store_true", help="without learning, as when more comes than can be learned")
    wanted = parser.parse_args()
    print(platform.processor() or platform.machine(), *(f"{p} {version(p)}" for p in ("numba", "numpy")))
    stream = STREAM.model_copy(update={"model": Model.model_validate({"preset": wanted.preset})})
    engine = Engine([stream], seed=1, max_series=wanted.series)
    began_s = time.perf_counter()
    engine.warm_up()
    print(f"compiled, or taken from the cache: {time.perf_counter() - began_s:.1f} s")
    start = resident_bytes()
    print(f"resident after start: {start / 2**20:.0f} MiB")
    inside, around = [], []
    for run in range(RUNS):
        engine.feed([Shed(wanted.shed and run > 0)])  # the first fills the memory of replay
        took_s, took_inside_s = feed(engine, wanted.series, wanted.observations, run)
        count = wanted.series * wanted.observations
        around.append(took_s / count * 1e6)
        inside.append(took_inside_s / count * 1e6)
    row = engine.report().memory_bytes / wanted.series
    print(f"resident per 1,000 series: {(resident_bytes() - start) / wanted.series * 1000 / 2**20:.0f} MiB")
    print(f"state per series: {row / 2**10:.0f} KiB")
    print(f"compiled part: {statistics.median(inside):.1f} µs an observation (median of {RUNS})")
    print(f"whole engine: {statistics.median(around):.1f} µs an observation")


def feed(engine: Engine, series: int, observations: int, run: int) -> tuple[float, float]:
    """Seconds in `Engine.feed` and, of these, in the compiled code."""
    inside_s = 0.0
    plain = Learner.take

    def timed(learner: Learner, steps: list[Step], *, sheds: bool) -> np.ndarray:
        nonlocal inside_s
        began_s = time.perf_counter()
        out = plain(learner, steps, sheds=sheds)
        inside_s += time.perf_counter() - began_s
        return out

    Learner.take = timed
    took_s = 0.0
    dice = np.random.default_rng(run)
    try:
        for i in range(run * observations, (run + 1) * observations):
            noise = dice.normal(0, 0.1, series)
            level = 10 + math.sin(i * 2 * math.pi / 24)
            batch = [
                Observation(f"s/{n}", STREAM.name, i * HOUR_NS, (level + float(noise[n]),), i) for n in range(series)
            ]
            began_s = time.perf_counter()
            engine.feed(batch)
            took_s += time.perf_counter() - began_s
    finally:
        Learner.take = plain
    return took_s, inside_s


def resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmRSS: this benchmark needs Linux")


if __name__ == "__main__":
    main()
