"""In what order one series' observations are taken. What a hole between two of them means is in `gaps`."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

from streamlstm.events import BEGINNING, Discarded, Observation, Reason

MOST = 10_000  # readings that wait; of more the earliest goes on, as if its time were over


class Waiting(NamedTuple):
    """What a `Reorder` knows."""

    released_ns: int
    newest_ns: int
    held: tuple[Observation, ...]  # in order of event time


class Reorder:
    """Put one series' observations in ascending event time, each time once.

    An early one is held until the newest event time seen is `lateness_ns` past it, or until the host's clock says
    that it has waited that long (`expire`). What then arrives behind the release point is LATE; a time that was
    taken already is a DUPLICATE, and the first to arrive is the one that counts.

    There is no clock in here, and every field is a plain value that a snapshot can keep.
    """

    def __init__(self, lateness_ns: int) -> None:
        self.lateness_ns = lateness_ns
        self.released_ns = BEGINNING  # event time of the last observation let go
        self.newest_ns = BEGINNING  # latest event time seen
        self.waiting: dict[int, Observation] = {}  # by event time
        self.times: list[int] = []  # a heap of the keys of `waiting`

    @property
    def held(self) -> int:
        """How many observations wait."""
        return len(self.waiting)

    def feed(self, obs: Observation) -> list[Observation | Discarded]:
        """Take one observation; return what is settled by it: released, or discarded with a reason."""
        time_ns = obs.time_ns
        if time_ns <= self.released_ns:
            reason = Reason.DUPLICATE if time_ns == self.released_ns else Reason.LATE
            return [Discarded(obs.series, time_ns, reason)]
        if not self.lateness_ns:
            self.released_ns = self.newest_ns = time_ns
            return [obs]
        if time_ns in self.waiting:
            return [Discarded(obs.series, time_ns, Reason.DUPLICATE)]
        self.waiting[time_ns] = obs
        heappush(self.times, time_ns)
        self.newest_ns = max(self.newest_ns, time_ns)
        return self._release(max(self.newest_ns - self.lateness_ns, self.times[0] if self.held > MOST else BEGINNING))

    def expire(self, now_ns: int) -> list[Observation | Discarded]:
        """Release what has waited longer than the lateness by the host's clock, and all that is earlier than it.

        Without this a stream that stops would hold its last readings for ever; so it would where the clock is set back:
        one that was received later than now has waited for who knows how long. Recorded data (`received_ns` 0) knows no
        host's clock and does not expire.
        """
        due = [
            time_ns
            for time_ns, obs in self.waiting.items()
            if obs.received_ns and not 0 <= now_ns - obs.received_ns <= self.lateness_ns
        ]
        return self._release(max(due)) if due else []

    def drain(self) -> list[Observation | Discarded]:
        """Release all that waits: nothing more will come."""
        return self._release(self.newest_ns)

    def export(self) -> Waiting:
        """All that it knows."""
        return Waiting(self.released_ns, self.newest_ns, tuple(self.waiting[time_ns] for time_ns in sorted(self.times)))

    def restore(self, known: Waiting) -> None:
        """Know what an exported one knew."""
        self.released_ns, self.newest_ns = known.released_ns, known.newest_ns
        self.waiting = {obs.time_ns: obs for obs in known.held}
        self.times = list(self.waiting)  # ascending: a heap

    def _release(self, watermark_ns: int) -> list[Observation | Discarded]:
        out: list[Observation | Discarded] = []
        while self.times and self.times[0] <= watermark_ns:
            self.released_ns = heappop(self.times)
            out.append(self.waiting.pop(self.released_ns))
        return out
