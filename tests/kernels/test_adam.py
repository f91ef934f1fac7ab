"""The optimiser against algorithm 1 of Kingma and Ba, and the guard before it: nothing that is not finite gets by."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import adam as kernel
from streamlstm.model.arena import Layout
from streamlstm.model.learn import CLIP_NORM, update
from streamlstm.model.state import record, work_dtype
from tests import reference
from tests.kernels import ready, ulps
from tests.small import STREAM

norm, adam = ready(kernel.norm), ready(kernel.adam)
RATE = 4e-3
LAYOUT = Layout.of(STREAM, 3_600_000_000_000, True)
(PLAN,) = LAYOUT.plan(STREAM).view(np.recarray)
CELL = 1  # of three


def row() -> np.recarray:
    """A series' record as it is between two updates: by attribute, which the compiler and plain Python both read."""
    (s,) = np.zeros(1, record(LAYOUT.sizes)).view(np.recarray)
    dice = np.random.default_rng(1)
    for name in ("weights", "average", "first_moment"):
        s[name] = dice.normal(0, 0.1, s[name].shape)
    s["second_moment"] = dice.random(s["weights"].shape) * 1e-3
    s["seen"], s["updates"] = 500, 60
    return s


def scratch(gradient: float = 0.5) -> np.recarray:
    """What a cell's windows have left for the update."""
    (work,) = np.zeros(1, work_dtype(LAYOUT.sizes)).view(np.recarray)
    work["gradient"] = gradient
    return work


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 7, 64, 1003])
def test_the_norm_is_euclid_s(size, dtype) -> None:
    g = np.random.default_rng(size).normal(0, 1e-3, size).astype(dtype)
    assert norm(g) == pytest.approx(np.linalg.norm(g.astype(np.float64)), rel=ulps(size + 2, dtype))


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")  # numpy's, where the compiler is off
@given(place=st.integers(0, 66), odd=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_one_odd_entry_anywhere_makes_the_norm_odd(place, odd) -> None:
    g = np.linspace(-1, 1, 67, dtype=np.float32)
    g[place] = odd
    assert not math.isfinite(norm(g))


# In float32 each update rounds moments and weights once or twice, and twenty updates let that add up; in float64 the
# same, and the twin's averages are formed in another order.
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 40 * 1.2e-7), (np.float64, 40 * 2.2e-16)])
@pytest.mark.parametrize("size", [1, 5, 32, 101])
def test_updates_are_kingma_and_ba_s(size, dtype, tolerance) -> None:
    dice = np.random.default_rng(size)
    w = dice.normal(0, 0.5, size).astype(dtype)
    m, v, average = np.zeros_like(w), np.zeros_like(w), w.copy()
    twin = reference.Adam(w.astype(np.float64), RATE, kernel.BETA1, kernel.BETA2, kernel.EPSILON)
    for t in range(1, 21):
        g = dice.normal(0, 10.0 ** dice.integers(-3, 2), size).astype(dtype)
        scale, averaging = dice.uniform(0.01, 1), max(0.005, 20 / (20 + t))
        twin.update(scale * g.astype(np.float64), averaging)
        adam(w, m, v, g, average, RATE, scale, t, averaging)
        assert (g == 0).all()
    np.testing.assert_allclose(m, twin.m, rtol=tolerance, atol=tolerance * np.abs(twin.m).max())
    np.testing.assert_allclose(v, twin.v, rtol=tolerance)
    np.testing.assert_allclose(w, twin.weights, rtol=0, atol=tolerance)
    np.testing.assert_allclose(average, twin.average, rtol=0, atol=tolerance)


def test_an_update_averages_over_the_labels_and_clips_the_norm() -> None:
    for size in (0.001, 100.0):  # norms after the average on both sides of the clip
        s, work = row(), scratch(size)
        s["first_moment"], s["second_moment"], s["updates"] = 0, 0, 0
        mean = np.full(len(work["gradient"]), size / 10)
        twin = reference.Adam(s["weights"][CELL].astype(float), 0, kernel.BETA1, kernel.BETA2, kernel.EPSILON)
        twin.update(reference.clipped(mean, CLIP_NORM), 1)
        update(s, PLAN, work, CELL, 10)
        np.testing.assert_allclose(s["first_moment"][CELL], twin.m, rtol=1e-5)  # float32, and the norm's sum in it
        np.testing.assert_allclose(s["second_moment"][CELL], twin.v, rtol=1e-5)
        assert s["gradient_norm"][CELL] == pytest.approx(np.linalg.norm(mean), rel=1e-5)


def test_an_update_moves_one_cell_s_weights_and_clears_the_gradient() -> None:
    s, work = row(), scratch()
    before = s["weights"].copy()
    update(s, PLAN, work, CELL, 10)
    moved = s["weights"] != before
    assert moved[CELL].all()
    assert moved.sum() == moved[CELL].size
    assert (s["updates"].tolist(), s["skipped"]) == ([60, 61, 60], 0)
    assert not work["gradient"].any()


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
@settings(deadline=None)
@given(place=st.integers(0, LAYOUT.sizes.weights - 1), odd=st.sampled_from([math.nan, math.inf, -math.inf, 3e38]))
def test_a_gradient_that_is_not_finite_is_refused_counted_and_cleared(place, odd) -> None:
    s, work, untouched = row(), scratch(), ("weights", "average", "first_moment", "second_moment", "updates")
    before = {name: s[name].tobytes() for name in untouched}
    work["gradient"][place] = odd
    update(s, PLAN, work, CELL, 10)
    assert {name: s[name].tobytes() for name in untouched} == before
    assert s["skipped"] == 1
    assert not work["gradient"].any()
    assert not math.isfinite(s["gradient_norm"][CELL])
    work["gradient"] = 0.5
    update(s, PLAN, work, CELL, 10)  # and the next one is taken again
    assert (s["updates"][CELL], s["skipped"]) == (61, 1)
    assert np.isfinite(s["weights"]).all()


def test_without_labels_there_is_no_update() -> None:
    s = row()
    before = s.tobytes()
    update(s, PLAN, scratch(), CELL, 0)
    assert s.tobytes() == before
