"""What must hold of whatever came in: of what a message was read as, of what the engine says, of what it keeps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite, isnan
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from streamlstm.codec import encode
from streamlstm.codec.values import LARGEST, LATEST_NS
from streamlstm.events import Discarded, Event, Forecast, Input, Known, Observation, Output

if TYPE_CHECKING:  # the decoders are also tried where there is no compiler
    from streamlstm.member import Report

LEARNED = ("weights", "average", "first_moment", "second_moment", "coefficients", "covariance", "mix_weights")


def of_inputs(items: Sequence[Input], most: int) -> list[str]:
    """What is wrong with what one message was read as; most: the series that it may be of."""
    found = []
    counted = 0
    for item in items:
        match item:
            case Observation():
                counted += 1
                found += [f"{item} is later than 2262, or before 1970"] * (not 0 <= item.time_ns <= LATEST_NS)
                found += _values(item.values)
            case Known():
                counted += item.counts
                found += [f"{item} has times before 1970"] * (min(item.times_ns) < 0)
                found += _values(item.values)
            case Discarded():
                counted += 1
    return found + [f"{counted} outcomes of one message: {items}"] * (not 1 <= counted <= most)


def outcomes(report: Report) -> int:
    """How many messages the engine has counted: each in one place."""
    taken = report.learned + report.gathered + report.joined + report.missing + report.quarantined + report.held
    return taken + sum(report.discarded.values())


def of_output(said: Output, issued_ns: int) -> list[str]:
    """What is wrong with what is published of it."""
    if isinstance(said, Event):
        found = [] if said.time_ns >= 0 else [f"{said} happened before 1970"]
        return found + _json(encode.event(said))
    if not isinstance(said, Forecast):
        return []
    found = [f"{said} holds an infinity"] * bool(np.isinf(said.numbers).any())
    if encode.is_publishable(said):
        found += _json(encode.forecast(said, unit="°C", issued_ns=issued_ns, model_rev="1", config_hash="2"))
        found += ["the next value is nothing"] * (encode.value(said) in (b"nan", b"inf", b"-inf", b""))
    return found


def of_row(record: np.void) -> list[str]:
    """What is wrong with what a series has learned."""
    return [f"{name} of a row are not finite" for name in LEARNED if not np.isfinite(record[name]).all()]


def _values(values: Sequence[float]) -> list[str]:
    return [f"{value!r} was accepted" for value in values if not (isnan(value) or abs(value) <= LARGEST)]


def _json(payload: bytes) -> list[str]:
    try:
        json.loads(payload, parse_constant=_refused, parse_float=_finite)
    except ValueError as error:
        return [f"published {payload!r}: {error}"]
    return []


def _refused(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _finite(text: str) -> float:
    if not isfinite(float(text)):
        raise ValueError(f"{text} is too large for a number")
    return float(text)
