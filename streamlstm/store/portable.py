"""Series in one file that can be carried to another state: a zip with a list of them, each with its SHA-256.

The same series give the same file. Only its owner may read it.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from streamlstm.store.errors import StateRefused, StoreFailed, Unsuitable
from streamlstm.store.folder import private

FORMAT = 1
LIST = "streamlstm.json"
_THEN = (1980, 1, 1, 0, 0, 0)  # a zip wants a time


class Carried(NamedTuple):
    """One series."""

    name: str
    standing: str
    body: bytes


def write(path: Path, series: Iterable[Carried]) -> int:
    """Make the file, whole or not at all; returns how many series it has."""
    if path.exists():
        raise Unsuitable(f"{path}: it is there already; need a new file")
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(private(part), "r+b") as file:
            count = _fill(file, series)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StoreFailed(f"{path}: {error.strerror}; need a disk with room that can be written") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return count


def read(path: Path) -> Iterator[Carried]:
    """Its series, each checked. StateRefused where it is damaged or of a newer version."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Unsuitable(f"{path}: {error.strerror}; need a file of `streamlstm state export`") from error
    refusal = f"{path}: damaged, or no file of `streamlstm state export`"
    with file:
        try:
            yield from _listed(zipfile.ZipFile(file), path)
        except (OSError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise StateRefused(f"{refusal}: {error}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise StateRefused(f"{refusal}: no list of series") from error


def _listed(packed: zipfile.ZipFile, path: Path) -> Iterator[Carried]:
    listed = json.loads(packed.read(LIST))
    if listed["format"] != FORMAT:
        text = f"of format {listed['format']}; this program knows {FORMAT}: need a newer streamlstm"
        raise StateRefused(f"{path}: {text}")
    for one in listed["series"]:
        where = f"{path}: series {one['name']!r}"
        if packed.getinfo(one["entry"]).file_size != one["bytes"]:
            raise StateRefused(f"{where}: damaged (it has another length)")
        carried = Carried(one["name"], one["standing"], packed.read(one["entry"]))
        if _sum(carried) != one["sha256"]:
            raise StateRefused(f"{where}: damaged (its checksum does not fit)")
        yield carried


def _fill(file: object, series: Iterable[Carried]) -> int:
    listed = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:  # type: ignore[call-overload]
        for number, carried in enumerate(series, 1):
            entry = f"series/{number:06}"
            packed.writestr(_info(entry), carried.body)
            listed.append(
                {
                    "name": carried.name,
                    "standing": carried.standing,
                    "entry": entry,
                    "bytes": len(carried.body),
                    "sha256": _sum(carried),
                }
            )
        packed.writestr(_info(LIST), json.dumps({"format": FORMAT, "series": listed}, ensure_ascii=False, indent=1))
    return len(listed)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _THEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


def _sum(carried: Carried) -> str:
    """As of the state that it came from: see `daemon.contents.digest`."""
    return sha256(f"{carried.standing}:".encode() + carried.body).hexdigest()
