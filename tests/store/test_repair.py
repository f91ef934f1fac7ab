"""A damaged state: every damage is named, and what is whole goes on as it was, byte for byte."""

from __future__ import annotations

import shutil
import sqlite3
from hashlib import sha256

import msgspec
import pytest

from streamlstm.daemon.contents import meaning
from streamlstm.daemon.mending import NOTHING
from streamlstm.daemon.recovery import HEAD, Head
from streamlstm.store import mark, repair
from streamlstm.store.database import NAME, connect
from streamlstm.store.errors import StateRefused, StoreFailed
from streamlstm.store.inspection import Inspection
from streamlstm.store.records import Batch
from streamlstm.store.store import Store
from tests.faults import flips
from tests.faults.lives import hurried
from tests.faults.repairs import go_on, repaired, surveyed


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    """The files of one life, with the newest in the log and with no log; and what an engine is that recovers them."""
    with hurried():
        left = flips.left_behind(tmp_path_factory.mktemp("lives"), 1)
        return left, flips.opened(shutil.copytree(left[0], tmp_path_factory.mktemp("opened") / "copy"))


@pytest.fixture
def folder(lives, tmp_path):
    """Of a state without a log."""
    with hurried():
        yield shutil.copytree(lives[0][1], tmp_path / "state")


def an_open_one(folder):
    """A series that is open, in a stream where none inherits from another."""
    found = surveyed(folder).series
    names = (name for name, seen in found.items() if seen.record.standing == "open")
    return next(name for name in names if name.startswith(("plain", "meter")))


def change(folder, statement, *values):
    """Do something to the database that a disk would not do by itself, but may."""
    db = sqlite3.connect(folder / NAME)
    assert db.execute(statement, values).rowcount > 0
    db.commit()
    db.close()


def turned(folder, table, where):
    """Flip a bit in the bytes of some records."""
    db = sqlite3.connect(folder / NAME)
    for number, body in db.execute(f"SELECT rowid, body FROM {table} WHERE {where}").fetchall():
        wrong = bytearray(body)
        wrong[len(wrong) // 2] ^= 4
        db.execute(f"UPDATE {table} SET body = ? WHERE rowid = ?", (bytes(wrong), number))
    db.commit()
    db.close()


def digest(folder):
    return {file.name: sha256(file.read_bytes()).digest() for file in folder.iterdir() if file.is_file()}


def test_looking_changes_nothing(lives, tmp_path):
    for number, left in enumerate(lives[0]):
        copy = shutil.copytree(left, tmp_path / str(number))
        before = digest(copy)
        assert surveyed(copy).damages == []
        assert digest(copy) == before


def test_a_damaged_series_is_named_and_begins_anew_and_the_others_are_as_they_were(lives, folder):
    lost = an_open_one(folder)
    turned(folder, "series", f"name = '{lost}'")
    found = repaired(folder)
    assert found.damages[0] == (f"series '{lost}'", "its checksum does not fit")
    assert found.lost == [lost] and found.missing == []
    after, expected = go_on(folder), lives[1]
    assert after.get(lost) != expected[lost]
    others = {*expected} - {lost, "counts"}  # what it learns once more is counted once more
    assert {name: after[name] for name in others} == {name: expected[name] for name in others}


def test_an_entry_of_the_journal_is_lost_alone(lives, folder):
    """Not those behind it; and series that were saved later have not even lost that one."""
    entries = [*surveyed(folder).journal]
    bad = entries[len(entries) // 2]
    turned(folder, "journal", f"first = {bad}")
    found = repaired(folder)
    assert found.damages[0].place.startswith(f"journal, inputs {bad}")
    assert found.missing == [(bad, found.missing[0][1])] and found.lost == []
    after, expected = go_on(folder), lives[1]
    later = {name for name, seen in found.series.items() if seen.record.at >= found.missing[0][1]}
    assert len(later) >= 3
    assert {name for name in later if after.get(name) != expected.get(name)} == set()


def test_after_the_end_of_the_journal_is_lost_no_index_and_no_position_is_given_out_again(folder):
    with Inspection(folder) as inspection:
        ends = [one for one, _ in inspection.records() if isinstance(one, Batch)][-3:]
    before = surveyed(folder).last
    change(folder, "DELETE FROM journal WHERE first >= ?", ends[0].first)
    positions = [meaning(one).position for one in ends]
    found = repaired(folder)
    assert found.missing == [(ends[0].first, before)] and found.last == before
    store = Store(folder)
    head = msgspec.msgpack.decode(store.shared(HEAD)[-1].body, type=Head)
    assert store.last == before and head.position >= max(positions)
    store.close()
    go_on(folder)


def test_a_mark_that_is_ahead_is_believed(folder):
    last = surveyed(folder).last
    ahead = mark.Mark(folder)
    ahead.write(last + 7)
    ahead.close()
    with pytest.raises(StateRefused, match=f"ends at input {last}"):
        Store(folder)
    found = repaired(folder)
    assert found.damages == [(f"journal, inputs {last + 1} to {last + 7}", "they are missing")]
    store = Store(folder)
    assert store.last == last + 7
    store.close()
    go_on(folder)


def test_a_mark_that_is_damaged_is_written_anew(lives, folder):
    (folder / mark.NAME).write_bytes(b"\x01" * 524)
    found = repaired(folder)
    assert [damage.place for damage in found.damages] == ["the mark of what was acknowledged"]
    assert go_on(folder) == lives[1]
    assert surveyed(folder).mark > found.last


@pytest.mark.parametrize("how", ["a bit flipped", "gone"])
def test_a_ledger_is_made_anew_of_what_is_there(lives, folder, how):
    if how == "gone":
        change(folder, "DELETE FROM shared WHERE name = 'ledger'")
    else:
        turned(folder, "shared", "name = 'ledger'")
    found = repaired(folder)
    assert "ledger" in found.damages[0].place and (found.lost, found.missing) == ([], [])
    assert go_on(folder) == lives[1]


@pytest.mark.parametrize("name", ["head", "origin", "commons:beside/{x}/{value}"])
@pytest.mark.parametrize("how", ["a bit flipped", "gone"])
def test_what_series_share_may_be_lost_and_they_go_on(lives, folder, name, how):
    if how == "gone":
        change(folder, "DELETE FROM shared WHERE name = ?", name)
    else:
        turned(folder, "shared", f"name = '{name}'")
    is_known = how == "a bit flipped" or not name.startswith("commons")  # nobody knows which streams have covariates
    assert any(name in damage.place for damage in surveyed(folder).damages) == is_known
    repaired(folder)
    after, expected = go_on(folder), lives[1]
    others = [one for one in expected if one not in ("counts", "commons beside/{x}/{value}") and "beside" not in one]
    if name != "origin":  # it says whether learning was shed
        assert {one: after[one] for one in others} == {one: expected[one] for one in others}
    if name == "head":
        assert after["counts"] != expected["counts"]


def test_what_was_there_before_a_repair_stays_beside_it_for_its_owner_alone(lives, tmp_path):
    copy = shutil.copytree(lives[0][0], tmp_path / "state")
    (copy / NAME).write_bytes((copy / NAME).read_bytes()[:100_000])
    before = digest(copy)
    repaired(copy)
    (copy / mark.NAME).write_bytes(b"\x01" * 524)
    repaired(copy)
    first, second = copy / "before-repair-1", copy / "before-repair-2"
    assert digest(first) == {name: one for name, one in before.items() if name != "lock"}
    assert {path.stat().st_mode & 0o777 for path in (first, second)} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in (*first.iterdir(), *second.iterdir(), copy / NAME)} == {0o600}


def test_a_repair_that_ended_in_the_middle_may_be_done_again(folder, monkeypatch):
    lost = an_open_one(folder)
    turned(folder, "series", f"name = '{lost}'")
    before = digest(folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(repair, "_put_aside", full)
        with pytest.raises(StoreFailed, match="No space left"):
            repaired(folder)
    assert {name: one for name, one in digest(folder).items() if name in before} == before
    assert repaired(folder).lost == [lost]
    assert not (folder / "repaired").exists()
    go_on(folder)


def test_a_file_that_sqlite_cannot_open_at_all_is_read_page_by_page(lives, tmp_path):
    """Its first page is gone; and with it where everything is."""
    for number, left in enumerate(lives[0]):
        copy = shutil.copytree(left, tmp_path / str(number))
        for name, begin in ((NAME, 0), (f"{NAME}-wal", 0)):
            if (copy / name).exists():
                content = bytearray((copy / name).read_bytes())
                content[begin : begin + 16] = bytes(16)
                (copy / name).write_bytes(content)
        with hurried():
            found = repaired(copy)
            assert "file is not a database" in found.damages[0].what
            assert (found.lost, found.missing) == ([], [])
            assert go_on(copy) == lives[1]


def test_a_database_that_is_gone_is_begun_anew_behind_all_that_was_acknowledged(folder):
    last = surveyed(folder).last
    (folder / NAME).unlink()
    found = repaired(folder)
    assert found.damages[0] == ("database", f"there is no {NAME}")
    assert found.series == {} and found.last == last
    go_on(folder)
    assert surveyed(folder).last > last


def test_a_first_life_without_any_snapshot_is_repaired_too(tmp_path):
    with hurried():
        store = Store(tmp_path / "state")
        for _ in range(5):
            store.append(2, NOTHING)
        store.close()
        turned(tmp_path / "state", "journal", "first = 5")
        found = repaired(tmp_path / "state")
        assert found.missing == [(5, 6)] and len(found.journal) == 4
        go_on(tmp_path / "state")


@pytest.mark.parametrize(
    ("table", "column"), [("series", "at"), ("series", "crc"), ("journal", "count"), ("shared", "crc")]
)
def test_what_is_no_number_where_one_should_be_is_refused_and_repaired(folder, table, column):
    change(folder, f"UPDATE {table} SET {column} = 'x' WHERE rowid = (SELECT max(rowid) FROM {table})")
    with pytest.raises(StateRefused, match="see `streamlstm state"):
        flips.opened(folder)
    assert repaired(folder).damages
    go_on(folder)


def test_a_state_that_was_refused_is_let_go_of_at_once(folder):
    turned(folder, "shared", "name = 'ledger'")
    with pytest.raises(StateRefused) as refused:
        Store(folder)
    connect(folder).close()
    assert "checksum" in str(refused.value)  # and so the refusal, with all that it refers to, was still there


def test_a_state_that_somebody_works_with_is_not_taken_for_damaged(folder):
    store = Store(folder)
    with pytest.raises(StateRefused, match="another process works with this state"):
        surveyed(folder)
    store.close()
    db = connect(folder)
    with pytest.raises(StateRefused, match="another process has it open"):
        surveyed(folder)
    db.close()
    assert surveyed(folder).damages == []


def test_a_newer_state_and_a_file_of_others_are_not_touched(folder, tmp_path):
    change_version(folder, 7)
    with pytest.raises(StateRefused, match=r"version 7.*newer streamlstm"):
        surveyed(folder)
    (tmp_path / "other").mkdir()
    db = sqlite3.connect(tmp_path / "other" / NAME)
    db.execute("CREATE TABLE journal (n)")
    db.close()
    with pytest.raises(StateRefused, match="no state of streamlstm"):
        surveyed(tmp_path / "other")
    with pytest.raises(StateRefused, match="no state in it"):
        surveyed(tmp_path)
    with pytest.raises(StateRefused, match="no such folder"):
        surveyed(tmp_path / "nowhere")
    assert [*tmp_path.glob("*/before*")] == [] and not (tmp_path / "lock").exists()


def change_version(folder, version):
    db = sqlite3.connect(folder / NAME)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
