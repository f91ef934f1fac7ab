"""Attention over the tape, forward against the textbook's and back against differences of every number it reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamlstm.kernels import attention
from tests import reference, reference_settings
from tests.kernels import ready, ulps

attend, attend_back, push = map(ready, (attention.attend, attention.attend_back, attention.push))

SIZES = [(1, 1), (3, 1), (5, 4), (8, 16), (13, 7)]  # H, R
EACH_SIZE = pytest.mark.parametrize(("H", "R"), SIZES)


def example(H: int, R: int, dtype=np.float64) -> tuple[NDArray, ...]:
    dice = np.random.default_rng(H + R)
    return tuple(dice.normal(0, 0.8, shape).astype(dtype) for shape in ((H, H), (H,), (R, H)))


def mixed(w, h, tape) -> tuple[NDArray, NDArray, NDArray]:
    """Shares, query and context."""
    share, query, context = (np.full(n, np.nan, w.dtype) for n in (len(tape) + 1, len(h), len(h)))
    attend(w, h, tape, share, query, context)
    return share[: len(tape)], query, context


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@EACH_SIZE
def test_the_context_is_the_textbook_s(H, R, dtype) -> None:
    w, h, tape = example(H, R, dtype)
    _, _, context = mixed(w, h, tape)
    wide = reference_settings.attend(*(each.astype(np.float64) for each in (w, h, tape)))
    # a score's error is that of sums of H² terms below ten, and becomes the share's relative error
    np.testing.assert_allclose(context, wide, rtol=0, atol=ulps(20 * (H + R), dtype) * np.abs(tape).max())


@EACH_SIZE
def test_its_gradient_is_the_slope(H, R) -> None:
    w, h, tape = example(H, R)
    pull = np.random.default_rng(9).normal(size=H)
    share, query, _ = mixed(w, h, tape)
    gw, dh, dtape = np.ones_like(w), np.ones_like(h), np.ones_like(tape)  # added to
    attend_back(w, h, tape, share, query, pull, gw, dh, dtape, np.full(H, np.nan))
    found = np.concatenate([each.ravel() - 1 for each in (gw, dh, dtape)])
    slopes = reference.central_differences(
        lambda flat: float(
            pull
            @ reference_settings.attend(
                flat[: H * H].reshape(H, H), flat[H * H : H * H + H], flat[H * H + H :].reshape(R, H)
            )
        ),
        np.concatenate([w.ravel(), h, tape.ravel()]),
        step=1e-5,
    )
    # a sum near one rounds at 2e-16, its difference over 2e-5 at 1e-11; a third derivative near ten adds 2e-10
    np.testing.assert_allclose(found, slopes, rtol=0, atol=1e-9 * max(1, np.abs(slopes).max()))
    assert np.abs(slopes).max() > 0.1


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), R=st.integers(1, 20), size=st.sampled_from([0.01, 1.0, 30.0]))
def test_a_context_lies_among_the_states_whatever_their_order(seed, R, size) -> None:
    dice = np.random.default_rng(seed)
    w, h, tape = (dice.normal(0, size, shape).astype(np.float32) for shape in ((4, 4), (4,), (R, 4)))
    share, _, context = mixed(w, h, tape)
    assert (share >= 0).all()
    assert share.sum() == pytest.approx(1, abs=1e-5)
    slack = 1e-5 * np.abs(tape).max()
    assert (context >= tape.min(axis=0) - slack).all()
    assert (context <= tape.max(axis=0) + slack).all()
    turned = mixed(w, h, np.ascontiguousarray(dice.permutation(tape)))[2]
    np.testing.assert_allclose(turned, context, rtol=0, atol=4 * slack)


def test_before_the_first_state_there_is_no_context_and_nothing_to_send_back() -> None:
    w, h, tape = example(3, 0)
    share, query, context = mixed(w, h, tape)
    assert not context.any()
    gw, dh = np.zeros_like(w), np.zeros_like(h)
    attend_back(w, h, tape, share, query, np.ones(3), gw, dh, np.zeros_like(tape), np.zeros(3))
    assert not gw.any()
    assert not dh.any()


@given(st.integers(1, 5), st.integers(0, 17))
def test_a_ring_holds_the_newest_states(R, steps) -> None:
    tape, filled = np.full((R, 2), np.nan), 0
    for t in range(steps):
        filled = push(tape, filled, np.array([t, -t], np.float64))
    assert filled == steps
    kept = tape[: min(R, steps)]
    assert sorted(kept[:, 0]) == list(range(max(0, steps - R), steps))
    assert (kept[:, 1] == -kept[:, 0]).all()
