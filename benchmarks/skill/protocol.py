"""The one way in which the engine meets a series: the defaults, one pass, the same leads for every dataset."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

from benchmarks.skill.datasets import Dataset
from streamlstm.codec.table import Row
from streamlstm.config import Model, Stream
from streamlstm.engine import Engine
from streamlstm.evaluate import CHUNK
from streamlstm.events import Forecast, Observation
from streamlstm.timeline import pace
from streamlstm.timeline.gaps import bridge
from streamlstm.timeline.pace import Rhythm

SEED = 1
LEADS = (1, 5, 24, 48)
FAR = 288
FAR_LEADS = (1, 24, 48, FAR)  # as many as above: nothing is compiled anew
FAR_ROWS = 10 * FAR  # a series is long enough for it
RUNS = 5  # of which the median is the time an observation takes
DAY_NS = 86_400_000_000_000
CALENDAR_NS = {"day": DAY_NS, "week": 7 * DAY_NS}


def presets() -> tuple[str, ...]:
    """The presets that the configuration knows."""
    return ("full", "fleet", "tiny") if "preset" in Model.model_fields else ("default",)


def stream(dataset: Dataset, preset: str, leads: Sequence[int] = LEADS) -> Stream:
    """Defaults but for what a user says of any stream: how far to look ahead, the clock on the wall, the preset."""
    given = {
        "name": "skill",
        "topic": "skill",
        "leads": tuple(leads),
        "timezone": dataset.timezone,
        "model": {"preset": preset} if preset != "default" else {},
    }
    return Stream.model_validate(given)


def rhythm(rows: Sequence[Row]) -> Rhythm:
    """The step that the engine will find."""
    return pace.find([row.time_ns for row in rows[: pace.DECIDE_AFTER]])


def missed_before(rows: Sequence[Row]) -> list[int]:
    """How many steps of the grid were missed before each row; none where there is no grid."""
    found = rhythm(rows)
    if not found.regular:
        return [0] * len(rows)
    gap_ns = Stream.model_fields["gap"].default
    pairs = pairwise(row.time_ns for row in rows)
    return [0, *(bridge(a, b, found.step_ns, gap_ns).missed for a, b in pairs)]


def periods(rows: Sequence[Row]) -> dict[str, int]:
    """Steps of the naive forecasts' seasons: day and week, or the year where those are no longer than a step."""
    step_ns, regular = rhythm(rows)
    if not regular:
        return {}
    found = {name: round(season_ns / step_ns) for name, season_ns in CALENDAR_NS.items()}
    return {name: n for name, n in found.items() if n > 1} or {"year": round(365.25 * DAY_NS / step_ns)}


def observations(rows: Sequence[Row], place: int = 0, series: str = "series") -> list[Observation]:
    """One target's column as the engine takes it."""
    return [Observation(series, "skill", row.time_ns, (row.values[place],), position=row.number + 1) for row in rows]


def forecasts(rows: Sequence[Row], own: Stream, series: str) -> Iterator[Forecast]:
    """What the engine says after each row of the first target. The series' name decides its first weights."""
    engine = Engine((own,), seed=SEED, max_series=1)
    for obs in observations(rows, series=series):
        yield from (output for output in engine.feed([obs]) if isinstance(output, Forecast))


def cost(rows: Sequence[Row], own: Stream) -> tuple[float, float]:
    """Median microseconds of processor time an observation in `Engine.feed`, and bytes of one series.

    Kernels are compiled before. The engine has one thread, so that processor time is the time of one core, whatever
    else the machine does.
    """
    taken = []
    for _ in range(RUNS):
        engine = Engine((own,), seed=SEED, max_series=1)
        engine.warm_up()
        obs = observations(rows)
        chunks = [obs[i : i + CHUNK] for i in range(0, len(obs), CHUNK)]
        engine.feed(chunks[0])  # the step is found, the row is there
        gc.collect()
        gc.freeze()  # as the daemon does after its start
        began_s = time.process_time()
        for chunk in chunks[1:]:
            engine.feed(chunk)
        taken.append((time.process_time() - began_s) / max(1, len(obs) - len(chunks[0])))
    return 1e6 * statistics.median(taken), float(engine.report().memory_bytes)
