"""What somebody asks of us on `bridge/request/<verb>`, and what we answer on `bridge/response/<verb>`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import orjson

LISTED = 100  # names in an answer, at most
LONGEST = 256  # characters of a transaction


class Request(NamedTuple):
    """One that can be understood."""

    patterns: tuple[str, ...]  # names of series, or patterns of names as a shell has them
    transaction: str | int | None  # whatever the asker wants to hear again


class Misunderstood(ValueError):
    """What was found and what is needed; and the transaction, as far as that can be told."""

    def __init__(self, why: str, transaction: str | int | None = None) -> None:
        super().__init__(why)
        self.transaction = transaction


def parsed(payload: bytes, *, of_series: bool) -> Request:
    """of_series: whether what is asked is about series. Raises Misunderstood."""
    try:
        said: Any = orjson.loads(payload)
    except ValueError as error:
        raise Misunderstood(f"no JSON ({error}); {_needed(of_series)}") from error
    if not isinstance(said, dict):
        raise Misunderstood(f"found {_short(said)}; {_needed(of_series)}")
    transaction = said.pop("transaction", None)
    if isinstance(transaction, bool | float | list | dict) or len(str(transaction)) > LONGEST:
        raise Misunderstood(f"transaction is {_short(transaction)}; need text or a whole number, {LONGEST} characters")
    named = said.pop("series", None) if of_series else ()
    if said:
        raise Misunderstood(f"found {_short(min(said))}; {_needed(of_series)}", transaction)
    patterns = [named] if isinstance(named, str) else named
    if not isinstance(patterns, list | tuple) or not all(isinstance(one, str) for one in patterns):
        raise Misunderstood(f"series is {_short(named)}; {_needed(of_series)}", transaction)
    if of_series and not patterns:
        raise Misunderstood(f"no series is named; {_needed(of_series)}", transaction)
    return Request(tuple(patterns), transaction)


def meant(patterns: Sequence[str], names: Iterable[str]) -> list[str]:
    """The names that a request is about. Raises Misunderstood where a pattern fits none."""
    there = list(names)
    found = dict[str, None]()
    for pattern in patterns:
        fitting = [pattern] if pattern in there else [name for name in there if fnmatchcase(name, pattern)]
        if not fitting:
            raise Misunderstood(f"no series is called {_short(pattern)}; there are {len(there)}")
        found.update(dict.fromkeys(fitting))
    return [*found]


def done(series: Sequence[str], transaction: object) -> bytes:
    """It was done, and is durable."""
    return orjson.dumps(
        {
            "status": "ok",
            "data": {"count": len(series), "series": list(series[:LISTED])},
            **({} if transaction is None else {"transaction": transaction}),
        }
    )


def refused(why: str, transaction: object) -> bytes:
    """It was not done."""
    return orjson.dumps(
        {"status": "error", "error": why, **({} if transaction is None else {"transaction": transaction})}
    )


def _needed(of_series: bool) -> str:
    more = '"transaction": "..."'
    return f'need {{"series": "name or pattern" or a list of them, {more}}}' if of_series else f"need {{{more}}}"


def _short(said: object) -> str:
    text = repr(said)
    return text if len(text) <= 60 else f"{text[:60]}..."
