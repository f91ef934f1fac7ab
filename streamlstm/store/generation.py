"""Older states of all series: the snapshots of one whole sweep each, from which learning can begin once more.

Together with what was shared when the sweep began, and with the journal behind that, it is all that a start needs.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from streamlstm.store.ledger import NAME as LEDGER

# names of what is shared: as of the newest snapshot; of each generation; of what was taken back; of who wrote it
HEAD, MANIFEST, UNDONE, BUILD = "head", "generation", "undone", "build"
APART = (LEDGER, HEAD, MANIFEST, UNDONE, BUILD)  # what may be written at any time, and is of no sweep's beginning
_PACKED = struct.Struct("<QQQQq")


class Manifest(NamedTuple):
    """What a generation consists of; it is shared as of the index that the sweep began behind."""

    series: int  # how many
    sums: int  # their checksums combined
    shared: int  # of what was shared when the sweep began
    ends: int  # index of its newest snapshot: no later input is in it
    time_ns: int  # when the sweep began
    head: bytes  # what is shared as of `ends`

    def packed(self) -> bytes:
        return _PACKED.pack(*self[:-1]) + self.head


def manifest(body: bytes) -> Manifest:
    """ValueError where it is none."""
    try:
        series, sums, shared, ends, time_ns = _PACKED.unpack_from(body)
    except struct.error as error:
        raise ValueError(f"no list of a generation: {error}") from error
    return Manifest(series, sums, shared, ends, time_ns, body[_PACKED.size :])
