"""The gradient that a series' row gathers from a window of its past, against central differences of a twin's loss."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlstm.config import Stream
from streamlstm.kernels import stage
from streamlstm.kernels.covariates import SQUARE, VARIANCE
from streamlstm.kernels.season import PROFILE
from streamlstm.model.advance import take_scales
from streamlstm.model.arena import BESIDE_CELL_BASES, BESIDE_HUBER, CELL_BASES, HUBER, Layout, birth
from streamlstm.model.batch import Learner, Step
from streamlstm.model.features import LINEAR_UNIT
from streamlstm.model.learn import STATE_UNIT, TARGET_CLIP, gradient, labels, look, look_beside
from streamlstm.model.state import B_LAST, B_LINEAR, B_RISE, CYCLE, carve, shape, work_dtype
from streamlstm.model.zone import NEVER_NS
from tests import reference, reference_settings
from tests.small import STREAM, STREAM_BESIDE, STREAM_TWO_LAYERS, with_model

HOUR_NS = 3_600_000_000_000
OBSERVATIONS, GAP_AT, MISSED, MISSING_AT, WILD_AT = 238, 190, 3, 193, 196
STEPS = 8  # of a window that sees them all; as many as there is room for
KINDS = {
    "one layer": with_model(STREAM, memory=64),  # so that the ring has been round a few times
    "two layers": with_model(STREAM_TWO_LAYERS, memory=64),
    "one layer, ReLU": with_model(STREAM, memory=64, activation="relu"),
    "two layers, residual, momentum": with_model(
        STREAM_TWO_LAYERS, memory=64, residual=True, optimiser="sgd", learning_rate=(1e-2, 3e-2, 8e-2)
    ),
    "two layers, residual, attention": with_model(STREAM_TWO_LAYERS, memory=64, residual=True, attention=3),
    "two layers, ReLU": with_model(STREAM_TWO_LAYERS, memory=64, activation="relu"),
}


@stage
def gradient_of(records, f8, i8, f4, i2, i1, plans, works, row, cell, start, steps, k):
    """The gradient of one window alone, into the scratch, as an update would have it; how many labels there were."""
    plan, work, s = plans[0], works[0], records[row]
    work.gradient[:] = 0
    work.start[:] = -1
    work.start[1] = start  # among others that are not there
    take_scales(s, plan, work.scales)
    m = carve(f8[row], i8[row], f4[row], i2[row], i1[row], s, shape(s, work, plan), plan)
    look(s, m, plan, work, steps)
    labels(s, m, plan, work, steps, k)
    if cell >= shape(s, work, plan).own:
        look_beside(s, m, plan, work, steps)
    return gradient(s, m, plan, work, cell, steps)


class Series:
    """One series that has learned a noisy sine with a gap, a missing value and a wild one; and what it remembers."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.layout = stream, Layout.of(stream, HOUR_NS, True)
        self.learner = Learner(stream, self.layout)
        self.rows = self.learner.rows
        self.slot = self.rows.add(birth(1, "small"))
        self.learner.take(self._observations())
        self.record = self.rows.record(self.slot)
        self.k = int(self.record["index"])
        # an output layer of a few hundred updates is still small: a larger one sends more back
        self.record["weights"][:, self.used - 2 * (stream.model.hidden + 1) : self.used] *= 3

    def _observations(self) -> list[Step]:
        noise, hours, out = np.random.default_rng(3).normal(0, 0.3, OBSERVATIONS), 0, []
        for i in range(OBSERVATIONS):
            missed = MISSED if i == GAP_AT else 0
            hours += 1 + missed
            y = 10 + 3 * math.sin(hours * 2 * math.pi / 24) + noise[i]
            y = math.nan if i == MISSING_AT else 60.0 if i == WILD_AT else y
            values = (y, hours % 7.0, 0.0, noise[i], -noise[i]) if self.layout.given else (y,)
            out.append(Step(self.slot, hours * HOUR_NS, hours * HOUR_NS, NEVER_NS, 0, missed, False, values, i))
        return out

    def learned(self, cell: int, start: int, steps: int) -> tuple[NDArray, int, NDArray]:
        """A cell's gradient after one window, its number of labels, and the features that the window saw."""
        n = self.layout.sizes
        work = np.zeros(1, work_dtype(n))
        plan, chunk = self.layout.plan(self.stream), self.rows.views[0]
        labelled = gradient_of(*chunk, plan, work, self.slot, cell, start, steps, self.k)
        features = work["first"][0, :steps, 1, : n.features]
        assert not work["gradient"][0, self.used :].any()  # what rounds the weights up to whole cache lines
        return work["gradient"][0, : self.used].copy(), labelled, features.astype(np.float64)

    @property
    def used(self) -> int:
        """How many weights a cell has."""
        n = self.layout.sizes
        first = (n.features + n.hidden) * 4 * n.hidden + 7 * n.hidden
        attention = n.hidden**2 + n.leads * n.hidden if n.attention else 0
        return first + (n.layers - 1) * (8 * n.hidden**2 + 7 * n.hidden) + attention + n.heads * (n.hidden + 1)

    def real(self, k: int) -> bool:
        return self.rows.ring(self.slot, "past_mask")[k % self.layout.memory] == 1

    def labels(self, start: int, steps: int, base: int) -> NDArray:
        """(y at the lead - y at the origin - what the base says) / scale: NaN unless both were observed, and by now."""
        y = self.rows.ring(self.slot, "past_y")
        out = np.full((steps, len(self.layout.leads)), np.nan)
        for t in range(steps):
            for j, lead in enumerate(self.layout.leads):
                here, there = start + t, start + t + lead
                if there <= self.k and self.real(here) and self.real(there):
                    rest = (
                        y[there % self.layout.memory] - y[here % self.layout.memory] - self.said(base, j, here, there)
                    )
                    scale = math.sqrt(self.record["base_square"][base, j])
                    out[t, j] = np.clip(rest / scale, -TARGET_CLIP, TARGET_CLIP)
        return out

    def further(self, start: int, steps: int) -> NDArray:
        """(rise of the further target) / √min(h q, 2 v), as `labels` (steps, L): a value came at every step."""
        past, scale = self.rows.ring(self.slot, "past_inputs"), self.record["inputs"][0]
        out = np.full((steps, len(self.layout.leads)), np.nan)
        for t in range(steps):
            for j, lead in enumerate(self.layout.leads):
                here, there = start + t, start + t + lead
                if there <= self.k and past[there % self.layout.memory, 1] == 0:
                    rise = float(past[there % self.layout.memory, 0] - past[here % self.layout.memory, 0])
                    out[t, j] = np.clip(rise / math.sqrt(min(lead * scale[SQUARE], 2 * scale[VARIANCE])), -6, 6)
        return out

    def said(self, base: int, j: int, here: int, there: int) -> float:
        """The rise from here to there, by a base alone."""
        if base == B_RISE:
            time, profile = self.rows.ring(self.slot, "past_time"), self.rows.ring(self.slot, "season_0")[PROFILE]
            slots = [int(time[k % self.layout.memory]) // HOUR_NS % 24 for k in (here, there)]
            return float(profile[slots[1]] - profile[slots[0]])
        if base == B_LINEAR:
            stored = self.rows.ring(self.slot, "past_linear")[here % self.layout.memory, j]
            return float(stored) / LINEAR_UNIT * math.sqrt(self.record["base_square"][B_LAST, j])
        return 0.0

    def slopes(self, cell: int, start: int, features: NDArray, labels: NDArray, delta: float = HUBER) -> NDArray:
        """The twin's gradient, from the hidden state that was kept at the window's start."""
        n = self.layout.sizes
        kept = self.rows.ring(self.slot, "past_states")[start // CYCLE % (self.layout.memory // CYCLE), cell]
        kept = kept / STATE_UNIT
        relu = self.stream.model.activation == "relu"
        net = partial(
            reference_settings.Network.of,
            inputs=n.features,
            hidden=n.hidden,
            layers=n.layers,
            leads=n.heads,
            activation=reference.relu if relu else np.tanh,
            residual=self.stream.model.residual,
            reach=n.attention,
        )
        labels = np.hstack([labels, np.full((len(labels), n.heads - labels.shape[1]), np.nan)])
        return reference.central_differences(
            lambda flat: reference.window_loss(
                net(flat), features, kept[:, : n.hidden], kept[:, n.hidden :], labels, delta
            ),
            self.record["weights"][cell, : self.used].astype(np.float64),
            step=3e-6,
        )


@pytest.fixture(scope="module", params=KINDS)
def series(request: pytest.FixtureRequest) -> Series:
    return Series(KINDS[request.param])


def aligned(k: int) -> int:
    """The last step at or before k whose hidden state was kept."""
    return k // CYCLE * CYCLE


@pytest.mark.parametrize("cell", range(3))
def test_the_row_s_gradient_is_the_slope_of_the_twin_s_loss(series: Series, cell: int) -> None:
    base, wild = CELL_BASES[cell], False
    newest = aligned(series.k - 8)
    for start, steps in ((newest, STEPS), (aligned(GAP_AT + MISSED), STEPS)):
        found, labelled, features = series.learned(cell, start, steps)
        labels = series.labels(start, steps, base)
        assert labelled == np.count_nonzero(~np.isnan(labels)) > 0
        assert np.isnan(labels).any()  # to come, or imputed
        wild |= bool((np.abs(labels) == TARGET_CLIP).any())
        slopes = series.slopes(cell, start, features, labels)
        # some hundred roundings of float32, 6e-8, on the way to each entry, of which many cancel
        np.testing.assert_allclose(found, slopes, rtol=0, atol=1e-5 * np.abs(slopes).max())
        assert np.abs(slopes).max() > 0.05
    assert wild


@pytest.fixture(scope="module")
def beside() -> Series:
    return Series(with_model(STREAM_BESIDE, memory=64))


@pytest.mark.parametrize("cell", range(5))
def test_with_covariates_so_it_is_for_the_cells_that_see_them_and_for_those_that_do_not(
    beside: Series, cell: int
) -> None:
    seeing = cell - 3
    base = BESIDE_CELL_BASES[seeing] if seeing >= 0 else CELL_BASES[cell]
    start = aligned(beside.k - 8)
    found, labelled, features = beside.learned(cell, start, STEPS)
    labels = beside.labels(start, STEPS, base)
    assert labelled == np.count_nonzero(~np.isnan(labels)) > 0
    if seeing >= 0:  # one further target: it weighs as much as the series itself, where that has a label
        further = np.where(np.isnan(labels).all(axis=1)[:, None], np.nan, beside.further(start, STEPS))
        assert np.isfinite(further).any() and np.isnan(further).any()
        labels = np.hstack([labels, further])
    n = beside.layout.sizes
    assert features[:, -n.outside :].any(axis=0).all() == (seeing >= 0)
    slopes = beside.slopes(cell, start, features, labels, BESIDE_HUBER[seeing] if seeing >= 0 else HUBER)
    np.testing.assert_allclose(found, slopes, rtol=0, atol=1e-5 * np.abs(slopes).max())
    on_covariates = found[: n.features * 4 * n.hidden].reshape(n.features, -1)[-n.outside :]
    assert on_covariates.any() == (seeing >= 0)
    weights = beside.record["weights"][cell, : n.features * 4 * n.hidden].reshape(n.features, -1)[-n.outside :]
    assert weights.any() == (seeing >= 0)


def test_imputed_steps_are_neither_origins_nor_labels(series: Series) -> None:
    imputed = [k for k in range(series.k - 60, series.k) if not series.real(k)]
    assert imputed == [GAP_AT, GAP_AT + 1, GAP_AT + 2, MISSING_AT + MISSED]
    start = aligned(GAP_AT + MISSED)
    before, _, _ = series.learned(0, start, STEPS)
    y = series.rows.ring(series.slot, "past_y")
    at = [k % series.layout.memory for k in imputed]
    kept = y[at].copy()
    y[at] += 20  # the cell sees what was imputed; were it an origin or a label, too, the twin would disagree
    labels = series.labels(start, STEPS, B_LAST)
    after, _, features = series.learned(0, start, STEPS)
    slopes = series.slopes(0, start, features, labels)
    y[at] = kept
    assert (before != after).any()
    np.testing.assert_allclose(after, slopes, rtol=0, atol=1e-5 * np.abs(slopes).max())


def test_it_has_learned_something_by_then(series: Series) -> None:
    assert (series.record["updates"] > 20).all()
    assert series.record["skipped"] == 0
    assert (series.record["weights"] != series.record["average"]).any()
