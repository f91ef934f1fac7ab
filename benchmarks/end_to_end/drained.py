"""What a broker holds, taken as fast as it goes: the daemon and clients that do nothing, each in its turn."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.end_to_end.contenders import Daemon, Drain, Nothing
from benchmarks.end_to_end.readings import readings
from benchmarks.end_to_end.wire import Wire


def drained(
    port: int, contenders: Sequence[Daemon | Nothing], series: int, begin: int, count: int, rounds: int
) -> dict[str, Drain]:
    """The median of each. All take the same messages, in an order that goes round with the rounds."""
    took: dict[str, list[Drain]] = {each.name: [] for each in contenders}
    for turn in range(rounds):
        fill(port, series, begin + turn * count, count)
        for place in range(len(contenders)):
            each = contenders[(place + turn) % len(contenders)]
            took[each.name].append(each.drain(count))
    return {name: Drain(*map(median, zip(*found, strict=True))) for name, found in took.items()}


def fill(port: int, series: int, begin: int, count: int) -> None:
    """Give the broker messages, for all whose sessions it keeps."""
    with Wire(port, "filler") as wire:
        wire.send_all([(one.topic, one.payload) for one in readings(series, begin, count)])
