"""What a stream's settings mean, in words: for `check-config` to say what it has understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamlstm.resolutions import step_text

if TYPE_CHECKING:
    from streamlstm.config import Stream


def understood(stream: Stream) -> str:
    """One line, such as "counter in kWh, differences a step; sum of each step of 1h"."""
    parts = [_kind(stream), _steps(stream)]
    if stream.joint:
        parts.append(f"{len(stream.value)} of them forecast jointly, each beside the others")
    if stream.resolutions:
        coarser = ", ".join(step_text(one.step) for one in stream.resolutions)
        parts.append(f"and in agreement with it, of each {coarser}")
    if stream.holidays:
        parts.append(f"holidays of {stream.holidays} known ahead")
    if stream.hold:
        parts.append(f"a value holds for {step_text(stream.hold)}")
    if stream.ttl:
        parts.append(f"closed after {step_text(stream.ttl)} of silence")
    return "; ".join(part for part in parts if part)


def _kind(stream: Stream) -> str:
    unit = f" in {stream.unit}" if stream.unit else ""
    match stream.type:
        case "boolean":
            return "boolean, forecast as the probability of on"
        case "count":
            return f"count{unit}, whole and never below 0"
        case "counter":
            over = f", which begins again at {stream.rollover:g}" if stream.rollover else ""
            return f"counter{unit}{over}, differences a step"
        case "angle":
            return f"angle{unit}, once around is {stream.turn:g}"
        case "category":
            return f"category, a probability for each of {', '.join(stream.classes)}"
        case _:
            within = f" within {stream.bounds[0]:g} to {stream.bounds[1]:g}" if stream.bounds else ""
            return f"number{unit}{within}"


def _steps(stream: Stream) -> str:
    if not isinstance(stream.step, int):
        return "step found from the first observations"
    step = f"step of {step_text(stream.step)}"
    if stream.aggregate == "count":
        return f"number of readings in each {step}"
    return f"{stream.aggregate} of each {step}" if stream.aggregate else step
