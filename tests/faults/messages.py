"""What a stream may be sent: readings, and whatever else a network, a mad device or an enemy can think of.

Strategies of Hypothesis. They draw actions, not bytes alone, so that series live long enough to be hurt.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from hypothesis import strategies as st

from streamlstm.events import SECOND_NS
from tests.faults.kinds import DAY_NS, HOUR_NS, PER_UNIT, Kind

LATEST_CLOCK_NS = 8_270_000_000 * SECOND_NS  # Linux lets nobody set it to before 1970 or after 2232


class Good(NamedTuple):
    """Readings of a room as they should be, so many, in order; a few of them late, or lost."""

    room: int
    count: int
    skip: int  # steps before them


class Hostile(NamedTuple):
    """A payload, or one in which a part of a good one was replaced: 0 its value, 1 its time, 2 some bytes."""

    room: int  # of the usual ones; others are strangers
    payload: bytes
    replaces: int | None
    place: int  # for bytes
    which: int  # of the topics of a kind


class Named(NamedTuple):
    """A good reading under any topic at all."""

    topic: str


class Clock(NamedTuple):
    """The clock says this for a tick, and for a stranger's reading; then it is set right again."""

    time_ns: int


class Passes(NamedTuple):
    """Nothing comes for so long, but ticks."""

    time_ns: int
    ticks: int


Action = Good | Hostile | Named | Clock | Passes

NUMBERS = (
    *("0", "-0", "-0.0", "1e30", "-1e30", "1.0000001e30", "1e308", "-1e308", "1e999", "-1e999", "5e-324", "1e-999"),
    *("NaN", "nan", "-nan", "+NaN", "Infinity", "-Infinity", "inf", "-inf", "+INF", "infinity", "1.#QNAN", "null"),
    *("true", "false", "on", "OFF", "", " ", '""', '"7"', '" 7.5 "', '"NaN"', '"-inf"', '"unavailable"', '"on"'),
    *("1_000", "1,5", "٣", "0x10", "1e", ".", "-", "+", "--1", "1 2", "9" * 60_000),
    *("0." + "1" * 60_000, "1e" + "9" * 40),
    *('"\\ud800"', '"\\u0000"', "{}", "[]", "[1]", '{"v":1}', "[" * 33 + "]" * 33, "[" * 30_000),
    *('"' + '\\"' * 20_000 + "\\",),
    *("heat", '"HEAT"', '"warm"', '"\\ufeff7"', "4294967296", "18446744073709551616"),
    *("9007199254740993", "65535", "65536"),
)  # fmt: skip
PASSES_NS = (0, 1, SECOND_NS, 90 * SECOND_NS, HOUR_NS, 3 * HOUR_NS, 30 * DAY_NS)
_EDGES_NS = (0, 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, 9_214_646_400 * SECOND_NS)
TIMES = (
    *(str(sign * edge // unit) for edge in _EDGES_NS for unit in PER_UNIT.values() for sign in (1, -1)),
    *("NaN", "1e999", "-1", "-0.5", "1e18", "1.5e9", "true", "null", "[]", "{}", '"now"', '""', '"-1"', '"1e9"'),
    *(f'"{year:04}-{rest}"' for year in (1, 1582, 1969, 1970, 2000, 2038, 2261, 2262, 9999)
      for rest in ("01-01T00:00:00Z", "12-31T23:59:60Z", "12-31T23:59:59.999999999+14:00", "06-30",
                   "01-01T00:00-23:59")),
    *('"2026-03-29T02:30:00"', '"2026-10-25T02:30:00"', '"2026-02-30T00:00:00Z"', '"2026-01-01T24:00:00Z"'),
    *('"2026-01-01T00:00:00+99:99"', '"2026-W01-1T00:00:00"', f'"2026-01-01T00:00:00.{"9" * 50_000}Z"', "9" * 60_000),
)  # fmt: skip
TOPICS = (
    *(
        '"',
        "{room}",
        "{",
        "}",
        "{{}}",
        "'; --",
        "\\",
        "%s",
        "\x00",
        "\x7f",
        "\n",
        "\u202e",
        "\ufffe",
        "\ufdd0",
        "\ud800",
    ),
    *("", "/", "//", "a/b", "+", "#", "$SYS", "bridge", "streamlstm", "a" * 256, "a" * 257, "ä" * 128, "ä" * 129),
    *("a" * 60_000, "/" * 60_000, "a/" * 30_000, "_y" * 30_000, "𝄞" * 15_000),
)

rooms = st.integers(0, 3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
numbers = st.sampled_from(NUMBERS) | st.floats().map(repr) | st.integers().map(str) | st.floats(-1e3, 1e3).map(repr)
times = (
    st.sampled_from(TIMES) | st.integers(-(2**70), 2**70).map(str) | st.datetimes().map(lambda t: f'"{t.isoformat()}"')
)
payloads = (
    st.sampled_from(NUMBERS).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.binary(max_size=40)
    | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(
        [
            *(b'{"v": 1, "v": 2}', b'{"time": 1, "time": 1, "v": 1}', b'{"v": "\xff\xfe"}', b"\xef\xbb\xbf1"),
            *(b"[" * 64_000, b" " * 70_000, b'{"v":1' + b" " * 65_000 + b"}"),
            *(b'{"a":' * 40 + b"1" + b"}" * 40, b'{"v": NaN}'),
        ]
    )
)
hostile = st.one_of(
    st.builds(Hostile, rooms, payloads, st.none(), st.just(0), st.integers(0, 9)),
    st.builds(Hostile, st.integers(0, 9), numbers.map(str.encode), st.just(0), st.just(0), st.integers(0, 9)),
    st.builds(Hostile, st.integers(0, 9), times.map(str.encode), st.just(1), st.just(0), st.integers(0, 9)),
    st.builds(Hostile, st.integers(0, 9), st.binary(max_size=3), st.just(2), st.integers(0, 200), st.integers(0, 9)),
)
actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(Good, rooms, st.integers(1, 40), st.sampled_from([0, 0, 0, 0, 1, 2, 5, 40, 3000])),
    hostile,
    hostile,
    st.builds(Named, st.sampled_from(TOPICS) | st.text(max_size=12)),
    st.builds(Clock, st.integers(0, LATEST_CLOCK_NS) | st.sampled_from([0, 1, LATEST_CLOCK_NS])),
    st.builds(Passes, st.sampled_from(PASSES_NS), st.integers(1, 4)),
)  # fmt: skip
lives = st.lists(actions, min_size=8, max_size=24)


def disturbed(payload: str, action: Hostile) -> bytes:
    """A good payload with a part replaced."""
    own = payload.encode()
    if action.replaces == 2:
        place = action.place % (len(own) + 1)
        return own[:place] + action.payload + own[place + len(action.payload) :]
    if not payload.startswith("{"):
        return action.payload
    members = re.findall(r'("[^"]+"): (\[[^]]*\]|"[^"]*"|[^,}]+)', payload)
    is_time = [raw for key, raw in members if key in ('"time"', '"t"', '"t.t"', '"day"', '"from"', '"run"')]
    others = [raw for _, raw in members if raw not in is_time]
    found = is_time if action.replaces == 1 else others
    return own.replace(found[0].encode(), action.payload, 1) if found else action.payload


def topics(kind: Kind, room: str, n: int, time_ns: int, which: int) -> tuple[str, str]:
    """One of the messages that a reading consists of."""
    sent = kind.reading(room, n, time_ns)
    return sent[which % len(sent)]
