"""From what was asked for to all figures: every dataset with every preset, rivals beside the first of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import nan
from pathlib import Path

import numpy as np

from benchmarks.skill import ettm, likelihood, protocol, rivals
from benchmarks.skill.datasets import ETTH1, TAXI, Dataset
from benchmarks.skill.measures import Figures, measure
from benchmarks.skill.shows import Measured
from streamlstm.codec.table import Row
from streamlstm.evaluate import Result, Rivals, backtest
from streamlstm.scores import Pairs


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    folder: Path
    datasets: tuple[Dataset, ...]
    presets: tuple[str, ...]
    rivals: tuple[str, ...]
    rivals_on: tuple[str, ...] | None  # datasets; None: all
    pythons: Mapping[str, str | None]
    cache: Path | None


@dataclass
class Outcome:
    """All that was found."""

    figures: list[Figures] = field(default_factory=list)
    far: list[Figures] = field(default_factory=list)  # lead 288
    measured: list[Measured] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)  # by dataset
    other_bytes: list[str] = field(default_factory=list)  # files that are not the ones of our checksums
    rival_us: dict[str, dict[str, float]] = field(default_factory=dict)  # by rival and series
    results: dict[str, Result] = field(default_factory=dict)  # by dataset, of the first preset: for pictures
    persistence: Mapping[str, float] = field(default_factory=dict)  # on ETTh1's split


def run(request: Request, say: Callable[[str], None]) -> Outcome:
    found = Outcome()
    tables = {d.name: d.rows(request.folder) for d in request.datasets}
    found.rows = {name: len(rows) for name, rows in tables.items()}
    found.other_bytes = [d.name for d in request.datasets if not d.same_bytes(request.folder)]
    for preset in request.presets:
        for dataset in request.datasets:
            say(f"{preset}: {dataset.name}")
            _one(request, dataset, tables[dataset.name], preset, found)
        found.measured.append(_measured(request, tables, preset, found, say))
    return found


def _one(request: Request, dataset: Dataset, rows: Sequence[Row], preset: str, found: Outcome) -> None:
    """The leads of every day over one dataset, then the far ones where it is long enough."""
    first = preset == request.presets[0]
    wanted = request.rivals_on is None or dataset.name in request.rivals_on
    for place, target in enumerate(dataset.targets):
        alone = [row._replace(values=(row.values[place],)) for row in rows]
        said = {}
        if first and wanted:
            said = rivals.asked(request.rivals, request.pythons, dataset, place, rows, request.cache)
        series = _series(dataset, target)
        for name, one in said.items():
            found.rival_us.setdefault(name, {})[series] = one.us_per_observation
        recorded = {name: partial(rivals.Recorded, one.forecasts) for name, one in said.items()}
        result = _pass(dataset, target, alone, preset, protocol.LEADS, {**rivals.seasonal(rows), **recorded})
        found.figures += _figures(dataset, target, alone, preset, result, tuple(said))
        if first:
            found.results[series] = result
        if len(rows) >= protocol.FAR_ROWS:
            result = _pass(dataset, target, alone, preset, protocol.FAR_LEADS, rivals.seasonal(rows))
            far = _figures(dataset, target, alone, preset, result, ())
            found.far += [f for f in far if f.lead == protocol.FAR]


def _pass(
    dataset: Dataset, target: str, rows: Sequence[Row], preset: str, leads: Sequence[int], others: Rivals
) -> Result:
    own = protocol.stream(dataset, preset, leads)
    return backtest(rows, own, (target,), seed=protocol.SEED, clock=time.perf_counter, rivals=others)


def _figures(
    dataset: Dataset, target: str, rows: Sequence[Row], preset: str, result: Result, names: Sequence[str]
) -> list[Figures]:
    times = np.array([row.time_ns for row in rows])
    seasons = tuple(protocol.periods(rows))

    def one(lead: int, pairs: Pairs) -> Figures:
        at = np.searchsorted(times, pairs.time_ns)
        own = measure(pairs, at, result.levels, seasons, names)
        return Figures(preset, dataset.name, _series(dataset, target), lead, len(rows), **own)

    return [one(lead, pairs) for lead, pairs in result.pairs[target].items()]


def _measured(
    request: Request, tables: Mapping[str, Sequence[Row]], preset: str, found: Outcome, say: Callable[[str], None]
) -> Measured:
    """Cost on the longest table, and the two measures that others have published."""
    by_name = {d.name: d for d in request.datasets}
    nll, split = nan, {}
    if TAXI in by_name:
        say(f"{preset}: likelihood")
        nll = likelihood.evaluate(by_name[TAXI], tables[TAXI], preset)
    if ETTH1 in by_name:
        say(f"{preset}: FSNet's split")
        both = ettm.evaluate(by_name[ETTH1], tables[ETTH1], preset)
        split, found.persistence = both["streamlstm"], both["persistence"]
    say(f"{preset}: cost")
    longest = TAXI if TAXI in by_name else max(tables, key=lambda name: len(tables[name]))
    us, size = protocol.cost(tables[longest], protocol.stream(by_name[longest], preset))
    return Measured(preset, us, size, nll, split)


def _series(dataset: Dataset, target: str) -> str:
    return dataset.name if len(dataset.targets) == 1 else f"{dataset.name}/{target}"
