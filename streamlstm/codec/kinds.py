"""What a payload's value counts as in a stream of truth values, of whole numbers, of words for classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from math import isnan, nan
from typing import Any

from streamlstm.codec.values import MISSING, Unreadable, counted, shown
from streamlstm.events import Reason

# How devices and hubs say yes and no, in any case. What a stream's map says goes before it.
TRUTHS: Mapping[str, float] = {
    **dict.fromkeys(("true", "on", "yes", "open", "opened", "1", "1.0"), 1.0),
    **dict.fromkeys(("occupied", "detected", "home", "present", "online", "active", "running"), 1.0),
    **dict.fromkeys(("false", "off", "no", "closed", "close", "0", "0.0"), 0.0),
    **dict.fromkeys(("clear", "unoccupied", "away", "not_home", "absent", "offline", "inactive", "idle"), 0.0),
}


def truth(found: Any, words: Mapping[str, float]) -> float | Unreadable:
    """1 or 0: true and false, 1 and 0, a word of the map or one of TRUTHS.

    >>> truth("ON", {}), truth(False, {}), truth("unavailable", {})
    (1.0, 0.0, nan)
    """
    text = _word(found)
    if isinstance(text, Unreadable):
        return text
    if text in words:
        return words[text]
    known = TRUTHS.get(text.lower())
    if known is not None:
        return known
    if text.lower() in MISSING:
        return nan
    return Unreadable(Reason.WRONG_TYPE, f"{shown(found)}: need true or false, on or off, 1 or 0, or a word of the map")


def whole(found: Any, words: Mapping[str, float]) -> float | Unreadable:
    """A whole number, or none.

    >>> whole("3", {}), whole(4.0, {})
    (3.0, 4.0)
    """
    read = counted(found, words)
    if isinstance(read, Unreadable) or isnan(read) or read.is_integer():
        return read
    return Unreadable(Reason.WRONG_TYPE, f"{shown(found)}: need a whole number, for type = 'count'")


def place(found: Any, classes: Sequence[str]) -> float | Unreadable:
    """Which of the classes it is, from 0; as it is written, or else in any case.

    >>> place("cool", ["heat", "cool"]), place("Heat", ["heat", "cool"])
    (1.0, 0.0)
    """
    text = _word(found)
    if isinstance(text, Unreadable):
        return text
    if text in classes:
        return float(classes.index(text))
    close = [i for i, name in enumerate(classes) if name.lower() == text.lower()]
    if len(close) == 1:
        return float(close[0])
    if text.lower() in MISSING:
        return nan
    return Unreadable(Reason.WRONG_TYPE, f"{shown(found)}: need one of the classes {', '.join(classes)}")


def bucket(found: Any, buckets: int) -> float | Unreadable:
    """Which of so many inputs a word that nobody has listed falls to (Weinberger et al. 2009): the same for ever.

    Without their sign: with 0 and 1 alone, two words in one bucket are told apart from none.
    """
    text = _word(found)
    if isinstance(text, Unreadable):
        return text
    if text.lower() in MISSING:
        return nan
    return float(int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()) % buckets)


def _word(found: Any) -> str | Unreadable:
    """A value as the word that a configuration would have for it; "" where there is none."""
    kind = type(found)
    if kind is str:
        return str(found.strip())
    if kind is bool:
        return "true" if found else "false"
    if kind is int or kind is float:
        return f"{found:.15g}" if abs(found) < 1e15 else shown(found)
    if found is None:
        return ""
    if kind is Unreadable:
        refused: Unreadable = found
        return refused
    return Unreadable(Reason.WRONG_TYPE, f"{shown(found)}: need a word")
