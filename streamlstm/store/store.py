"""The journal of all inputs and the snapshots of all series: written together or not at all, read with every check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from streamlstm.store.database import NAME, connect, transaction, words
from streamlstm.store.errors import StateRefused
from streamlstm.store.folder import Folder
from streamlstm.store.generation import MANIFEST, UNDONE, Manifest, manifest
from streamlstm.store.ledger import NAME as LEDGER
from streamlstm.store.ledger import Ledger, spread, unpacked
from streamlstm.store.mark import NAME as MARK
from streamlstm.store.mark import Mark
from streamlstm.store.records import Batch, Older, Saved, Shared, checked, crc
from streamlstm.store.writing import Writing, combined_of_shared


class Store:
    """One state. A single thread uses it. StateRefused where what is there cannot be right, StoreFailed by the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path / NAME
        self.last = 0  # index of the newest input
        self._ledger = Ledger()
        self._folder = Folder(path)
        with ExitStack() as undo:
            undo.callback(self._folder.close)
            with words(path / MARK):
                self._mark = Mark(path)
            undo.callback(self._mark.close)
            self._db = connect(path)
            undo.callback(self._db.close)
            with words(self.path):
                self._folder.sync()
                self._check()
            undo.pop_all()  # all is well, and they stay open

    @property
    def pruned(self) -> int:
        """Index of the last input that the journal does not need any more."""
        return self._ledger.pruned

    @property
    def swept(self) -> int:
        """Index behind which the newest sweep that is through began: a start needs the journal from there on."""
        return self._ledger.swept

    # --- reading ---

    def batches(self, after: int) -> Iterator[Batch]:
        """The journal from the input behind `after` on."""
        expected = after + 1
        with words(self.path):
            for first, count, sum_, body in self._db.execute(
                "SELECT first, count, crc, body FROM journal WHERE first > ? ORDER BY first", (after,)
            ):
                batch = Batch(first, count, body)
                checked(batch, sum_, f"{self.path}: journal, inputs from {first}")
                if first != expected:
                    raise StateRefused(f"{self.path}: journal: inputs {expected} to {first - 1} are missing")
                expected = batch.last + 1
                yield batch

    def saved(self) -> list[tuple[str, str, int]]:
        """Name, standing and index of every series that is saved; the earliest index first."""
        with words(self.path):
            return self._db.execute("SELECT name, standing, at FROM series ORDER BY at, name").fetchall()

    def series(self, name: str) -> Saved:
        """One of them, with its bytes."""
        with words(self.path):
            found = self._db.execute("SELECT name, standing, at, body, crc FROM series WHERE name = ?", (name,))
            *values, sum_ = found.fetchone() or (name, "", 0, b"", None)
            saved = Saved(*values)
        checked(saved, sum_, f"{self.path}: series {name!r}")
        return saved

    def shared(self, name: str) -> list[Shared]:
        """All of that name; the earliest index first."""
        found = []
        with words(self.path):
            for at, body, sum_ in self._db.execute(
                "SELECT at, body, crc FROM shared WHERE name = ? ORDER BY at", (name,)
            ):
                shared = Shared(name, at, body)
                checked(shared, sum_, f"{self.path}: {name} as of input {at}")
                found.append(shared)
        return found

    def names(self) -> list[str]:
        """Of all that is shared."""
        with words(self.path):
            return [name for (name,) in self._db.execute("SELECT DISTINCT name FROM shared ORDER BY name")]

    def generations(self) -> dict[int, Manifest]:
        """Older states that are kept whole, by the index that each one's sweep began behind, ascending."""
        return {one.at: manifest(one.body) for one in self.shared(MANIFEST)}

    def has_older(self, generation: int) -> bool:
        """Whether anything of it is kept, be it whole or not."""
        with words(self.path):
            found = self._db.execute("SELECT 1 FROM older WHERE generation = ?", (generation,))
            return found.fetchone() is not None

    def saved_then(self, generation: int) -> list[tuple[str, str, int]]:
        """As `saved`, of a generation."""
        found = "SELECT name, standing, at FROM older WHERE generation = ? ORDER BY at, name"
        with words(self.path):
            return self._db.execute(found, (generation,)).fetchall()

    def series_then(self, generation: int, name: str) -> Saved:
        """As `series`, of a generation."""
        key = (generation, name)
        with words(self.path):
            found = self._db.execute("SELECT standing, at, body, crc FROM older WHERE generation = ? AND name = ?", key)
            *values, sum_ = found.fetchone() or ("", 0, b"", None)
            older = Older(*key, *values)
        checked(older, sum_, f"{self.path}: series {name!r} of the generation of input {generation}")
        return Saved(*older[1:])

    def journaled(self, after: int) -> int:
        """Bytes of the journal from the input behind `after` on."""
        with words(self.path):
            (found,) = self._db.execute("SELECT sum(length(body)) FROM journal WHERE first > ?", (after,)).fetchone()
        return found or 0

    # --- writing ---

    def append(self, count: int, body: bytes) -> int:
        """Make inputs durable; returns the index of the last one."""
        batch = Batch(self.last + 1, count, body)
        with words(self.path):
            with transaction(self._db):
                self._db.execute("INSERT INTO journal VALUES (?, ?, ?, ?)", (*batch[:2], crc(batch), body))
            self._mark.write(batch.last)
        self.last = batch.last
        return self.last

    def save(self, series: Iterable[Saved], shared: Shared, generation: int | None = None) -> None:
        """Replace what is saved of these series, and what is shared of that name, whatever index it was of.

        generation: keep them as its snapshots, too.
        """
        with words(self.path), self._writing() as own:
            for saved in series:
                own.put(saved)
                if generation is not None:
                    own.put(Older(generation, *saved))
            self._db.execute("DELETE FROM shared WHERE name = ?", (shared.name,))
            own.share(shared)

    def prune(self, upto: int, gone: str, generations: Sequence[int] = (), sealed: Manifest | None = None) -> None:
        """A sweep that began behind `upto` is through: forget what no start needs any more, and no generation.

        Those are inputs that every snapshot holds, what was shared before, and series that stand as `gone` since.
        generations: the ones that are kept, each by the index that its sweep began behind. sealed: this sweep has
        become one; how many snapshots that has is found here.
        """
        pruned = min([upto, *generations])
        with words(self.path), self._writing() as own:
            if sealed:
                own.seal(upto, sealed)
            self._db.execute("DELETE FROM journal WHERE first <= ?", (pruned,))
            self._db.execute("DELETE FROM shared WHERE at < ? AND name <> ?", (pruned, LEDGER))
            places = ",".join("?" * len(generations))
            self._db.execute(
                f"DELETE FROM shared WHERE at < ? AND name NOT IN (?, ?) AND at NOT IN ({places})",
                (upto, LEDGER, UNDONE, *generations),
            )
            own.drop("series", "standing = ? AND at <= ?", (gone, upto))
            own.keep_only(generations)
            own.ledger = own.ledger._replace(pruned=pruned, swept=upto)

    def begin_again(
        self, series: Iterable[Saved], head: Shared, others: Iterable[Shared], generations: Sequence[int]
    ) -> None:
        """Let these be all series, as of the journal's end, and that all they share; keep only these generations."""
        places = ",".join("?" * len(generations))
        with words(self.path), self._writing() as own:
            own.drop("series", "1", ())
            for saved in series:
                own.put(saved)
            self._db.execute("DELETE FROM shared WHERE name = ?", (head.name,))
            self._db.execute(
                f"DELETE FROM shared WHERE name NOT IN (?, ?) AND at NOT IN ({places})", (LEDGER, UNDONE, *generations)
            )
            for one in (head, *others):
                own.share(one)
            own.keep_only(generations)
            own.ledger = own.ledger._replace(swept=self.last)

    def forget_unfinished(self) -> None:
        """Keep no snapshots of a sweep that was to become a generation."""
        with words(self.path):
            there = {one for (one,) in self._db.execute("SELECT DISTINCT generation FROM older")}
        if there - {*(whole := [*self.generations()])}:
            with words(self.path), self._writing() as own:
                own.keep_only(whole)

    def share(self, shared: Iterable[Shared]) -> None:
        """Keep what is shared as of its index."""
        with words(self.path), self._writing() as own:
            for one in shared:
                own.share(one)

    @property
    def bytes(self) -> int:
        """On the disk."""
        files = (self.path.with_name(self.path.name + end) for end in ("", "-wal"))
        with words(self.path):
            return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """End. The write-ahead log goes into the file."""
        try:
            with words(self.path):
                self._db.close()
        finally:
            self._mark.close()
            self._folder.close()

    @contextmanager
    def _writing(self) -> Iterator[Writing]:
        """A transaction, and the ledger with it."""
        with transaction(self._db):
            own = Writing(self._db, self._ledger)
            yield own
            own.close()
        self._ledger = own.ledger

    def _check(self) -> None:
        """Whether all that should be there is there; each record's own bytes are checked when they are read."""
        ledger = self.shared(LEDGER)
        try:
            self._ledger = unpacked(ledger[-1].body) if ledger else Ledger()
        except ValueError as error:
            raise StateRefused(f"{self.path}: {error}; need a state of this version") from error
        newest = max(self._counted("series", *self._ledger[:2], "series"), self.swept)
        self._counted("older", *self._ledger[-2:], "older snapshots of series")
        if combined_of_shared(self._db) != self._ledger.shared:
            raise StateRefused(
                f"{self.path}: damaged: what series have in common is not what was saved; see `streamlstm state verify`"
            )
        first, last = self._db.execute("SELECT min(first), max(first + count - 1) FROM journal").fetchone()
        self.last = last or self.pruned
        if first is not None and first != self.pruned + 1:
            raise StateRefused(f"{self.path}: journal: inputs {self.pruned + 1} to {first - 1} are missing")
        needed = max(newest, self._mark.index)
        if self.last < needed:
            raise StateRefused(
                f"{self.path}: the journal ends at input {self.last}, but {needed} were durable: the disk has lost the "
                "rest; see `streamlstm state repair`"
            )

    def _counted(self, table: str, count: int, sums: int, what: str) -> int:
        """The newest index in a table, once there are as many rows in it as the ledger says, and these."""
        found, found_sums, newest = 0, 0, 0
        for sum_, at in self._db.execute(f"SELECT crc, at FROM {table}"):
            if not isinstance(at, int):
                raise StateRefused(
                    f"{self.path}: damaged: a series is as of input {at!r}; see `streamlstm state verify`"
                )
            found, found_sums, newest = found + 1, found_sums ^ spread(sum_), max(newest, at)
        if (found, found_sums) != (count, sums):
            raise StateRefused(
                f"{self.path}: damaged: {found} {what} are saved, need {count} with the checksums they had; "
                "see `streamlstm state verify`"
            )
        return newest
