"""Steps of one series gathered into longer ones, of which each is their mean or their sum.

What is gathered are the steps themselves, not the readings in them: so what came agrees at all resolutions, as what is
forecast does (`streamlstm.agreement`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from streamlstm.events import BEGINNING, Observation
from streamlstm.timeline.grid import Grid


class Growing(NamedTuple):
    """What a `Coarser` knows: its open step, and the newest finer one."""

    begin_ns: int
    known: tuple[float, ...]
    newest: Observation | None


class Coarser:
    """Gathers observations of the steps of `fine`, in order, into steps of `grid`.

    A sum is known where all its steps are, a mean where at least half of them are.
    """

    def __init__(self, grid: Grid, fine: Grid, *, is_sum: bool) -> None:
        self.grid = grid
        self.fine = fine
        self.is_sum = is_sum
        self._begin_ns = BEGINNING  # of the open step; BEGINNING: none is open
        self._known: list[float] = []
        self._newest: Observation | None = None

    def feed(self, obs: Observation) -> Iterator[Observation]:
        """Take one step that is over; what it ends are the longer steps before it, or with it."""
        begin_ns = self.grid.start_of(obs.time_ns)
        if begin_ns != self._begin_ns:
            yield from self._closed()
            self._begin_ns = begin_ns
        self._newest = obs
        if not math.isnan(obs.values[0]):
            self._known.append(obs.values[0])
        if self.fine.end_of(obs.time_ns) >= self.grid.end_of(begin_ns):
            yield from self._closed()

    def export(self) -> Growing:
        """All that it knows."""
        return Growing(self._begin_ns, tuple(self._known), self._newest)

    def restore(self, known: Growing) -> None:
        """Know what an exported one knew."""
        self._begin_ns, self._known, self._newest = known.begin_ns, list(known.known), known.newest

    def _closed(self) -> Iterator[Observation]:
        """The open step as an observation; nothing where none is open."""
        if self._newest is not None and self._begin_ns != BEGINNING:
            length_ns = self.grid.end_of(self._begin_ns) - self._begin_ns
            yield self._newest._replace(time_ns=self._begin_ns, values=(self._value(length_ns / self.fine.step_ns),))
        self._begin_ns, self._known = BEGINNING, []

    def _value(self, steps: float) -> float:
        known = len(self._known)
        if known < (steps - 0.5 if self.is_sum else 0.5 * steps):
            return math.nan
        total = math.fsum(self._known)
        return total if self.is_sum else total / known
