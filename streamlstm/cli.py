"""The command line: parse, call, and turn what went wrong into a message and an exit code.

Commands import what they need when they run: `--help` stays quick, and the daemon does not load what only a backtest
needs.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from streamlstm import config as settings
from streamlstm.problems import ConfigError
from streamlstm.store.errors import StateRefused

FIXABLE, USAGE, REFUSED, INTERNAL = 1, 2, 3, 70
EXIT_CODES = (
    "Exit codes: 0 done, 1 what you can fix (configuration, input), 2 usage, "
    "3 state refused (corrupt, newer, locked), 70 internal error."
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
states = typer.Typer(
    no_args_is_help=True, help="What is kept of all series: look at it, verify it, repair it, carry it."
)
app.add_typer(states, name="state", epilog=EXIT_CODES)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, everything else on stderr.")]
TimeFormat = Annotated[
    str,
    typer.Option(
        help="auto (RFC 3339 text or epoch seconds), rfc3339, s, ms, us or ns.",
        callback=lambda text: _chosen(text, ("auto", "rfc3339", "s", "ms", "us", "ns")),
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--timezone", help="Of times without an offset, and of day and week.", callback=lambda text: _zone(text)
    ),
]
Separator = Annotated[str, typer.Option(help="Between the columns.", callback=lambda text: _character(text))]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        app(args=[word for word in given if word != "--debug"], prog_name="streamlstm")
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), FIXABLE, debug)
    except Exception as error:
        if isinstance(error, _fixable()):
            _fail(str(error), FIXABLE, debug)
        if isinstance(error, StateRefused):
            _fail(str(error), REFUSED, debug)
        text = f"internal error: {type(error).__name__}: {error}\n"
        text += "This is a mistake in streamlstm: please report it with what `streamlstm --debug ...` prints."
        _fail(text, INTERNAL, debug)


def _fixable() -> tuple[type[Exception], ...]:
    """The errors whose text tells the user what to do."""
    from streamlstm.codec.table import TableError
    from streamlstm.daemon.broker import BrokerError
    from streamlstm.daemon.endpoint import EndpointError
    from streamlstm.daemon.http import HttpError
    from streamlstm.daemon.replay import ReplayError
    from streamlstm.store.errors import StoreFailed, Unsuitable

    return ConfigError, TableError, BrokerError, EndpointError, HttpError, ReplayError, StoreFailed, Unsuitable


@app.callback()
def streamlstm(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Learns MQTT streams online, one LSTM for each series, and publishes forecasts with honest intervals."""


@app.command(epilog=EXIT_CODES)
def run(config: Annotated[Path, typer.Option("--config", help="TOML file; the environment goes over it.")]) -> None:
    """Run the daemon until SIGTERM or Ctrl-C; SIGHUP reads the configuration again."""
    from streamlstm.daemon.reload import Reload

    reload = Reload(lambda: settings.load(config, os.environ))
    with _until_signal(reload.ask) as stop:
        reload.load()  # its problems are told before anything else is imported
        from streamlstm.daemon import service
        from streamlstm.daemon.notify import Notify
        from streamlstm.daemon.watch import Watch

        _log_to_stderr()
        service.serve(stop, reload, lambda: Watch(Notify.of(os.environ, os.getpid()), ends=True))


@app.command(epilog=EXIT_CODES)
def demo(
    seconds: Annotated[float | None, typer.Option(min=1, help="End after so long, with a summary.")] = None,
    speed: Annotated[float | None, typer.Option(min=1, help="Times faster than recorded.")] = None,
) -> None:
    """See it work on this machine: a broker, a recorded water flow replayed as live, the daemon and its page."""
    with _until_signal() as stop:
        from streamlstm.daemon import demo as scene

        scene.play(stop, Console(), seconds=seconds, speed=speed or scene.SPEED)


@app.command(epilog=EXIT_CODES)
def backtest(
    file: Annotated[Path, typer.Argument(help="CSV with a header.")],
    time: Annotated[str, typer.Option(help="Column of the times.")],
    target: Annotated[list[str], typer.Option(help="Column to forecast; several are several series.")],
    covariate: Annotated[list[str] | None, typer.Option(help="Column that is an input to each series.")] = None,
    joint: Annotated[bool, typer.Option("--joint", help="Forecast each target beside the others.")] = False,
    ahead: Annotated[
        list[str] | None,
        typer.Option(
            help="Column known ahead: at each origin, its values at the times of the leads. This is perfect foresight: "
            "fair for a calendar or a tariff, the best case of a weather forecast."
        ),
    ] = None,
    step: Annotated[str | None, typer.Option(help="Spacing such as 1h; found from the times if not given.")] = None,
    leads: Annotated[str | None, typer.Option(help="Steps (1,24,48) or durations (1h,1d).")] = None,
    levels: Annotated[str | None, typer.Option(help="Nominal coverage of the intervals (0.8,0.95).")] = None,
    season: Annotated[list[str] | None, typer.Option(help="Period such as 1d; up to two.")] = None,
    from_row: Annotated[int, typer.Option("--from", min=0, help="Score what is forecast for rows from here on.")] = 0,
    config: Annotated[Path | None, typer.Option(help="Take the stream's settings from here.")] = None,
    stream: Annotated[str | None, typer.Option(help="Which stream of the config.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the first weights.")] = None,
    rival: Annotated[list[str] | None, typer.Option(help="Compare with holtwinters, snarimax.")] = None,
    period: Annotated[int | None, typer.Option(min=2, help="Of the rivals, in steps; found if not given.")] = None,
    timezone: Zone = None,
    holidays: Annotated[
        str | None, typer.Option(help="Known ahead: of a country (DE) or a part of it (DE-BY).")
    ] = None,
    time_format: TimeFormat = "auto",
    separator: Separator = ",",
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option(help="Write the predictions here, as CSV.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a picture here, as HTML.")] = None,
    plot_lead: Annotated[int | None, typer.Option(help="Lead to draw, in steps.")] = None,
) -> None:
    """Pass once over recorded data with the engine of production, forecasting as it goes, and score that."""
    from streamlstm import cli_backtest
    from streamlstm.rivals import RIVER

    for name in rival or ():
        _chosen(name, RIVER, hint="--rival")
    given = {
        "step": step,
        "leads": _list(leads),
        "levels": _list(levels),
        "seasons": season or None,
        "timezone": timezone,
        "holidays": holidays,
    }
    request = cli_backtest.Request(
        file=file,
        time=time,
        targets=tuple(target),
        covariates=tuple(covariate or ()),
        joint=joint,
        ahead=tuple(ahead or ()),
        settings={key: value for key, value in given.items() if value is not None},
        config=settings.load(config, os.environ) if config else None,
        stream=stream,
        seed=seed,
        first_row=from_row,
        time_format=time_format,
        separator=separator,
        rivals=tuple(dict.fromkeys(rival or ())),
        period=period,
        as_json=as_json,
        out=out,
        plot=plot,
        plot_lead=plot_lead,
    )
    try:
        cli_backtest.run(request, Console(), Console(stderr=True))
    except cli_backtest.OptionError as error:
        raise typer.BadParameter(str(error)) from error


@app.command("check-config", epilog=EXIT_CODES)
def check_config(file: Annotated[Path, typer.Argument(help="TOML file.")], as_json: AsJson = False) -> None:
    """Tell every problem of a configuration at once, or else what it will take in memory."""
    try:
        checked = settings.load(file, os.environ)
    except ConfigError as error:
        if not as_json:
            raise
        Console().out(json.dumps({"file": str(file), "problems": error.problems}, ensure_ascii=False))
        sys.exit(FIXABLE)
    from streamlstm import cli_check

    cli_check.show(file, checked, as_json)


@app.command(epilog=EXIT_CODES)
def replay(
    file: Annotated[Path, typer.Argument(help="CSV with a header.")],
    broker: Annotated[str, typer.Option(help="mqtt://, mqtts://, ws:// or wss:// host[:port]")],
    topic: Annotated[str, typer.Option(help="Publish to this topic.")],
    speed: Annotated[float, typer.Option(min=0, help="Times as fast as recorded; 0: as fast as it goes.")] = 1.0,
    time: Annotated[str | None, typer.Option(help="Column of the times; found if not given.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="Column to publish; else all that hold numbers.")] = None,
    timezone: Zone = None,
    time_format: TimeFormat = "auto",
    separator: Separator = ",",
    username: Annotated[str | None, typer.Option(help="For the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="Its first line is the password.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Whom to trust, for TLS.")] = None,
) -> None:
    """Publish recorded data as if it happened now: one message {"time": ..., "column": value, ...} for each row."""
    from streamlstm import cli_replay
    from streamlstm.sections import Mqtt

    try:
        mqtt = Mqtt(url=broker, username=username, password_file=password_file, ca_file=ca_file)
    except ValidationError as error:
        raise typer.BadParameter("; ".join(item["msg"] for item in error.errors())) from error
    request = cli_replay.Request(
        file=file,
        mqtt=mqtt,
        topic=topic,
        speed=speed,
        time=time,
        columns=tuple(column or ()),
        zone=timezone or "UTC",
        time_format=time_format,
        separator=separator,
    )
    with _until_signal() as stop:
        cli_replay.run(request, stop, Console(stderr=True))


Directory = Annotated[Path, typer.Argument(help="Folder of the state ([state] directory); its daemon must be stopped.")]
Configured = Annotated[Path, typer.Option("--config", help="TOML file that the series were learned with.")]


@states.command("list", epilog=EXIT_CODES)
def state_list(directory: Directory, as_json: AsJson = False) -> None:
    """Every series, and the journal."""
    from streamlstm import cli_state

    cli_state.show_all(directory, as_json)


@states.command("show", epilog=EXIT_CODES)
def state_show(directory: Directory, series: str, as_json: AsJson = False) -> None:
    """All of one series, as of its snapshot."""
    from streamlstm import cli_state

    cli_state.show(directory, series, as_json)


@states.command("verify", epilog=EXIT_CODES)
def state_verify(
    directory: Directory,
    config: Annotated[Path | None, typer.Option(help="Also recover, and tell the SHA-256 of what is known.")] = None,
    as_json: AsJson = False,
) -> None:
    """Read everything, and tell every damage with its place."""
    from streamlstm import cli_state

    cli_state.verify(directory, settings.load(config, os.environ) if config else None, as_json)


@states.command("repair", epilog=EXIT_CODES)
def state_repair(
    directory: Directory,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, whatever will be lost.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what will be lost, and make a new state of all that is whole; the old files stay beside it."""
    from streamlstm import cli_state

    cli_state.repair(directory, lambda: yes or (sys.stdin.isatty() and typer.confirm("Repair it?", err=True)), as_json)


@states.command("export", epilog=EXIT_CODES)
def state_export(
    directory: Directory,
    file: Annotated[Path, typer.Argument(help="New file.")],
    config: Configured,
    series: Annotated[list[str] | None, typer.Option(help="Only this one; may be given again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write series as of now into a file that another state can import."""
    from streamlstm import cli_state

    cli_state.export(directory, file, settings.load(config, os.environ), series or (), as_json)


@states.command("import", epilog=EXIT_CODES)
def state_import(
    directory: Directory,
    file: Annotated[Path, typer.Argument(help="File of `state export`.")],
    config: Configured,
    replace: Annotated[bool, typer.Option("--replace", help="In the place of series that are there already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take series into a state, which is made if there is none."""
    from streamlstm import cli_state

    cli_state.import_(directory, file, settings.load(config, os.environ), replace=replace, as_json=as_json)


@states.command("undo", epilog=EXIT_CODES)
def state_undo(
    directory: Directory,
    config: Configured,
    since: Annotated[str, typer.Option("--from", help="Event time, such as 2026-11-24T10:00:00Z: from here on ...")],
    until: Annotated[str, typer.Option("--to", help="... and before this.")],
    series: Annotated[list[str] | None, typer.Option(help="Only such as 'climate/*'; may be given again.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take back what was learned of a time: all that came since is learned once more, without that."""
    from streamlstm import cli_undo

    try:
        span = cli_undo.Span.of(since, until, series or ())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    cli_undo.undo(
        directory,
        settings.load(config, os.environ),
        span,
        lambda: yes or (sys.stdin.isatty() and typer.confirm("Take it back?", err=True)),
        as_json,
    )


def _chosen(text: str, among: Iterable[str], hint: str | None = None) -> str:
    if text not in among:
        raise typer.BadParameter(f"{text!r}: need one of {', '.join(among)}", param_hint=hint)
    return text


def _zone(text: str | None) -> str | None:
    try:
        ZoneInfo(text or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise typer.BadParameter(f"{text!r}: need a zone of the IANA database such as 'Europe/Berlin'") from error
    return text


def _character(text: str) -> str:
    found = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(found) != 1:
        raise typer.BadParameter(f"{text!r}: need one character, or 'tab'")
    return found


def _list(text: str | None) -> list[object] | None:
    """Numbers and other words between commas."""
    return None if text is None else [_number(part.strip()) for part in text.split(",")]


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _fail(text: str, code: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    for line in text.splitlines():
        Console(stderr=True, soft_wrap=True).print(f"[red]error:[/red] {escape(line)}", highlight=False)
    sys.exit(code)


@contextmanager
def _until_signal(again: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one ends the process at once. again: what SIGHUP calls."""
    stop = threading.Event()
    before = {}

    def asked(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        before[each] = signal.signal(each, asked)
    if again:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: again())
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _log_to_stderr() -> None:
    line = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=line)
