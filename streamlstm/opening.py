"""How a series begins: what is decided about it outside its row, made of its stream's settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamlstm.config import Stream
from streamlstm.events import SECOND_NS
from streamlstm.member import Member
from streamlstm.model.arena import row_bytes
from streamlstm.model.zone import CivilTime
from streamlstm.resolutions import SUMS, resolved
from streamlstm.timeline.coarser import Coarser
from streamlstm.timeline.grid import Grid
from streamlstm.timeline.join import Join, Joins
from streamlstm.timeline.meter import Meter
from streamlstm.timeline.order import Reorder
from streamlstm.timeline.pace import Pace
from streamlstm.timeline.steps import Steps

USUAL_NS = 300 * SECOND_NS  # a step that is not known yet is taken as this


class Opening:
    """All streams, coarser resolutions among them, and what the series of each have in common."""

    def __init__(self, streams: Sequence[Stream], max_series: int) -> None:
        streams = resolved(streams)
        self.streams = {stream.name: stream for stream in streams}
        self._sizes: dict[tuple[str, int], int] = {}
        self.civil = {stream.name: CivilTime(stream.timezone, _horizon_ns(stream)) for stream in streams}
        self.joins = {
            s.name: Joins(s, max_series * len(s.covariates), self._civil_of(s)) for s in streams if s.inputs or s.ahead
        }

    def member(self, series: str, stream: Stream) -> Member:
        """A series that was never heard of, and those of its coarser resolutions."""
        steps = None
        meter = Meter(stream.limits, stream.rollover) if stream.type == "counter" else None
        if stream.aggregate or stream.hold:
            steps = Steps(self._grid(stream), stream.aggregate or "last", stream.hold, stream.gap, meter)
        pace = Pace(stream.step, in_time=stream.in_time)
        coarser = tuple(self._coarser(series, stream, self.streams[one.name]) for one in stream.coarser)
        join = self._join(series, stream)
        return Member(series, stream, Reorder(stream.lateness), pace, steps, meter, join, coarser=coarser)

    def size(self, stream: Stream, step_ns: int | None) -> int:
        """How many bytes a series will need. step_ns: its step, if that is known and the stream does not say."""
        step = stream.step if isinstance(stream.step, int) else step_ns or USUAL_NS
        if (stream.name, step) not in self._sizes:
            self._sizes[stream.name, step] = row_bytes(stream, step)
        return self._sizes[stream.name, step]

    def enter(self, series: str, stream: Stream) -> None:
        """A series begins: what is known of it is kept while it is there."""
        if stream.name in self.joins:
            self.joins[stream.name].enter(series)

    def leave(self, series: str, stream: Stream) -> None:
        """It is not there any more."""
        if stream.name in self.joins:
            self.joins[stream.name].leave(series)

    def _coarser(self, series: str, fine: Stream, stream: Stream) -> Member:
        name = series + stream.name.removeprefix(fine.name)
        gathers = Coarser(self._grid(stream), self._grid(fine), is_sum=fine.aggregate in SUMS)
        pace = Pace(stream.step, in_time=stream.in_time)
        return Member(name, stream, Reorder(0), pace, None, None, self._join(name, stream), gathers)

    def _join(self, series: str, stream: Stream) -> Join | None:
        return self.joins[stream.name].join(series) if stream.name in self.joins else None

    def _grid(self, stream: Stream) -> Grid:
        assert isinstance(stream.step, int), "the configuration wants a step for it"
        return Grid(stream.step, self._civil_of(stream))

    def _civil_of(self, stream: Stream) -> Callable[[int], int]:
        """From event time to the stream's civil time."""
        civil = self.civil[stream.name]
        return lambda time_ns: civil.of(time_ns)[0]


def _horizon_ns(stream: Stream) -> int:
    """How far ahead a stream forecasts, at most; leads that count steps of unknown length are taken for hours."""
    step = stream.step if isinstance(stream.step, int) else 3_600_000_000_000
    return max(lead * step if lead > 0 else -lead for lead in stream.leads)
