"""Errors that grow and stay so: told of once, and again when what is usual has caught up with them."""

from __future__ import annotations

import numpy as np

from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Event, Kind, Observation
from tests.small import STREAM

H = 3600 * SECOND_NS


def told(values: np.ndarray) -> tuple[list[tuple[bool, int]], Engine]:
    own = Engine([STREAM.model_copy(update={"step": H})], seed=1, max_series=1)
    out = own.feed([Observation(STREAM.name, STREAM.name, i * H, (float(y),), i) for i, y in enumerate(values)])
    return [(e.begins, e.time_ns // H) for e in out if isinstance(e, Event) and e.kind is Kind.DRIFT], own


def test_drift_is_told_when_it_begins_and_when_it_has_become_usual():
    hours = np.arange(1600)
    noise = np.random.default_rng(7).normal(0, 1, 1600) * np.where(hours < 1000, 0.3, 1.2)
    found, own = told(10 + 3 * np.sin(hours * 2 * np.pi / 24) + noise)
    (first, began), (last, ended) = found
    assert (first, last) == (True, False)
    assert 1000 <= began <= 1060 < ended
    assert own.report().series[0].drifts == 1


def test_a_series_as_it_always_was_does_not_drift():
    found, own = told(10 + 3 * np.sin(np.arange(1600) * 2 * np.pi / 24) + np.random.default_rng(7).normal(0, 0.3, 1600))
    assert (found, own.report().series[0].drifts) == ([], 0)
