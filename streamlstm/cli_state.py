"""The command `state`: what the folder of a state holds, whether it is whole, and making it whole; in words or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from streamlstm.config import Config
from streamlstm.daemon.builds import BUILD, UNKNOWN, decoded, described, judged, newest
from streamlstm.daemon.contents import Inputs, digest_of_all, digests, meaning, unfit
from streamlstm.daemon.mending import NOTHING, shared_anew, unshared
from streamlstm.daemon.portrait import members, said_time
from streamlstm.daemon.recovery import recover
from streamlstm.daemon.transfer import adopt
from streamlstm.daemon.transfer import export as write
from streamlstm.engine import Engine
from streamlstm.kernels import fingerprint
from streamlstm.store.errors import StateRefused, Unsuitable
from streamlstm.store.inspection import Inspection
from streamlstm.store.records import Saved
from streamlstm.store.repair import repair as made_anew
from streamlstm.store.store import Store
from streamlstm.store.survey import Survey


def show_all(directory: Path, as_json: bool) -> None:
    """`list`."""
    said = Said.to(as_json)
    with Inspection(directory) as inspection:
        found = _surveyed(inspection)
    journal, series = _journal(found), [_series(seen) for seen in found.series.values()]
    generations = [
        {"input": at, "time": said_time(of.time_ns), "series": of.series} for at, of in found.generations.items()
    ]
    builds = _builds(found)
    said.document(
        {
            "directory": str(directory),
            "version": found.version,
            "acknowledged": found.mark,
            "builds": builds,
            "journal": journal,
            "series": series,
            "generations": generations,
            "damages": _damages(found),
        }
    )
    if not said.as_json:
        table = Table(
            "series", "standing", "stream", "observations", "waiting", "newest", "as of input", "bytes", box=None
        )
        for one in series:
            table.add_row(*["" if value is None else str(value) for value in one.values()])
        said.out.print(table, markup=False)
    said.line(
        f"journal: {journal['inputs']:,} inputs ({journal['from']} to {journal['to']}), {journal['observations']:,} "
        f"observations from {journal['since']} to {journal['until']}, {journal['bytes']:,} bytes"
    )
    for one in generations:
        said.line(f"kept so that learning can be taken back: the state of {one['time']}, {one['series']:,} series")
    said.line(f"acknowledged up to input {found.mark}; version {found.version}")
    for one in builds:
        said.line(f"from input {one['from']} on by {'this' if one['is_this'] else 'another'} build: {one['said']}")
    if not builds:
        said.line(UNKNOWN)
    _refuse_damaged(directory, found)


def show(directory: Path, name: str, as_json: bool) -> None:
    """All of one series."""
    said = Said.to(as_json)
    with Inspection(directory) as inspection:
        found = _surveyed(inspection)
        if name in found.lost:
            raise StateRefused(f"{directory}: series {name!r}: damaged; see `streamlstm state verify`")
        if name not in found.series:
            there = ", ".join([*found.series][:5]) or "none"
            raise Unsuitable(f"series {name!r}: no such one is saved; there are {len(found.series)}: {there} ...")
        of = found.series[name].record
        saved = next(one for one, _ in inspection.records() if isinstance(one, Saved) and one._replace(body=b"") == of)
    document = _series(found.series[name]) | {"members": members(saved)}
    said.document(document)
    for key, value in document.items():
        if key != "members":
            said.line(f"{key}: {value}")
    for member in document["members"]:
        said.line("")
        for key, value in member.items():
            said.line(f"{key}: {value}")


def verify(directory: Path, config: Config | None, as_json: bool) -> None:
    """Whether all is whole; with a configuration, also what an engine then is."""
    said = Said.to(as_json)
    with Inspection(directory) as inspection:
        found = _surveyed(inspection)
    document = {"directory": str(directory), "damages": _damages(found)}
    if found.damages or config is None:
        said.document(document)
        _refuse_damaged(directory, found)
        said.line(f"{directory}: whole: {len(found.series):,} series, inputs up to {found.last:,}")
        return
    engine, store = engine_of(config), Store(directory)
    try:
        recovered = recover(store, engine)
        build, inexact = judged(newest(store), config.streams, recovered.inputs)
    finally:
        store.close()
    lost = recovered.lost
    for closed in engine.closed():
        if closed in engine.series() and (why := unfit(engine.export(closed)[1], config.resolved)):
            lost[closed] = why
    known = digests(engine)
    ours = {"build": described(build), "exact": not inexact, "why": inexact}
    said.document(document | ours | {"sha256": digest_of_all(known), "parts": known, "unfit": lost})
    said.line(f"{directory}: whole: {len(engine.series()):,} series, inputs up to {found.last:,}")
    said.line(f"sha256 {digest_of_all(known)}")
    said.line(f"replayed {f'by another build, perhaps inexactly: {inexact}' if inexact else 'exactly as it was'}")
    for name, why in lost.items():
        said.line(f"series {name!r} would begin anew: {why}")


def repair(directory: Path, is_wanted: Callable[[], bool], as_json: bool) -> None:
    """Make it whole, once that is wanted: `is_wanted` is asked after what will be lost was said."""
    said = Said.to(as_json)
    with Inspection(directory) as inspection:
        found = _surveyed(inspection)
        document = {"directory": str(directory), "damages": _damages(found), "lost": _losses(found)}
        if not found.damages:
            said.document(document | {"repaired": False})
            said.line(f"{directory}: nothing to repair")
            return
        for damage in found.damages:
            said.note(f"{damage.place}: {damage.what}")
        for loss in document["lost"]:
            said.note(f"lost: {loss}")
        said.note(f"kept: {len(found.series):,} series and {len(found.journal):,} entries of the journal")
        if not is_wanted():
            said.document(document | {"repaired": False})
            raise Unsuitable(f"{directory}: nothing was changed; --yes repairs it")
        aside = made_anew(inspection, found, NOTHING, shared_anew(found))
    said.document(document | {"repaired": True, "before": str(aside)})
    said.line(f"{directory}: repaired; the files as they were: {aside}")


def export(directory: Path, file: Path, config: Config, names: Iterable[str], as_json: bool) -> None:
    """Series into a file."""
    said = Said.to(as_json)
    count, lost = write(there(directory), engine_of(config), file, list(names))
    for name, why in lost.items():
        said.note(f"series {name!r} is not in it: {why}")
    said.document({"file": str(file), "series": count, "unfit": lost})
    said.line(f"{file}: {count:,} series")


def import_(directory: Path, file: Path, config: Config, *, replace: bool, as_json: bool) -> None:
    """Series out of a file."""
    said = Said.to(as_json)
    count, replaced = adopt(directory, engine_of(config), config, file, replace=replace)
    said.document({"directory": str(directory), "series": count, "replaced": replaced})
    said.line(f"{directory}: {count:,} series from {file}, {len(replaced):,} of them in the place of others")


@dataclass(frozen=True, slots=True)
class Said:
    """Where the answer goes: a document or words to stdout, everything else to stderr."""

    as_json: bool
    out: Console
    err: Console

    @staticmethod
    def to(as_json: bool) -> Said:
        return Said(as_json, Console(), Console(stderr=True))

    def document(self, document: dict[str, Any]) -> None:
        if self.as_json:
            self.out.out(json.dumps(document, ensure_ascii=False, allow_nan=False), highlight=False)

    def line(self, text: str) -> None:
        if not self.as_json:
            self.out.print(text, markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        self.err.print(text, markup=False, highlight=False, soft_wrap=True)


def engine_of(config: Config) -> Engine:
    """As the daemon has it."""
    limits = config.limits
    return Engine(
        config.streams,
        seed=config.seed,
        max_series=limits.max_series,
        memory_bytes=limits.memory,
        closed_bytes=limits.closed,
    )


def there(directory: Path) -> Path:
    """A state to read from is not made where there is none."""
    Inspection(directory).close()
    return directory


def _surveyed(inspection: Inspection) -> Survey:
    found = inspection.survey(meaning)
    found.damages += unshared(found)
    return found


def _refuse_damaged(directory: Path, found: Survey) -> None:
    if found.damages:
        lines = [f"{directory}: {damage.place}: {damage.what}" for damage in found.damages]
        raise StateRefused(
            "\n".join([*lines, f"{directory}: damaged; `streamlstm state repair` says what can be kept"])
        )


def _damages(found: Survey) -> list[dict[str, str]]:
    return [damage._asdict() for damage in found.damages]


def _losses(found: Survey) -> list[str]:
    """In words, what cannot be kept."""
    lost = [f"series {name!r}: it begins anew, with what the journal has of it" for name in found.lost]
    if found.given_up:
        indices = ", ".join(map(str, found.given_up))
        lost.append(f"older states of inputs {indices}, from which learning would be taken back")
    for since, to in found.missing:
        before = [seen.meaning.until_ns for first, seen in found.journal.items() if first < since]
        after = [seen.meaning.since_ns for first, seen in found.journal.items() if first > to]
        ends = (("after", said_time(_last(before))), ("before", said_time(_last(after[::-1]))))
        between = " and ".join(f"{side} {time}" for side, time in ends if time) or "nobody knows when"
        what = f"inputs {since} to {to} ({to - since + 1:,}), {between} by event time"
        whose = "for series that were saved before them" if to > found.swept else "which only `state undo` needs"
        lost.append(f"{what}, {whose}")
    return lost


def _last(times: list[int | None]) -> int | None:
    return next((time for time in reversed(times) if time is not None), None)


def _builds(found: Survey) -> list[dict[str, Any]]:
    """Which ones wrote it, since all series were last saved."""
    there = [(at, decoded(seen.meaning)) for (name, at), seen in sorted(found.shared.items()) if name == BUILD]
    here = fingerprint()
    return [
        {
            "from": at + 1,
            "is_this": build.fingerprint == here,
            "said": described(build),
            "fingerprint": build.fingerprint,
            "golden": build.digest,
        }
        for at, build in there
        if build
    ]


def _journal(found: Survey) -> dict[str, Any]:
    entries = list(found.journal.values())
    times: list[Inputs] = [seen.meaning for seen in entries]
    since = [one.since_ns for one in times if one.since_ns is not None]
    until = [one.until_ns for one in times if one.until_ns is not None]
    return {
        "inputs": sum(seen.record.inputs for seen in entries),
        "from": entries[0].record.first if entries else None,
        "to": entries[-1].record.last if entries else None,
        "observations": sum(one.observations for one in times),
        "since": said_time(min(since, default=None)),
        "until": said_time(max(until, default=None)),
        "bytes": sum(seen.bytes for seen in entries),
    }


def _series(seen: Any) -> dict[str, Any]:
    of = seen.meaning
    return {
        "series": seen.record.name,
        "standing": seen.record.standing,
        "stream": of.stream,
        "observations": of.observations,
        "waiting": of.waiting,
        "newest": said_time(of.newest_ns),
        "input": seen.record.at,
        "bytes": seen.bytes,
    }
