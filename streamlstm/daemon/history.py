"""The recent past of each series, for the page: what came, and what had been forecast for it. Bounded."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamlstm.events import Floats, Forecast

Times = NDArray[np.int64]

BLOCK = 16  # rows in a finished block; a new row copies at most this many
BYTES_MAX = 128 * 2**20  # for all series together
ASKED_MAX = 64  # series that readers asked for and that are not given up for others

_ORIGIN, _HEAD = struct.Struct("=q"), struct.Struct("=qqd")  # the first three fields of `_layout`


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Forecasts and their intervals, one after the other. N forecasts, Q levels; NaN where none was made."""

    times_ns: Times  # what each forecast is for (N,)
    yhat: Floats  # (N,)
    lower: Floats  # (Q, N)
    upper: Floats  # (Q, N)


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """One series as it was at one moment; a copy that nothing changes any more."""

    leads: tuple[int, ...]
    levels: tuple[float, ...]
    rows: NDArray[np.void]  # fields of `_layout`, oldest first

    @property
    def times_ns(self) -> Times:
        return self.rows["origin_ns"]

    @property
    def y(self) -> Floats:
        return self.rows["y"]

    def at_lead(self, lead: int) -> Band:
        """What had been forecast `lead` steps ahead."""
        at = self.leads.index(lead)
        return Band(
            times_ns=self.rows["origin_ns"] + lead * self.rows["step_ns"],
            yhat=self.rows["yhat"][:, at],
            lower=self.rows["lower"][:, :, at].T,
            upper=self.rows["upper"][:, :, at].T,
        )


class _Track(NamedTuple):
    """One series' rows, packed. Never changed, only replaced, so that a reader needs no lock."""

    leads: tuple[int, ...]
    levels: tuple[float, ...]
    blocks: tuple[bytes, ...]  # finished, BLOCK rows each
    newest: bytes  # at most BLOCK rows


class History:
    """The last `points` observations of up to `series_max` series.

    One thread records, others read. What they share are immutable values, replaced whole: a reader sees a series
    either before an observation or after it. Where forecasts are so wide that `series_max` of them would exceed
    BYTES_MAX, fewer points are kept.

    Beyond `series_max` series the first ones seen are kept, and a series that a reader asks for takes the place of
    the one that has been kept longest and was not asked for lately.
    """

    def __init__(self, points: int = 300, series_max: int = 500) -> None:
        self.points = points
        self.series_max = series_max
        self._tracks: dict[str, _Track] = {}  # changed by the recording thread only, looked up by key elsewhere
        self._asked: tuple[str, ...] = ()  # newest first; replaced by the reading thread only

    def record(self, forecast: Forecast) -> None:
        """Keep one observation and what was forecast after it. For the engine's thread."""
        track = self._tracks.get(forecast.series)
        if track is None and not self._make_room(forecast.series):
            return
        if track is None or track.leads != forecast.leads or track.levels != forecast.levels:
            track = _Track(forecast.leads, forecast.levels, (), b"")
        row = _packed(forecast)
        newest, blocks = track.newest, track.blocks
        if newest[-len(row) :][: _ORIGIN.size] == row[: _ORIGIN.size]:
            newest = newest[: -len(row)]  # it is said anew: after a start, or what was guessed for it has come
        if len(newest) == BLOCK * len(row):
            points = min(self.points, BYTES_MAX // self.series_max // len(row))
            blocks, newest = (*blocks, newest)[-max(1, -(-points // BLOCK)) :], b""
        newest += row
        self._tracks[forecast.series] = _Track(track.leads, track.levels, blocks, newest)

    def forget(self, series: str) -> None:
        """Keep nothing more of a series, since it is closed. For the engine's thread."""
        self._tracks.pop(series, None)

    def past(self, series: str) -> Past | None:
        """What is kept of a series; None where it is not kept."""
        track = self._tracks.get(series)
        if track is None:
            return None
        layout = _layout(len(track.leads), len(track.levels))
        rows = np.frombuffer(b"".join((*track.blocks, track.newest)), layout)
        return Past(track.leads, track.levels, rows[-self.points :])

    def ask(self, series: str) -> None:
        """Keep this series from its next observation on, if it is not kept yet. For one reading thread."""
        if self._asked[:1] != (series,):
            self._asked = (series, *(name for name in self._asked if name != series))[:ASKED_MAX]

    def _make_room(self, series: str) -> bool:
        if len(self._tracks) < self.series_max:
            return True
        asked = self._asked
        if series not in asked:
            return False
        given_up = next((name for name in self._tracks if name not in asked), None)
        if given_up is None:
            return False
        del self._tracks[given_up]
        return True


def _layout(leads: int, levels: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("origin_ns", "=i8"),
            ("step_ns", "=i8"),
            ("y", "=f8"),
            ("yhat", "=f8", (leads,)),
            ("lower", "=f8", (levels, leads)),
            ("upper", "=f8", (levels, leads)),
        ]
    )


def _packed(forecast: Forecast) -> bytes:
    numbers, parts = forecast.numbers.tobytes(), forecast.frame.parts
    shown = [numbers[8 * parts[name].start : 8 * parts[name].stop] for name in ("yhat", "lower", "upper")]
    row = b"".join((_HEAD.pack(forecast.origin_ns, forecast.step_ns, forecast.y), *shown))
    size = _HEAD.size + 8 * len(forecast.leads) * (1 + 2 * len(forecast.levels))
    assert len(row) == size, "a forecast has one 64-bit value per lead, and two more per lead and level"
    return row
