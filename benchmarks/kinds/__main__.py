"""The command: which rows to measure, and where their figures go."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.kinds import (
    angles,
    beginnings,
    boolean,
    clocks,
    covariates,
    gaps,
    holidays,
    irregular,
    memory,
    regimes,
    resolutions,
    robust,
)
from benchmarks.kinds.figure import SEED, Figure, Given, NotHere, table


class Measure(NamedTuple):
    """One row of the table."""

    name: str
    measure: Callable[[Given], list[Figure]]


ROWS = (
    Measure("gaps", gaps.measure),
    Measure("irregular", irregular.measure),
    Measure("clocks", clocks.measure),
    Measure("regimes", regimes.measure),
    Measure("robust", robust.measure),
    Measure("memory", memory.measure),
    Measure("placebo", covariates.placebo),
    Measure("joint", covariates.joint),
    Measure("beginnings", beginnings.measure),
    Measure("resolutions", resolutions.measure),
    Measure("helpful", covariates.helpful),
    Measure("holidays", holidays.measure),
    Measure("boolean", boolean.measure),
    Measure("angles", angles.measure),
)


def main() -> None:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kinds", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public series; docs/skill.md says where from")
    parser.add_argument("--only", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--preset", default="full", choices=("full", "fleet", "tiny"))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    given = Given(wanted.preset, wanted.data, wanted.seed)
    about = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "numba": version("numba"),
        "preset": given.preset,
        "seed": given.seed,
    }
    print(", ".join(f"{name} {value}" for name, value in about.items()), "\n", flush=True)
    print("| | measured | floor | aim | reached |\n|---|---:|---:|---:|---|")
    told: list[dict[str, Any]] = []
    for row in ROWS:
        if row.name in wanted.only:
            told.append(_one(row, given))
    if wanted.json:
        text = json.dumps({"about": about, "rows": told}, indent=1, allow_nan=False, ensure_ascii=False)
        wanted.json.write_text(text + "\n", encoding="utf-8")


def _one(row: Measure, given: Given) -> dict[str, Any]:
    """Measure a row and print it; as it is told in JSON, where what is not known is null."""
    began_s = time.perf_counter()
    try:
        figures = row.measure(given)
    except NotHere as absent:
        print(f"| {row.name}: not measured, needs {absent} | | | | |", flush=True)
        return {"name": row.name, "needs": str(absent), "figures": []}
    seconds = time.perf_counter() - began_s
    print(f"| **{row.name}** ({seconds:.0f} s) | | | | |\n{table(figures)}", flush=True)
    plain = [{**asdict(figure), "reached": figure.reached} for figure in figures]
    known = [{k: None if isinstance(v, float) and isnan(v) else v for k, v in one.items()} for one in plain]
    return {"name": row.name, "seconds": round(seconds, 1), "figures": known}


if __name__ == "__main__":
    main()
