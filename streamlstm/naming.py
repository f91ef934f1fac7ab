"""How settings name things: brokers, topics with {placeholders}, series made of those, key paths into a document."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from urllib.parse import urlsplit

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
LONGEST_NAME = 256  # bytes of UTF-8
LONGEST_TOPIC = 65_535  # bytes of UTF-8
RESERVED = "bridge"  # the first level of those topics of ours that belong to no series

VALUE = "{value}"  # in a stream's name: the key path of the value that a series is of
EACH = -1  # in a key path: not one element of an array but every one, one after the other

_STEP = re.compile(r'\.?"((?:[^"\\]|\\.)*)"|\[([0-9]{0,9})\]|\.?([^.\[\]"]+)')


def topic_filter(topic: str) -> str:
    """What to subscribe to: a level that holds a placeholder becomes +.

    >>> topic_filter("zigbee2mqtt/{room}_climate")
    'zigbee2mqtt/+'
    """
    return "/".join("+" if PLACEHOLDER.search(level) else level for level in topic.split("/"))


def as_regex(text: str) -> str:
    """What a topic or a name with placeholders matches, each placeholder as a group.

    It takes at least one character of its level, and as few as the text behind it allows.
    """
    # split() leaves fixed text at even places and placeholders at odd ones
    parts = enumerate(PLACEHOLDER.split(text))
    return "".join(f"(?P<{part}>[^/]+?)" if place % 2 else re.escape(part) for place, part in parts)


def is_series_name(name: str) -> bool:
    """Whether a series may be called so: its topics must be ones that every broker and subscriber takes."""
    levels = name.split("/")
    if not all(levels) or levels[0] == RESERVED or "+" in name or "#" in name or len(name) > LONGEST_NAME:
        return False
    return (name.isprintable() or not any(map(_is_forbidden, name))) and len(name.encode()) <= LONGEST_NAME


def reaches(topic: str, base: str) -> bool:
    """Whether a subscription to the topic would also bring what is published under `base`/."""
    levels, ours = topic_filter(topic).split("/"), base.split("/")
    return len(levels) > len(ours) and all(a in ("+", b) for a, b in zip(levels, ours, strict=False))


def topic_problems(topic: str) -> list[str]:
    """All that is wrong with a stream's topic."""
    if topic.startswith("$share/"):
        return ["'$share/' deals one series out among several readers, who lose its order; need the topic itself"]
    problems = []
    if "+" in topic or "#" in topic:
        problems.append("'+' and '#' would pour many topics into one series; need a {placeholder} for each level")
    if any(map(_is_forbidden, topic)):
        problems.append("holds a control character or half a character")
    elif len(topic.encode()) > LONGEST_TOPIC:
        problems.append(f"need at most {LONGEST_TOPIC} bytes")
    for level in topic.split("/"):
        problems += [f"{braces!r} is no placeholder; need one such as {{room}}" for braces in _stray_braces(level)]
        if len(PLACEHOLDER.findall(level)) > 1:
            problems.append(f"{level!r} holds two placeholders; need at most one in a level")
    names = PLACEHOLDER.findall(topic)
    problems += [
        f"{{{name}}} stands twice; need another name for one" for name in sorted({*names}) if names.count(name) > 1
    ]
    return problems


def name_problems(name: str, topic: str) -> list[str]:
    """All that is wrong with a stream's name, given its topic."""
    problems = [f"{braces!r} is no placeholder; need one such as {{room}}" for braces in _stray_braces(name)]
    ours, theirs = PLACEHOLDER.findall(name), PLACEHOLDER.findall(topic)
    problems += [f"{{{part}}} is not in the topic" for part in dict.fromkeys(ours) if part not in theirs]
    problems += [
        f"need {{{part}}} too, as in the topic: else several topics would be one series"
        for part in dict.fromkeys(theirs)
        if part not in ours
    ]
    if name.split("/")[0] == RESERVED:
        problems.append(f"'{RESERVED}' is kept for topics of our own; need another first level")
    elif not is_series_name(PLACEHOLDER.sub("x", name)):
        problems.append(f"need levels with text between each '/', no '+' or '#', at most {LONGEST_NAME} bytes")
    return problems


def url_problem(url: str) -> str:
    """What is wrong with a broker's address; empty when nothing is. A colon in front: do not show it."""
    need = "need mqtt://, mqtts://, ws:// or wss:// and host[:port], or 'embedded'"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"{str(error).lower()}; {need}, port 1 to 65535"
    if parts.scheme not in ("mqtt", "mqtts", "ws", "wss") or not parts.hostname or re.search(r"\s", url):
        return need
    if "@" in parts.netloc:
        return ": holds a name or password, which logs would show; need mqtt.username and mqtt.password_file"
    if port == 0:
        return f"{need}, port 1 to 65535"
    if (parts.scheme.startswith("mqtt") and (parts.path.strip("/") or parts.query)) or parts.fragment:
        return f"a path is for websockets (ws://, wss://); {need}"
    return ""


def place_problem(text: str) -> str:
    """What is wrong with a place whose holidays are wanted; empty when nothing is."""
    from holidays import list_supported_countries  # slow to import, and needed by few

    known = list_supported_countries(include_aliases=True)
    country, dash, subdivision = text.partition("-")
    if country not in known:
        near = [country.upper()] if country.upper() in known else get_close_matches(country.upper(), known, cutoff=0.5)
        part = subdivision.upper() if near and subdivision.upper() in known[near[0]] else ""
        meant = f"; did you mean '{near[0]}{dash * bool(part)}{part}'?" if near else ""
        return f"need the ISO 3166 code of a country, such as 'DE' or 'DE-BY'{meant}"
    if dash and subdivision not in known[country]:
        return f"need a part of {country}, one of {', '.join(known[country]) or 'none'}"
    return ""


def key_path(text: str, *, many: bool = False) -> tuple[str | int, ...] | None:
    """Read a way into a document: `ENERGY.Power`, `$.a.b`, `items[0].v`, `"a.b".c`; `$` is all of it. None: unreadable.

    many: a way to many fields, by at least one `[]` for each element of an array.

    >>> key_path('items[0]."per.cent"')
    ('items', 0, 'per.cent')
    >>> key_path("hourly[].temp", many=True) == ("hourly", EACH, "temp")
    True
    """
    rest = text.strip()
    if rest == "$" and not many:
        return ()
    rooted = rest.startswith(("$.", "$["))
    place = 1 if rooted else 0
    path: list[str | int] = []
    while place < len(rest):
        step = _STEP.match(rest, place)
        dotted = rest[place] == "."
        if step is None or (dotted != (place > 0) and rest[place] != "["):
            return None
        quoted, index, plain = step.groups()
        if index is not None:
            path.append(int(index) if index else EACH)
        else:
            path.append(plain if plain is not None else re.sub(r"\\(.)", r"\1", quoted))
        place = step.end()
    return tuple(path) if path and (EACH in path) == many else None


def sibling(path: tuple[str | int, ...], name: str) -> tuple[str | int, ...] | None:
    """The way to the member of another name beside the one that a key path names last; None where it names none.

    >>> sibling(("hourly", EACH, "temp"), "time") == ("hourly", EACH, "time")
    True
    """
    place = max((n for n, key in enumerate(path) if isinstance(key, str)), default=None)
    return None if place is None else (*path[:place], name, *path[place + 1 :])


def _stray_braces(text: str) -> list[str]:
    return re.findall(r"\{[^{}]*\}?|\}", PLACEHOLDER.sub("", text))


def _is_forbidden(char: str) -> bool:
    """Control characters, lone surrogates, and the code points that Unicode keeps from ever being a character."""
    code = ord(char)
    return unicodedata.category(char) in ("Cc", "Cs") or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
