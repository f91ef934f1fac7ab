"""What else was known about a series when it was observed: the newest values of its covariates, and those known ahead.

All is as of a time: that of the observation, or the end of the step that its readings were gathered into. A value
counts from its own time on. What is known ahead counts from when it was issued, or else from its arrival; a correction
goes before what it corrects from then on and not earlier. And whatever its times are, nothing counts before the host
has fed it. So a reading that waited is joined with what was known at its time, and the same messages in the same
order, live or from a record, give the same inputs. What is kept of one covariate, and how long, is in `known`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from streamlstm.config import Stream
from streamlstm.events import Known
from streamlstm.naming import PLACEHOLDER, as_regex
from streamlstm.timeline.calendar import DAY_NS
from streamlstm.timeline.holiday import Holidays
from streamlstm.timeline.known import Past, PastState, Schedule, ScheduleState, Vintages, VintagesState

Ahead = Vintages | Schedule | Holidays
Name = tuple[int, tuple[str, ...]]  # which of the stream's covariates, and the values of the placeholders in its topic


class Joined(NamedTuple):
    """What `Joins` know."""

    past: tuple[tuple[Name, PastState], ...]
    vintages: tuple[tuple[Name, VintagesState], ...]
    schedules: tuple[tuple[Name, ScheduleState], ...]


class Joins:
    """What is known of all covariates of one stream. most: of single ones, whatever the topics are.

    civil: event time to civil time, both in ns, for holidays and steps of days.
    """

    def __init__(self, stream: Stream, most: int, civil: Callable[[int], int] = lambda time_ns: time_ns) -> None:
        self._own = max(0, len(stream.value) - 1)
        self._covariates = stream.covariates
        self._keys = [PLACEHOLDER.findall(one.topic) for one in stream.covariates]
        self._name = re.compile(as_regex(stream.name), re.DOTALL)
        self._most = most
        self._civil = civil
        self._known: dict[Name, Past | Vintages | Schedule] = {}
        self._users = Counter[Name]()  # open series that each is joined to
        self._holidays = [Holidays(stream.holidays, civil)] if stream.holidays else []

    def take(self, known: Known) -> bool:
        """Take what a message says; False where it is of one covariate too many."""
        name = (known.covariate, known.key)
        if name not in self._known and len(self._known) >= self._most:
            return False
        self._of(*name).take(known)
        return True

    def join(self, series: str) -> Join:
        """What is joined to one series, which is or will be `enter`ed."""
        found = [self._of(*name) for name in self._names(series)]
        wide = [(one, own.width) for one, own in zip(found, self._covariates, strict=True)]
        past = [(one, width) for one, width in wide if isinstance(one, Past)]
        ahead = [(one, width) for one, width in wide if not isinstance(one, Past)]
        return Join(self._own, past, [*ahead, *[(one, 0) for one in self._holidays]], self._civil)

    def enter(self, series: str) -> None:
        """A series is opened: what is of it is kept until it leaves."""
        names = self._names(series)
        self._users.update(names)
        for name in names:
            self._of(*name)

    def leave(self, series: str) -> None:
        """A series is closed: what is of it alone is forgotten, or names that come once would fill the memory."""
        for name in self._names(series):
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name]
                if name[1]:  # what is of all series of the stream stays
                    self._known.pop(name, None)

    def export(self) -> Joined:
        """All that is known, whichever series are open."""
        known = sorted(self._known.items(), key=lambda item: item[0])
        return Joined(
            tuple((name, one.export()) for name, one in known if isinstance(one, Past)),
            tuple((name, one.export()) for name, one in known if isinstance(one, Vintages)),
            tuple((name, one.export()) for name, one in known if isinstance(one, Schedule)),
        )

    def restore(self, known: Joined, opened: Iterable[str]) -> None:
        """Know what exported ones knew. opened: series. ValueError where it is of other covariates."""
        for name, state in (*known.past, *known.vintages, *known.schedules):
            if not 0 <= name[0] < len(self._covariates):
                raise ValueError(f"covariate {name[0]}: need one of {len(self._covariates)}")
            one = self._of(*name)
            match one, state:
                case (Past(), PastState()) | (Vintages(), VintagesState()) | (Schedule(), ScheduleState()):
                    one.restore(state)  # type: ignore[arg-type]  # they match
                case _:
                    raise ValueError(f"covariate {name[0]} was of another kind")
        for series in opened:
            self.enter(series)

    def _names(self, series: str) -> list[Name]:
        """Which covariates are joined to a series."""
        parts = self._name.fullmatch(series)
        assert parts or not any(self._keys), f"{series!r} is no name of this stream"
        return [(n, tuple(parts[key] for key in keys) if parts else ()) for n, keys in enumerate(self._keys)]

    def _of(self, place: int, key: tuple[str, ...]) -> Past | Vintages | Schedule:
        known = self._known.get((place, key))
        if known is None:
            one = self._covariates[place]
            if one.known_ahead:
                known = Vintages(one.hold) if one.values is not None else Schedule(one.hold)
            else:
                known = Past()
            self._known[place, key] = known
        return known


class Join:
    """One series' covariates: `own` come with its observations, the others are looked up as of a time.

    Beside each stands over how many inputs its words are spread; 0 of a number.
    """

    def __init__(
        self,
        own: int,
        past: Sequence[tuple[Past, int]],
        ahead: Sequence[tuple[Ahead, int]],
        civil: Callable[[int], int],
    ) -> None:
        self._ages = (0.0,) * own
        self._past = past
        self._ahead = ahead
        self._civil = civil

    def values(
        self, values: tuple[float, ...], origin_ns: int, as_of_ns: int, step_ns: int, leads: Sequence[int]
    ) -> tuple[float, ...]:
        """The target; C covariates, the observation's own first; their C ages in steps; and for each that is known
        ahead its values for the times of all leads. An unknown value is NaN, and its age zero."""
        joined = [(*one.at(as_of_ns), width) for one, width in self._past]
        targets_ns = [self._target_ns(origin_ns, lead * step_ns, step_ns) for lead in leads]
        ahead = [([one.at(as_of_ns, target_ns) for target_ns in targets_ns], width) for one, width in self._ahead]
        return (
            *values,
            *[column for value, _, width in joined for (column,) in spread([value], width)],
            *self._ages,
            *[(as_of_ns - since_ns) / step_ns for _, since_ns, width in joined for _ in range(width or 1)],
            *[value for told, width in ahead for column in spread(told, width) for value in column],
        )

    def _target_ns(self, origin_ns: int, ahead_ns: int, step_ns: int) -> int:
        """When what is forecast is: of days, the same time on the wall, although not all days are of one length."""
        if step_ns % DAY_NS:
            return origin_ns + ahead_ns
        turned_ns = self._civil(origin_ns + ahead_ns) - self._civil(origin_ns) - ahead_ns
        return origin_ns + ahead_ns - turned_ns


def spread(told: list[float], width: int) -> list[list[float]]:
    """Values as inputs: themselves; or of words, by their place, `width` inputs, of which one is 1 and the others 0.

    >>> spread([7.5], 0), spread([1.0, math.nan], 2)
    ([[7.5]], [[0.0, nan], [1.0, nan]])
    """
    if not width:
        return [told]
    return [[float(value == place) if value == value else math.nan for value in told] for place in range(width)]
