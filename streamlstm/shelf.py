"""What closed series had learned, compressed: plain values, kept until they are heard again, within a bound."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamlstm.events import Mode

OVERHEAD = 512  # bytes beside the rows and the name, about: of the numbers and of where they are found


@dataclass(frozen=True, slots=True)
class Kept:
    """One closed series: all that must survive for its forecasts to go on as if it had never been closed."""

    stream: str
    step_ns: int
    regular: bool  # steps on a grid
    last_ns: int  # event time of the last observation learned
    seen_ns: int  # of the last one with a value
    unseen: int  # steps between them
    dark: bool  # a gap was told and has not ended
    released_ns: int  # what is not later is late, or a duplicate
    over_ns: int  # the steps before it are over, where readings are gathered
    position: int  # of the last observation learned
    heard_ns: int  # when the host last heard of it
    meter: bytes  # of a counter, as `Meter.export` has it; else empty
    rows: bytes  # all of its rows one after the other, compressed by `packed`
    coarser: tuple[tuple[str, Kept], ...] = ()  # of the same series, by name
    mode: Mode = Mode.LEARNS


def packed(rows: Sequence[bytes]) -> bytes:
    """Level 1: the rings hold noise, of which level 6 saves one part in a hundred more, in 1.3 times the time."""
    return zlib.compress(b"".join(rows), 1)


def unpacked(rows: bytes, size: int) -> list[bytes]:
    """Rows of `size` bytes each. ValueError where they are not whole."""
    try:
        whole = zlib.decompress(rows)
    except zlib.error as error:
        raise ValueError(f"rows that cannot be unpacked: {error}") from error
    if not whole or len(whole) % size:
        raise ValueError(f"rows of {len(whole)} bytes together: need a multiple of {size} for this configuration")
    return [whole[begin : begin + size] for begin in range(0, len(whole), size)]


class Shelf:
    """Closed series by name, their coarser ones with them.

    Where `most` bytes are exceeded, the longest silent are to be dropped first.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.bytes = 0
        self.kept: dict[str, Kept] = {}

    def switch(self, series: str, mode: Mode) -> None:
        """Let a series go on so, when it does."""
        if (kept := self.kept.get(series)) is not None:
            coarser = tuple((name, replace(one, mode=mode)) for name, one in kept.coarser)
            self.kept[series] = replace(kept, mode=mode, coarser=coarser)

    @property
    def series(self) -> int:
        """How many there are, the coarser ones counted."""
        return sum(1 + len(kept.coarser) for kept in self.kept.values())

    def put(self, series: str, kept: Kept) -> None:
        """Keep a series that is closed now."""
        self.take(series)
        self.kept[series] = kept
        self.bytes += _size(series, kept)

    def overfull(self) -> list[str]:
        """Which are to be taken off, so that the rest fits. Not done here: a journal must have it first."""
        over, found = self.bytes - self.most, list[str]()
        if over > 0:
            for series, kept in sorted(self.kept.items(), key=lambda item: (item[1].heard_ns, item[0])):
                if over <= 0:
                    break
                found.append(series)
                over -= _size(series, kept)
        return found

    def take(self, series: str) -> Kept | None:
        """What is kept of a series, which is then kept no more."""
        kept = self.kept.pop(series, None)
        if kept is not None:
            self.bytes -= _size(series, kept)
        return kept


def _size(series: str, kept: Kept) -> int:
    own = len(kept.rows) + len(kept.meter) + 4 * len(series) + OVERHEAD
    return own + sum(_size(name, one) for name, one in kept.coarser)
