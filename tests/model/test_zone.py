"""Civil time through a change of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime

from streamlstm.events import SECOND_NS
from streamlstm.model.zone import KEPT, QUARTER_S, CivilTime

HOUR_NS = 3600 * SECOND_NS


def ns(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * SECOND_NS


def test_the_clock_on_the_wall_jumps_in_march_and_stands_in_october() -> None:
    berlin = CivilTime("Europe/Berlin")
    for first, shift in ((ns(2026, 3, 29, 0, 59, 59), 2), (ns(2026, 10, 25, 0, 59, 59), 0)):
        assert berlin.of(first + SECOND_NS) - berlin.of(first) == SECOND_NS + (shift - 1) * HOUR_NS


def test_utc_is_left_alone() -> None:
    assert CivilTime("UTC").of(12345) == 12345


def test_what_is_remembered_is_bounded() -> None:
    kolkata = CivilTime("Asia/Kolkata")
    for quarter in range(2 * KEPT):
        time_ns = quarter * QUARTER_S * SECOND_NS
        assert kolkata.of(time_ns) - time_ns == 5.5 * HOUR_NS
    assert len(kolkata._offsets_ns) <= KEPT
