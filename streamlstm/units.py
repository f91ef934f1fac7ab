"""Texts such as "90s" and "64KiB", as whole nanoseconds and bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
DURATION = "a duration such as '30s', '5min', '1h' or '7d'"
SIZE = "a size such as '64KiB' or '4GiB'"
FURTHEST_LEAD = 10_000  # steps

_QUANTITY = re.compile(r"\s*([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*([A-Za-z]+)\s*")


def duration_ns(text: object) -> int:
    """Read a duration such as "90s", "5min" or "1.5h" as whole nanoseconds."""
    return _quantity(text, UNITS_NS, DURATION)


def size_bytes(text: object) -> int:
    """Read a size such as "64KiB"; a whole number counts bytes."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    return _quantity(text, SIZES, SIZE)


def lead(value: object) -> int:
    """A whole number counts steps and stays one; a text is a duration. Durations are told apart as negative ns."""
    if isinstance(value, int) and not isinstance(value, bool):
        if 1 <= value <= FURTHEST_LEAD:
            return value
    elif isinstance(value, str) and (ns := duration_ns(value)):
        return -ns
    raise ValueError(f"need a whole number of steps, 1 to {FURTHEST_LEAD}, or a duration such as '1h'")


def _quantity(text: object, units: Mapping[str, int], need: str) -> int:
    found = (
        re.fullmatch(r"\s*([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*([A-Za-z]+)\s*", text) if isinstance(text, str) else None
    )
    if found is None or found[2] not in units:
        raise ValueError(f"need {need} (units {', '.join(units)})")
    amount = round(Fraction(found[1]) * units[found[2]])
    if amount >= 2**63:
        raise ValueError(f"need {need}, below {'292 years' if units is UNITS_NS else '8 EiB'}")
    return amount
