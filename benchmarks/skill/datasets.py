"""The series: files that a stranger can get, with their checksums, and those that come inside river's wheel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from streamlstm.codec import table
from streamlstm.codec.table import Row
from streamlstm.events import SECOND_NS

CALENDAR_CYCLE = 28  # years, after which weekdays and leap years repeat


@dataclass(frozen=True)
class Dataset:
    """One table: its targets are series of their own."""

    name: str
    targets: tuple[str, ...]
    source: str  # where a stranger gets it
    files: tuple[str, ...] = ()  # names it may have in the folder of data; none: it comes inside river
    digest: str = ""  # SHA-256 of the file that our figures were made from
    time: str = "timestamp"
    timezone: str = "UTC"
    in_wheel: Callable[[], Iterator[tuple[datetime, float]]] | None = None

    def path(self, folder: Path) -> Path | None:
        """Its file in the folder; None where it is not there."""
        return next((folder / name for name in self.files if (folder / name).is_file()), None)

    def is_here(self, folder: Path) -> bool:
        return self.in_wheel is not None or self.path(folder) is not None

    def same_bytes(self, folder: Path) -> bool:
        """Whether the file is the one that our figures were made from."""
        path = self.path(folder)
        return path is None or sha256(path.read_bytes()).hexdigest() == self.digest

    def rows(self, folder: Path) -> list[Row]:
        """All rows that can be read, in the order of the file."""
        if self.in_wheel is not None:
            pairs = enumerate(self.in_wheel())
            return [Row(i, round(at.timestamp()) * SECOND_NS, (float(y),)) for i, (at, y) in pairs]
        path = self.path(folder)
        assert path is not None, f"{self.name} is asked for rows only where it is"
        with path.open(encoding="utf-8", newline="") as lines:
            found = table.read(lines, time=self.time, columns=self.targets, zone=self.timezone)
            return [row for row in found if isinstance(row, Row)]


def _river(name: str, when: Callable[[dict[str, Any]], datetime]) -> Iterator[tuple[datetime, float]]:
    from river import datasets  # slow to import

    return ((when(x), y) for x, y in getattr(datasets, name)())


def _month(x: dict[str, Any]) -> datetime:
    # The engine's time begins in 1970: the 1950s are moved to years with the same calendar.
    return x["month"].replace(year=x["month"].year + CALENDAR_CYCLE, tzinfo=UTC)


def _day(x: dict[str, Any]) -> datetime:
    return datetime.combine(date.fromordinal(x["ordinal_date"]), datetime.min.time(), UTC)


NAB = "Numenta Anomaly Benchmark (github.com/numenta/NAB), data/"
TAXI = "nyc_taxi"
ETTH1 = "ETTh1"

ALL: tuple[Dataset, ...] = (
    Dataset(
        TAXI,
        ("passenger_count",),
        "the whole year (17,520 rows) of Cui et al. 2016: github.com/numenta/htmresearch, projects/sequence_prediction/"
        "continuous_sequence/data/nyc_taxi.csv; NAB's realKnownCause/nyc_taxi.csv is its first 10,320 rows. Ours has "
        "two more columns, timeofday and dayofweek, which are not read",
        ("nyc_taxi.csv",),
        "325ae8ae92b94af93aa69d9f68a6ce3ee37e5dee4b4fe219088d8322ba10f373",
    ),
    Dataset(
        "ambient_temperature",
        ("value",),
        NAB + "realKnownCause/ambient_temperature_system_failure.csv",
        ("ambient_temperature.csv", "ambient_temperature_system_failure.csv"),
        "230b68ccca20f59d562afd5d24ad52939c9b784386bed0054018358bf9120581",
    ),
    Dataset(
        "travel_time_387",
        ("value",),
        NAB + "realTraffic/TravelTime_387.csv",
        ("travel_time_387.csv", "TravelTime_387.csv"),
        "38e70e9ead8227fd023bff6e93247d5bc01ee008f781b921a156962419b399bb",
    ),
    Dataset(
        ETTH1,
        ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"),
        "ETDataset (github.com/zhouhaoyi/ETDataset), ETT-small/ETTh1.csv",
        ("ETTh1.csv",),
        "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
        time="date",
    ),
    Dataset(
        "WaterFlow",
        ("y",),
        "river.datasets",
        timezone="Europe/Rome",
        in_wheel=partial(_river, "WaterFlow", lambda x: x["Time"]),
    ),
    Dataset("TrumpApproval", ("y",), "river.datasets", in_wheel=partial(_river, "TrumpApproval", _day)),
    Dataset("AirlinePassengers", ("y",), "river.datasets", in_wheel=partial(_river, "AirlinePassengers", _month)),
)

LEFT_OUT = {
    "SP500Stocks": "daily returns without their dates, meant to be explained by ten shares of the same day",
    "ChickWeights": "fifty chicks of twelve weighings each: many values at one time, and every series too short",
    "Bikes, Restaurants, Taxis, MovieLens100K, WebTraffic": "not inside the wheel: river downloads them",
    "all others of river": "classification, or rows without a time",
}
