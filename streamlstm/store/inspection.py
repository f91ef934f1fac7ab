"""Reading a state without changing anything, and without stopping at the first damage.

A record is whole when its own checksum fits. What SQLite does not give is looked for in the pages themselves. There may
be older versions of a record among these: a snapshot that is of no earlier input than the journal begins with is as
good as the newest one, since the journal has the rest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamlstm.store import pages
from streamlstm.store.database import MIGRATIONS, NAME, OURS, VERSION, words
from streamlstm.store.errors import StateRefused
from streamlstm.store.folder import Folder
from streamlstm.store.generation import MANIFEST, manifest
from streamlstm.store.ledger import NAME as LEDGER
from streamlstm.store.ledger import unpacked
from streamlstm.store.mark import NAME as MARK
from streamlstm.store.mark import Mark
from streamlstm.store.records import Batch, Older, Record, Saved, Shared, crc
from streamlstm.store.survey import Damage, Seen, Survey

COLUMNS = {
    Batch: "first, count, body, crc FROM journal",
    Saved: "name, standing, at, body, crc FROM series",
    Older: "generation, name, standing, at, body, crc FROM older",
    Shared: "name, at, body, crc FROM shared",
}
DATABASE = "database"
MOST = 20  # complaints of SQLite that are told


class Inspection:
    """One state that is held, so that nobody writes it, and only read. StateRefused where there is none of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        if folder.is_dir() and not self.path.exists() and not (folder / MARK).exists():
            raise StateRefused(f"{folder}: no state in it; need the folder of one ([state] directory)")
        self._held = Folder(folder, create=False)
        self._is_damaged = False  # then the pages are looked at, too

    def close(self) -> None:
        self._held.close()

    def __enter__(self) -> Inspection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def survey(self, meaning: Callable[[Record], Any] = lambda _: None) -> Survey:
        """Read everything. meaning: what to keep of a record's bytes; ValueError where they mean nothing."""
        found = self._surveyed(meaning)
        if found.damages and self.path.exists():
            self._is_damaged, told = True, found.damages
            found = self._surveyed(meaning)
            # what is found in the pages is whole, and SQLite has lost it all the same
            found.damages = [*told, *[damage for damage in found.damages if damage not in told]]
        if found.version != VERSION and not (found.journal or found.series or found.shared or found.mark):
            raise StateRefused(f"{self.path}: no state of streamlstm, or nothing of it is left")
        return found

    def records(self) -> Iterator[tuple[Record, object]]:
        """Everything that can be read, and its checksum, whether that fits or not; some of it twice."""
        if self.path.exists():
            yield from self._records([])

    def _surveyed(self, meaning: Callable[[Record], Any]) -> Survey:
        found, bad, names = Survey(), list[tuple[Record, str]](), list[str]()
        try:
            found.mark = self._mark()
        except StateRefused:
            found.damages.append(Damage("the mark of what was acknowledged", "its checksums do not fit"))
        if self.path.exists():
            found.version = self._version(found.damages)
            for record, sum_ in self._records(found.damages):
                if why := _take(found, record, sum_, meaning):
                    bad.append((record._replace(body=b""), why))
            names = self._names() if self._is_damaged else []
        else:
            found.damages.append(Damage(DATABASE, f"there is no {NAME}"))
        found.conclude(bad, names, is_first=not self._is_damaged)
        return found

    def _records(self, damages: list[Damage]) -> Iterator[tuple[Record, object]]:
        with self._opened() as db:
            for kind, columns in COLUMNS.items():
                try:
                    for *values, sum_ in db.execute(f"SELECT {columns}"):
                        yield kind(*values), sum_  # of a damaged file it may be anything
                except sqlite3.Error as error:
                    damages.append(Damage(DATABASE, f"table {columns.split()[-1]}: {error}"))
            damages += [Damage(DATABASE, complaint) for complaint in _complaints(db)]
        if self._is_damaged:
            yield from filter(None, map(_as_record, pages.rows(self.path)))

    def _names(self) -> list[str]:
        """Of all series, from the index: it may be whole where the table is not."""
        with self._opened() as db:
            try:
                found = db.execute("SELECT name FROM series INDEXED BY sqlite_autoindex_series_1")
                return [name for (name,) in found if isinstance(name, str)]
            except sqlite3.Error:
                return []  # it is not; what SQLite says of it is among the damages

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """For reading only: not even the write-ahead log is put into the file."""
        with words(self.path):
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)
        db.text_factory = lambda text: text.decode("utf-8", "replace")
        self._refuse_busy(db)
        try:
            yield db
        finally:
            db.close()
            # SQLite makes them for whoever only reads
            self.path.with_name(f"{NAME}-shm").unlink(missing_ok=True)
            log = self.path.with_name(f"{NAME}-wal")
            if log.exists() and not log.stat().st_size:
                log.unlink()

    def _refuse_busy(self, db: sqlite3.Connection) -> None:
        """Somebody else's lock is no damage."""
        try:
            db.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            if (error.sqlite_errorname or "").startswith("SQLITE_BUSY"):
                db.close()
                raise StateRefused(f"{self.path}: another process has it open; stop it first") from error

    def _version(self, damages: list[Damage]) -> int:
        with self._opened() as db:
            try:
                (whose,) = db.execute("PRAGMA application_id").fetchone()
                (version,) = db.execute("PRAGMA user_version").fetchone()
            except sqlite3.Error as error:
                damages.append(Damage(DATABASE, f"its header: {error}"))
                return 0
        if whose == OURS and version > VERSION:
            text = f"of version {version}; this program knows up to {VERSION}: need a newer streamlstm"
            raise StateRefused(f"{self.path}: {text}")
        if whose == OURS and version in MIGRATIONS:
            raise StateRefused(
                f"{self.path}: of version {version}: `streamlstm run` brings it to {VERSION}, start it once"
            )
        if whose != OURS:
            damages.append(Damage(DATABASE, f"its header says {whose:#x}, need {OURS:#x}"))
        elif version != VERSION:
            damages.append(Damage(DATABASE, f"its header says version {version}, which never was"))
        return int(version) if whose == OURS else 0

    def _mark(self) -> int:
        if not (self.folder / MARK).exists():
            return 0
        mark = Mark(self.folder)
        mark.close()
        return mark.index


def _take(found: Survey, record: Record, sum_: object, meaning: Callable[[Record], Any]) -> str:
    """Keep a whole record; else why it is not."""
    if not isinstance(record.body, bytes) or not isinstance(sum_, int) or sum_ != crc(record):
        return "its checksum does not fit"
    try:
        if isinstance(record, Shared) and record.name == LEDGER:
            ledger = unpacked(record.body)
            if found.ledger is None or ledger.pruned > found.ledger.pruned:
                found.ledger = ledger
        else:
            if isinstance(record, Shared) and record.name == MANIFEST:
                found.generations[record.at] = manifest(record.body)
            found.keep(Seen(record._replace(body=b""), len(record.body), sum_, meaning(record)))
    except ValueError as error:
        return str(error)
    return ""


def _complaints(db: sqlite3.Connection) -> list[str]:
    """What SQLite finds that no record shows: of indexes, of pages that are in use twice or not at all."""
    try:
        lines = [str(line) for (line,) in db.execute(f"PRAGMA integrity_check({MOST})")]
    except sqlite3.Error as error:
        return [str(error)]
    return [line for text in lines for line in text.splitlines() if line not in ("ok", "*** in database main ***")]


def _as_record(row: pages.Row) -> tuple[Record, object] | None:
    """A row of some table as a record of ours, if it is a whole one."""
    record: Record
    match row:
        case (first, [None, int(count), int(sum_), bytes(body)]):
            record = Batch(first, count, body)
        case (_, [str(name), str(standing), int(at), int(sum_), bytes(body)]):
            record = Saved(name, standing, at, body)
        case (_, [int(generation), str(name), str(standing), int(at), int(sum_), bytes(body)]):
            record = Older(generation, name, standing, at, body)
        case (_, [str(name), int(at), int(sum_), bytes(body)]):
            record = Shared(name, at, body)
        case _:
            return None
    return (record, sum_) if sum_ == crc(record) else None
