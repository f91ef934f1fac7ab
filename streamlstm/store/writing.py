"""Records put in and taken out within one transaction, and the ledger that counts them with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from streamlstm.store.generation import APART, MANIFEST, Manifest
from streamlstm.store.ledger import NAME as LEDGER
from streamlstm.store.ledger import Ledger, combined, spread
from streamlstm.store.records import Older, Saved, Shared, crc


class Writing:
    """What one transaction does. `ledger` is as of what was done, once it is closed."""

    def __init__(self, db: sqlite3.Connection, ledger: Ledger) -> None:
        self._db = db
        self.ledger = ledger

    def put(self, record: Saved | Older) -> None:
        """Put a snapshot in the place of what is there under its name."""
        sum_ = crc(record)
        if isinstance(record, Older):
            key = (record.generation, record.name)
            before = self._db.execute("SELECT crc FROM older WHERE generation = ? AND name = ?", key).fetchone()
            self._db.execute(
                "INSERT OR REPLACE INTO older (generation, name, standing, at, body, crc) VALUES (?, ?, ?, ?, ?, ?)",
                (*record, sum_),
            )
        else:
            before = self._db.execute("SELECT crc FROM series WHERE name = ?", (record.name,)).fetchone()
            self._db.execute(
                "INSERT OR REPLACE INTO series (name, standing, at, body, crc) VALUES (?, ?, ?, ?, ?)", (*record, sum_)
            )
        table = "older" if isinstance(record, Older) else "series"
        self._count(table, before is None, spread(sum_) ^ (spread(before[0]) if before else 0))

    def drop(self, table: str, which: str, values: Sequence[object]) -> None:
        """Take snapshots out: of 'series' or 'older'."""
        sums = [sum_ for (sum_,) in self._db.execute(f"SELECT crc FROM {table} WHERE {which}", values)]
        self._db.execute(f"DELETE FROM {table} WHERE {which}", values)
        self._count(table, -len(sums), combined(sums))

    def keep_only(self, generations: Sequence[int]) -> None:
        """Take out all other generations, and what was to become one."""
        which = f"NOT IN ({','.join('?' * len(generations))})"
        self._db.execute(f"DELETE FROM shared WHERE name = ? AND at {which}", (MANIFEST, *generations))
        self.drop("older", f"generation {which}", generations)

    def seal(self, generation: int, of: Manifest) -> None:
        """Let the snapshots of a generation be whole from now on, with what was shared when it began."""
        older = self._db.execute("SELECT crc FROM older WHERE generation = ?", (generation,)).fetchall()
        begins = self._db.execute(
            f"SELECT crc FROM shared WHERE at = ? AND name NOT IN ({','.join('?' * len(APART))})", (generation, *APART)
        ).fetchall()
        sums, shared = (combined(sum_ for (sum_,) in found) for found in (older, begins))
        sealed = of._replace(series=len(older), sums=sums, shared=shared)
        self.share(Shared(MANIFEST, generation, sealed.packed()))

    def share(self, one: Shared) -> None:
        self._db.execute("INSERT OR REPLACE INTO shared VALUES (?, ?, ?, ?)", (*one[:2], crc(one), one.body))

    def close(self) -> None:
        """Let the ledger tell of it."""
        self.ledger = self.ledger._replace(shared=combined_of_shared(self._db))
        self.share(Shared(LEDGER, 0, self.ledger.packed()))

    def _count(self, table: str, more: int, sums: int) -> None:
        own = self.ledger
        if table == "older":
            self.ledger = own._replace(older=own.older + more, older_sums=own.older_sums ^ sums)
        else:
            self.ledger = own._replace(series=own.series + more, sums=own.sums ^ sums)


def combined_of_shared(db: sqlite3.Connection) -> int:
    """Of all that is shared, which is little."""
    return combined(sum_ for (sum_,) in db.execute("SELECT crc FROM shared WHERE name <> ?", (LEDGER,)))
