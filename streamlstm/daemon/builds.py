"""Which build a state is of, and whether this one computes the same from it: as the fingerprint or golden vectors say.

Builds that differ in their versions, sources or processor may come to the same bits all the same. Where they do not,
the state is as good as it was; it is only no longer the one that another build would have gone on with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from streamlstm import golden
from streamlstm.config import Stream
from streamlstm.kernels import fingerprint
from streamlstm.store.generation import BUILD as BUILD
from streamlstm.store.records import Shared
from streamlstm.store.store import Store

UNKNOWN = "the state does not say which build wrote it"


class Build(msgspec.Struct, array_like=True, frozen=True):
    """One that a state was written by, from the input behind its record's index on."""

    fingerprint: dict[str, str]
    settings: str  # of the model that it ran the golden vectors with
    digest: str  # that they came to


class Verdict(NamedTuple):
    """Of a start."""

    build: Build  # this one, as it is to be recorded
    why: str  # it may have computed something else than what was; empty: it has not


def judged(was: Build | None, streams: Sequence[Stream], inputs: int) -> Verdict:
    """Whether this build has computed the same as the one that was there before.

    inputs: how many were computed anew. Where there were none, all is as it was saved.
    """
    here = fingerprint()
    models = {golden.settings(one): one for one in golden.smallest_first(streams)}
    compared = was.settings if was and was.settings in models else next(iter(models))
    if was and was.fingerprint == here and was.settings == compared:
        return Verdict(was, "")
    build = Build(here, compared, golden.digest(models[compared]))
    return Verdict(build, _why(was, build) if inputs else "")


def newest(store: Store) -> Build | None:
    """The one that a state is of; None where it does not say."""
    found = store.shared(BUILD)
    return decoded(found[-1].body) if found else None


def decoded(body: bytes) -> Build | None:
    """The build of a record; None where it means nothing to us."""
    try:
        return msgspec.msgpack.decode(body, type=Build)
    except msgspec.DecodeError:
        return None


def record(build: Build, at: int) -> Shared:
    """What the state is to hold from an index on."""
    return Shared(BUILD, at, msgspec.msgpack.encode(build))


def said(was: Build | None, build: Build) -> tuple[str, str]:
    """For a person: what one build has that the other has not."""
    if was is None:
        return "unknown", described(build)
    return _apart(was.fingerprint, build.fingerprint), _apart(build.fingerprint, was.fingerprint)


def described(build: Build) -> str:
    """For a person: a build in one line."""
    return " ".join(f"{part}={value}" for part, value in build.fingerprint.items() if part not in ("features", "flags"))


def _why(was: Build | None, build: Build) -> str:
    if was is None:
        return UNKNOWN
    if was.fingerprint == build.fingerprint or was.digest == build.digest:
        return ""
    if was.settings != build.settings:
        return "no stream has the model any more that golden vectors were run with"
    return f"golden vectors come to {build.digest[:16]}, and came to {was.digest[:16]}"


def _apart(own: Mapping[str, str], other: Mapping[str, str]) -> str:
    """What differs; of a processor's features those that only it has."""
    found = []
    for part, value in own.items():
        if value != (known := other.get(part, "")):
            here, there = value.replace(",", " ").split(), known.replace(",", " ").split()
            words = [word for word in here if word not in there and not word.startswith("-")]
            found.append(f"{part}={','.join(words)}")
    return " ".join(found)
