"""Forecasts of others on the same observations: each makes one pass, and what it said at every origin is kept."""

from __future__ import annotations

import csv
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, nan
from pathlib import Path

import numpy as np

from benchmarks.skill import protocol
from benchmarks.skill.datasets import Dataset
from streamlstm.cli_backtest import CYCLES
from streamlstm.codec.table import Row
from streamlstm.events import SECOND_NS, Floats
from streamlstm.model.zone import CivilTime
from streamlstm.rivals import RIVER, Rival, SeasonalNaive

SCRIPTS = {"torch": "apart/torch_lstm.py", "deep-river": "apart/deep_river_lstm.py"}
PACKAGES = {"torch": ("torch",), "deep-river": ("deep-river", "river", "torch")}
NAMES = (*RIVER, *SCRIPTS)


@dataclass(frozen=True)
class Said:
    """What a rival said after each observation: (N, L), NaN where nothing."""

    forecasts: Floats
    us_per_observation: float


class Recorded:
    """A rival that has made its pass already; it is compared as if it made it now."""

    def __init__(self, forecasts: Floats) -> None:
        self._forecasts = forecasts
        self._learned = -1

    def learn(self, y: float, missed: int) -> None:  # noqa: ARG002
        self._learned += 1

    def forecast(self, leads: Sequence[int]) -> list[float]:
        said: list[float] = self._forecasts[self._learned].tolist()
        assert len(said) == len(leads), "recorded for other leads"
        return said


def seasonal(rows: Sequence[Row]) -> dict[str, Callable[[], Rival]]:
    """The seasonal naive forecasts of the calendar."""
    return {name: partial(SeasonalNaive, n) for name, n in protocol.periods(rows).items()}


def asked(
    names: Sequence[str],
    pythons: Mapping[str, str | None],
    dataset: Dataset,
    place: int,
    rows: Sequence[Row],
    cache: Path | None,
) -> dict[str, Said]:
    """The passes of those asked for whose environment is there, over one target. What the cache holds is not run."""
    found = {}
    for name in names:
        if name in SCRIPTS and not pythons.get(name):
            continue
        kept = cache / f"{dataset.name}-{dataset.targets[place]}-{name}.npz" if cache else None
        if kept and kept.is_file():
            with np.load(kept) as held:
                found[name] = Said(held["forecasts"], float(held["us"]))
            continue
        said = (
            _in_process(name, place, rows) if name in RIVER else _apart(name, pythons[name] or "", place, rows, dataset)
        )
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(kept, forecasts=said.forecasts, us=said.us_per_observation)
        found[name] = said
    return found


def versions(name: str, python: str) -> str:
    """What is installed in the environment of one that runs apart."""
    code = (
        f"from importlib.metadata import version\nprint(*(f'{{p}} {{version(p)}}' for p in {PACKAGES[name]}), sep=', ')"
    )
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def _in_process(name: str, place: int, rows: Sequence[Row]) -> Said:
    """One of river's, with the longest season of the calendar that the data hold several times."""
    fitting = [n for n in protocol.periods(rows).values() if n * CYCLES <= len(rows)]
    rival = RIVER[name](fitting[-1] if fitting else 0)
    forecasts = np.empty((len(rows), len(protocol.LEADS)))
    began_s = time.perf_counter()
    for i, (row, missed) in enumerate(zip(rows, protocol.missed_before(rows), strict=True)):
        rival.learn(row.values[place], missed)
        forecasts[i] = rival.forecast(protocol.LEADS)
    return Said(forecasts, 1e6 * (time.perf_counter() - began_s) / len(rows))


def _apart(name: str, python: str, place: int, rows: Sequence[Row], dataset: Dataset) -> Said:
    """One with an environment of its own: a CSV of observations in, a CSV of forecasts out."""
    script, civil = Path(__file__).parent / SCRIPTS[name], CivilTime(dataset.timezone)
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder, "observations.csv"), Path(folder, "forecasts.csv")
        with given.open("w", newline="") as file:
            write = csv.writer(file)
            write.writerow(("civil_seconds", "missed", "y"))
            for row, missed in zip(rows, protocol.missed_before(rows), strict=True):
                y = row.values[place]
                write.writerow((civil.of(row.time_ns).time_ns // SECOND_NS, missed, repr(y) if isfinite(y) else ""))
        step_s = protocol.rhythm(rows).step_ns / SECOND_NS
        leads = ",".join(map(str, protocol.LEADS))
        command = [python, str(script), str(given), str(answer), "--leads", leads, "--step", str(step_s)]
        began_s = time.perf_counter()
        ran = subprocess.run([*command, "--seed", str(protocol.SEED)], capture_output=True, text=True)
        if ran.returncode:
            raise RuntimeError(f"{script.name} failed:\n{ran.stderr[-2000:]}")
        seconds = time.perf_counter() - began_s
        with answer.open(newline="") as file:
            said = [[float(cell) if cell else nan for cell in line] for line in csv.reader(file)]
    assert len(said) == len(rows), f"{script.name} answered {len(said)} of {len(rows)} observations"
    return Said(np.array(said), 1e6 * seconds / len(rows))
