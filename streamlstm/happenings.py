"""What an observation brought about, as the model says it in a number, and as subscribers hear of it."""

from __future__ import annotations

import math

from streamlstm.events import Event, Kind, Observation
from streamlstm.model.forecaster import (
    ANOMALY_BEGINS,
    ANOMALY_ENDS,
    DRIFT_BEGINS,
    DRIFT_ENDS,
    FALLBACK_BEGINS,
    FALLBACK_ENDS,
    QUARANTINE_BEGINS,
    QUARANTINE_ENDS,
)

HAPPENINGS = (
    (FALLBACK_BEGINS, Kind.FALLBACK, True),
    (FALLBACK_ENDS, Kind.FALLBACK, False),
    (ANOMALY_BEGINS, Kind.ANOMALY, True),
    (ANOMALY_ENDS, Kind.ANOMALY, False),
    (QUARANTINE_BEGINS, Kind.QUARANTINE, True),
    (QUARANTINE_ENDS, Kind.QUARANTINE, False),
    (DRIFT_BEGINS, Kind.DRIFT, True),
    (DRIFT_ENDS, Kind.DRIFT, False),
)


def events(obs: Observation, happened: int, strength: float) -> list[Event]:
    """What began or ended with an observation."""
    of = (obs.series, obs.stream, obs.time_ns, obs.position)
    return [
        Event(*of, kind, begins, strength if kind is Kind.ANOMALY else math.nan)
        for code, kind, begins in HAPPENINGS
        if happened & code
    ]
