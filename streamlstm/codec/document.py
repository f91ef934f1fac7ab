"""Strict JSON: one reading or none. And the way from a document to the field that a key path names."""

from __future__ import annotations

import json
import re
from datetime import tzinfo
from typing import Any, NoReturn

from streamlstm.codec.values import Unreadable, shown, time_ns
from streamlstm.events import Reason
from streamlstm.naming import EACH

DEEPEST = 32  # levels of nesting
# An open string runs to the end, even where that is a backslash, or each quote in it would be tried as a beginning.
_NESTING = re.compile(r'"(?:[^"\\]|\\(?:.|\Z))*(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
_LONG_INTEGER = 20  # characters that 64 bits may need; longer ones are read as floats

Path = tuple[str | int, ...]


def parse(payload: bytes) -> Any | Unreadable:
    """Read a document that no two readers could understand differently.

    orjson reads six times as fast, but lets the last of two equal keys win without a word. To find such keys beside it
    (by counting colons, which a repeated key leaves over) takes nearly all that it saves: 0.2 to 1.7 µs a message
    were left. So `json` reads alone, with a hook that sees every pair.
    """
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        return Unreadable(Reason.NOT_UTF8, f"byte {error.start} is no UTF-8: need JSON in UTF-8")
    if text.count("[") + text.count("{") > DEEPEST and _is_too_deep(text):
        return Unreadable(Reason.TOO_DEEP, f"nested deeper than {DEEPEST} levels")
    try:
        return _STRICT.decode(text)
    except _RepeatedKey as error:
        return Unreadable(Reason.DUPLICATE_KEY, f"key {error} stands twice in one object")
    except json.JSONDecodeError as error:
        return Unreadable(Reason.MALFORMED, f"no JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    except ValueError as error:
        return Unreadable(Reason.MALFORMED, f"no JSON: {error}")


def lookup(document: Any, path: Path) -> Any | Unreadable:
    """Follow a key path: text names a member of an object, a number an element of an array."""
    found = document
    for key in path:
        kind = type(found)
        if (kind is dict and key in found) or (kind is list and type(key) is int and key < len(found)):
            found = found[key]
        else:
            return Unreadable(Reason.MISSING_FIELD, f"no {written(path)}: no {shown(key)} in {shown(found)}")
    return found


def time_at(document: Any, path: Path, form: str, zone: tzinfo) -> int | Unreadable:
    """The time, in ns, that a key path leads to."""
    found = lookup(document, path)
    return found if isinstance(found, Unreadable) else time_ns(found, form, zone)


def each(document: Any, path: Path, most: int) -> list[Any | Unreadable] | Unreadable:
    """Follow a key path through every element of the arrays on its way, in order; `most` ends at most.

    An element that the way does not lead on from is answered in its place.

    >>> each({"hourly": [{"temp": 3}, {"temp": 4}]}, ("hourly", EACH, "temp"), 10)
    [3, 4]
    """
    ends = [document]
    while EACH in path:
        cut = path.index(EACH)
        arrays = [lookup(end, path[:cut]) for end in ends]
        path = path[cut + 1 :]
        ends = []
        for array in arrays:
            if isinstance(array, Unreadable):
                return array
            if type(array) is not list:
                return Unreadable(Reason.MISSING_FIELD, f"{shown(array)} where an array should be")
            if len(ends) + len(array) > most:
                return Unreadable(Reason.OVERSIZED, f"{len(ends) + len(array)} values or more: need at most {most}")
            ends += array
    return [lookup(end, path) for end in ends]


def written(path: Path) -> str:
    """A key path as text, for a person."""
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


class _RepeatedKey(Exception):
    pass


def _is_too_deep(text: str) -> bool:
    depth = 0
    for token in _NESTING.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > DEEPEST:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RepeatedKey(shown(key))
            seen.add(key)
    return members


def _refused(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number there")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONG_INTEGER else float(digits)


_STRICT = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refused, parse_int=_integer)
