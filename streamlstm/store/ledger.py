"""One record that says of all the others how many there must be, so that none is missed in silence."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

NAME = "ledger"
_PACKED = struct.Struct("<QQQQQQQ")
_VERSION_1 = struct.Struct("<QQQQ")


class Ledger(NamedTuple):
    """What is saved, and from where on the journal is needed. Of inputs, indices; of checksums, all combined."""

    series: int = 0
    sums: int = 0  # of them
    pruned: int = 0  # the last input that the journal does not need any more
    shared: int = 0  # checksums of all that is of no single series
    swept: int = 0  # where the newest sweep that is through began: a start feeds the journal from behind it on
    older: int = 0  # snapshots of generations
    older_sums: int = 0

    def packed(self) -> bytes:
        return _PACKED.pack(*self)


def unpacked(body: bytes) -> Ledger:
    """ValueError where it is none."""
    if len(body) == _VERSION_1.size:  # no generations: the journal was needed for a start, and for nothing else
        series, sums, pruned, shared = _VERSION_1.unpack(body)
        return Ledger(series, sums, pruned, shared, pruned)
    try:
        return Ledger(*_PACKED.unpack(body))
    except struct.error as error:
        raise ValueError(f"no ledger: {error}") from error


def combined(sums: Iterable[object]) -> int:
    """Checksums as one number, whatever their order."""
    found = 0
    for sum_ in sums:
        found ^= spread(sum_)
    return found


def spread(sum_: object) -> int:
    """A checksum over 64 bits, so that no few of them cancel out."""
    return (int(sum_) * 0x9E3779B97F4A7C15) % 2**64 if isinstance(sum_, int) else 0
