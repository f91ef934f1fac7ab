"""One SQLite file: how it is opened, what is in it, and its failures in words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlstm.store.errors import StateRefused, StoreFailed
from streamlstm.store.folder import private

NAME = "state.db"
VERSION = 2
OURS = 0x736C746D  # says in the file's header whose it is
TABLES = """
CREATE TABLE journal (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE series (name TEXT PRIMARY KEY, standing TEXT NOT NULL, at INTEGER NOT NULL, crc INTEGER NOT NULL,
                     body BLOB NOT NULL);
CREATE TABLE shared (name TEXT NOT NULL, at INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL,
                     PRIMARY KEY (name, at));
"""
OLDER = """
CREATE TABLE older (generation INTEGER NOT NULL, name TEXT NOT NULL, standing TEXT NOT NULL, at INTEGER NOT NULL,
                    crc INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (generation, name));
"""
TABLES += OLDER
MIGRATIONS = {1: OLDER}  # from a version to the next: what is to be executed
# What SQLite says of a disk that fails; all else that it says of a file is about what is in it.
_DISK = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_NOMEM")


def connect(folder: Path) -> sqlite3.Connection:
    """Open the file, made where it is missing; of an older version, brought to this one."""
    path = folder / NAME
    with words(path):
        os.close(private(path))  # SQLite gives its other files the modes of this one
        db = sqlite3.connect(path, isolation_level=None, cached_statements=32)
        try:
            # exclusive: we are alone, and so there is no file of shared memory that could be damaged
            for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL", "busy_timeout = 0"):
                db.execute(f"PRAGMA {setting}")
            db.execute("PRAGMA cell_size_check = ON")
            _migrate(db, path)
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def words(path: Path) -> Iterator[None]:
    """Failures of the disk as StoreFailed, of what is in the file as StateRefused."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(_DISK):
            raise StoreFailed(f"{path}: {error} ({name}); need a disk with room that can be written") from error
        if name.startswith("SQLITE_BUSY"):
            raise StateRefused(f"{path}: another process has it open; stop it first") from error
        raise StateRefused(f"{path}: damaged: {error}; see `streamlstm state verify`") from error
    except OSError as error:
        raise StoreFailed(f"{path}: {error.strerror}; need a disk with room that can be written") from error


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and durable when it ends."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    (whose,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not _tables(db) and not version and not whose:
        with transaction(db):
            for statement in TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {OURS}")
            db.execute(f"PRAGMA user_version = {VERSION}")
        return
    if whose != OURS:
        raise StateRefused(f"{path}: no state of streamlstm, or damaged: its header says {whose:#x}, need {OURS:#x}")
    if version > VERSION:
        raise StateRefused(f"{path}: of version {version}; this program knows up to {VERSION}: need a newer streamlstm")
    while version < VERSION:
        if version not in MIGRATIONS:
            raise StateRefused(f"{path}: of version {version}, which never was: damaged; need 1 to {VERSION}")
        with transaction(db):
            for statement in MIGRATIONS[version].split(";"):
                db.execute(statement)
            version += 1
            db.execute(f"PRAGMA user_version = {version}")
    if missing := {"journal", "series", "older", "shared"} - _tables(db):
        raise StateRefused(f"{path}: damaged: no table {', '.join(sorted(missing))}")


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
