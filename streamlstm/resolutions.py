"""What the coarser resolutions of a stream are, and what does not go with them."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING

from streamlstm.conflicts import lead_problems
from streamlstm.problems import Unit, Where
from streamlstm.units import DURATION, UNITS_NS

if TYPE_CHECKING:
    from streamlstm.config import Resolution, Stream

SUMS = ("sum", "count")


def step_text(step_ns: int) -> str:
    """A step as it stands in the names of what is forecast at it: 1h, 1d."""
    return Unit(DURATION, UNITS_NS).text(step_ns).strip("'")


def resolved(streams: Iterable[Stream]) -> tuple[Stream, ...]:
    """All streams, and after each what is forecast of it at coarser resolutions."""
    return tuple(one for stream in streams for one in (stream, *stream.coarser))


def gathered(stream: Stream, at: Resolution) -> Stream:
    """The stream whose observations are the steps of another one, gathered into coarser ones."""
    lowest, highest = stream.limits
    if stream.aggregate in SUMS:
        most = (at.step + UNITS_NS["h"]) / stream.step if isinstance(stream.step, int) else 1.0  # the longest day's
        lowest, highest = min(lowest, lowest * most), max(highest, highest * most)
    return stream.model_copy(
        update={
            "name": f"{stream.name}/{step_text(at.step)}",
            "step": at.step,
            "leads": at.leads,
            "bounds": (lowest, highest) if isfinite(lowest) or isfinite(highest) else None,
            "type": "count" if stream.type == "count" else "number",
            "format": "number",
            "value": (),
            "time": None,
            "joint": False,
            "covariates": (),
            "aggregate": None,
            "hold": 0,
            "group": False,
            "ttl": None,  # closed with the finest
            "resolutions": (),
        }
    )


def resolution_problems(stream: Stream) -> list[tuple[Where, str]]:
    """What keeps a stream from being forecast at coarser steps too."""
    found: list[tuple[Where, str]] = []
    finer = stream.step
    for n, one in enumerate(stream.resolutions):
        where: Where = ("resolutions", n)
        if not isinstance(finer, int) or stream.aggregate not in ("mean", *SUMS):
            need = "need a step, and aggregate = 'mean', 'sum' or 'count' beside it: means and sums add up"
            return [(("resolutions",), need)]
        if one.step <= finer or one.step % finer:
            found.append(((*where, "step"), f"need a multiple of '{step_text(finer)}', the step before it"))
        found += [((*where, "leads"), what) for what in lead_problems(one.leads, one.step)]
        finer = one.step
    return found
