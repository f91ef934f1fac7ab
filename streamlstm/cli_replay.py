"""The command `replay`: which columns a file has, and how far the publishing has come."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from streamlstm.cli_backtest import opened, progress_bar
from streamlstm.codec import table
from streamlstm.codec.table import Row
from streamlstm.daemon.replay import replay
from streamlstm.events import Discarded
from streamlstm.sections import Mqtt


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    file: Path
    mqtt: Mqtt
    topic: str
    speed: float
    time: str | None
    columns: tuple[str, ...]
    zone: str
    time_format: str
    separator: str


def run(request: Request, stop: threading.Event, stderr: Console) -> None:
    """Publish the file's rows; tell how many, and what could not be read."""
    time, columns = _columns(request)
    discarded: list[str] = []
    with opened(request.file) as lines, progress_bar(stderr) as bar:
        found = table.read(
            lines,
            time=time,
            columns=columns,
            zone=request.zone,
            time_format=request.time_format,
            separator=request.separator,
        )
        task = bar.add_task("published", total=None)
        sent = replay(
            _messages(found, columns, discarded),
            request.mqtt.url,
            request.topic,
            speed=request.speed,
            stop=stop,
            progress=lambda count: bar.update(task, completed=count),
            settings=request.mqtt,
        )
    stderr.print(f"{sent:,} rows published to {request.topic} at {request.mqtt.url}", markup=False, highlight=False)
    if discarded:
        stderr.print(f"{len(discarded):,} rows discarded; the first: {discarded[0]}", markup=False, highlight=False)


def _columns(request: Request) -> tuple[str, tuple[str, ...]]:
    """The columns named, or those that look like the time and like numbers."""
    if request.time is not None and request.columns:
        return request.time, request.columns
    with opened(request.file) as lines:
        time, numbers = table.guess(
            lines, time=request.time, time_format=request.time_format, separator=request.separator
        )
    return time, request.columns or numbers


def _messages(
    rows: Iterator[Row | Discarded], columns: Sequence[str], discarded: list[str]
) -> Iterator[tuple[int, Mapping[str, float]]]:
    for row in rows:
        if isinstance(row, Row):
            yield row.time_ns, dict(zip(columns, row.values, strict=True))
        else:
            discarded.append(row.detail)
