"""The command `backtest`: from options to a stream and its rivals, from the result to the terminal and to files."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np
from pydantic import ValidationError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from streamlstm import scores
from streamlstm.codec import table
from streamlstm.codec.decode import reader
from streamlstm.codec.table import Row
from streamlstm.config import Config, Stream
from streamlstm.evaluate import Result, Rivals, backtest
from streamlstm.events import Discarded
from streamlstm.problems import in_words
from streamlstm.rivals import RIVER, Rival, SeasonalNaive, find_period
from streamlstm.scores import Score, percent, short
from streamlstm.timeline import pace
from streamlstm.timeline.calendar import expected

OPTIONS = {
    "step": "--step",
    "leads": "--leads",
    "seasons": "--season",
    "timezone": "--timezone",
    "holidays": "--holidays",
    "levels": "--levels",
}
CYCLES = 6  # a rival learns the longest season that the data hold so often


class OptionError(Exception):
    """Options that do not go together, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    file: Path
    time: str
    targets: tuple[str, ...]
    covariates: tuple[str, ...]
    joint: bool  # each target beside the others
    ahead: tuple[str, ...]  # columns that are known ahead
    settings: dict[str, object]  # of the stream, as given: step, leads, seasons, timezone, levels
    config: Config | None
    stream: str | None  # of the config
    seed: int | None
    first_row: int
    time_format: str
    separator: str
    rivals: tuple[str, ...]
    period: int | None
    as_json: bool
    out: Path | None
    plot: Path | None
    plot_lead: int | None


def run(request: Request, stdout: Console, stderr: Console) -> None:
    """Read, pass over the data once, and report."""
    start = time.perf_counter()
    stream = _stream(request)
    columns = (*request.targets, *request.covariates, *request.ahead)
    if len(set(columns)) < len(columns):
        raise OptionError("--target, --covariate, --ahead: each column once")
    with opened(request.file) as lines, progress_bar(stderr) as bar:
        rows = list(
            bar.track(
                table.read(
                    lines,
                    time=request.time,
                    columns=columns,
                    zone=stream.timezone,
                    time_format=request.time_format,
                    separator=request.separator,
                    readers=dict.fromkeys(request.targets, reader(stream)),
                ),
                description="reading",
            )
        )
    if request.first_row >= len(rows):
        raise OptionError(f"--from {request.first_row}: the file has {len(rows)} rows, counted from 0")
    ahead = _ahead(rows, len(request.ahead))
    rivals = _rivals(request, stream, [row for row in rows if isinstance(row, Row)])
    stderr.print("compiling the kernels: up to a minute the first time", style="dim")
    with progress_bar(stderr) as bar:
        result = backtest(
            bar.track(rows, description="one pass"),
            stream,
            request.targets,
            ahead=ahead,
            seed=request.seed if request.seed is not None else request.config.seed if request.config else 1,
            clock=time.perf_counter,
            first_row=request.first_row,
            rivals=rivals,
        )
    _write(request, result)
    seconds = time.perf_counter() - start
    if request.as_json:
        stdout.out(json.dumps(_document(request, result, seconds), allow_nan=False, ensure_ascii=False))
    else:
        _show(request, result, seconds, stdout)


def _stream(request: Request) -> Stream:
    """The options over the config's stream, or over the defaults."""
    named = [s for s in request.config.streams if request.stream in (None, s.name)] if request.config else []
    if request.config and len(named) != 1:
        names = ", ".join(s.name for s in request.config.streams)
        raise OptionError(f"--stream: need one stream of the config: {names}")
    joint = request.joint or (len(request.targets) > 1 and any(one.joint for one in named))
    if joint and len(request.targets) < 2:
        raise OptionError("--joint: need several --target: each is forecast beside the others")
    targets = [f"target {i}" for i in range(len(request.targets) if joint else 1)]
    given = {
        "name": "backtest/{value}" if joint else "backtest",
        "topic": "backtest",
        "format": "json",
        "value": (*targets, *(f"covariate {i}" for i in range(len(request.covariates)))),
        "joint": joint,
        "resolutions": (),
        "covariates": [
            {"topic": f"ahead {i}", "known_ahead": True, "values": "[].value", "times": "[].time"}
            for i in range(len(request.ahead))
        ],
        **request.settings,
    }
    try:
        own = Stream.model_validate(given)
    except ValidationError as error:
        told = in_words(error, Stream, given, {})
        raise OptionError("; ".join(_as_option(line) for line in told)) from error
    if not named:
        return own
    return named[0].model_copy(update={key: getattr(own, key) for key in given})


def _ahead(rows: list[Row | Discarded], count: int) -> list[tuple[list[int], list[float]]]:
    """Take the last `count` values out of all rows: their columns, with the times, in order of those."""
    if not count:
        return []
    columns = sorted({row.time_ns: row.values[-count:] for row in rows if isinstance(row, Row)}.items())
    rows[:] = [row._replace(values=row.values[:-count]) if isinstance(row, Row) else row for row in rows]
    times = [time_ns for time_ns, _ in columns]
    return [(times, [values[n] for _, values in columns]) for n in range(count)]


def _as_option(line: str) -> str:
    """A setting's name as the command line has it."""
    for setting, option in OPTIONS.items():
        if line.startswith(setting):
            return option + line.removeprefix(setting)
    return line


def _rivals(request: Request, stream: Stream, rows: Sequence[Row]) -> Rivals:
    """Those asked for, with the period that was given or else suits the data."""
    if not rows:
        return {}
    times = sorted({row.time_ns for row in rows[:1_000]})
    step_ns = stream.step if isinstance(stream.step, int) else pace.find(times).step_ns if len(times) > 2 else 0
    given = expected(step_ns) if stream.seasons is None else stream.seasons
    seasons = [round(season / step_ns) for season in given] if step_ns else []
    fitting = [season for season in seasons if season > 1 and season * CYCLES <= len(rows)]
    found = request.period or find_period(np.array([row.values[0] for row in rows]))
    chosen = request.period or (fitting[-1] if fitting else found)
    rivals: dict[str, Callable[[], Rival]] = {name: partial(RIVER[name], chosen) for name in request.rivals}
    if found > 1 and found not in seasons:
        rivals[f"seasonal_{found}"] = partial(SeasonalNaive, found)
    return rivals


def opened(file: Path) -> TextIO:
    """A CSV file; what is no UTF-8 in it spoils its field and nothing else."""
    return file.open(encoding="utf-8", errors="replace", newline="")


def progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _document(request: Request, result: Result, seconds: float) -> dict[str, object]:
    return {
        "file": str(request.file),
        "rows": result.rows,
        "observations": result.observations,
        "discarded": dict(result.discarded),
        "held": result.held,
        "seconds": seconds,
        "us_per_observation": scores.plain(result.us_per_observation),
        **scores.document(result.scores),
    }


def _write(request: Request, result: Result) -> None:
    if request.out:
        with request.out.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(scores.predictions(result.pairs, result.levels))
    if request.plot:
        from streamlstm.picture import page  # plotly is slow to import, and needed only here

        text = page(request.file.name, result.scores, result.pairs, result.levels, request.plot_lead)
        request.plot.write_text(text, encoding="utf-8")


def _show(request: Request, result: Result, seconds: float, console: Console) -> None:
    for target in request.targets:
        own = [s for s in result.scores if s.target == target]
        if own:
            words = any(pairs.classes for pairs in result.pairs[target].values())
            tables = (
                (_misses(own), _rivalry(own, percent, "share missed")) if words else (_measures(own), _rivalry(own))
            )
            console.print(f"\n[bold]{escape(target)}[/bold]", *tables, sep="\n")
    console.print(
        f"{result.rows:,} rows, {result.observations:,} observations, "
        f"{result.us_per_observation:,.1f} µs per observation, {seconds:.1f} s in all"
    )
    if result.discarded:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in result.discarded.items())
        console.print(f"discarded: {reasons}", style="yellow")
        if result.first_problem:
            console.print(f"the first: {result.first_problem}", markup=False, highlight=False)
    if result.held:
        console.print(
            f"{result.held:,} held: the step is not found yet, or they waited for earlier ones", style="yellow"
        )
    if not any(score.n for score in result.scores):
        console.print("no forecast has met its observation: the series is too short", style="yellow")
    for path in filter(None, (request.out, request.plot)):
        console.print(f"written: {path}", highlight=False)


def _measures(own: Sequence[Score]) -> Table:
    levels = list(own[0].coverage)
    heads = ["lead", "n", "MAE", "RMSE", "Σ|e|/Σ|y|", "beats\npersistence", "beats\nseasonal"]
    shown = _table("how good the forecasts were", heads + [f"within\n{100 * float(level):g} %" for level in levels])
    for s in own:
        shown.add_row(
            str(s.lead),
            str(s.n),
            short(s.mae),
            short(s.mse**0.5),
            percent(s.wape),
            _skill(s.skill(scores.PERSISTENCE)),
            _skill(s.skill(scores.SEASONAL)),
            *(percent(s.coverage[level]) for level in levels),
        )
    return shown


def _misses(own: Sequence[Score]) -> Table:
    """Of a category: an error is another class than came, and there are no intervals."""
    shown = _table("how good the forecasts were", ["lead", "n", "missed", "beats\npersistence", "beats\nseasonal"])
    for s in own:
        skill = (_skill(s.skill(rival)) for rival in (scores.PERSISTENCE, scores.SEASONAL))
        shown.add_row(str(s.lead), str(s.n), percent(s.mae), *skill)
    return shown


def _rivalry(own: Sequence[Score], form: Callable[[float], str] = short, measure: str = "mean absolute error") -> Table:
    names = list(own[0].rivals)
    shown = _table(f"{measure} on the same forecasts", ["lead", scores.OURS, *names])
    for s in own:
        shown.add_row(str(s.lead), f"[bold]{form(s.mae)}[/bold]", *(form(s.rivals[name]) for name in names))
    return shown


def _table(title: str, heads: Sequence[str]) -> Table:
    shown = Table(title=title, title_justify="left", title_style="italic", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in heads:
        shown.add_column(head, justify="right", no_wrap=True)
    return shown


def _skill(skill: float) -> str:
    colour = "green" if skill > 0 else "red" if skill < 0 else "default"
    return f"[{colour}]{percent(skill)}[/{colour}]"
