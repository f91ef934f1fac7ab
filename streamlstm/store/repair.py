"""Making a state anew of all that is whole of a damaged one. What it was before stays beside it.

Nothing that is whole is thrown away. Where inputs of the journal are missing, an entry of nothing stands for them: so
the numbering goes on behind all that ever was, snapshots that are of later inputs stay as they are, and what the
journal has behind the hole is learned as it is after any message that never came. To cut the journal there, as one
would a log of transactions, would lose more: inputs do not build on one another, and every series can take a gap.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from streamlstm.store.database import NAME, connect, transaction, words
from streamlstm.store.folder import PRIVATE_FOLDER
from streamlstm.store.generation import MANIFEST
from streamlstm.store.inspection import Inspection
from streamlstm.store.ledger import NAME as LEDGER
from streamlstm.store.ledger import Ledger, combined
from streamlstm.store.mark import NAME as MARK
from streamlstm.store.mark import Mark
from streamlstm.store.records import Batch, Older, Record, Saved, Shared, crc
from streamlstm.store.survey import Survey

INTO = {
    Batch: "journal (first, count, body, crc) VALUES (?, ?, ?, ?)",
    Saved: "series (name, standing, at, body, crc) VALUES (?, ?, ?, ?, ?)",
    Older: "older (generation, name, standing, at, body, crc) VALUES (?, ?, ?, ?, ?, ?)",
    Shared: "shared (name, at, body, crc) VALUES (?, ?, ?, ?)",
}
AT_ONCE = 2**24  # bytes of a transaction
MAKING = "repaired"  # the folder in which the new one is made


def repair(inspection: Inspection, found: Survey, nothing: bytes, shared: Iterable[Shared]) -> Path:
    """Put a new state in the place of the one that is inspected; returns the folder with the old files.

    nothing: an entry of the journal without inputs; shared: what is to be shared from now on, all of it.
    Where this is interrupted, the old files are in their place or in that folder, and it may be done again.
    """
    folder, making = inspection.folder, inspection.folder / MAKING
    with words(inspection.path):
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=PRIVATE_FOLDER)
        _make(making, inspection, found, nothing, shared)
        aside = _put_aside(folder)
        # the old log must not be taken for one of the new file
        inspection.path.with_name(f"{NAME}-wal").unlink(missing_ok=True)
        (making / NAME).replace(inspection.path)
        (folder / MARK).unlink(missing_ok=True)
        mark = Mark(folder)
        mark.write(found.last)
        mark.close()
        shutil.rmtree(making)
        _sync(folder)
    return aside


def _make(folder: Path, inspection: Inspection, found: Survey, nothing: bytes, shared: Iterable[Shared]) -> None:
    """A new file, complete, in a folder of its own."""
    shared = list(shared)
    generations = {one.at for one in shared if one.name == MANIFEST}
    older = [seen for (generation, _), seen in found.older.items() if generation in generations]
    wanted = {_key(seen.record): seen.crc for seen in (*found.journal.values(), *found.series.values(), *older)}
    sums = combined(seen.crc for seen in found.series.values())
    ledger = Ledger(
        series=len(found.series),
        sums=sums,
        pruned=found.pruned,
        shared=combined(map(crc, shared)),
        swept=found.swept,
        older=len(older),
        older_sums=combined(seen.crc for seen in older),
    )
    db = connect(folder)
    try:
        written = 0
        db.execute("BEGIN")
        for record, sum_ in inspection.records():
            if isinstance(record.body, bytes) and sum_ == crc(record) == wanted.pop(_key(record), None):
                _insert(db, record)
                written += len(record.body)
                if written > AT_ONCE:
                    db.execute("COMMIT")
                    db.execute("BEGIN")
                    written = 0
        db.execute("COMMIT")
        assert not wanted, f"read once, and not again: {list(wanted)}"
        with transaction(db):
            for since, to in found.missing:
                _insert(db, Batch(since, to - since + 1, nothing))
            for one in (*shared, Shared(LEDGER, 0, ledger.packed())):
                _insert(db, one)
    finally:
        db.close()
    _sync(folder / NAME)


def _key(record: Record) -> tuple[object, ...]:
    return (type(record), *record[:-1])


def _insert(db: sqlite3.Connection, record: Record) -> None:
    db.execute(f"INSERT INTO {INTO[type(record)]}", (*record, crc(record)))


def _put_aside(folder: Path) -> Path:
    """Keep the old files: linked where they will not be written to any more, for they may be large."""
    aside = next(path for number in count(1) if not (path := folder / f"before-repair-{number}").exists())
    aside.mkdir(mode=PRIVATE_FOLDER)
    for name in (NAME, f"{NAME}-wal", MARK):
        if (folder / name).exists():
            try:
                if name == MARK:
                    shutil.copy2(folder / name, aside / name)
                else:
                    os.link(folder / name, aside / name)
            except OSError:  # a file system without links
                shutil.copy2(folder / name, aside / name)
    _sync(aside)
    return aside


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
