"""Pruning: the schedule of Zhu and Gupta, the smallest weights and no others, and zeros that no optimiser moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import optimiser
from streamlstm.kernels import prune as kernel
from streamlstm.kernels.adam import adam as plain_adam
from tests import reference_settings as reference
from tests.kernels import ready

sparsity, prune, hold, adam = map(ready, (kernel.sparsity, kernel.prune, kernel.hold, plain_adam))


@settings(deadline=None)  # the first one compiles
@given(update=st.integers(0, 3000), begin=st.integers(0, 500), duration=st.integers(1, 1500), final=st.floats(0, 0.99))
def test_the_share_grows_by_the_cubic_schedule(update, begin, duration, final) -> None:
    wanted = reference.sparsity(update, begin, duration, final)
    assert sparsity(update, begin, duration, final) == pytest.approx(wanted, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("size", [1, 5, 64, 1003])
def test_the_smallest_weights_become_zero(size, share, dtype) -> None:
    w = np.random.default_rng(size).uniform(-0.3, 0.3, size).astype(dtype)
    average = w + dtype(0.1)
    pruned, smoothed = w.copy(), average.copy()
    prune(pruned, smoothed, share)
    np.testing.assert_array_equal(pruned, reference.prune(w, share))
    np.testing.assert_array_equal(smoothed, np.where(pruned == 0, dtype(0), average))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1e-30, -1e-30, 0.5, -0.5, 0.7, 3e38]) | st.floats(-2, 2, width=32), min_size=1),
    st.floats(0, 0.99),
)
def test_never_more_than_the_share_and_never_a_larger_one_first(values, share) -> None:
    w = np.array(values, np.float32)
    before = w.copy()
    prune(w, np.ones_like(w), share)
    gone = (w == 0) & (before != 0)
    assert np.count_nonzero(gone) <= int(share * len(w))
    if gone.any():
        assert np.count_nonzero(w == 0) <= int(share * len(w))
        assert np.abs(before[gone]).max() < np.abs(before[w != 0]).min()
    assert (w[~gone] == before[~gone]).all()


@pytest.mark.parametrize("which", range(len(optimiser.NAMES)), ids=optimiser.NAMES)
def test_what_is_zero_stays_zero(which) -> None:
    dice = np.random.default_rng(3)
    w, m, v = (dice.uniform(0.1, 1, 40).astype(np.float32) for _ in range(3))
    average = w.copy()
    prune(w, average, 0.5)
    masked = w == 0
    assert masked.sum() == 20
    for t in range(1, 6):
        g = dice.normal(size=40).astype(np.float32)
        hold(w, m, g)
        assert (g[~masked] != 0).all()
        if which == optimiser.ADAM:
            adam(w, m, v, g, average, 0.01, 1.0, t, 0.1)
        else:
            optimiser.another(which, w, m, v, g, average, 0.01, 1.0, t, 0.1)
        assert not w[masked].any()
        assert not average[masked].any()
        assert w[~masked].all()
