"""What the records of a state are about, read without a configuration; and the digest of what an engine knows."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

import msgspec

from streamlstm.codec.journal import from_bytes
from streamlstm.config import Stream
from streamlstm.daemon.builds import BUILD, Build
from streamlstm.daemon.recovery import COMMONS, HEAD, ORIGIN, Head, Origin, Undone
from streamlstm.engine import Engine
from streamlstm.events import BEGINNING, Known, Observation
from streamlstm.living import Commons, Family, Standing, unpacked
from streamlstm.model import state
from streamlstm.model.arena import Layout
from streamlstm.shelf import Kept
from streamlstm.shelf import unpacked as rows_of
from streamlstm.store.generation import UNDONE
from streamlstm.store.records import Batch, Older, Record, Saved

BEGIN = 4096  # bytes of a closed series' rows that are enough to read how they begin


class About(NamedTuple):
    """One series."""

    stream: str
    observations: int | None  # that it has learned from; None: by a program that we do not know
    waiting: int  # that it has not learned from yet
    newest_ns: int | None  # event time of the newest one learned
    position: int  # of the newest one, those that wait among them
    members: tuple[str, ...]  # it, and its coarser ones


class Inputs(NamedTuple):
    """One entry of the journal."""

    observations: int
    since_ns: int | None  # earliest and latest event time
    until_ns: int | None
    position: int


def meaning(record: Record) -> About | Inputs | bytes:
    """What a record is about; of what is shared, its bytes. ValueError where they mean nothing to us."""
    match record:
        case Batch():
            return _inputs(record.body)
        case Older():
            return meaning(Saved(*record[1:]))
        case Saved(_, Standing.OPEN):
            return _open(unpacked(Family, record.body))
        case Saved(_, Standing.CLOSED):
            return _closed(record.name, unpacked(Kept, record.body))
        case Saved(_, Standing.GONE):
            return About("", 0, 0, None, 0, (record.name,))
        case Saved():
            raise ValueError(f"it stands as {record.standing!r}; need one of {', '.join(Standing)}")
    try:
        if record.name == HEAD:
            msgspec.msgpack.decode(record.body, type=Head)
        elif record.name == ORIGIN:
            msgspec.msgpack.decode(record.body, type=Origin)
        elif record.name == UNDONE:
            msgspec.msgpack.decode(record.body, type=list[Undone])
        elif record.name == BUILD:
            msgspec.msgpack.decode(record.body, type=Build)
        elif record.name.startswith(COMMONS):
            unpacked(Commons, record.body)
    except msgspec.DecodeError as error:
        raise ValueError(f"no {record.name}: {error}") from error
    return record.body


def unfit(closed: bytes, streams: Iterable[Stream]) -> str:
    """Why a closed series would begin anew when it is heard again; empty where it would not."""
    kept: Kept = unpacked(Kept, closed)
    stream = next((stream for stream in streams if stream.name == kept.stream), None)
    if stream is None:
        return f"its stream {kept.stream!r} is not in the configuration"
    layout = Layout.of(stream, kept.step_ns, kept.regular)
    try:
        heads = [state.head(row) for row in rows_of(kept.rows, layout.row_bytes)]
    except ValueError as error:
        return str(error)
    if any(head is None or head.fingerprint != layout.fingerprint for head in heads):
        return "its state is of another layout than this configuration's"
    return ""


def digests(engine: Engine) -> dict[str, str]:
    """SHA-256 of all that an engine knows, by what it is of: two that know the same have the same."""
    parts = {f"commons of {stream}": body for stream, body in engine.commons().items()} | {"counts": engine.counts()}
    found = {name: sha256(body).hexdigest() for name, body in sorted(parts.items())}
    for name in sorted(engine.series()):
        standing, body = engine.export(name)
        found[f"series {name}"] = digest(standing, body)
    return found


def digest(standing: str, body: bytes) -> str:
    """SHA-256 of a series."""
    return sha256(f"{standing}:".encode() + body).hexdigest()


def digest_of_all(found: dict[str, str]) -> str:
    """One for all of them."""
    return sha256("".join(f"{own} {name}\n" for name, own in sorted(found.items())).encode()).hexdigest()


def _inputs(body: bytes) -> Inputs:
    inputs = from_bytes(body).inputs
    times = [item.time_ns for item in inputs if isinstance(item, Observation)]
    positions = [item.position for item in inputs if isinstance(item, Observation | Known)]
    return Inputs(len(times), min(times, default=None), max(times, default=None), max(positions, default=0))


def _open(family: Family) -> About:
    finest = family.members[0]
    heads = [state.head(living.rows[0]) for living in family.members if living.rows]
    waiting = [obs for living in family.members for obs in (*living.order.held, *living.early)]
    positions = [head.position for head in heads if head] + [obs.position for obs in waiting]
    observations = (heads[0].seen if heads[0] else None) if finest.rows else 0
    newest_ns = finest.last_ns if finest.last_ns != BEGINNING else None
    names = tuple(living.series for living in family.members)
    return About(finest.stream, observations, len(waiting), newest_ns, max([family.opened, *positions]), names)


def _closed(name: str, kept: Kept) -> About:
    begin = zlib.decompressobj()
    try:
        head = state.head(begin.decompress(kept.rows, BEGIN))
    except zlib.error as error:
        raise ValueError(f"rows that cannot be unpacked: {error}") from error
    position = max(kept.position, *[one.position for _, one in kept.coarser], 0)
    names = (name, *[coarse for coarse, _ in kept.coarser])
    return About(kept.stream, head.seen if head else None, 0, kept.last_ns, position, names)
