"""One saved series in words and plain numbers, read without a configuration."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from streamlstm.codec.encode import rfc3339
from streamlstm.events import BEGINNING
from streamlstm.living import Family, Living, Standing, unpacked
from streamlstm.model import state
from streamlstm.shelf import Kept
from streamlstm.store.records import Saved


def members(saved: Saved) -> list[dict[str, Any]]:
    """Each resolution of it, the finest first."""
    if saved.standing == Standing.OPEN:
        family: Family = unpacked(Family, saved.body)
        return [_living(living) for living in family.members]
    if saved.standing == Standing.CLOSED:
        kept: Kept = unpacked(Kept, saved.body)
        return [_kept(name, one) for name, one in ((saved.name, kept), *kept.coarser)]
    return []


def _living(living: Living) -> dict[str, Any]:
    rhythm, said = living.pace.rhythm, living.said
    return {
        "series": living.series,
        "stream": living.stream,
        "state": living.state,
        "step_seconds": rhythm.step_ns / 1e9 if rhythm else None,
        "regular": rhythm.regular if rhythm else None,
        "last_heard": said_time(living.heard_ns or None),
        "last_observation": said_time(living.last_ns),
        "last_value": said_time(living.seen_ns),
        "steps_without_value": living.unseen,
        "gap_told": living.dark,
        "steps_forecast_through": living.guessed,
        "held_for_order": len(living.order.held),
        "held_until_step_is_known": len(living.early),
        "released_up_to": said_time(living.order.released_ns),
        "open_step_since": said_time(living.steps.begin_ns if living.steps and living.steps.newest else None),
        "refused_for_memory": living.refused,
        "forecast": {
            "of": said_time(said.obs.time_ns),
            "position": said.obs.position,
            "observed": [_number(value) for value in said.obs.values],
            "next": _number(np.frombuffer(said.numbers)[0]),
            "state": said.state,
        }
        if said
        else None,
        "rows": [_row(row) for row in living.rows],
    }


def _kept(name: str, kept: Kept) -> dict[str, Any]:
    return {
        "series": name,
        "stream": kept.stream,
        "step_seconds": kept.step_ns / 1e9,
        "regular": kept.regular,
        "last_heard": said_time(kept.heard_ns or None),
        "last_observation": said_time(kept.last_ns),
        "last_value": said_time(kept.seen_ns),
        "steps_without_value": kept.unseen,
        "gap_told": kept.dark,
        "position": kept.position,
        "compressed_bytes": len(kept.rows),
    }


def _row(row: bytes) -> dict[str, Any]:
    head = state.head(row)
    if head is None:
        return {"bytes": len(row)}
    return {
        "bytes": len(row),
        "position": head.position,
        "observations": head.seen,
        "missing": head.missing,
        "gaps": head.gaps,
    }


def said_time(time_ns: int | None) -> str | None:
    """None where there is none yet."""
    return None if time_ns is None or time_ns == BEGINNING else rfc3339(time_ns)


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None
