"""The tables of the page, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite, nan

from benchmarks.skill import ettm
from benchmarks.skill.datasets import TAXI, Dataset
from benchmarks.skill.measures import Figures
from benchmarks.skill.run import Outcome
from benchmarks.skill.shows import Line, lines, mean, most
from streamlstm.scores import OURS, percent, short

Cells = Sequence[object]
PUBLISHED = {"ESN": 9.6, "LSTM, learned anew on 1,000 rows": 9.9, "on 3,000": 8.8, "on 6,000": 8.2, "HTM": 8.1}


def markdown_table(heads: Sequence[str], rows: Iterable[Cells], left: int = 1) -> str:
    """A table whose first columns stand to the left, and numbers to the right.

    >>> print(markdown_table(["lead", "MAE"], [[1, "0.5"]]))
    | lead | MAE |
    |---|---:|
    | 1 | 0.5 |
    """
    marks = ["---"] * left + ["---:"] * (len(heads) - left)
    written = [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in (heads, *rows)]
    return "\n".join([written[0], f"|{'|'.join(marks)}|", *written[1:]])


def all_lines(outcome: Outcome) -> list[Line]:
    return [line for measured in outcome.measured for line in lines(measured, outcome.figures)]


def shows(outcome: Outcome) -> str:
    """One row a measure, one column a preset; the best that was reached stands beside each figure."""
    presets = [m.preset for m in outcome.measured]
    by_measure: dict[str, dict[str, Line]] = {}
    for line in all_lines(outcome):
        by_measure.setdefault(f"{line.measure}{f', {line.preset}' if line.unit == 'µs' else ''}", {})[line.preset] = (
            line
        )
    rows = []
    for measure, own in by_measure.items():
        one = next(iter(own.values()))
        shown = [_reached(own[p]) if p in own else "" for p in presets]
        rows.append((measure, *(f"{bound:g} {one.unit}".strip() for bound in (one.floor, one.aim)), *shown))
    return markdown_table(["", "floor", "aim", *(f"`{p}`" for p in presets)], rows)


def _reached(line: Line) -> str:
    if not line.reached:
        return "–"
    figure = f"{line.ours:.1f}" if line.unit else f"{line.ours:.3f}"
    return f"**{figure}** {line.reached}" if line.reached != "below the floor" else f"{figure} {line.reached}"


def presets(outcome: Outcome) -> str:
    rows = []
    for m in outcome.measured:
        own = [f for f in outcome.figures if f.preset == m.preset]
        taxi = next((f.wape["10000"] for f in own if f.dataset == TAXI and f.lead == 5), nan)
        rows.append(
            (
                f"`{m.preset}`",
                f"{m.bytes_per_series / 1024:,.0f}",
                f"{m.us_per_observation:.1f}",
                percent(taxi),
                short(m.likelihood),
                *(short(m.ettm.get(f"mse_{H}", nan)) for H in ettm.HORIZONS),
                short(mean(f.ratio for f in own)),
                short(most(f.ratio for f in own)),
                short(mean(f.early for f in own)),
            )
        )
    heads = ["preset", "kB a series", "µs an observation", "taxi, lead 5", "its NLL"]
    heads += [f"ETTh1 MSE, H = {H}" for H in ettm.HORIZONS]
    return markdown_table([*heads, "MAE / best naive: mean", "worst", "mean, rows 100–600"], rows)


def ratios(figures: Sequence[Figures]) -> str:
    rows = [
        (f.series, f.lead, f.n, short(f.mae), percent(f.wape["100"]), f.naive, _ratio(f.ratio), _ratio(f.early))
        for f in figures
    ]
    heads = [
        "series",
        "lead",
        "forecasts",
        "MAE",
        "Σ\\|e\\|/Σ\\|y\\|".replace("\\", ""),
        "best naive",
        "MAE / its MAE",
        "rows 100–600",
    ]
    return markdown_table(heads, rows)


def _ratio(value: float) -> str:
    return "–" if not isfinite(value) else f"{value:.3f}" if value <= 1 else f"**{value:.3f}**"


def intervals(figures: Sequence[Figures]) -> str:
    levels = list(figures[0].coverage) if figures else []
    heads = ["series", "lead"]
    for level in levels:
        heads += [f"inside {100 * float(level):g} %", "worst 500", "from row"]
    rows = []
    for f in figures:
        cells = [(percent(f.coverage[q]), percent(f.worst[q]), f.worst_row[q]) for q in levels]
        rows.append((f.series, f.lead, *(cell for group in cells for cell in group)))
    return markdown_table(heads, rows) if rows else "No series is long enough."


def rivals(outcome: Outcome, figures: Sequence[Figures], skipped: dict[str, str]) -> str:
    names = list(dict.fromkeys(name for f in figures for name in f.rivals))
    parts = []
    if names:
        rows = [(f.series, f.lead, *(_times(f.rivals.get(name, nan)) for name in names)) for f in figures if f.rivals]
        slow = [short(sum(by.values()) / len(by)) if (by := outcome.rival_us.get(name)) else "–" for name in names]
        parts.append(markdown_table(["series", "lead", *names], [*rows, ("µs an observation, mean", "", *slow)]))
    parts += [f"Skipped: {name}: {why}." for name, why in skipped.items()]
    return "\n\n".join(parts)


def _times(value: float) -> str:
    return f"{value:.2f}" if isfinite(value) else "–"


def split(outcome: Outcome) -> str:
    """ETTh1 as the field reports it, with persistence as the check that the split is the same."""
    rows = [(f"`{m.preset}`", m.ettm) for m in outcome.measured] + [("persistence", outcome.persistence)]
    keys = [f"{what}_{H}" for what in ("mse", "mae") for H in ettm.HORIZONS]
    heads = [f"{what}, H = {H}" for what in ("MSE", "MAE") for H in ettm.HORIZONS]
    return markdown_table(["", *heads], [(name, *(f"{by[key]:.3f}" for key in keys)) for name, by in rows])


def taxi(figures: Sequence[Figures]) -> str:
    """The contest of Cui et al. (2016), five steps ahead: ours and what ran beside it, then what they published."""
    own = [f for f in figures if f.dataset == TAXI and f.lead == 5]
    rows = [(f"streamlstm, `{f.preset}`", percent(f.late_wape[OURS])) for f in own]
    rows += [(name, percent(share)) for f in own[:1] for name, share in f.late_wape.items() if name != OURS]
    rows += [(f"{name} (published)", f"{share} %") for name, share in PUBLISHED.items()]
    return markdown_table(["", "Σ|e|/Σ|y|, rows from 10,000"], rows)


def data(datasets: Sequence[Dataset], outcome: Outcome) -> str:
    rows = []
    for d in datasets:
        digest = f"`{d.digest}`" + (" (ours; **this run read other bytes**)" if d.name in outcome.other_bytes else "")
        rows.append((d.name, outcome.rows[d.name], d.timezone, d.source, digest if d.digest else ""))
    return markdown_table(["dataset", "rows", "clock", "from", "SHA-256"], rows)
