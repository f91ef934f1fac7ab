"""The command `check-config`: what a configuration without problems is understood as, and what it will take."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from streamlstm.config import Config, Stream
from streamlstm.model.arena import row_bytes
from streamlstm.understood import understood

JOURNAL_GIB = 0.6  # two sweeps of `daemon.keeper.MOST_BYTES`, and their log
FINEST_NS = 300_000_000_000  # a step that is not known yet is taken as this: a finer one takes no more


def show(file: Path, checked: Config, as_json: bool) -> None:
    """In words, or as one document."""
    most = checked.limits.max_series
    sizes = {s.name: row_bytes(s, s.step if isinstance(s.step, int) else FINEST_NS) for s in checked.resolved}
    fitting = min(most, checked.limits.memory // max(sizes.values()))
    if as_json:
        covariates = {s.name: {"past": s.inputs, "known_ahead": s.ahead} for s in checked.streams}
        document = {
            "file": str(file),
            "problems": [],
            "bytes_per_series": sizes,
            "series": fitting,
            "understood": {s.name: understood(s) for s in checked.resolved},
            "covariates": covariates,
        }
        Console().out(json.dumps(document, ensure_ascii=False))
        return
    out = Console(soft_wrap=True, highlight=False)
    out.print(f"[green]{escape(str(file))}: no problems[/green]")
    for each in checked.resolved:
        size, known = sizes[each.name], f"; {_covariates(each)}" if each.inputs + each.ahead else ""
        memory = f"{size / 2**10:,.0f} KiB for each series, {size * most / 2**30:.2f} GiB for {most:,}"
        out.print(f"{escape(each.name)}: {escape(understood(each))}{known}")
        out.print(f"{escape(each.name)}: {memory}")
    if any(each.ttl for each in checked.streams):
        out.print(f"limits.closed: {checked.limits.closed / 2**20:,.0f} MiB for what closed series had learned")
    if checked.state.directory:
        snapshots = min(sum(sizes.values()) * most, checked.limits.memory) + checked.limits.closed
        undo = 3 * snapshots + checked.state.undo_size if checked.state.undo else 0
        disk = (snapshots + undo) / 2**30 + JOURNAL_GIB
        beside = f", {undo / 2**30:.1f} of it so that learning can be taken back" if undo else ""
        out.print(f"state.directory: {escape(str(checked.state.directory))}, up to {disk:.1f} GiB on the disk{beside}")
    else:
        out.print("[yellow]no state.directory: what is learned does not survive a restart[/yellow]")
    if fitting < most:
        out.print(f"[yellow]limits.memory holds {fitting:,} of limits.max_series = {most:,}[/yellow]")


def _covariates(stream: Stream) -> str:
    """How many there are, in words."""
    count = stream.inputs + stream.ahead
    words = "1 covariate" if count == 1 else f"{count} covariates"
    if not stream.ahead:
        return words
    return f"{words}, {'one' if stream.ahead == 1 else 'all' if stream.ahead == count else stream.ahead} known ahead"
