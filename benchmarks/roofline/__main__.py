"""How far an update is from what this machine gives in the same run, stage by stage.

    python -m benchmarks.roofline [--rounds 9] [--json FILE] [--only plain,full,fleet]

Measures multiply-adds from registers and bytes a second from each level of memory, counts what each stage has to do at
least, and times our stages, and clang's where it is installed: medians of rounds in which all take turns. The estimate
of a stage is the slowest of arithmetic, L1 and L2; that of an update is the sum of its stages'.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.kernel import machine, ours, twin
from benchmarks.kernel.__main__ import EVERY, runners, us_per_observation
from benchmarks.kernel.sizes import PLAIN, Sizes, copy, observations, of_preset, state
from benchmarks.roofline import rates, work
from benchmarks.roofline.stages import PLACES, RESTORES, STAGES, WHOLE, repeat

CASES: Mapping[str, Callable[[], Sizes]] = {
    "plain": lambda: PLAIN,
    "full": partial(of_preset, "full"),
    "fleet": partial(of_preset, "fleet"),
}
LEARNED = 200  # observations before the stages are timed: gradients and moments as they usually are
Repeat = Callable[..., Any]
COLUMNS = ("stage", "ours / estimate", "ours / clang", "ours µs", "clang µs", "estimate µs", "bound by")
COLUMNS += ("kop", "KiB L1", "KiB L2")
COUNTS = (("operations", 1000), ("near_bytes", 1024), ("far_bytes", 1024))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.roofline", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(CASES), help="of these cases")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.1, help="at least, of each row of plain in each round")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    names = tuple(name.strip() for name in given.only.split(",") if name.strip())
    if strange := [name for name in names if name not in CASES]:
        parser.error(f"--only: no {', '.join(strange)}; there are {', '.join(CASES)}")
    document = measure(names, given.rounds, given.seconds, rates.LEVELS_KIB)
    if given.json:
        given.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(page(document))


def measure(names: tuple[str, ...], rounds: int, seconds: float, levels: Mapping[str, int]) -> dict[str, Any]:
    about = machine.about()
    cases = {name: CASES[name]() for name in names}
    timers = {name: Timers(n) for name, n in cases.items()}
    whole = {f"k1={every}": runners(PLAIN, every)["ours"] for every in EVERY} if "plain" in names else {}
    machine_rates: dict[str, list[float]] = {}
    took: dict[str, dict[str, list[float]]] = {name: {} for name in (*names, "observation")}
    for turn in range(rounds):
        machine_rates.setdefault("FMA", []).append(rates.fma_per_s())
        for level, kib in levels.items():
            machine_rates.setdefault(level, []).append(rates.bytes_per_s(kib))
        for name, timer in timers.items():
            for row, us in timer.round().items():
                took[name].setdefault(row, []).append(us)
        for row, run in whole.items():
            took["observation"].setdefault(row, []).append(us_per_observation(run, seconds))
        print(f"round {turn + 1} of {rounds}", file=sys.stderr, flush=True)
    per_s = {name: median(found) for name, found in machine_rates.items()}
    us = {name: {row: median(found) for row, found in rows.items()} for name, rows in took.items()}
    given = per_s["FMA"], per_s["L1"], per_s["L2"]
    document: dict[str, Any] = {"about": about, "rounds": rounds, "per_second": per_s, "cases": {}, "observation": {}}
    for name, n in cases.items():
        rows = [row_of(stage, one, given, us[name]) for stage, one in work.stages(n).items()]
        total = sum(row["estimate_us"] for row in rows)
        rows.append({"stage": WHOLE, "bound": "", "estimate_us": total, **times(WHOLE, us[name])})
        cold_us = 1e6 * work.record_bytes(n) / per_s["memory"]
        document["cases"][name] = {"sizes": n._asdict(), "stages": rows, "from_memory_us": cold_us}
    if "plain" in names:
        update_us = document["cases"]["plain"]["stages"][-1]["estimate_us"]
        forecast_us = 1e6 * work.forecast(PLAIN).seconds(*given)
        for every in EVERY:
            estimate = update_us if every == 1 else update_us / every + forecast_us
            row = f"k1={every}"
            document["observation"][row] = {"estimate_us": estimate, "ours_us": us["observation"][row]}
    about["load after"] = machine.about()["load before"]
    return document


class Timers:
    """The stages of one case, ours and clang's, on records of their own."""

    def __init__(self, n: Sizes) -> None:
        begin = n.steps * n.windows
        x, self.label = observations(n, begin + LEARNED)
        self.begun = state(n)
        said = np.zeros((begin + LEARNED, n.leads), np.float32)
        ours.run(self.begun, x, self.label, said, 1, begin, begin + LEARNED)
        self.kept = copy(self.begun)
        self.kept["gradient"] = np.random.default_rng(3).normal(0, 1, n.weights)
        self.by: dict[str, Repeat] = {"ours": repeat}
        if twin.compiler() == "clang":
            more = (twin.WIDE,) if rates.LANES == 16 else ()
            self.by["clang"] = twin.compiled("clang", n, more).repeat

    def round(self) -> dict[str, float]:
        """Microseconds of each stage by each, once."""
        found = {}
        for name in (*STAGES, WHOLE):
            for who, run in self.by.items():
                spent = self._us(run, PLACES[name])
                if name in RESTORES:
                    spent -= self._us(run, RESTORES[name])
                found[f"{name}, {who}"] = spent
        return found

    def _us(self, run: Repeat, which: int) -> float:
        rows = copy(self.begun)
        return 1e6 * rates.seconds_of(lambda count: run(rows, self.kept, self.label, which, count))


def times(stage: str, us: Mapping[str, float]) -> dict[str, float]:
    return {f"{who}_us": us[f"{stage}, {who}"] for who in ("ours", "clang") if f"{stage}, {who}" in us}


def row_of(stage: str, one: work.Work, given: tuple[float, float, float], us: Mapping[str, float]) -> dict[str, Any]:
    return {
        "stage": stage,
        "operations": one.operations,
        "near_bytes": one.near,
        "far_bytes": one.far,
        "bound": one.bound(*given),
        "estimate_us": 1e6 * one.seconds(*given),
        **times(stage, us),
    }


def page(document: Mapping[str, Any]) -> str:
    """Ratios first."""
    lines = []
    if document["observation"]:
        lines += ["| plain, an observation | ours / estimate | estimate µs | ours µs |", "|---|---|---|---|"]
        for name, one in document["observation"].items():
            ratio = one["ours_us"] / one["estimate_us"]
            lines.append(f"| {name} | {ratio:.2f} | {one['estimate_us']:.2f} | {one['ours_us']:.2f} |")
        lines.append("")
    for name, case in document["cases"].items():
        n = ", ".join(f"{key} {value}" for key, value in case["sizes"].items())
        lines += [
            f"{name}: {n}; from memory instead of L2 its record alone takes {case['from_memory_us']:.1f} µs",
            "",
            f"| {' | '.join(COLUMNS)} |",
            "|---" * len(COLUMNS) + "|",
        ]
        for row in case["stages"]:
            own, other, estimate = row["ours_us"], row.get("clang_us"), row["estimate_us"]
            versus = (f"{own / other:.2f}", f"{other:.2f}") if other else ("–", "–")
            counts = [f"{row[key] / unit:.1f}" if key in row else "" for key, unit in COUNTS]
            cells = [row["stage"], f"{own / estimate:.2f}", versus[0], f"{own:.2f}", versus[1], f"{estimate:.2f}"]
            lines.append(f"| {' | '.join([*cells, row['bound'], *counts])} |")
        lines.append("")
    for name, per_s in document["per_second"].items():
        what = "G multiply-adds a second" if name == "FMA" else "GB/s read"
        lines.append(f"{name}: {per_s / 1e9:.1f} {what}")
    lines += [f"{key}: {value}" for key, value in document["about"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
