"""Rows are found in a file's pages without SQLite's help, as SQLite itself has them."""

import random
import sqlite3

from streamlstm.store.pages import rows

VALUES = [None, 0, 1, -1, 127, -129, 2**20, -(2**30), 2**40, 2**62, 1.5, "", "Straße", b"", b"\x00\xff"]


def made(path, *, close=True):
    """A table with all kinds of values, and with blobs around every size at which they go on in other pages."""
    dice = random.Random(1)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, a, b, body BLOB)")
    sizes = [*range(3900, 4200, 7), *range(8100, 8250, 11), 20_000, 100_000]
    for size in (0, *sizes, *sizes):
        db.execute("INSERT INTO t (a, b, body) VALUES (?, ?, ?)", (*dice.choices(VALUES, k=2), dice.randbytes(size)))
    if close:
        db.close()
    return db


def found(path):
    """Only those of the table: the schema is a table, too."""
    return {number: columns[1:] for number, columns in rows(path) if len(columns) == 4}


def test_all_rows_of_a_file_are_found_as_sqlite_has_them(tmp_path):
    made(tmp_path / "a.db")
    db = sqlite3.connect(tmp_path / "a.db")
    assert found(tmp_path / "a.db") == {number: columns for number, *columns in db.execute("SELECT * FROM t")}
    assert len(found(tmp_path / "a.db")) > 100


def test_rows_that_are_only_in_the_log_are_found_too(tmp_path):
    db = made(tmp_path / "a.db", close=False)
    assert (tmp_path / "a.db-wal").stat().st_size > 2 * (tmp_path / "a.db").stat().st_size
    assert found(tmp_path / "a.db") == {number: columns for number, *columns in db.execute("SELECT * FROM t")}


def test_rows_are_found_without_header_schema_and_inner_pages(tmp_path):
    made(tmp_path / "a.db")
    expected = found(tmp_path / "a.db")
    content = bytearray((tmp_path / "a.db").read_bytes())
    for begin in range(0, len(content), 4096):
        if begin == 0 or content[begin] == 5:
            content[begin : begin + 4096] = bytes(4096)
    (tmp_path / "a.db").write_bytes(content)
    assert found(tmp_path / "a.db") == expected


def test_any_bytes_at_all_are_no_rows_or_some_and_never_an_error(tmp_path):
    dice = random.Random(2)
    made(tmp_path / "whole.db")
    whole = (tmp_path / "whole.db").read_bytes()
    path = tmp_path / "a.db"
    for _ in range(60):
        content = bytearray(whole[: dice.randrange(len(whole))])
        for _ in range(200):
            content[dice.randrange(len(content))] = dice.randrange(256)
        path.write_bytes(content)
        path.with_name("a.db-wal").write_bytes(dice.randbytes(20_000))
        assert len(list(rows(path))) < 1000
    for size in (0, 1, 17, 100, 4095):
        path.write_bytes(dice.randbytes(size))
        path.with_name("a.db-wal").write_bytes(dice.randbytes(size))
        assert list(rows(path)) == []
