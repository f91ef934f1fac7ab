"""What an observation brought about, as the model says it in a number, and as subscribers hear of it."""

from __future__ import annotations

import math

from streamlstm.events import Event, Kind, Observation
from streamlstm.model.forecaster import HAPPENINGS


def events(obs: Observation, happened: int, strength: float) -> list[Event]:
    """What began or ended with an observation."""
    of = (obs.series, obs.stream, obs.time_ns, obs.position)
    return [
        Event(*of, kind, begins, strength if kind is Kind.ANOMALY else math.nan)
        for kind, codes in HAPPENINGS.items()
        for code, begins in zip(codes, (True, False), strict=True)
        if happened & code
    ]
