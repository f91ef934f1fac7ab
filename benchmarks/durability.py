"""What a journal costs, and how long a start takes with one.

    python -m benchmarks.durability [--series 200] [--observations 300] [--preset fleet] [--rounds 3]
    python -m benchmarks.durability --recovery --series 1000 --observations 1000

The first decodes JSON messages in batches as the daemon does, journals them or not, learns, and encodes the forecasts:
both in the same run, alternating, and the median of each. The second learns with a journal that is never pruned, is
killed, and goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from streamlstm.codec import encode
from streamlstm.codec.decode import Decoder
from streamlstm.codec.encode import rfc3339
from streamlstm.config import Stream
from streamlstm.daemon.keeper import Keeper
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Arrival, Forecast
from streamlstm.store.store import Store

BEGIN_NS, STEP_NS = 1_700_000_000 * SECOND_NS, 300 * SECOND_NS
NEVER_NS = 2**62


def stream(preset: str) -> Stream:
    return Stream.model_validate(
        {
            "name": "{room}",
            "topic": "in/{room}",
            "format": "json",
            "value": "v",
            "time": "t",
            "step": "5min",
            "leads": [1, 3, 12, 24],
            "model": {"preset": preset},
        }
    )


def batches(series: int, begin: int, end: int, size: int) -> Iterator[list[Arrival]]:
    """Messages of all series in turn, from one step to another."""
    found = list[Arrival]()
    for n in range(begin, end):
        at = rfc3339(BEGIN_NS + n * STEP_NS)
        for room in range(series):
            payload = json.dumps({"t": at, "v": round(20 + room % 7 + (n * (room % 5 + 3)) % 17 + n % 288 / 50, 2)})
            found.append(Arrival(f"in/r{room}", payload.encode(), BEGIN_NS + n * STEP_NS))
            if len(found) == size:
                yield found
                found = []
    if found:
        yield found


class Run:
    """A daemon without its broker."""

    def __init__(self, preset: str, series: int, folder: Path | None) -> None:
        self.streams = [stream(preset)]
        self.engine = Engine(self.streams, seed=1, max_series=series)
        self.decoder = Decoder(self.streams, "streamlstm", 65_536)
        self.keeper = Keeper(self.engine, Store(folder) if folder else None, NEVER_NS)
        self.engine.warm_up()

    def learn(self, arrivals: list[Arrival]) -> None:
        inputs = self.keeper.keep(self.decoder.inputs(arrivals))
        for output in self.engine.feed(inputs):
            if isinstance(output, Forecast) and encode.is_publishable(output):
                encode.forecast(output, unit="", issued_ns=0, model_rev="", config_hash="")


def cost(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        runs = {
            "without": Run(given.preset, given.series, None),
            "with": Run(given.preset, given.series, Path(folder) / "state"),
        }
        took: dict[str, list[float]] = {name: [] for name in runs}
        for turn in range(given.rounds + 1):  # the first opens all series
            begin = turn * given.observations
            made = list(batches(given.series, begin, begin + given.observations, given.batch))
            for name, run in runs.items() if turn % 2 else reversed(runs.items()):
                began_s = time.perf_counter()
                for batch in made:
                    run.learn(batch)
                took[name].append(given.series * given.observations / (time.perf_counter() - began_s))
        rates = {name: median(rates[1:]) for name, rates in took.items()}
        runs["with"].keeper.close(0.0)
    print(json.dumps({"preset": given.preset, "series": given.series, "batch": given.batch, "rounds": given.rounds}))
    for name, rate in rates.items():
        print(f"{name} a journal: {rate:,.0f} observations/s")
    print(f"with / without: {rates['with'] / rates['without']:.1%}")


def recovery(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        run = Run(given.preset, given.series, Path(folder) / "state")
        began_s = time.perf_counter()
        for batch in batches(given.series, 0, given.observations, given.batch):
            run.learn(batch)
        learning_s = time.perf_counter() - began_s
        run.keeper.close(0.0)  # nothing is saved: all is in the journal
        size = sum(file.stat().st_size for file in (Path(folder) / "state").iterdir())
        del run
        again = Run(given.preset, given.series, Path(folder) / "state")
        began_s = time.perf_counter()
        again.keeper.recover(lambda _: None)
        recovering_s = time.perf_counter() - began_s
        learned = again.engine.report().learned
        again.keeper.close(0.0)
    real_s = given.observations * STEP_NS / SECOND_NS
    print(f"{given.series} series, {learned} journaled observations of {size / learned:.0f} bytes each, {given.preset}")
    print(f"learned in {learning_s:.1f} s, recovered in {recovering_s:.1f} s ({recovering_s / learning_s:.0%} of it)")
    print(f"real time (a reading every five minutes) {real_s / 3600:.0f} h: {real_s / recovering_s:,.0f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durability", description=__doc__.split("\n")[0])
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--observations", type=int, default=300, help="of each series, a round")
    parser.add_argument("--preset", default="fleet")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recovery", action="store_true")
    parser.add_argument("--folder", type=Path, help="on the disk that is meant; else the temporary one's")
    given = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    recovery(given) if given.recovery else cost(given)


if __name__ == "__main__":
    main()
