"""Bicycles on hire in Washington, by the hour, with the weather: `Bikeshare.csv`, which comes inside a wheel.

    pip download --no-deps islp==0.6.0 && unzip -j islp-0.6.0-*.whl ISLP/data/Bikeshare.csv

Fanaee-T and Gama (2014); 8,645 hours of 2011, as James et al., "An Introduction to Statistical Learning", use them.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from benchmarks.kinds.figure import Given, NotHere
from streamlstm.codec.table import Row
from streamlstm.events import SECOND_NS

NAME = "Bikeshare.csv"
DIGEST = "ac6950ae6f11efcc69c29d6bb13e8881c001e27d36434660d59444a1414f712c"
FROM = "the wheel islp 0.6.0, ISLP/data"
WEATHER = ("temp", "hum", "windspeed", "weathersit", "workingday")
SKIES = {"clear": 1.0, "cloudy/misty": 2.0, "light rain/snow": 3.0, "heavy rain/snow": 4.0}


def rows(given: Given) -> list[Row]:
    """Hires and `WEATHER` of each hour."""
    path = given.folder / NAME if given.folder else None
    if path is None or not path.is_file():
        raise NotHere(f"{NAME} (--data): {FROM}")
    if sha256(path.read_bytes()).hexdigest() != DIGEST:
        raise NotHere(f"{NAME} with SHA-256 {DIGEST}; the file in the folder has another")
    begin, found = datetime(2011, 1, 1, tzinfo=UTC), []
    with path.open(encoding="utf-8", newline="") as lines:
        for i, row in enumerate(csv.DictReader(lines)):
            at = begin + timedelta(days=int(row["day"]) - 1, hours=int(row["hr"]))
            weather = [SKIES[row[name]] if name == "weathersit" else float(row[name]) for name in WEATHER]
            found.append(Row(i, round(at.timestamp()) * SECOND_NS, (float(row["bikers"]), *weather)))
    return found
