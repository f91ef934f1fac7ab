"""One step and one window of the cell, its heads and its products, against the textbook's cell."""

from __future__ import annotations

import numpy as np
import pytest

from streamlstm.kernels import lstm
from tests import reference
from tests.kernels import ready, ulps

affine, step, forward, heads = map(ready, (lstm.affine, lstm.step, lstm.forward, lstm.heads))
dots, dot, weigh, heads_back = map(ready, (lstm.dots, lstm.dot, lstm.weigh, lstm.heads_back))

# H, D, K: rows in blocks of eight and of four, with and without a rest, and less than one block
SIZES = [(1, 1, 1), (2, 3, 5), (3, 5, 8), (4, 4, 9), (5, 11, 16), (7, 2, 19), (8, 8, 7)]
BOTH = pytest.mark.parametrize("dtype", [np.float32, np.float64])
EACH_SIZE = pytest.mark.parametrize(("H", "D", "K"), SIZES)
EACH_ACTIVATION = pytest.mark.parametrize("activation", [np.tanh, reference.relu], ids=["tanh", "relu"])


def drawn(dice: np.random.Generator, dtype, *shape: int) -> np.ndarray:
    return dice.normal(0, 0.7, shape).astype(dtype)


def cell(dice, dtype, H: int, D: int, activation=np.tanh) -> tuple[tuple, reference.Cell]:
    """The same random weights for the kernel and for the twin."""
    weights = drawn(dice, dtype, D + H, 4 * H), drawn(dice, dtype, 4 * H), drawn(dice, dtype, 3 * H)
    return weights, reference.Cell(*(each.astype(np.float64) for each in weights), activation)


@BOTH
@EACH_SIZE
def test_affine_is_a_matrix_product(H, D, K, dtype) -> None:
    dice = np.random.default_rng(K)
    w, b, a = drawn(dice, dtype, D + H, 4 * H), drawn(dice, dtype, 4 * H), drawn(dice, dtype, D + H)
    z = np.full(4 * H, np.nan, dtype)
    affine(w, b, a, z)
    wide, sizes = a.astype(np.float64) @ w.astype(np.float64) + b, np.abs(a) @ np.abs(w) + np.abs(b)
    assert (np.abs(z - wide) <= ulps(D + H + 1, dtype) * sizes).all()  # a rounding for each term of a sum


@BOTH
@EACH_SIZE
def test_dots_are_dot_products_of_rows(H, D, K, dtype) -> None:
    dice = np.random.default_rng(K)
    w, dz, out = drawn(dice, dtype, D + H, 4 * H), drawn(dice, dtype, 4 * H), np.full(H, np.nan, dtype)
    dots(w, D, dz, out)
    wide, sizes = w[D:].astype(np.float64) @ dz.astype(np.float64), np.abs(w[D:]) @ np.abs(dz)
    assert (np.abs(out - wide) <= ulps(4 * H + 1, dtype) * sizes).all()
    assert abs(dot(w[D], dz) - wide[0]) <= ulps(4 * H + 1, dtype) * sizes[0]


@BOTH
@EACH_ACTIVATION
@EACH_SIZE
def test_a_step_is_the_textbook_s(H, D, K, activation, dtype) -> None:
    dice = np.random.default_rng(K)
    weights, twin = cell(dice, dtype, H, D, activation)
    a, c, z = drawn(dice, dtype, D + H), drawn(dice, dtype, H), np.zeros(4 * H, dtype)
    x = a[:D].copy()
    h_wide, c_wide = twin.step(*(each.astype(np.float64) for each in (a[:D], a[D:], c)))
    step(*weights, a, c, z, int(activation is reference.relu))
    # sums of D+H terms of size 1, then four squashings, each good to three units of float32
    size = 1 + np.abs(c_wide).max()
    np.testing.assert_allclose(c, c_wide, rtol=0, atol=ulps(3 * (D + H) + 12, dtype) * size)
    np.testing.assert_allclose(a[D:], h_wide, rtol=0, atol=ulps(3 * (D + H) + 12, dtype) * size)
    assert (a[:D] == x).all()


@BOTH
@EACH_ACTIVATION
@EACH_SIZE
def test_a_window_is_its_steps_one_after_the_other(H, D, K, activation, dtype) -> None:
    dice = np.random.default_rng(K)
    weights, twin = cell(dice, dtype, H, D, activation)
    relu = int(activation is reference.relu)
    a, c = np.full((K + 1, D + H), np.nan, dtype), np.full((K + 1, H), np.nan, dtype)
    a[:K, :D], a[0, D:], c[0] = drawn(dice, dtype, K, D), drawn(dice, dtype, H), drawn(dice, dtype, H)
    inputs, z = a[:K, :D].copy(), np.zeros(4 * H, dtype)
    by_step, c_step = a[0].copy(), c[0].copy()
    h_wide, c_wide = a[0, D:].astype(np.float64), c[0].astype(np.float64)
    forward(*weights, a, c, np.full((K, 6 * H), np.nan, dtype), z, relu, K)
    assert (a[:K, :D] == inputs).all()
    for t in range(K):
        by_step[:D] = inputs[t]
        step(*weights, by_step, c_step, z, relu)
        h_wide, c_wide = twin.step(inputs[t].astype(np.float64), h_wide, c_wide)
        # step and window are compiled apart, and may contract other products into sums
        np.testing.assert_allclose(
            a[t + 1, D:], by_step[D:], rtol=0, atol=ulps(100, dtype) * (1 + np.abs(c_wide).max())
        )
        # rounding errors of a step pass through the recurrence, which may double them a few times in a random cell
        np.testing.assert_allclose(c[t + 1], c_wide, rtol=0, atol=ulps(1000, dtype) * (1 + np.abs(c_wide).max()))
        np.testing.assert_allclose(a[t + 1, D:], h_wide, rtol=0, atol=ulps(1000, dtype) * (1 + np.abs(c_wide).max()))


@pytest.mark.parametrize("activation", [0, 1], ids=["tanh", "relu"])
@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")  # numpy's, where the compiler is off
def test_what_is_not_a_number_goes_through_the_cell_as_such(activation) -> None:
    dice = np.random.default_rng(1)
    weights, _ = cell(dice, np.float32, 5, 3)
    a, c = drawn(dice, np.float32, 8), drawn(dice, np.float32, 5)
    a[1] = np.nan
    step(*weights, a, c, np.zeros(20, np.float32), activation)
    assert np.isnan(a[3:]).all()
    assert np.isnan(c).all()


@BOTH
@EACH_SIZE
def test_heads_are_linear(H, D, K, dtype) -> None:
    dice = np.random.default_rng(K)
    L = D
    v, d, h, out = drawn(dice, dtype, L, H), drawn(dice, dtype, L), drawn(dice, dtype, H), np.full(L, np.nan, dtype)
    heads(v, d, h, out)
    sizes = np.abs(v) @ np.abs(h) + np.abs(d)
    assert (np.abs(out - (v.astype(np.float64) @ h + d)) <= ulps(H + 1, dtype) * sizes).all()


@BOTH
@EACH_SIZE
def test_the_way_back_through_the_heads_adds_outer_products(H, D, K, dtype) -> None:
    dice = np.random.default_rng(K)
    L = D
    v, h, de = drawn(dice, dtype, L, H), drawn(dice, dtype, H), drawn(dice, dtype, L)
    de[0] = 0  # a label that nobody knows
    gv, gd, dh = drawn(dice, dtype, L, H), drawn(dice, dtype, L), drawn(dice, dtype, H)
    before = gv.copy(), gd.copy(), dh.copy()
    heads_back(v, h, de, gv, gd, dh)
    np.testing.assert_allclose(gv, before[0] + np.outer(de, h), rtol=0, atol=ulps(8, dtype))  # a product and a sum, < 4
    np.testing.assert_allclose(gd, before[1] + de, rtol=0, atol=ulps(8, dtype))
    np.testing.assert_allclose(dh, before[2] + de @ v, rtol=0, atol=ulps(8 * L, dtype))
    assert (gv[0] == before[0][0]).all()
    assert gd[0] == before[1][0]


@BOTH
@EACH_SIZE
def test_the_weight_gradient_is_a_product_over_the_steps(H, D, K, dtype) -> None:
    dice = np.random.default_rng(K)
    a, c, dz = drawn(dice, dtype, K + 1, D + H), drawn(dice, dtype, K + 1, H), drawn(dice, dtype, K + 2, 4 * H)
    gw, gb, gp = drawn(dice, dtype, D + H, 4 * H), drawn(dice, dtype, 4 * H), drawn(dice, dtype, 3 * H)
    before = gw.astype(np.float64), gb.astype(np.float64), gp.astype(np.float64)
    weigh(a, c, dz, gw, gb, gp, K)
    a, c, dz = a[:K].astype(np.float64), c[:K].astype(np.float64), dz[:K].astype(np.float64)
    per_gate = [(dz[:, n * H : (n + 1) * H] * c).sum(axis=0) for n in range(3)]
    tolerance = ulps(2 * (K + 1), dtype) * 4 * np.sqrt(K)  # K+1 terms of size 1 or so, a rounding each
    np.testing.assert_allclose(gw, before[0] + a.T @ dz, rtol=0, atol=tolerance)
    np.testing.assert_allclose(gb, before[1] + dz.sum(axis=0), rtol=0, atol=tolerance)
    np.testing.assert_allclose(gp, before[2] + np.concatenate(per_gate), rtol=0, atol=tolerance)
