"""Series in one file: what goes in comes out, the same each time, and no byte of it can change unnoticed."""

import json
import zipfile

import pytest

from streamlstm.store.errors import StateRefused, Unsuitable
from streamlstm.store.portable import LIST, Carried, read, write

SERIES = [Carried("a/b", "open", b"\x00\x01" * 50), Carried("Küche", "closed", b""), Carried("c", "open", b"x" * 3000)]
ONE = {"name": "a", "standing": "open", "entry": "e", "sha256": ""}


def test_what_is_written_is_read_and_only_its_owner_may(tmp_path):
    assert write(tmp_path / "a.zip", SERIES) == 3
    assert list(read(tmp_path / "a.zip")) == SERIES
    assert (tmp_path / "a.zip").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_the_same_series_give_the_same_file(tmp_path):
    write(tmp_path / "a.zip", SERIES)
    write(tmp_path / "b.zip", iter(SERIES))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_file_that_is_there_is_not_overwritten_and_half_a_one_never_is(tmp_path):
    (tmp_path / "a.zip").write_text("mine")
    with pytest.raises(Unsuitable, match="there already"):
        write(tmp_path / "a.zip", SERIES)
    assert (tmp_path / "a.zip").read_text() == "mine"

    def broken():
        yield SERIES[0]
        raise StateRefused("in the middle")

    with pytest.raises(StateRefused, match="in the middle"):
        write(tmp_path / "b.zip", broken())
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_file_with_a_bit_flipped_or_cut_anywhere_is_refused_or_the_same(tmp_path):
    write(tmp_path / "a.zip", SERIES)
    whole, path, refused = (tmp_path / "a.zip").read_bytes(), tmp_path / "b.zip", 0
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        for content in (flipped, whole[:place]):
            path.write_bytes(content)
            try:
                assert list(read(path)) == SERIES
            except StateRefused as error:
                assert str(path) in str(error)
                refused += 1
    assert refused > 1.5 * len(whole)  # dates and modes in it mean nothing


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ({"format": 2, "series": []}, "newer streamlstm"),
        ({"format": 1, "series": [{"name": "a"}]}, "no list"),
        ([], "no list"),
        (
            {"format": 1, "series": [{"name": "a", "standing": "open", "entry": "e", "bytes": 3, "sha256": ""}]},
            "length",
        ),
        (
            {"format": 1, "series": [{"name": "a", "standing": "open", "entry": "e", "bytes": 1, "sha256": ""}]},
            "checksum",
        ),
    ],
)
def test_a_list_that_says_something_else_is_refused(tmp_path, listed, words):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("e", b"x")
        packed.writestr(LIST, json.dumps(listed))
    with pytest.raises(StateRefused, match=words):
        list(read(tmp_path / "a.zip"))


def test_no_file_and_any_other_file_is_said_to_be_none(tmp_path):
    with pytest.raises(Unsuitable, match="No such file"):
        list(read(tmp_path / "a.zip"))
    (tmp_path / "a.zip").write_text("no zip at all")
    with pytest.raises(StateRefused, match="no file of `streamlstm state export`"):
        list(read(tmp_path / "a.zip"))
