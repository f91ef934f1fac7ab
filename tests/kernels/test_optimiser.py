"""The other optimisers against their papers, with Adam's manners."""

from __future__ import annotations

import numpy as np
import pytest

from streamlstm.kernels import optimiser as kernel
from streamlstm.kernels.adam import BETA1, BETA2, EPSILON
from tests import reference_settings as reference

RATE = 4e-3
TWINS = {
    "adamw": lambda w: reference.AdamW(w, RATE, BETA1, BETA2, EPSILON, kernel.DECAY),
    "nadam": lambda w: reference.Nadam(w, RATE, BETA1, BETA2, EPSILON),
    "rmsprop": lambda w: reference.RMSprop(w, RATE, kernel.SMOOTHING, EPSILON),
    "sgd": lambda w: reference.Momentum(w, RATE, kernel.MOMENTUM),
}


def test_each_but_adam_has_a_twin_here() -> None:
    assert set(TWINS) == set(kernel.NAMES) - {"adam"}


# As for Adam: a rounding or two an update, twenty updates. SGD's weights move by whole gradients, near ten here.
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 40 * 1.2e-7), (np.float64, 40 * 2.2e-16)])
@pytest.mark.parametrize("size", [1, 5, 32, 101])
@pytest.mark.parametrize("name", TWINS)
def test_updates_are_the_paper_s(name, size, dtype, tolerance) -> None:
    dice = np.random.default_rng(size)
    w = dice.normal(0, 0.5, size).astype(dtype)
    m, v, average = np.zeros_like(w), np.zeros_like(w), w.copy()
    twin = TWINS[name](w.astype(np.float64))
    start = w.copy()
    for t in range(1, 21):
        g = dice.normal(0, 10.0 ** dice.integers(-3, 2), size).astype(dtype)
        scale, averaging = dice.uniform(0.01, 1), max(0.005, 20 / (20 + t))
        twin.update(scale * g.astype(np.float64), averaging)
        kernel.another(kernel.NAMES.index(name), w, m, v, g, average, RATE, scale, t, averaging)
        assert (g == 0).all()
    largest = max(1, np.abs(twin.weights).max())
    np.testing.assert_allclose(w, twin.weights, rtol=0, atol=tolerance * largest)
    np.testing.assert_allclose(average, twin.average, rtol=0, atol=tolerance * largest)
    assert np.abs(w - start).max() > RATE
    assert m.any() == (name != "rmsprop")
    assert v.any() == (name != "sgd")
