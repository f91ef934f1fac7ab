"""Rows out of a SQLite file that SQLite cannot read: from whichever pages still hold some, in no order, unchecked.

The format is that of sqlite.org/fileformat2.html. Inner pages, indexes and the schema are not looked at, nor which
pages are in use: so rows come that were replaced or deleted long ago. Whoever asks must know a row by itself.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

USUAL = 4096  # bytes of a page, where the file's header does not say
LEAF = 0x0D  # the first byte of a page with rows of a table
WAL_HEADER, FRAME_HEADER = 32, 24
_WIDTHS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}  # bytes of a value, by its serial type

Row = tuple[int, list[object]]  # its number, and its columns


def rows(database: Path) -> Iterator[Row]:
    """All rows of all tables that can still be found, in the file and in its write-ahead log."""
    with database.open("rb") as file:
        images = _Images(file, database.with_name(database.name + "-wal"))
        try:
            for number, image in images.all():
                yield from _rows(image, 100 if number == 1 else 0, images)
        finally:
            images.close()


class _Images:
    """The pages of a file, and what the write-ahead log has of them."""

    def __init__(self, file: BinaryIO, wal: Path) -> None:
        self._file = file
        self._wal = wal.open("rb") if wal.exists() else None
        self.size = self._size(file.read(18))
        self.bytes = sum(one.seek(0, 2) for one in (file, self._wal) if one)
        self._places: dict[int, int] = {}  # of the newest image of a page in the log
        for number, place in self._frames():
            self._places[number] = place

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Every image with its page's number, older ones too."""
        for number in range(1, self._file.seek(0, 2) // self.size + 1):
            yield number, self._at(self._file, (number - 1) * self.size)
        for number, place in self._frames():
            assert self._wal, "frames are of a log"
            yield number, self._at(self._wal, place)

    def newest(self, number: int) -> bytes:
        if number < 1:
            return b""
        if self._wal and number in self._places:
            return self._at(self._wal, self._places[number])
        return self._at(self._file, (number - 1) * self.size)

    def close(self) -> None:
        if self._wal:
            self._wal.close()

    def _frames(self) -> Iterator[tuple[int, int]]:
        """Pages in the log and where they are: those that were written since it began anew, damaged or not."""
        if self._wal is None:
            return
        whole = FRAME_HEADER + self.size
        salts = self._at(self._wal, 16)[:8]
        for place in range(WAL_HEADER, self._wal.seek(0, 2) - whole + 1, whole):
            header = self._at(self._wal, place)[:FRAME_HEADER]
            if header[8:16] == salts:
                yield int.from_bytes(header[:4], "big"), place + FRAME_HEADER

    def _at(self, file: BinaryIO, place: int) -> bytes:
        try:
            file.seek(place)
            return file.read(self.size)
        except OSError:
            return b""  # a part of the disk that cannot be read: what is in it is missing

    def _size(self, header: bytes) -> int:
        if not header.startswith(b"SQLite format 3\0"):
            return USUAL
        size = int.from_bytes(header[16:18], "big")
        size = 65536 if size == 1 else size
        return size if 512 <= size <= 65536 and not size & (size - 1) else USUAL


def _rows(page: bytes, begin: int, images: _Images) -> Iterator[Row]:
    if len(page) < images.size or page[begin] != LEAF:
        return
    (cells,) = struct.unpack_from(">H", page, begin + 3)
    for cell in range(min(cells, (images.size - begin - 8) // 2)):
        (place,) = struct.unpack_from(">H", page, begin + 8 + 2 * cell)
        try:
            yield _row(page, place, images)
        except (IndexError, ValueError):
            continue  # no row, or no more: the caller counts what it has, and sees what is missing


def _row(page: bytes, place: int, images: _Images) -> Row:
    size, place = _varint(page, place)
    number, place = _varint(page, place)
    if size > images.bytes:
        raise ValueError("longer than the file")
    most = images.size - 35
    least = (images.size - 12) * 32 // 255 - 23
    local = size
    if size > most:
        local = least + (size - least) % (images.size - 4)
        local = local if local <= most else least
    parts = [page[place : place + local]]
    left, following = size - local, page[place + local : place + local + 4]
    while left > 0:
        after = images.newest(int.from_bytes(following, "big"))
        if len(after) < images.size:
            raise ValueError("it goes on where there is nothing")
        following, part = after[:4], after[4 : 4 + left]
        parts.append(part)
        left -= len(part)
    return number, _columns(b"".join(parts))


def _columns(record: bytes) -> list[object]:
    ends, place = _varint(record, 0)
    kinds = []
    while place < ends:
        kind, place = _varint(record, place)
        kinds.append(kind)
    place, found = ends, list[object]()
    for kind in kinds:
        width = (kind - 12) // 2 if kind >= 12 else _WIDTHS.get(kind, -1)
        content = record[place : place + width]
        if width < 0 or len(content) < width:
            raise ValueError("a column that is not whole")
        place += width
        found.append(_value(kind, content))
    return found


def _value(kind: int, content: bytes) -> object:
    match kind:
        case 0:
            return None
        case 7:
            return float(struct.unpack(">d", content)[0])
        case 8 | 9:
            return kind - 8
        case _ if kind < 12:
            return int.from_bytes(content, "big", signed=True)
        case _ if kind % 2:
            return content.decode("utf-8")
    return content


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A number of up to nine bytes, and where it ends."""
    number = 0
    for at in range(place, place + 8):
        number = number << 7 | content[at] & 0x7F
        if content[at] < 0x80:
            return number, at + 1
    return number << 8 | content[place + 8], place + 9
