"""All that one series is, as plain values: what a snapshot of it holds, and how that becomes bytes and values again."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from streamlstm.events import Mode, Observation, State
from streamlstm.shelf import Kept
from streamlstm.timeline.coarser import Growing
from streamlstm.timeline.join import Joined
from streamlstm.timeline.order import Waiting
from streamlstm.timeline.pace import Paced
from streamlstm.timeline.steps import Gathered


class Standing(StrEnum):
    """How a series stands to its place."""

    OPEN = "open"
    CLOSED = "closed"  # its learning is kept
    GONE = "gone"


class Said(NamedTuple):
    """The newest forecast."""

    obs: Observation
    numbers: bytes  # as in `Forecast.numbers`
    state: State


class Living(NamedTuple):
    """An open series: the fields of `Member`, and its rows."""

    series: str
    stream: str
    order: Waiting
    pace: Paced
    steps: Gathered | None
    meter: bytes
    gathers: Growing | None
    early: tuple[Observation, ...]
    last_ns: int
    seen_ns: int
    unseen: int
    dark: bool
    guessed: int
    heard_ns: int
    state: State
    refused: bool
    said: Said | None
    rows: tuple[bytes, ...]  # none before the step is known
    mode: Mode = Mode.LEARNS


class Family(NamedTuple):
    """A series and those of its coarser resolutions, which live and end together."""

    opened: int  # position of the observation that it began with
    members: tuple[Living, ...]  # the finest first


class Counts(NamedTuple):
    """What the engine has counted of all series, since ever."""

    learned: int
    gathered: int
    joined: int
    missing: int
    quarantined: int
    shed: int  # updates of the cells, under overload
    discarded: dict[str, int]  # by reason
    ended: dict[str, tuple[int, ...]]  # by stream: the totals of closed series


class Commons(NamedTuple):
    """What the series of one stream have in common: what is known of its covariates, and who looks it up."""

    joined: Joined
    opened: tuple[str, ...]  # series


_encoder = msgspec.msgpack.Encoder()
_decoders = {kind: msgspec.msgpack.Decoder(kind) for kind in (Family, Kept, Counts, Commons)}


def packed(state: Family | Kept | Counts | Commons) -> bytes:
    """The same values, the same bytes."""
    return _encoder.encode(state)


def unpacked(kind: Any, state: bytes) -> Any:
    """The values of that kind. ValueError where the bytes are of something else."""
    try:
        return _decoders[kind].decode(state)
    except msgspec.DecodeError as error:
        raise ValueError(f"no {kind.__name__.lower()}: {error}") from error
