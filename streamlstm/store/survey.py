"""From single records to the state that they are together: what is whole, what is missing, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from streamlstm.store.generation import APART, MANIFEST, Manifest
from streamlstm.store.ledger import NAME as LEDGER
from streamlstm.store.ledger import Ledger, combined
from streamlstm.store.records import Batch, Older, Record, Saved, Shared


class Damage(NamedTuple):
    """What is not as it was written."""

    place: str
    what: str


class Seen(NamedTuple):
    """A whole record without its bytes."""

    record: Any
    bytes: int
    crc: int
    meaning: Any  # what the caller made of the bytes


@dataclass
class Survey:
    """All that is whole, by its place; and all that is not."""

    version: int = 0
    ledger: Ledger | None = None
    mark: int | None = None  # None: damaged
    journal: dict[int, Seen] = field(default_factory=dict)  # by index of the first input, ascending
    series: dict[str, Seen] = field(default_factory=dict)
    older: dict[tuple[int, str], Seen] = field(default_factory=dict)  # of whole generations, and of one in the making
    shared: dict[tuple[str, int], Seen] = field(default_factory=dict)
    generations: dict[int, Manifest] = field(default_factory=dict)  # whole ones
    damages: list[Damage] = field(default_factory=list)
    pruned: int = 0  # the journal is there from behind it on
    swept: int = 0  # and needed by a start from behind it on
    last: int = 0  # index of the newest input that ever was, as far as anything tells
    missing: list[tuple[int, int]] = field(default_factory=list)  # inputs of the journal: from, to
    lost: list[str] = field(default_factory=list)  # series
    given_up: list[int] = field(default_factory=list)  # generations that are not whole

    @property
    def inputs(self) -> int:
        """How many are missing."""
        return sum(to - since + 1 for since, to in self.missing)

    def keep(self, seen: Seen) -> None:
        """The newest of each, where there are several."""
        match seen.record:
            case Batch(first):
                self.journal[first] = seen
            case Saved(name, _, at):
                if name not in self.series or self.series[name].record.at < at:
                    self.series[name] = seen
            case Older(generation, name, _, at):
                if (generation, name) not in self.older or self.older[generation, name].record.at < at:
                    self.older[generation, name] = seen
            case Shared(name, at):
                self.shared.setdefault((name, at), seen)

    def conclude(self, bad: Iterable[tuple[Record, str]], names: Iterable[str], *, is_first: bool) -> None:
        """After all records. bad: those that are not whole, and why; names: of all series that there should be.

        is_first: nothing is of the pages, and so nothing is of an older version.
        """
        bad = list(bad)
        self._begin([record for record, _ in bad])
        self.journal = {first: seen for first, seen in sorted(self.journal.items()) if first > self.pruned}
        # what is of an earlier input than a start begins with was replaced long ago
        self.series = {name: seen for name, seen in sorted(self.series.items()) if seen.record.at >= self.swept}
        self.shared = {key: seen for key, seen in sorted(self.shared.items()) if key[1] >= self.pruned}
        self.damages += [Damage(_place(record), what) for record, what in bad]
        self._series([record.name for record, _ in bad if isinstance(record, Saved)], names, is_first)
        self._shared([record for record, _ in bad], is_first)
        self._older([record for record, _ in bad], is_first)
        self._journal({record.first for record, _ in bad if isinstance(record, Batch)}, is_first)

    def _begin(self, bad: list[Record]) -> None:
        """Where the journal begins."""
        if self.ledger:
            self.pruned, self.swept = self.ledger.pruned, self.ledger.swept
            return
        ats = [seen.record.at for seen in self.series.values()]
        self.pruned = min(self.journal) - 1 if self.journal else max([*ats, self.mark or 0])
        # not before where the newest generation began, and a start may begin there
        self.swept = max([self.pruned, *[at for at in self.generations if at <= min(ats, default=0)]])
        is_there = any(isinstance(one, Shared) and one.name == LEDGER for one in bad)
        if (self.series or self.pruned) and not is_there:
            self.damages.append(Damage(LEDGER, "it is missing"))

    def _series(self, bad: list[str], names: Iterable[str], is_first: bool) -> None:
        self.lost = sorted({*bad, *names} - set(self.series))
        self.damages += [Damage(f"series {name!r}", "it is missing") for name in self.lost if name not in bad]
        if is_first and self.ledger and not self.lost:
            sums = combined(seen.crc for seen in self.series.values())
            if (len(self.series), sums) != self.ledger[:2]:
                what = f"{len(self.series)} whole ones, need {self.ledger.series} with the checksums that they had"
                self.damages.append(Damage("series", what))

    def _shared(self, bad: list[Record], is_first: bool) -> None:
        is_known = any(isinstance(record, Shared) for record in bad)
        found = combined(seen.crc for (name, _), seen in self.shared.items() if name != LEDGER)
        if is_first and self.ledger and not is_known and found != self.ledger.shared:
            self.damages.append(Damage("shared", "what series have in common is not what was saved"))

    def _older(self, bad: list[Record], is_first: bool) -> None:
        """Which generations are whole. One in the making is of no use: the next sweep begins one anew."""
        is_known = any(isinstance(record, Older) for record in bad)
        sums = combined(seen.crc for seen in self.older.values())
        if is_first and self.ledger and not is_known and (len(self.older), sums) != self.ledger[-2:]:
            what = f"{len(self.older)} whole ones, need {self.ledger.older} with the checksums that they had"
            self.damages.append(Damage("older snapshots of series", what))
        whole = {at: of for at, of in sorted(self.generations.items()) if at >= self.pruned and self._is_whole(at, of)}
        named = [record.generation for record in bad if isinstance(record, Older)]
        named += [record.at for record in bad if isinstance(record, Shared) and record.name == MANIFEST]
        self.given_up = [at for at in sorted({*self.generations, *named}) if at not in whole and at >= self.pruned]
        self.generations = whole
        self.older = {key: seen for key, seen in sorted(self.older.items()) if key[0] in whole}

    def _is_whole(self, at: int, of: Manifest) -> bool:
        if self.lost and at == self.swept:
            return False  # what was shared then is to be made anew without the lost ones
        sums = [seen.crc for (generation, _), seen in self.older.items() if generation == at]
        begins = [seen.crc for (name, index), seen in self.shared.items() if index == at and name not in APART]
        return (len(sums), combined(sums), combined(begins)) == (of.series, of.sums, of.shared)

    def _journal(self, bad: set[int], is_first: bool) -> None:
        ends = [seen.record.last for seen in self.journal.values()]
        ats = [seen.record.at for seen in self.series.values()]
        self.last = max([self.pruned, self.mark or 0, *ends, *ats])
        expected = self.pruned + 1
        for first, seen in [*self.journal.items(), (self.last + 1, None)]:
            if first > expected:
                self.missing.append((expected, first - 1))
            expected = max(expected, seen.record.last + 1 if seen else 0)
        for since, to in self.missing:
            if is_first and since not in bad:
                self.damages.append(Damage(f"journal, inputs {since} to {to}", "they are missing"))


def _place(record: Record) -> str:
    match record:
        case Batch(first, count):
            to = f" to {first + count - 1}" if isinstance(count, int) else ""
            return f"journal, inputs {first}{to}"
        case Saved(name):
            return f"series {name!r}"
        case Older(generation, name):
            return f"series {name!r} of the generation of input {generation}"
    return f"{record.name} as of input {record.at}"
