"""What the type of a stream's values means for its other settings."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING

from streamlstm.problems import Where

if TYPE_CHECKING:
    from streamlstm.config import Stream

# What the values of a type lie within, unless bounds are given.
LIMITS: Mapping[str, tuple[float, float]] = {
    "boolean": (0.0, 1.0),
    "category": (0.0, 1.0),  # each class is a truth value
    "angle": (-1.0, 1.0),  # sine and cosine
    "count": (0.0, inf),
    "counter": (0.0, inf),
}

# How readings of a type may be gathered into steps; of what is not here, in any way.
TAKES: Mapping[str, tuple[str, ...]] = {
    "boolean": ("last", "min", "max"),  # a mean is a share: a number
    "category": ("last",),
    "angle": ("last",),
    "count": ("last", "sum", "min", "max", "count"),
    "counter": ("sum",),  # of its differences
}


def type_problems(stream: Stream) -> list[tuple[Where, str]]:
    """What does not go with the type of a stream's values."""
    found: list[tuple[Where, str]] = []
    own, how = stream.type, stream.aggregate
    article = f"{'an' if own == 'angle' else 'a'} {own}"
    takes = TAKES.get(own)
    if how and takes is not None and how not in takes:
        found.append((("aggregate",), f"means nothing for {article}; need {' or '.join(takes) or 'none'}"))
    for name, of in (("classes", "category"), ("period", "angle"), ("rollover", "counter")):
        if getattr(stream, name) and own != of:
            found.append(((name,), f"need type = '{of}' beside it"))
    if own in ("boolean", "category", "angle") and stream.bounds:
        found.append((("bounds",), f"{article} has its own"))
    if own == "boolean" and not set(stream.map.values()) <= {0.0, 1.0}:
        found.append((("map",), "a boolean is 1 or 0"))
    if own == "count" and stream.bounds and stream.bounds[0] < 0:
        found.append((("bounds",), "a count is never below 0"))
    if own == "category" and stream.map:
        found.append((("map",), "the words of a category are its classes"))
    if own == "category" and len(set(stream.classes)) < max(2, len(stream.classes)):
        found.append((("classes",), "need 2 to 8 different words, such as ['heat', 'cool', 'off']"))
    if own == "counter" and stream.hold:
        found.append((("hold",), "a counter's readings hold as they are; need no hold"))
    return found
