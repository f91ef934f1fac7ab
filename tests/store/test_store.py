"""What is written is there, whole, private, and for one process alone; what is not right is refused with its place."""

from __future__ import annotations

import re
import sqlite3
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from streamlstm.store import database
from streamlstm.store.errors import StateRefused, StoreFailed
from streamlstm.store.generation import Manifest
from streamlstm.store.ledger import combined
from streamlstm.store.records import Batch, Saved, Shared, crc
from streamlstm.store.store import Store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "var" / "state"


@pytest.fixture
def filled(folder):
    """A state that was closed: three entries of the journal, two series."""
    store = Store(folder)
    for count, body in ((2, b"first"), (1, b"second"), (3, b"third")):
        store.append(count, body)
    store.save([Saved("a", "open", 3, b"of a"), Saved("b", "closed", 6, b"of b")], Shared("head", 6, b"head"))
    store.close()
    return folder


def changed(folder: Path, statement: str, *values: object) -> None:
    db = sqlite3.connect(folder / database.NAME)
    db.execute(statement, values)
    db.commit()
    db.close()


def refusal(folder: Path) -> str:
    """Why a state is refused: when it is opened, or when it is read."""
    with pytest.raises(StateRefused) as refused:
        store = Store(folder)
        try:
            list(store.batches(store.pruned))
            for name, *_ in store.saved():
                store.series(name)
            for name in store.names():
                store.shared(name)
        finally:
            store.close()
    return str(refused.value)


def test_what_was_written_is_there_again(filled):
    store = Store(filled)
    assert [(one.first, one.inputs, one.body) for one in store.batches(0)] == [
        (1, 2, b"first"),
        (3, 1, b"second"),
        (4, 3, b"third"),
    ]
    assert store.saved() == [("a", "open", 3), ("b", "closed", 6)] and store.series("b").body == b"of b"
    assert store.shared("head") == [Shared("head", 6, b"head")] and store.last == 6
    assert store.append(1, b"fourth") == 7
    store.close()


def test_the_journal_is_forgotten_up_to_an_input_and_goes_on_behind_it(filled):
    store = Store(filled)
    store.share([Shared("origin", 6, b"now")])
    store.save([Saved("a", "open", 6, b"of a"), Saved("b", "gone", 6, b"")], Shared("head", 6, b"head"))
    store.prune(6, "gone")
    store.close()
    again = Store(filled)
    assert list(again.batches(again.pruned)) == [] and again.pruned == again.last == 6
    assert again.saved() == [("a", "open", 6)] and again.append(1, b"more") == 7
    again.close()


def test_its_files_are_for_nobody_else(filled):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (filled, *filled.iterdir())}
    assert modes.pop("state") == 0o700
    assert set(modes.values()) == {0o600} and "state.db" in modes


def test_one_process_holds_it(folder):
    store = Store(folder)
    other = f"from pathlib import Path; from streamlstm.store.store import Store; Store(Path({str(folder)!r}))"
    said = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True).stderr
    assert f"StateRefused: {folder}: another process works with this state" in said
    store.close()
    Store(folder).close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 3", "of version 3; this program knows up to 2: need a newer streamlstm"),
        ("PRAGMA application_id = 7", "no state of streamlstm, or damaged"),
        ("DROP TABLE series", "no table series"),
        ("UPDATE journal SET body = 'frist' WHERE first = 1", "journal, inputs from 1: damaged"),
        ("UPDATE journal SET count = 4 WHERE first = 4", "journal, inputs from 4: damaged"),
        ("DELETE FROM journal WHERE first = 1", "journal: inputs 1 to 2 are missing"),
        ("DELETE FROM journal WHERE first = 3", "journal: inputs 3 to 3 are missing"),
        ("DELETE FROM journal WHERE first = 4", "the journal ends at input 3, but 6 were durable"),
        ("DELETE FROM series WHERE name = 'a'", "1 series are saved, need 2"),
        ("UPDATE series SET crc = crc + 1 WHERE name = 'a'", "2 series are saved, need 2 with the checksums they had"),
        ("UPDATE series SET name = 'c' WHERE name = 'a'", "series 'c': damaged"),
        ("UPDATE series SET at = 2 WHERE name = 'a'", "series 'a': damaged"),
        ("DELETE FROM shared WHERE name = 'head'", "what series have in common is not what was saved"),
        ("UPDATE shared SET body = x'00' WHERE name = 'head'", "head as of input 6: damaged"),
    ],
)
def test_what_is_not_as_it_was_written_is_refused_with_its_place(filled, statement, said):
    changed(filled, statement)
    text = refusal(filled)
    assert said in text and str(filled) in text


def test_a_log_that_has_lost_its_end_is_noticed(folder):
    store = Store(folder)
    for number in range(5):
        store.append(1, bytes(5000) + bytes([number]))
    log = folder / "state.db-wal"
    whole = {file: file.read_bytes() for file in folder.iterdir()}
    store.close()
    for file, content in whole.items():  # as a kill leaves it
        file.write_bytes(content)
    log.write_bytes(whole[log][:-6000])
    assert "the journal ends at input 4, but 5 were durable: the disk has lost the rest" in refusal(folder)


def test_a_damaged_mark_is_refused_and_one_that_was_never_synced_is_not_missed(filled):
    mark = filled / "acknowledged"
    mark.write_bytes(b"\x07" * 1024)
    assert f"{mark}: damaged" in refusal(filled)
    mark.unlink()
    Store(filled).close()


VERSION_1 = """
CREATE TABLE journal (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE series (name TEXT PRIMARY KEY, standing TEXT NOT NULL, at INTEGER NOT NULL, crc INTEGER NOT NULL,
                     body BLOB NOT NULL);
CREATE TABLE shared (name TEXT NOT NULL, at INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL,
                     PRIMARY KEY (name, at));
PRAGMA application_id = 0x736C746D;
PRAGMA user_version = 1;
"""


def test_an_older_version_is_brought_to_this_one_and_one_that_never_was_is_not(folder):
    """A state of version 1 whose journal was pruned up to input 4."""
    folder.mkdir(mode=0o700, parents=True)
    series, shared, batch = Saved("a", "open", 5, b"of a"), Shared("origin", 4, b"now"), Batch(5, 2, b"fifth")
    ledger = Shared("ledger", 0, struct.pack("<QQQQ", 1, combined([crc(series)]), 4, combined([crc(shared)])))
    db = sqlite3.connect(folder / database.NAME)
    db.executescript(VERSION_1)
    db.execute("INSERT INTO journal VALUES (?, ?, ?, ?)", (*batch[:2], crc(batch), batch.body))
    db.execute("INSERT INTO series VALUES (?, ?, ?, ?, ?)", (*series[:3], crc(series), series.body))
    for one in (shared, ledger):
        db.execute("INSERT INTO shared VALUES (?, ?, ?, ?)", (*one[:2], crc(one), one.body))
    db.commit()
    db.close()
    for _ in range(2):  # the second time it is of this version, with the ledger that it had
        store = Store(folder)
        assert (store.pruned, store.swept, store.last) == (4, 4, 6)
        assert list(store.batches(4)) == [batch] and store.series("a") == series and store.generations() == {}
        store.close()
    store = Store(folder)
    store.save([Saved("a", "open", 6, b"of a"), Saved("b", "open", 6, b"of b")], Shared("head", 6, b"head"))
    store.close()
    again = Store(folder)
    assert (again.pruned, again.swept) == (4, 4) and len(again.saved()) == 2
    again.close()
    changed(folder, "PRAGMA user_version = 0")
    assert "of version 0, which never was" in refusal(folder)


def test_generations_are_kept_whole_until_they_are_not_wanted(filled):
    """Three sweeps, each of which becomes one."""
    store, kept = Store(filled), list[int]()
    for number in range(3):
        at = store.last
        store.share([Shared("origin", at, b"%d" % at)])
        store.append(1, b"more")
        store.save([Saved("a", "open", at + 1, b"of %d" % at)], Shared("head", at + 1, b"head"), at)
        store.save([Saved("b", "open", at + 1, b"of b")], Shared("head", at + 1, b"head"), at)
        kept = [*kept, at][-2:]
        store.prune(at, "gone", kept, Manifest(0, 0, 0, at + 1, number, b"head"))
        store.close()
        store = Store(filled)
    assert [*store.generations()] == kept == [7, 8] and (store.pruned, store.swept, store.last) == (7, 8, 9)
    assert store.saved_then(7) == [("a", "open", 8), ("b", "open", 8)] and store.series_then(7, "a").body == b"of 7"
    assert store.series("a").body == b"of 8" and [one.first for one in store.batches(7)] == [8, 9]
    assert [one.at for one in store.shared("origin")] == [7, 8] and store.saved_then(6) == []
    store.append(1, b"more")
    store.save([Saved("a", "open", 10, b"half")], Shared("head", 10, b"head"), 9)
    assert store.has_older(9) and store.series("a").body == b"half"
    store.forget_unfinished()
    assert not store.has_older(9) and [*store.generations()] == [7, 8]
    store.prune(9, "gone")
    assert store.generations() == {} and store.pruned == store.swept == 9
    store.close()
    assert tables(filled)["older"] == 0


def tables(folder):
    db = sqlite3.connect(folder / database.NAME)
    found = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("series", "older", "shared")}
    db.close()
    return found


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM older WHERE name = 'a'", "1 older snapshots of series are saved, need 2"),
        ("UPDATE older SET crc = crc + 1 WHERE name = 'a'", "need 2 with the checksums they had"),
        ("DELETE FROM shared WHERE name = 'generation'", "what series have in common is not what was saved"),
        ("UPDATE older SET body = x'00' WHERE name = 'a'", "series 'a' of the generation of input 6: damaged"),
        ("DROP TABLE older", "no table older"),
    ],
)
def test_what_is_not_as_it_was_written_of_a_generation_is_refused_with_its_place(filled, statement, said):
    store = Store(filled)
    series = [Saved("a", "open", 6, b"of a"), Saved("b", "open", 6, b"of b")]
    store.save(series, Shared("head", 6, b"head"), 6)
    store.prune(6, "gone", [6], Manifest(0, 0, 0, 6, 0, b"head"))
    store.close()
    changed(filled, statement)
    with pytest.raises(StateRefused, match=re.escape(said)):
        store = Store(filled)
        try:
            store.series_then(6, "a")
        finally:
            store.close()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match=r"state\.directory = .*file/state: Not a directory; need a folder"):
        Store(tmp_path / "file" / "state")


def test_the_checksum_is_over_the_place_too():
    one = Saved("a", "open", 3, b"x")
    assert len({crc(one), crc(one._replace(name="b")), crc(one._replace(at=4)), crc(one._replace(body=b"y"))}) == 4
