"""Inputs of the engine as bytes for a journal, and back: decoded values, so that no later decoder can change a replay.

MessagePack by msgspec, a list for each kind of input. The same inputs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from streamlstm.events import Close, Discarded, Input, Known, Observation, Reason, Shed, Switch, Tick

FORMAT = 1


class Delivery(NamedTuple):
    """By what the broker's redelivery of a message is known."""

    mid: int
    digest: bytes  # of topic and payload


class Entry(NamedTuple):
    """What is committed together."""

    inputs: tuple[Input, ...]  # but for what was discarded before it came this far: that is only counted
    refused: dict[Reason, int]
    deliveries: tuple[Delivery, ...]

    @property
    def size(self) -> int:
        """How many inputs a journal counts it as: what was refused is one together, and so is nothing at all."""
        return max(1, len(self.inputs) + bool(self.refused))


class _Batch(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    format: int
    order: str  # a letter for each input, of which kind it is
    observations: list[Observation] = []
    known: list[Known] = []
    ticks: list[Tick] = []
    closes: list[Close] = []
    sheds: list[Shed] = []
    refused: dict[str, int] = {}
    deliveries: list[Delivery] = []
    switches: list[Switch] = []


_LETTERS = {Observation: "o", Known: "k", Tick: "t", Close: "c", Shed: "s", Switch: "w"}
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Batch).decode


def entry(inputs: Sequence[Input], deliveries: Sequence[Delivery]) -> Entry:
    """Inputs that are to be committed together, and the messages that they came with."""
    refused: dict[Reason, int] = {}
    for item in inputs:
        if isinstance(item, Discarded):
            refused[item.reason] = refused.get(item.reason, 0) + 1
    kept = tuple(one for one in inputs if not isinstance(one, Discarded))
    return Entry(kept, dict(sorted(refused.items())), tuple(deliveries))


def to_bytes(said: Entry) -> bytes:
    """The bytes of an entry."""
    batch = _Batch(FORMAT, "".join([_LETTERS[type(item)] for item in said.inputs]))
    for item in said.inputs:
        match item:
            case Observation():
                batch.observations.append(item)
            case Known():
                batch.known.append(item)
            case Tick():
                batch.ticks.append(item)
            case Close():
                batch.closes.append(item)
            case Shed():
                batch.sheds.append(item)
            case Switch():
                batch.switches.append(item)
    batch.refused = {reason.value: count for reason, count in said.refused.items()}
    batch.deliveries = list(said.deliveries)
    return _encode(batch)


def from_bytes(body: bytes) -> Entry:
    """The entry of these bytes. ValueError where they are none, or of a format that is not known."""
    try:
        batch = _decode(body)
        refused = {Reason(reason): count for reason, count in batch.refused.items()}
    except (msgspec.DecodeError, ValueError) as error:
        raise ValueError(f"no entry of a journal: {error}") from error
    if batch.format != FORMAT:
        raise ValueError(f"an entry of format {batch.format}: this program knows {FORMAT}")
    lists: tuple[list[Any], ...] = (
        batch.observations,
        batch.known,
        batch.ticks,
        batch.closes,
        batch.sheds,
        batch.switches,
    )
    next_of = {letter: iter(items) for letter, items in zip(_LETTERS.values(), lists, strict=True)}
    try:
        inputs = tuple(next(next_of[letter]) for letter in batch.order)
    except (KeyError, RuntimeError) as error:
        raise ValueError("no entry of a journal: its order is not that of its inputs") from error
    return Entry(inputs, refused, tuple(batch.deliveries))
