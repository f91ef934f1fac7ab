"""Public holidays, as a covariate that is known ahead of any time: 1 where the civil day is one, else 0.

Which days those are says the `holidays` library, by ISO 3166 codes; days that are given off in their stead count too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from streamlstm.timeline.calendar import DAY_NS

EPOCH = date(1970, 1, 1).toordinal()


class Holidays:
    """Those of a country, or of a subdivision of one. civil: event time to civil time, both in ns."""

    def __init__(self, place: str, civil: Callable[[int], int]) -> None:
        self._country, _, subdivision = place.partition("-")
        self._subdivision = subdivision or None
        self._civil = civil
        self._years: dict[int, frozenset[int]] = {}  # ordinals of their holidays

    def at(self, as_of_ns: int, target_ns: int) -> float:  # noqa: ARG002  as any covariate that is known ahead
        """Whether the day of a time is a holiday, as known at any other."""
        day = EPOCH + self._civil(target_ns) // DAY_NS
        year = date.fromordinal(day).year
        if year not in self._years:
            self._years[year] = self._of(year)
        return float(day in self._years[year])

    def _of(self, year: int) -> frozenset[int]:
        from holidays import country_holidays  # slow to import, and needed by few

        found = country_holidays(self._country, subdiv=self._subdivision, years=year)
        return frozenset(day.toordinal() for day in found)
