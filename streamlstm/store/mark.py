"""How far messages were acknowledged, told outside the database: a few bytes, written after every commit.

SQLite takes a damaged end of its write-ahead log for a commit that never was, and drops it in silence. The mark says
that it was. It is not synced: after a power cut it may be behind, and never before what was durable.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

from streamlstm.store.errors import StateRefused
from streamlstm.store.folder import private

_MARK = struct.Struct("<QI")
_APART = 512  # bytes: each of the two in a sector of its own, so that one of them is whole whatever happens
NAME = "acknowledged"


class Mark:
    """The newest index that was durable when it was written."""

    def __init__(self, folder: Path) -> None:
        self._file = private(folder / NAME)
        self._turn = 0
        self.index = self._read(folder / NAME)

    def write(self, index: int) -> None:
        """Raises OSError."""
        self._turn ^= 1
        os.pwrite(self._file, _MARK.pack(index, _crc(index)), self._turn * _APART)
        self.index = index

    def close(self) -> None:
        os.close(self._file)

    def _read(self, path: Path) -> int:
        written = [os.pread(self._file, _MARK.size, place * _APART) for place in (0, 1)]
        found = [_MARK.unpack(one) for one in written if len(one) == _MARK.size and any(one)]
        whole = [index for index, crc in found if crc == _crc(index)]
        if found and not whole:
            raise StateRefused(f"{path}: damaged, so nobody knows what was acknowledged; see `streamlstm state repair`")
        self._turn = int(bool(whole) and found[-1][0] == max(whole))
        return max(whole, default=0)


def _crc(index: int) -> int:
    return zlib.crc32(b"acknowledged" + index.to_bytes(8, "little"))
