"""One record that says of all the others how many there must be, so that none is missed in silence."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

NAME = "ledger"
_PACKED = struct.Struct("<QQQQ")


class Ledger(NamedTuple):
    """What is saved, and from where on the journal is needed."""

    series: int = 0
    sums: int = 0  # all their checksums combined
    pruned: int = 0  # index of the last input that the journal does not need any more
    shared: int = 0  # the checksums of all that is of no single series, combined

    def packed(self) -> bytes:
        return _PACKED.pack(*self)


def unpacked(body: bytes) -> Ledger:
    """ValueError where it is none."""
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
