"""The demo: a broker of our own, a recording replayed as live, the daemon, and a table of what it says."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streamlstm.codec import table
from streamlstm.config import Config, load
from streamlstm.daemon.broker import Embedded
from streamlstm.daemon.replay import replay
from streamlstm.daemon.run import Daemon
from streamlstm.events import SECOND_NS, Forecast, State

SPEED = 50_000.0  # times as fast as recorded: two months in 100 s
SETTINGS = Path(__file__).with_name("demo.toml")
RECORDING = "datasets/water-flow.csv"  # in river's wheel
REFRESH_S = 0.25


def play(stop: threading.Event, console: Console, *, seconds: float | None = None, speed: float = SPEED) -> None:
    """Run until `stop` is set, or for so many seconds from when the daemon is ready; then sum up."""
    rows = list(recording())
    with Embedded() as broker:
        stage = _Stage(_settings(broker.url("5")), broker.url("5"), rows, speed)
        try:
            with Live(console=console, refresh_per_second=1 / REFRESH_S, transient=True) as live:
                ends_s: float | None = None
                while not stop.wait(REFRESH_S) and (ends_s is None or time.monotonic() < ends_s):
                    stage.check()
                    if stage.daemon.ready and not stage.is_playing:
                        console.print(f"the page: [bold cyan]{stage.daemon.address}[/bold cyan]\n")
                        stage.start_replay()
                        ends_s = time.monotonic() + seconds if seconds else None
                    live.update(stage.view())
        finally:
            stage.end()
        stage.check()
        console.print(stage.summary())
    console.file.flush()
    if stage.is_compiling:
        os._exit(0)  # the compiler takes no interruption, and all that we had open is closed


def recording() -> Iterator[table.Row]:
    """The rows of WaterFlow, found beside river's modules and read without importing them."""
    spec = importlib.util.find_spec("river")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise table.TableError("the demo replays a recording that ships with river, which is not installed")
    with (Path(folders[0]) / RECORDING).open(encoding="utf-8", newline="") as lines:
        for row in table.read(lines, time="Time", columns=["Water flow [l/s]"]):
            if isinstance(row, table.Row):
                yield row


class _Stage:
    """The daemon and the replay, each in a thread, and what can be seen of them."""

    def __init__(self, config: Config, url: str, rows: list[table.Row], speed: float) -> None:
        self.daemon = Daemon(config)
        self._stream = config.streams[0]
        self._url = url
        self._rows = rows
        self._speed = speed
        self._sent = 0
        self._over = threading.Event()
        self._faults: list[Exception] = []
        self._replay: threading.Thread | None = None
        self._run = self._started(lambda: self.daemon.run(self._over), "daemon")

    @property
    def is_playing(self) -> bool:
        return self._replay is not None

    @property
    def is_compiling(self) -> bool:
        """Whether the daemon goes on although it was told to end."""
        return self._run.is_alive()

    def check(self) -> None:
        """Raise here what went wrong in a thread."""
        if self._faults:
            raise self._faults[0]

    def start_replay(self) -> None:
        rows = [(row.time_ns, {"flow": row.values[0]}) for row in self._rows]
        self._replay = self._started(
            lambda: replay(
                rows, self._url, self._stream.topic, speed=self._speed, stop=self._over, progress=self._count
            ),
            "replay",
        )

    def end(self) -> None:
        """Ask both to end; the daemon answers within a moment, unless it is compiling."""
        self._over.set()
        if self._replay is not None:
            self._replay.join()
            self._run.join()
        else:
            self._run.join(1.0)

    def view(self) -> RenderableType:
        """What is going on now."""
        status = self.daemon.status()
        if not self.is_playing:
            return Text(f"{status.why}: up to a minute the first time", style="dim")
        ended = "the recording has ended, the page stays: Ctrl-C ends the demo"
        going = f"{self._sent:,} of {len(self._rows):,} readings replayed, {self._speed:,.0f} times as fast"
        state = Text(ended if self._sent == len(self._rows) else going, style="dim")
        return Group(self._forecasts(), "", state)

    def summary(self) -> RenderableType:
        """What it came to."""
        report = self.daemon.status().report
        if not report.learned:
            return Text("ended before anything was learned")
        discarded = sum(report.discarded.values())
        counts = f"{self.daemon.status().connection.received:,} readings received, {report.learned:,} learned"
        counts += f", {report.missing:,} missing, {discarded:,} discarded, {report.series[0].totals.gaps:,} gaps"
        return Group(self._forecasts(), "", Text(f"{counts}, {self.daemon.status().published:,} forecasts published"))

    def _forecasts(self) -> RenderableType:
        series = self.daemon.status().report.series
        newest = series[0].last if series else None
        return _table(newest, self._stream.unit, self._stream.timezone) if newest else Text("waiting for a reading")

    def _count(self, sent: int) -> None:
        self._sent = sent

    def _started(self, job: object, name: str) -> threading.Thread:
        assert callable(job)

        def guarded() -> None:
            try:
                job()
            except Exception as error:  # raised again in the thread that shows it
                self._faults.append(error)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        return thread


def _settings(url: str) -> Config:
    """The demo's configuration, with the broker that is there and a port that is free."""
    logging.getLogger("streamlstm").addHandler(logging.NullHandler())  # lines of log would tear the table
    config = load(SETTINGS, {})
    mqtt = config.mqtt.model_copy(update={"url": url})
    http = config.http.model_copy(update={"listen": _free(config.http.listen)})
    return config.model_copy(update={"mqtt": mqtt, "http": http})


def _free(listen: str) -> str:
    """The address, or any free port where it is taken."""
    host, _, port = listen.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return f"{host}:0"
    return listen


def _table(forecast: Forecast, unit: str, zone: str) -> Table:
    now = datetime.fromtimestamp(forecast.origin_ns / SECOND_NS, ZoneInfo(zone))
    title = f"{forecast.series}  {now:%a %d %b %Y %H:%M}  {_number(forecast.y)} {unit}  ({forecast.state.value})"
    shown = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False
    )
    heads = ["ahead", "forecast", f"{forecast.levels[0]:.0%} interval", "beats\npersist.", "beats\nseason"]
    heads += [f"inside\n{level:.0%}" for level in forecast.levels]
    for head in (*heads, "source"):
        shown.add_column(head, justify="right", no_wrap=True)
    for i, lead in enumerate(forecast.leads):
        shown.add_row(
            f"{lead * forecast.step_ns / (3600 * SECOND_NS):g} h",
            f"[bold]{_number(forecast.yhat[i])}[/bold]",
            f"{_number(forecast.lower[0, i])} – {_number(forecast.upper[0, i])}",
            _percent(forecast.skill_persistence[i]),
            _percent(forecast.skill_seasonal[i]),
            *(_percent(share) for share in forecast.coverage[:, i]),
            "–" if forecast.state is State.WARMING else "naive" if forecast.naive[i] else "blend",
        )
    return shown


def _number(value: float) -> str:
    return f"{value:.2f}" if isfinite(value) else "–"


def _percent(share: float) -> str:
    return f"{share:.0%}" if isfinite(share) else "–"
