"""Whether our alarms are those a person would give, beside a z-score and other charts, in the same run.

    python benchmarks/anomalies.py --data DIR [--seeds 101 102 103] [--json FILE]

DIR holds the Numenta Anomaly Benchmark's nyc_taxi.csv, ambient_temperature.csv and travel_time_387.csv (absent ones
are skipped by name); further series are made (`oddities`). One pass of the engine with its default settings. Each rival
gets, series by series, the limit in hindsight that gives it most alarms but no more than we gave; and once more the one
that is best by the labels themselves, which nobody has. Our own limits are fixed. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from charts import CHARTS, Floats
from labels import NAB, Verdict, judge
from oddities import BACKGROUNDS, DAY, make

from streamlstm.codec.table import Row, guess, read
from streamlstm.codec.values import time_ns
from streamlstm.config import Stream
from streamlstm.evaluate import backtest
from streamlstm.kernels import detect, score
from streamlstm.scores import OURS

HOUR_NS = 3_600_000_000_000
MONDAY_NS = 1_388_966_400_000_000_000  # 2014-01-06
LAPLACE = 2 * math.log(5)  # width of the 80 % interval of a Laplace distribution whose mean |error| is 1
PROBATION, AT_MOST = 0.15, 750  # rows at the beginning that the benchmark does not judge
LIMIT = "streamlstm"


@dataclass(frozen=True, slots=True)
class Series:
    group: str
    rows: list[Row]
    windows: tuple[tuple[int, int], ...]
    day: int  # rows

    @property
    def y(self) -> Floats:
        return np.array([row.values[0] for row in self.rows])

    @property
    def first(self) -> int:
        return min(AT_MOST, int(PROBATION * len(self.rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[101, 102, 103])
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    print(platform.processor() or platform.machine(), *(f"{p} {version(p)}" for p in ("numba", "numpy", "river")))
    table: dict[str, dict[str, Verdict]] = {}
    for series in [*recorded(wanted.data), *made(wanted.seeds)]:
        found = contest(series)
        for where in (series.group, "all recorded" if series.group in NAB else "all made"):
            for name, verdict in found.items():
                table.setdefault(where, {}).setdefault(name, Verdict()).add(verdict)
    show(table)
    if wanted.json:
        plain = {w: {n: {k: getattr(v, k) for k in FIELDS} for n, v in by.items()} for w, by in table.items()}
        wanted.json.write_text(json.dumps(plain, indent=1), encoding="utf-8")


def recorded(folder: Path) -> Iterator[Series]:
    for name, windows in NAB.items():
        path = folder / f"{name}.csv"
        if not path.exists():
            print(f"{path} is absent: skipped")
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        column, values = guess(lines)
        rows = [row for row in read(lines, time=column, columns=values[:1]) if isinstance(row, Row)]
        times = np.array([row.time_ns for row in rows])
        edges = [[_ns(text) for text in window] for window in windows]
        places = tuple((int(np.searchsorted(times, a)), int(np.searchsorted(times, b, "right"))) for a, b in edges)
        yield Series(name, rows, places, max(1, round(24 * HOUR_NS / float(np.median(np.diff(times))))))


def made(seeds: Sequence[int]) -> Iterator[Series]:
    """Each background with its oddities; what is told up to a day after an event's end still belongs to it."""
    for background in BACKGROUNDS:
        for seed in seeds:
            one = make(background, seed)
            rows = [Row(i, MONDAY_NS + i * HOUR_NS, (float(value),)) for i, value in enumerate(one.y)]
            yield Series(background, rows, tuple((event.begin, event.end + DAY) for event in one.events), DAY)


def contest(series: Series) -> dict[str, Verdict]:
    y, first = series.y, series.first

    def judged(begun: list[int]) -> Verdict:
        return judge(begun, series.windows, len(y), first)

    begun = ours(series)
    budget = sum(at >= first for at in begun)
    verdicts = {LIMIT: judged(begun)}
    for name, chart in CHARTS.items():
        values = chart(y, series.day)
        found = [[], *within(values, budget, first)]
        verdicts[name] = judged(max(found, key=lambda told: sum(at >= first for at in told)))
        verdicts[f"{name}, limit by the labels"] = max(map(judged, found), key=lambda verdict: verdict.f1)
    verdicts["z-score above 3"] = judged(alarms(CHARTS["z-score"](y, series.day), 3.0))
    return verdicts


def ours(series: Series) -> list[int]:
    """The rows at which our events begin."""
    stream = Stream(name="s", topic="s")
    result = backtest(series.rows, stream, ["y"], seed=1, clock=time.perf_counter)
    at = {row.time_ns: i for i, row in enumerate(series.rows)}
    ratios = np.full((len(series.rows), len(stream.leads)), np.nan)
    for j, pairs in enumerate(result.pairs["y"].values()):
        scale = (pairs.upper[0] - pairs.lower[0]) / LAPLACE
        scale = np.maximum(scale, 1e-9 * np.maximum(abs(pairs.y), 1e-3))
        ratios[[at[t] for t in pairs.time_ns.tolist()], j] = (pairs.y - pairs.forecasts[OURS]) / scale
    return np.flatnonzero(_watched(ratios, series.y) == detect.BEGINS).tolist()


def _watched(ratios: Floats, y: Floats) -> np.ndarray:
    flags = np.zeros(len(y), np.int64)
    tails = np.tile(np.array(score.START), (ratios.shape[1], 1))
    state = [np.array(start) for start in (detect.WINDOWS_START, detect.RUNS_START, detect.EVENT_START)]
    for i in range(len(y)):
        flags[i] = detect.watch(tails, *state, ratios[i], y[i])
    return flags


def within(values: Floats, budget: int, first: int) -> Iterator[list[int]]:
    """The alarms at each of 400 limits that gives at most `budget` of them, the highest limit first."""
    for limit in np.unique(np.quantile(values[first:], 1 - np.geomspace(0.5, 1e-5, 400)))[::-1]:
        begun = alarms(values, float(limit))
        if limit > 0 and sum(at >= first for at in begun) <= budget:
            yield begun


def alarms(values: Floats, limit: float) -> list[int]:
    """Where values reach a limit after CALM rows below it. No second limit: a score that saturates would never end."""
    over = np.flatnonzero(values >= limit)
    return over[np.diff(over, prepend=-math.inf) > detect.CALM].tolist()


FIELDS = ("rows", "labels", "hits", "false", "repeats", "precision", "recall", "f1", "nab_score", "delays")


def show(table: dict[str, dict[str, Verdict]]) -> None:
    print("\n| series | detector | told | labels hit | false | per 1,000 | precision | recall | F1 | NAB | delay |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for where, by in table.items():
        for name, v in by.items():
            delay = f"{np.median(v.delays):.0f}" if v.delays else "–"
            print(
                f"| {where} | {name} | {v.alarms} | {v.hits}/{v.labels} | {v.false} | {1000 * v.false / v.rows:.2f} "
                f"| {v.precision:.2f} | {v.recall:.2f} | {v.f1:.2f} | {v.nab_score:.0f} | {delay} |"
            )


def _ns(text: str) -> int:
    from datetime import UTC

    found = time_ns(text, "auto", UTC)
    assert isinstance(found, int), "the labels are ours, and are times"
    return found


if __name__ == "__main__":
    main()
