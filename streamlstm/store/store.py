"""The journal of all inputs and the snapshots of all series: written together or not at all, read with every check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from streamlstm.store.database import NAME, connect, transaction, words
from streamlstm.store.errors import StateRefused
from streamlstm.store.folder import Folder
from streamlstm.store.ledger import NAME as LEDGER
from streamlstm.store.ledger import Ledger, combined, spread, unpacked
from streamlstm.store.mark import NAME as MARK
from streamlstm.store.mark import Mark
from streamlstm.store.records import Batch, Saved, Shared, checked, crc


class Store:
    """One state. A single thread uses it. StateRefused where what is there cannot be right, StoreFailed by the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path / NAME
        self.last = 0  # index of the newest input
        self.pruned = 0  # index of the last input that the journal does not need any more
        self._count = self._sums = 0
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

    def save(self, series: Iterable[Saved], shared: Shared) -> None:
        """Replace what is saved of these series, and what is shared of that name, whatever index it was of."""
        with words(self.path):
            count, sums = self._count, self._sums
            with transaction(self._db):
                for saved in series:
                    before = self._db.execute("SELECT crc FROM series WHERE name = ?", (saved.name,)).fetchone()
                    sum_ = crc(saved)
                    count += before is None
                    sums ^= spread(sum_) ^ (spread(before[0]) if before else 0)
                    self._db.execute(
                        "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?)", (*saved[:3], sum_, saved.body)
                    )
                self._db.execute("DELETE FROM shared WHERE name = ?", (shared.name,))
                self._share([shared])
                self._write_ledger(count, sums, self.pruned)
            self._count, self._sums = count, sums

    def prune(self, upto: int, gone: str) -> None:
        """Forget inputs that every snapshot holds, what was shared before, and series that stand as `gone` since."""
        with words(self.path):
            count, sums = self._count, self._sums
            with transaction(self._db):
                self._db.execute("DELETE FROM journal WHERE first <= ?", (upto,))
                self._db.execute("DELETE FROM shared WHERE at < ? AND at <> 0", (upto,))
                dead = "FROM series WHERE standing = ? AND at <= ?"
                for (sum_,) in self._db.execute(f"SELECT crc {dead}", (gone, upto)):
                    count, sums = count - 1, sums ^ spread(sum_)
                self._db.execute(f"DELETE {dead}", (gone, upto))
                self._write_ledger(count, sums, upto)
            self._count, self._sums, self.pruned = count, sums, upto

    def share(self, shared: Iterable[Shared]) -> None:
        """Keep what is shared as of its index."""
        with words(self.path), transaction(self._db):
            self._share(shared)
            self._write_ledger(self._count, self._sums, self.pruned)

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

    def _share(self, shared: Iterable[Shared]) -> None:
        for one in shared:
            self._db.execute("INSERT OR REPLACE INTO shared VALUES (?, ?, ?, ?)", (*one[:2], crc(one), one.body))

    def _write_ledger(self, count: int, sums: int, pruned: int) -> None:
        self._share([Shared(LEDGER, 0, Ledger(count, sums, pruned, self._combined()).packed())])

    def _combined(self) -> int:
        """Of all that is shared, which is little."""
        return combined(sum_ for (sum_,) in self._db.execute("SELECT crc FROM shared WHERE name <> ?", (LEDGER,)))

    def _check(self) -> None:
        """Whether all that should be there is there; each record's own bytes are checked when they are read."""
        ledger = self.shared(LEDGER)
        try:
            self._count, self._sums, self.pruned, shared = unpacked(ledger[-1].body) if ledger else Ledger()
        except ValueError as error:
            raise StateRefused(f"{self.path}: {error}; need a state of this version") from error
        found, sums, newest = 0, 0, self.pruned
        for sum_, at in self._db.execute("SELECT crc, at FROM series"):
            if not isinstance(at, int):
                raise StateRefused(
                    f"{self.path}: damaged: a series is as of input {at!r}; see `streamlstm state verify`"
                )
            found, sums, newest = found + 1, sums ^ spread(sum_), max(newest, at)
        if (found, sums) != (self._count, self._sums):
            raise StateRefused(
                f"{self.path}: damaged: {found} series are saved, need {self._count} with the checksums they had; "
                "see `streamlstm state verify`"
            )
        if self._combined() != shared:
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
