"""Errors that grow and stay so: told of once, and again when what is usual has caught up with them."""

from __future__ import annotations

import numpy as np

from streamlstm.engine import Engine
from streamlstm.events import Kind
from tests.observed import HOUR_NS, observations, told
from tests.small import STREAM


def drifts(values: np.ndarray) -> tuple[list[tuple[bool, int]], Engine]:
    own = Engine([STREAM.model_copy(update={"step": HOUR_NS})], seed=1, max_series=1)
    return told(own.feed(observations(values)), Kind.DRIFT), own


def test_drift_is_told_when_it_begins_and_when_it_has_become_usual():
    hours = np.arange(1600)
    noise = np.random.default_rng(7).normal(0, 1, 1600) * np.where(hours < 1000, 0.3, 1.2)
    found, own = drifts(10 + 3 * np.sin(hours * 2 * np.pi / 24) + noise)
    (first, began), (last, ended) = found
    assert (first, last) == (True, False)
    assert 1000 <= began <= 1060 < ended
    assert own.report().series[0].totals.drifts == 1


def test_a_series_as_it_always_was_does_not_drift():
    found, own = drifts(
        10 + 3 * np.sin(np.arange(1600) * 2 * np.pi / 24) + np.random.default_rng(7).normal(0, 0.3, 1600)
    )
    assert (found, own.report().series[0].totals.drifts) == ([], 0)
