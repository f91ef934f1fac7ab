"""What lies between two observations of one series, worked out once and in whole nanoseconds."""

from __future__ import annotations

from typing import NamedTuple


class Bridge(NamedTuple):
    """From the last observation to this one."""

    missed: int  # steps without an observation
    lead: int  # the forecast that this observation answers; missed + 1
    reset: bool  # so long ago that the hidden state means nothing any more; the weights stay


NEXT = Bridge(0, 1, False)  # nothing was missed


def bridge(last_ns: int, time_ns: int, step_ns: int, gap_ns: int) -> Bridge:
    """Cross a gap on a grid of `step_ns`. Counted from the last observation, so that a slow clock adds up nowhere.

    >>> bridge(0, 3_100, 1_000, gap_ns=9_000)
    Bridge(missed=2, lead=3, reset=False)
    """
    assert step_ns > 0, f"a step of {step_ns} ns leads nowhere"
    elapsed_ns = time_ns - last_ns
    assert elapsed_ns > 0, f"{time_ns} does not follow {last_ns}: the order was not kept"
    missed = (2 * elapsed_ns - step_ns) // (2 * step_ns)  # nearest, half up
    if missed <= 0:
        return NEXT  # by far the most frequent: worth not to be made anew
    return Bridge(missed, missed + 1, _is_too_long(elapsed_ns, step_ns, gap_ns))


def bridge_event(last_ns: int, time_ns: int, step_ns: int, gap_ns: int) -> Bridge:
    """Cross a gap in a stream without a grid: the next event is the next step, however long it took."""
    assert time_ns > last_ns, f"{time_ns} does not follow {last_ns}: the order was not kept"
    return Bridge(0, 1, _is_too_long(time_ns - last_ns, step_ns, gap_ns))


def _is_too_long(elapsed_ns: int, step_ns: int, gap_ns: int) -> bool:
    # A gap below four steps would forget the hidden state over an ordinary loss or two, as with daily data and "1d".
    return elapsed_ns > max(gap_ns, 4 * step_ns)
