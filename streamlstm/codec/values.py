"""One number, or one time, from text or from a JSON value. What cannot be read is answered, not raised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from math import isnan, nan
from typing import Any, NamedTuple

from streamlstm.events import SECOND_NS, Reason

LARGEST = 1e30  # beyond it squares overflow in float32, and nothing physical is left
LATEST_NS = 9_214_646_400 * SECOND_NS - 1  # before 2262, so that local time after it still fits into 64 bits
MISSING = frozenset(  # how devices and hubs say "no value", in any case
    ["", "none", "null", "undefined", "unknown", "unavailable", "n/a", "na"]
    + [sign + word for sign in ("", "+", "-") for word in ("nan", "inf", "infinity")]
)

# Not float() alone: it also takes 1_000 and the digits of other scripts.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL = re.compile(r"([+-]?)([0-9]{1,20})(?:\.([0-9]*))?")
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?(?: ?([Zz]|([+-])(\d\d):?(\d\d)?))?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PER_UNIT = {"s": 9, "ms": 6, "us": 3, "ns": 0, "auto": 9}  # a unit of epoch time is ten to this many ns
_LONGEST = 400  # characters; "%f" of the largest double needs 317


class Unreadable(NamedTuple):
    """Why there is no value."""

    reason: Reason
    detail: str  # what was found, what is needed


def number(text: str) -> float | Unreadable:
    """Read a decimal number, or a word for "no value" (NaN).

    >>> number(" 20.5 "), number("unavailable")
    (20.5, nan)
    """
    text = text.strip()
    if len(text) <= _LONGEST and _NUMBER.fullmatch(text):
        return bounded(float(text))
    if text.lower() in MISSING:
        return nan
    return Unreadable(Reason.WRONG_TYPE, f"{shown(text)}: need a number such as 20.5")


def counted(found: Any, words: Mapping[str, float]) -> float | Unreadable:
    """What a JSON value counts as. true is not 1 unless the map says so: that would hide mistakes."""
    kind = type(found)
    if kind is float or kind is int:
        return bounded(float(found))
    if kind is str:
        text = found.strip()
        return bounded(words[text]) if text in words else number(text)
    if kind is bool:
        word = "true" if found else "false"
        if word in words:
            return bounded(words[word])
        return Unreadable(
            Reason.WRONG_TYPE, f"{word}: need a number, or map = {{true = 1, false = 0}}, or type = 'boolean'"
        )
    if found is None:
        return nan
    if kind is Unreadable:
        read: Unreadable = found
        return read
    return Unreadable(Reason.WRONG_TYPE, f"{shown(found)}: need a number")


def text_of(payload: bytes) -> str | Unreadable:
    """What a bare number, or a bare word, is written as."""
    try:
        return payload.decode().strip()
    except UnicodeDecodeError as error:
        return Unreadable(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8: need a number as text")


def too_early(time_ns: int, received_ns: int, future_ns: int) -> Unreadable | None:
    """Why a time cannot be believed that is further ahead of its arrival than `future`; recorded data has none."""
    if time_ns <= received_ns + future_ns or received_ns <= 0:
        return None
    ahead, allowed = (time_ns - received_ns) / SECOND_NS, future_ns / SECOND_NS
    return Unreadable(Reason.FUTURE, f"{ahead:g} s ahead of its arrival; future allows {allowed:g} s")


def bounded(value: float) -> float | Unreadable:
    """Pass a number on that can be computed with; NaN is none, and means missing."""
    if -LARGEST <= value <= LARGEST or isnan(value):
        return value
    return Unreadable(Reason.NOT_FINITE, f"{value}: need a number within ±{LARGEST:g}")


def time_ns(value: Any, time_format: str, zone: tzinfo) -> int | Unreadable:
    """Read an event time as ns since 1970 UTC: RFC 3339, or an epoch in the unit that the format names.

    A text without an offset is civil time in `zone`; the hour that autumn repeats is then taken the first time.
    "auto" takes RFC 3339 text and epoch seconds. Fractions are exact to the nanosecond and cut off behind it.

    >>> time_ns("2026-03-02T07:15:41.123456789+01:00", "auto", UTC)
    1772432141123456789
    >>> time_ns(1772432141123, "ms", UTC)
    1772432141123000000
    """
    found = None
    if isinstance(value, str):
        text = value.strip()
        if time_format != "rfc3339" and text[4:5] != "-":
            found = _decimal(text, time_format)
        if found is None and time_format in ("rfc3339", "auto"):
            found = _rfc3339(text, zone)
    elif time_format != "rfc3339" and not isinstance(value, bool):
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            found = int(value) * 10 ** _PER_UNIT[time_format]
        elif isinstance(value, float):
            found = _decimal(repr(value), time_format)  # repr: the digits that were sent
    if found is None:
        need = "epoch time in " + time_format if time_format in ("s", "ms", "us", "ns") else "2026-03-02T07:15:41Z"
        return Unreadable(Reason.BAD_TIME, f"time {shown(value)}: need {need}")
    if found < 0:
        return Unreadable(Reason.BEFORE_1970, f"time {shown(value)}: need one after 1970")
    if found > LATEST_NS:
        return Unreadable(Reason.BAD_TIME, f"time {shown(value)}: need one before 2262; is time_format right?")
    return found


def shown(value: object) -> str:
    """Any value as short printable text."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, int) and value.bit_length() > 200:  # the interpreter refuses to print very long ones
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, dict | list):
        return "a JSON object" if isinstance(value, dict) else "a JSON array"
    return {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))


def _decimal(text: str, time_format: str) -> int | None:
    """Epoch time in decimal digits, shifted to ns as text so that no digit is lost."""
    found = _DECIMAL.fullmatch(text)
    if found is None:
        return None
    sign, whole, fraction = found.groups("")
    digits = _PER_UNIT[time_format]
    ns = int(whole + fraction[:digits].ljust(digits, "0"))
    return -ns if sign == "-" else ns


def _rfc3339(text: str, zone: tzinfo) -> int | None:
    # The usual shapes, with microseconds at most, go straight to C.
    if text[4:5] == text[7:8] == "-" and text[13:14] == text[16:17] == ":" and not text[26:27].isdigit():
        try:
            return _since_1970(datetime.fromisoformat(text), zone)
        except ValueError:
            pass  # a leap second, a small z or nonsense: the grammar decides
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    date, minute, second, fraction, offset, sign, hours, minutes = found.groups()
    leap = second == "60"  # a leap second is the first of the next minute
    try:
        moment = datetime.fromisoformat(f"{date}T{minute or '00:00'}:{'59' if leap else second or '00'}")
        if offset:
            ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
            moment = moment.replace(tzinfo=timezone(-ahead if sign == "-" else ahead))
        return _since_1970(moment, zone) + leap * SECOND_NS + int((fraction or "")[:9].ljust(9, "0"))
    except ValueError:
        return None


def _since_1970(moment: datetime, zone: tzinfo) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // _MICROSECOND * 1_000
