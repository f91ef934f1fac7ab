"""All figures as the page `docs/skill.md`, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite, nan
from typing import Any

from benchmarks.skill import ettm, tables
from benchmarks.skill.datasets import LEFT_OUT, TAXI, Dataset
from benchmarks.skill.run import Outcome

NAIVE = """\
MAE over that of the best of persistence and the seasonal naive forecasts of a day and a week, chosen afterwards on the
same rows: from row 100, and on rows 100 to 600 alone. Below 1 is better than every one of them, above it stands in
bold. Until it has seen its season, a seasonal naive forecast says what the next shorter one says. Monthly data have the
year as their season; where there is no grid, the seasonal forecast is the engine's own, by time of day."""


RIVALS = """\
Their MAE over ours, on the forecasts that all of them made, rows from 100: above 1, ours is better. HoltWinters and
SNARIMAX are river's, with the longest season of the calendar that the series holds six times; `torch` is an LSTM of 32
in PyTorch that learns a step at a time from delayed labels; `deep-river` is that package's LSTMForecaster. How each is
set is in `benchmarks/skill/apart` and `streamlstm/rivals.py`. The rate and the calendar of the last two were chosen on
nyc_taxi itself, among seven settings of `torch` and two of `deep-river`: what did best there five steps ahead was kept.
Both need an environment each, made by `pip install torch` and `pip install deep-river==0.3.4` (which asks for torch
below 2.6; it runs with later ones too, put in beside it by hand) and named by `--torch-python` and `--deep-river-
python`."""


def page(
    outcome: Outcome,
    about: dict[str, str],
    datasets: Sequence[Dataset],
    skipped: dict[str, str],
    pictures: Sequence[str],
) -> str:
    """The whole page. `skipped` says of each rival that was left out why; `pictures` are paths beside the page."""
    first = outcome.measured[0].preset
    parts = [
        "# Forecast skill",
        "Written by the command below; every figure comes from the production engine in one pass over each series, "
        "learning a value only when it has come, with the defaults for every dataset.",
        tables.markdown_table(["", ""], about.items(), left=2),
        "## What was set out to be reached",
        tables.shows(outcome),
        "`python -m benchmarks.skill.chance` prints what chance alone makes of the worst 500: misses of forecasts "
        "h steps ahead come in runs of about h, however right the intervals are.",
        "## Presets",
        tables.presets(outcome),
        f"## Against the best naive forecast in hindsight, preset `{first}`",
        NAIVE,
        *(f"![{path}]({path})" for path in pictures),
        tables.ratios([f for f in outcome.figures if f.preset == first]),
        *(
            ["### 288 steps ahead", tables.ratios(far)]
            if (far := [f for f in outcome.far if f.preset == first])
            else []
        ),
        f"## Intervals, preset `{first}`",
        "Share of values inside, rows from 100, and the worst of all windows of 500 consecutive observations with the "
        "row at which it begins.",
        tables.intervals(
            [f for f in outcome.figures if f.preset == first and isfinite(min(f.worst.values(), default=nan))]
        ),
        f"## Rivals, beside preset `{first}`",
        RIVALS,
        tables.rivals(outcome, [f for f in outcome.figures if f.preset == first], skipped),
        *(_taxi(outcome) if any(f.dataset == TAXI for f in outcome.figures) else []),
        *(_split(outcome) if outcome.persistence else []),
        "## Data",
        tables.data(datasets, outcome),
        "Left out of river's wheel: " + "; ".join(f"{name} ({why})" for name, why in LEFT_OUT.items()) + ".",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def document(outcome: Outcome, about: dict[str, str], skipped: dict[str, str]) -> dict[str, Any]:
    """The same as values for JSON; what is not finite becomes null."""
    shown = [{**asdict(line), "reached": line.reached} for line in tables.all_lines(outcome)]
    found = {
        "about": about,
        "shows": shown,
        "measured": [asdict(m) for m in outcome.measured],
        "figures": [asdict(f) for f in outcome.figures],
        "far": [asdict(f) for f in outcome.far],
        "rival_us_per_observation": outcome.rival_us,
        "skipped": skipped,
        "other_bytes": outcome.other_bytes,
    }
    return _plain(found)


def _taxi(outcome: Outcome) -> list[str]:
    return [
        "## Taxi demand, as Cui et al. (2016) measure it",
        "Five half-hours ahead, from row 10,000 of the year's 17,520 on. The figures marked as published are theirs.",
        tables.taxi(outcome.figures),
    ]


def _split(outcome: Outcome) -> list[str]:
    return [
        "## ETTh1 by FSNet's split, without the leak",
        f"Windows of targets inside rows {ettm.FIRST:,} to {ettm.END - 1:,}, errors in units of the deviation of the "
        f"first {ettm.UNIT:,} rows, mean over seven variates and the steps 1 to H. Fifteen leads are learned; the "
        "steps between follow the learner's path.",
        tables.split(outcome),
    ]


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(own) for key, own in value.items()}
        case list() | tuple():
            return [_plain(own) for own in value]
        case float():
            return value if isfinite(value) else None
    return value
