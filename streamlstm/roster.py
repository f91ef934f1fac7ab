"""Which series there are: how they begin, what each has of the memory, how they end and go on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice

from streamlstm.config import Stream
from streamlstm.events import Changed, Close, Closed, Discarded, Input, Observation, Opened, Reason, Switch
from streamlstm.living import Commons, Family, Living
from streamlstm.member import Member, Totals
from streamlstm.model.arena import Layout, birth
from streamlstm.model.batch import Learner
from streamlstm.model.several import rows_of
from streamlstm.opening import Opening
from streamlstm.shelf import Kept, Shelf, unpacked
from streamlstm.timeline.pace import Rhythm

CLOSINGS = 8  # series at once, of up to 55 ms each: readings should not wait for them
DONORS = 32  # series whose learning a new one may begin with


class Roster:
    """All open series by name, in the order in which they were opened; their rows; and the closed ones on the shelf."""

    def __init__(
        self, streams: Sequence[Stream], *, seed: int, max_series: int, memory_bytes: int, closed_bytes: int
    ) -> None:
        self.opening = Opening(streams, max_series)
        self.members: dict[str, Member] = {}
        self.learners: dict[tuple[str, Rhythm], Learner] = {}
        self.shelf = Shelf(closed_bytes)
        self.ended = defaultdict[str, Totals](Totals)  # of closed series' rows, by stream
        self.newborn: dict[str, dict[str, None]] = {}  # by stream: those that inherited, until `heirs` are asked for
        self._unborn: dict[str, int] = {}  # bytes, about, that open series without a row will need
        self._seed = seed
        self._max_series = max_series
        self._memory_bytes = memory_bytes

    @property
    def used_bytes(self) -> int:
        """Of all rows."""
        return sum(learner.rows.held * learner.layout.row_bytes for learner in self.learners.values())

    def refusal(self, obs: Observation, ahead: Iterable[tuple[Stream, int]] = ()) -> str:
        """Why there is no room for the new series of an observation; empty where there is.

        ahead: the stream and the needs of others that will have been opened by then.
        """
        opened = [(1 + len(other.resolutions), size) for other, size in ahead]
        stream = self.opening.streams[obs.stream]
        if len(self.members) + sum(places for places, _ in opened) + len(stream.resolutions) >= self._max_series:
            return "limits.max_series is reached"
        size = self.used_bytes + sum(self._unborn.values()) + sum(size for _, size in opened) + self.need(obs)
        return "limits.memory is used up" if size > self._memory_bytes else ""

    def need(self, obs: Observation) -> int:
        """How many bytes the new series of an observation will need; about, where its step is not known yet."""
        stream = self.opening.streams[obs.stream]
        kept = self.shelf.kept.get(obs.series)
        family = (stream, *[self.opening.streams[one.name] for one in stream.coarser])
        return sum(self.opening.size(one, kept.step_ns if kept else None) for one in family)

    def admit(self, inputs: Iterable[Input]) -> list[Input]:
        """What may be fed: observations of new series for which there is no room are discarded instead."""
        admitted, new = list[Input](), dict[str, tuple[Stream, int]]()
        for item in inputs:
            if isinstance(item, Observation) and item.series not in self.members and item.series not in new:
                if why := self.refusal(item, new.values()):
                    admitted.append(Discarded(item.series, item.time_ns, Reason.SERIES_LIMIT, why))
                    continue
                new[item.series] = self.opening.streams[item.stream], self.need(item)
            admitted.append(item)
        return admitted

    def over(self, now_ns: int) -> list[Close]:
        """What is to end by the clock, or for want of memory. A few at a time."""
        ended = (Close(one.series, one.refused) for one in self.members.values() if one.refused or one.is_over(now_ns))
        return [*islice(ended, CLOSINGS), *[Close(series, forget=True) for series in self.shelf.overfull()]]

    def begin(self, obs: Observation) -> list[Opened]:
        """Give the series of an observation its place, with what it had learned if it was closed."""
        stream = self.opening.streams[obs.stream]
        finest = self.opening.member(obs.series, stream)
        shelved = self.shelf.take(obs.series)
        kept = {obs.series: shelved, **dict(shelved.coarser)} if shelved else {}
        for member in (finest, *finest.coarser):
            member.opened = obs.position
            if member.series not in kept or not self._resume(member, kept[member.series]):
                self._unborn[member.series] = self.opening.size(member.stream, None)
            self.opening.enter(member.series, member.stream)
            self.members[member.series] = member
        return [Opened(one.series, one.stream.name) for one in (finest, *finest.coarser)]

    def give_row(self, member: Member, rhythm: Rhythm) -> bool:
        """A row for a series whose step is known now; False where there is no memory for it."""
        learner = self.learners.get((member.stream.name, rhythm))
        layout = learner.layout if learner else Layout.of(member.stream, rhythm.step_ns, rhythm.regular)
        births = [birth(self._seed, name) for name in _rows_of(member.series, rows_of(member.stream))]
        others = sum(size for series, size in self._unborn.items() if series != member.series)
        # before anything is made: where readings are 1 ns apart, an hour ahead is a lead of 4e12 steps
        if self.used_bytes + others + len(births) * layout.row_bytes > self._memory_bytes:
            member.refused = True
            return False
        learner = learner or Learner(member.stream, layout)
        self._unborn.pop(member.series, None)
        self.learners[member.stream.name, rhythm] = learner
        donors = self._donors(member, learner)
        if donors:
            self.newborn.setdefault(member.stream.name, {})[member.series] = None
        member.learner, member.slot = learner, learner.add(births, donors)
        return True

    def close(self, item: Close) -> list[Discarded | Closed]:
        """Free the place of a series and of its coarser ones, and keep what they have learned."""
        finest = self.members.get(item.series)
        if finest is None or finest.gathers is not None:
            if item.forget:
                self.shelf.take(item.series)
            return []
        family = (finest, *finest.coarser)
        said: list[Discarded | Closed] = [
            Discarded(early.series, early.time_ns, Reason.CLOSED)
            for member in family
            for early in (*member.order.drain(), *member.early)
        ]
        if not item.forget and (kept := finest.kept()):
            self.shelf.put(finest.series, kept)
        for member in family:
            if member.learner:
                self.ended[member.stream.name] += member.totals()
                member.learner.remove(member.slot)
                if not member.learner.rows.held and member.pace.rhythm:  # names that come once differ in steps
                    del self.learners[member.stream.name, member.pace.rhythm]
            self._unborn.pop(member.series, None)
            self.opening.leave(member.series, member.stream)
            del self.members[member.series]
            said.append(Closed(member.series, member.stream.name))
        return said

    def switch(self, item: Switch) -> list[Changed]:
        """Let a series be as somebody wants it, and its coarser ones with it; a closed one when it goes on."""
        finest = self.members.get(item.series)
        if finest is None or finest.gathers is not None:
            self.shelf.switch(item.series, item.mode)
            return []
        family = (finest, *finest.coarser)
        before = [one.state for one in family]
        for member in family:
            member.switch(item.mode)
        return [Changed(one.series, one.state) for one, was in zip(family, before, strict=True) if one.state is not was]

    def heirs(self, series: str) -> list[str]:
        """A series, after those that inherited and are not saved since, if it may be one that they inherited from."""
        member, kept = self.members.get(series), self.shelf.kept.get(series)
        stream = member.stream.name if member else kept.stream if kept else None
        streams = [*self.newborn] if stream is None else [stream]
        return [*dict.fromkeys([*[name for one in streams for name in self.newborn.pop(one, {})], series])]

    def family(self, series: str) -> Family:
        """All of an open series."""
        finest = self.members[series]
        return Family(finest.opened, tuple(member.export() for member in (finest, *finest.coarser)))

    def settle(self, family: Family) -> None:
        """Let an exported series go on, which its covariates know of. ValueError where it does not fit."""
        known = family.members[0]
        if known.stream not in self.opening.streams:
            raise ValueError(f"its stream '{known.stream}' is not in the configuration")
        finest = self.opening.member(known.series, self.opening.streams[known.stream])
        members = (finest, *finest.coarser)
        if [one.series for one in members] != [one.series for one in family.members]:
            raise ValueError("its resolutions are others than before")
        ready = list[tuple[Member, Learner, int]]()
        try:
            for member, living in zip(members, family.members, strict=True):
                ready += self._revived(member, living, family.opened)
        except ValueError:
            for _, learner, slot in ready:
                learner.remove(slot)
            raise
        for member in members:
            self.members[member.series] = member
            if member.learner is None:
                self._unborn[member.series] = self.opening.size(member.stream, None)

    def commons(self) -> dict[str, Commons]:
        """What the series of each stream have in common."""
        opened = defaultdict[str, list[str]](list)
        for member in self.members.values():
            opened[member.stream.name].append(member.series)
        return {name: Commons(joins.export(), tuple(opened[name])) for name, joins in self.opening.joins.items()}

    def in_order(self) -> None:
        """Bring the series into the order in which they were opened: it decides who ends first, and who passes on."""
        self.members = dict(sorted(self.members.items(), key=lambda item: item[1].opened))

    def _revived(self, member: Member, living: Living, opened: int) -> list[tuple[Member, Learner, int]]:
        """One of a family as it was; with its learner and slot where it has a row."""
        member.restore(living)
        member.opened = opened
        if not living.rows:
            return []
        rhythm = member.pace.rhythm
        if rhythm is None or member.stream.step not in ("auto", rhythm.step_ns):
            raise ValueError("its step was another one")
        learner = self._learner(member.stream, rhythm)
        slot = learner.resume(living.rows)
        self.learners[member.stream.name, rhythm] = learner
        member.live(living, learner, slot)
        return [(member, learner, slot)]

    def _learner(self, stream: Stream, rhythm: Rhythm) -> Learner:
        known = self.learners.get((stream.name, rhythm))
        return known or Learner(stream, Layout.of(stream, rhythm.step_ns, rhythm.regular))

    def _donors(self, member: Member, learner: Learner) -> list[int]:
        """Slots of those alike that may pass on what they have learned: the first ones opened."""
        if not member.stream.group:
            return []
        return list(islice((one.slot for one in self.members.values() if one.learner is learner), DONORS))

    def _resume(self, member: Member, kept: Kept) -> bool:
        """Let a series go on with what it knew; False, and it begins anew, where that does not fit."""
        stream, rhythm = member.stream, Rhythm(kept.step_ns, kept.regular)
        if kept.stream != stream.name:
            return False
        learner = self._learner(stream, rhythm)
        try:
            slot = learner.resume(unpacked(kept.rows, learner.layout.row_bytes))
        except ValueError:
            return False
        self.learners[stream.name, rhythm] = learner
        member.resume(kept, learner, slot)
        self.ended[stream.name] -= member.totals()
        return True


def _rows_of(series: str, rows: int) -> list[str]:
    """What the rows of a series are called: the first as the series itself."""
    return [series, *[f"{series}/{row}" for row in range(1, rows)]]
