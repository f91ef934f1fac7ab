"""Which seasons a series lives by: the calendar's, before anything is found, and then those that it shows itself.

Seasons are whole nanoseconds, ascending, two at most. Those of the calendar are meant in civil time; what day and week
are there, `model/zone.py` knows. How a period is found in the values is `kernels/periods.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streamlstm.timeline.pace import MONTH_NS

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
WEEK_NS = 7 * DAY_NS
YEAR_NS = 12 * MONTH_NS
CALENDAR_NS = (HOUR_NS, DAY_NS, WEEK_NS, YEAR_NS)

LEAST_SLOTS = 3  # a season of fewer steps is no season of the calendar; two only alternate
CYCLES = 3  # a season shows once it has come round so often
FIRST = 64  # observations: the first look

# In per mille, so that all is decided in whole numbers.
_SAME = 20  # of a calendar season: a found period this near is that season
_NEIGHBOUR = 200  # of a found period: a calendar season this near has lost its place to it
_STILL = 2  # of a season: no news

_AGREE = 2  # looks in a row that must find the same before it counts
_LOSE = 3  # looks in a row that must find nothing of what was found before it is given up


class Standing(NamedTuple):
    """What a series lives by, and what asks to take its place. Plain numbers: part of the series' row."""

    seasons_ns: tuple[int, ...]
    rivals_ns: tuple[int, ...] = ()
    looks: int = 0  # how often in a row the rivals were found


def expected(step_ns: int) -> tuple[int, ...]:
    """The seasons of the calendar that come into question for a step, before any value is seen.

    >>> [[s // DAY_NS for s in expected(step)] for step in (HOUR_NS, DAY_NS, WEEK_NS, MONTH_NS, YEAR_NS)]
    [[1, 7], [7, 365], [365], [365], []]
    """
    return tuple(s for s in (DAY_NS, WEEK_NS, YEAR_NS) if s >= LEAST_SLOTS * step_ns)[:2]


def usual(step_ns: int) -> tuple[float, float, float, float]:
    """Hour, day, week and year in steps, for the finder to prefer; 0 for what is no season at this step.

    >>> usual(HOUR_NS)
    (0.0, 24.0, 168.0, 8765.82)
    """
    hour, day, week, year = (s / step_ns if s >= LEAST_SLOTS * step_ns else 0.0 for s in CALENDAR_NS)
    return hour, day, week, year


def is_due(seen: int, memory: int) -> bool:
    """Whether to look after so many steps: at 64, 96, 128, 192 ... up to the memory, then after each quarter of it.

    >>> [n for n in range(1, 2000) if is_due(n, 500)]
    [64, 96, 128, 192, 256, 384, 500, 625, 750, 875, 1000, 1125, 1250, 1375, 1500, 1625, 1750, 1875]
    """
    if seen >= memory:
        return (seen - memory) % max(memory // 4, FIRST) == 0
    power = 1 << max(seen, 1).bit_length() - 1
    return seen >= FIRST and (seen == power or 2 * seen == 3 * power)


def next_look(seen: int, memory: int) -> int:
    """The first number of steps after `seen` at which to look.

    >>> next_look(0, 500), next_look(64, 500), next_look(500, 500)
    (64, 96, 625)
    """
    seen += 1
    while not is_due(seen, memory):
        seen += 1
    return seen


def proposed(
    found: Sequence[float], step_ns: int, known: int, calendar: tuple[int, ...] | None = None
) -> tuple[int, ...]:
    """The seasons that periods found in the last `known` steps speak for.

    found: in steps, 0 is none; calendar: the seasons that were expected, the calendar's if not given.

    Two that were found are the two. One that the calendar had expected changes nothing: the other is harmless, and its
    turn may come. One that it had not (a machine's cycle) keeps beside it the season that has the best case: one that
    it is the half, third or fourth of, or the shortest that could not have shown yet, or else the shortest.

    >>> proposed([23.97, 0.0], HOUR_NS, 1000) == (DAY_NS, WEEK_NS)
    True
    >>> SECOND_NS = 1_000_000_000
    >>> [s // SECOND_NS for s in proposed([90.0, 0.0], SECOND_NS, 1000)]
    [90, 86400]
    """
    calendar = expected(step_ns) if calendar is None else calendar
    shown = sorted({_named(p, step_ns, known) for p in found if p > 0.0})
    if len(shown) == 1 and shown[0] not in calendar:
        beside = [s for s in calendar if abs(s - shown[0]) * 1000 > _NEIGHBOUR * shown[0]]
        whole = [s for s in beside if any(_are_one((m * shown[0],), (s,)) for m in (2, 3, 4))]
        unseen = [s for s in beside if s * CYCLES > known * step_ns]
        shown += (whole or unseen or beside)[:1]
    elif len(shown) == 1 or not shown:
        return calendar
    return tuple(sorted(shown))


def _named(period: float, step_ns: int, known: int) -> int:
    """A found period in nanoseconds: a season of the calendar where it cannot be told from one, else as it is.

    Of a period that came round few times only so much is known: to a turn over all that there is.
    """
    found_ns = round(period * step_ns)
    nearest = min(CALENDAR_NS, key=lambda s: abs(s - found_ns))
    unsure = max(found_ns * _SAME // 1000, round(found_ns * min(period / max(known, 1), 0.1)))
    return nearest if nearest >= LEAST_SLOTS * step_ns and abs(nearest - found_ns) <= unsure else found_ns


def considered(
    standing: Standing, found: Sequence[float], step_ns: int, known: int, calendar: tuple[int, ...] | None = None
) -> Standing:
    """What a series lives by after one more look. Only where `seasons_ns` differs need profiles be rebuilt.

    Nothing changes at the first finding, and what was found is not given up at the first miss: so 48 and 47, found by
    turns, leave all as it is.

    >>> standing = Standing(expected(HOUR_NS))
    >>> for period in (37.0, 36.98, 37.0):
    ...     standing = considered(standing, [period, 0.0], HOUR_NS, 512)
    ...     print([s / HOUR_NS for s in standing.seasons_ns], standing.looks)
    [24.0, 168.0] 1
    [24.0, 36.98] 0
    [24.0, 36.98] 0
    """
    rivals = proposed(found, step_ns, known, calendar)
    if _are_one(rivals, standing.seasons_ns):
        return Standing(standing.seasons_ns)
    looks = standing.looks + 1 if _are_one(rivals, standing.rivals_ns) else 1
    needed = _AGREE if any(p > 0.0 for p in found) else _LOSE
    return Standing(rivals) if looks >= needed else Standing(standing.seasons_ns, rivals, looks)


def _are_one(some: tuple[int, ...], others: tuple[int, ...]) -> bool:
    return len(some) == len(others) and all(
        abs(a - b) * 1000 <= _STILL * max(a, b) for a, b in zip(some, others, strict=True)
    )
