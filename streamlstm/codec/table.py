"""Recorded data: lines of CSV text to rows of numbers. Opening the file is the caller's."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from difflib import get_close_matches
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streamlstm.codec.values import Unreadable, number, time_ns
from streamlstm.events import Discarded, Reason

MISSING = frozenset({"-", "?", "null", "#n/a"})  # how tables say "no value", beside the words of `values`
Readers = Mapping[str, Callable[[str], float | Unreadable]]  # of the columns whose values are not plain numbers
SEPARATORS = {";": "a semicolon", "\t": "a tab", "|": "a bar"}


class Row(NamedTuple):
    """One line of the table."""

    number: int  # counts the rows of data from 0
    time_ns: int
    values: tuple[float, ...]  # in the order asked for; NaN where missing


class TableError(Exception):
    """The file as a whole cannot be used; its text is for the person who named it."""


def read(
    lines: Iterable[str],
    *,
    time: str,
    columns: Sequence[str],
    zone: str = "UTC",
    time_format: str = "auto",
    separator: str = ",",
    readers: Readers | None = None,
) -> Iterator[Row | Discarded]:
    """Read rows as they come. A row that cannot be read is answered by a Discarded that says why, and where."""
    records = csv.reader(_without_mark(lines), delimiter=separator, strict=True)
    asked = [(name, (readers or {}).get(name, number)) for name in columns]
    places, width = _header(records, (time, *columns), separator)
    tz = ZoneInfo(zone)
    readable, first_problem = 0, ""
    count = -1
    for record in _checked(records):
        if not record:  # a blank line
            continue
        count += 1
        item = _row(record, count, f"row {count} (line {records.line_num})", width, places, asked, time_format, tz)
        if isinstance(item, Row):
            readable += 1
        else:
            first_problem = first_problem or item.detail
        yield item
    if count < 0:
        raise TableError("there is a header and no row under it: need at least one row of data")
    if not readable:
        raise TableError(f"none of the {count + 1} rows can be read; the first: {first_problem}")


def guess(
    lines: Iterable[str], *, time: str | None = None, time_format: str = "auto", separator: str = ","
) -> tuple[str, tuple[str, ...]]:
    """From the header and the first row: the column of the times, if none is given, and those that hold numbers."""
    records = csv.reader(_without_mark(lines), delimiter=separator, strict=True)
    header = [name.strip() for name in next(_checked(records), [])]
    first = dict(zip(header, next(_checked(records), []), strict=False))
    if time is None:
        # A number may be an epoch: a text that is a time and no number is the surer find.
        times = [name for name, text in first.items() if not isinstance(time_ns(text, time_format, UTC), Unreadable)]
        times.sort(key=lambda name: (_is_number(first[name]), not name.casefold().startswith(("time", "date", "ts"))))
        if not times:
            raise TableError(f"no column holds times in its first row (found: {', '.join(header)}): name it")
        time = times[0]
    numbers = tuple(name for name, text in first.items() if name != time and _is_number(text))
    if not numbers:
        raise TableError(f"no column holds a number in its first row (found: {', '.join(header)}): name it")
    return time, numbers


def _header(records: Iterator[list[str]], asked: Sequence[str], separator: str) -> tuple[list[int], int]:
    """Find the place of every column asked for, and the number of columns."""
    header = [name.strip() for name in next(_checked(records), [])]
    if not any(header):
        raise TableError("the file is empty: need a first line that names the columns, then one row per reading")
    if any("\0" in name for name in header):
        raise TableError("the file is not text in UTF-8 (is it UTF-16?): save it as UTF-8")
    problems = []
    for name in asked:
        if name not in header:
            problems.append(f"no column {name!r}{_intent(name, header, separator)}")
        elif header.count(name) > 1:
            problems.append(f"column {name!r} stands {header.count(name)} times in the header: need one")
    if problems:
        raise TableError("; ".join(problems))
    return [header.index(name) for name in asked], len(header)


def _intent(name: str, header: list[str], separator: str) -> str:
    """What the columns are, and what the user may have meant."""
    for other, word in SEPARATORS.items():
        if len(header) == 1 and other != separator and name in [part.strip() for part in header[0].split(other)]:
            return f": the columns are separated by {word}, not by {separator!r}"
    folded = {found.casefold(): found for found in header}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    found = f" (found: {', '.join(header)})"
    if close:
        return f"; did you mean {folded[close[0]]!r}?{found}"
    return f"{found}: does the first line name the columns?" if all(_is_number(part) for part in header[1:]) else found


def _row(
    record: list[str],
    count: int,
    where: str,
    width: int,
    places: list[int],
    columns: Sequence[tuple[str, Callable[[str], float | Unreadable]]],
    time_format: str,
    zone: ZoneInfo,
) -> Row | Discarded:
    if len(record) != width:
        found = f"{where}: {len(record)} fields where the header has {width}"
        return Discarded("", 0, Reason.MALFORMED, found)
    at = time_ns(record[places[0]].strip(), time_format, zone)
    if isinstance(at, Unreadable):
        return Discarded("", 0, at.reason, f"{where}: {at.detail}")
    values = []
    for (name, read), place in zip(columns, places[1:], strict=True):
        text = record[place].strip()
        value = read(text)
        if isinstance(value, Unreadable) and text.casefold() in MISSING:
            value = float("nan")
        if isinstance(value, Unreadable):
            return Discarded("", at, value.reason, f"{where}, column {name!r}: {value.detail}")
        values.append(value)
    return Row(count, at, tuple(values))


def _is_number(text: str) -> bool:
    return not isinstance(number(text), Unreadable)


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    """Drop the byte order mark that spreadsheets put before the first column's name."""
    for place, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if place == 0 else line


def _checked(records: Iterator[list[str]]) -> Iterator[list[str]]:
    """What csv itself cannot read (an open quote, an endless field) ends the file."""
    try:
        yield from records
    except csv.Error as error:
        line = getattr(records, "line_num", 0)
        raise TableError(f"line {line}: {error}: quotes must close, and a field ends where its quote does") from error
