"""How often a series speaks: its nominal step, given or found from its beginning, and whether it has a grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

_S = 1_000_000_000
_MIN, _H, _D = 60 * _S, 3600 * _S, 86_400 * _S

DECIDE_AFTER = 12  # observations
MONTH_NS = 2_629_746 * _S  # the mean month of the Gregorian calendar
ROUND_NS = (
    *(m * 10**k for k in range(9) for m in (1, 2, 5)),
    *(n * _S for n in (1, 2, 5, 10, 15, 20, 30)),
    *(n * _MIN for n in (1, 2, 3, 5, 6, 10, 12, 15, 20, 30)),
    *(n * _H for n in (1, 2, 3, 4, 6, 8, 12)),
    *(n * _D for n in (1, 7)),
)  # steps that people choose

# Shares and tolerances of `_is_grid` and `_snapped`, in per cent, so that all is decided in whole numbers.
_JITTER = 25  # of a step: the reading still belongs to that point of the grid
_ON_GRID = 85  # of the differences
_ONE_STEP = 50  # of the differences, where there is jitter
_EXACT = 2  # of a step: no jitter to speak of
_ALL_EXACT = 97  # of the differences
_ONE_STEP_EXACT = 33  # of the differences, where there is none
_OCCUPIED = 30  # of the grid's points, the longest hole aside


class Rhythm(NamedTuple):
    """The nominal spacing, and whether observations lie on a grid of it."""

    step_ns: int
    regular: bool


class Paced(NamedTuple):
    """What a `Pace` knows."""

    rhythm: Rhythm | None
    times_ns: tuple[int, ...]


class Pace:
    """Watch the first observations of a series until its rhythm is known; a given step is known at once.

    in_time: whether it is asked about times to come ("in an hour") and not only about so many observations. Then a
    series without a grid is laid on one of its usual spacing, and where nothing came for a step, that was missed: after
    so many observations might be any time.
    """

    def __init__(self, step: int | Literal["auto"] = "auto", *, in_time: bool = False) -> None:
        self.in_time = in_time
        self.rhythm: Rhythm | None = None if step == "auto" else Rhythm(step, True)
        self.times_ns: list[int] = []  # while undecided

    def export(self) -> Paced:
        """All that it knows."""
        return Paced(self.rhythm, tuple(self.times_ns))

    def restore(self, known: Paced) -> None:
        """Know what an exported one knew."""
        self.rhythm, self.times_ns = known.rhythm, list(known.times_ns)

    def feed(self, time_ns: int) -> Rhythm | None:
        """Take the time of one observation, later than the one before; return the rhythm once it is known."""
        if self.rhythm is None:
            self.times_ns.append(time_ns)
            if len(self.times_ns) >= DECIDE_AFTER:
                step_ns, regular = find(self.times_ns)
                self.rhythm = Rhythm(step_ns, regular or self.in_time)
                self.times_ns = []
        return self.rhythm


def find(times_ns: Sequence[int]) -> Rhythm:
    """Find the rhythm of three or more ascending event times.

    The median difference is one step even where a third of the points is missing. Where over half are missing it is
    two or more, and one step shows only among the smaller differences: so the lower quartile is tried as well.
    """
    assert len(times_ns) >= 3, f"{len(times_ns)} times show no rhythm: need 3"
    spaces = sorted(b - a for a, b in pairwise(times_ns))
    assert spaces[0] > 0, "times must ascend without repetition"
    median_ns = _centre(spaces, spaces[(len(spaces) - 1) // 2])
    for step_ns in (median_ns, _centre(spaces, spaces[len(spaces) // 4])):
        if _is_grid(spaces, step_ns):
            return Rhythm(_snapped(spaces, step_ns), True)
    return Rhythm(_snapped(spaces, median_ns), False)


def _centre(spaces: list[int], guess_ns: int) -> int:
    """The median of those differences that are about one step: jitter averages out, gaps do not shift it."""
    near = [s for s in spaces if _is_one_step(s, guess_ns)]
    return near[(len(near) - 1) // 2]


def _is_one_step(space_ns: int, step_ns: int) -> bool:
    return 100 * abs(space_ns - step_ns) <= _JITTER * step_ns


def _is_grid(spaces: list[int], step_ns: int) -> bool:
    """Whether the differences (ascending) are whole multiples of the step, and enough of them one step.

    Jitter makes any number look like a multiple half the time, so single steps must then be the rule. Multiples
    without jitter do not come about by chance, and the grid may have lost over half of its points; but not nearly
    all of them, or a device that speaks twice a minute, a second apart, would have a grid of seconds.
    """

    def share(hits: int) -> float:
        return 100 * hits / len(spaces)

    steps = [max(1, (2 * s + step_ns) // (2 * step_ns)) for s in spaces]
    if 100 * (len(steps) - 1) < _OCCUPIED * sum(steps[:-1]):
        return False
    off = [100 * abs(s - n * step_ns) for s, n in zip(spaces, steps, strict=True)]
    one_step = share(sum(_is_one_step(s, step_ns) for s in spaces))
    on_grid = share(sum(o <= _JITTER * step_ns for o in off))
    exact = share(sum(o <= _EXACT * step_ns for o in off))
    return (on_grid >= _ON_GRID and one_step >= _ONE_STEP) or (exact >= _ALL_EXACT and one_step >= _ONE_STEP_EXACT)


def _snapped(spaces: list[int], step_ns: int) -> int:
    """The round step within 2 %, the nearest if there are two; else the step as it was found."""
    one_step = {s for s in spaces if _is_one_step(s, step_ns)}
    if len(one_step) > 1 and all(28 * _D <= s <= 31 * _D for s in one_step):
        return MONTH_NS
    nearest = min(ROUND_NS, key=lambda r: abs(r - step_ns))
    return nearest if 100 * abs(nearest - step_ns) <= 2 * step_ns else step_ns
