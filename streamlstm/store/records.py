"""What the store gives and takes: bytes with a place, and the checksum that binds them to it."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from streamlstm.store.errors import StateRefused


class Batch(NamedTuple):
    """Inputs that were committed together."""

    first: int  # index of the first; they are counted from 1
    inputs: int  # how many
    body: bytes

    @property
    def last(self) -> int:
        return self.first + self.inputs - 1


class Saved(NamedTuple):
    """One series as of an index: everything up to it is in there, and nothing after."""

    name: str
    standing: str
    at: int
    body: bytes


class Older(NamedTuple):
    """One series as a sweep saved it that is kept as a generation."""

    generation: int  # index that the sweep began behind
    name: str
    standing: str
    at: int
    body: bytes


class Shared(NamedTuple):
    """What is of no single series, as of an index."""

    name: str
    at: int
    body: bytes


Record = Batch | Saved | Older | Shared


def crc(record: Record) -> int:
    """Over the bytes and where they belong: a whole record in the wrong place is damage too."""
    place = repr((type(record).__name__, *record[:-1]))
    return zlib.crc32(record.body, zlib.crc32(place.encode("utf-8", "surrogatepass")))


def checked(record: Record, sum_: object, where: str) -> None:
    """StateRefused where a record is not what was written."""
    if not isinstance(record.body, bytes) or sum_ != crc(record):
        raise StateRefused(f"{where}: damaged (its checksum does not fit); see `streamlstm state verify`")
