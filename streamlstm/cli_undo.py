"""The command `state undo`: what is to be taken back, from where the rest is learned once more, and doing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from streamlstm.cli_state import Said, engine_of, there
from streamlstm.codec.encode import rfc3339
from streamlstm.codec.values import Unreadable, time_ns
from streamlstm.config import Config
from streamlstm.daemon import undoing
from streamlstm.store.errors import Unsuitable
from streamlstm.store.store import Store

NAMED = 10  # series that are told one by one; --json has all


class Span(NamedTuple):
    """A time, and patterns of series; none: all."""

    since_ns: int
    until_ns: int
    series: tuple[str, ...]

    @staticmethod
    def of(since: str, until: str, series: Iterable[str]) -> Span:
        """ValueError where it is none."""
        span = Span(_time_ns("--from", since), _time_ns("--to", until), tuple(series))
        if span.since_ns >= span.until_ns:
            raise ValueError(f"--to {until}: need a time behind --from {since}")
        return span


def undo(directory: Path, config: Config, span: Span, is_wanted: Callable[[], bool], as_json: bool) -> None:
    """Do it, once it is wanted: `is_wanted` is asked after what will be taken back was said."""
    said, store = Said.to(as_json), Store(there(directory))
    try:
        plan = undoing.planned(store, *span)
        count, since = sum(plan.observations.values()), plan.source.head and rfc3339(plan.source.head.time_ns)
        begin = f"the state of {since}" if since else "the beginning of all"
        document = {
            "directory": str(directory),
            "from": rfc3339(span.since_ns),
            "to": rfc3339(span.until_ns),
            "observations": plan.observations,
            "begins": {"input": plan.source.swept, "time": since},
            "inputs": plan.inputs,
        }
        for name, number in [*plan.observations.items()][:NAMED]:
            said.note(f"{name}: {number:,} observations are taken back")
        if len(plan.observations) > NAMED:
            said.note(f"... and {len(plan.observations) - NAMED:,} more series")
        said.note(
            f"{count:,} observations of {len(plan.observations):,} series, from {rfc3339(span.since_ns)} on and before "
            f"{rfc3339(span.until_ns)}; from {begin} on, {plan.inputs:,} inputs are gone through without them"
        )
        if not is_wanted():
            said.document(document | {"undone": False})
            raise Unsuitable(f"{directory}: nothing was changed; --yes takes it back")
        undoing.undo(store, engine_of(config), config.resolved, plan)
    finally:
        store.close()
    said.document(document | {"undone": True})
    said.line(f"{directory}: {count:,} observations of {len(plan.observations):,} series are taken back")


def _time_ns(option: str, text: str) -> int:
    found = time_ns(text, "rfc3339", UTC)
    if isinstance(found, Unreadable):
        raise ValueError(f"{option}: {found.detail}")
    return found
