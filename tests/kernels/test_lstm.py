"""One step and one window of the cell, its heads and its products, against the textbook's cell."""

from __future__ import annotations

import numpy as np
import pytest

from streamlstm.kernels import lstm
from tests import reference
from tests.kernels import ready, ulps

affine, step, forward, heads = map(ready, (lstm.affine, lstm.step, lstm.forward, lstm.heads))
backward, dot, weigh, heads_back = map(ready, (lstm.backward, lstm.dot, lstm.weigh, lstm.heads_back))

# H, D, K: sums in blocks of four, with and without a rest, and less than one block
SIZES = [(1, 1, 1), (2, 3, 5), (3, 5, 8), (4, 4, 9), (5, 11, 16), (7, 2, 19), (8, 8, 7)]
BOTH = pytest.mark.parametrize("dtype", [np.float32, np.float64])
EACH_SIZE = pytest.mark.parametrize(("H", "D", "K"), SIZES)
EACH_NUMBER = pytest.mark.parametrize("B", [1, 2, 5, 7])
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
@pytest.mark.parametrize("size", [1, 4, 7, 48])
def test_a_dot_product_is_one(size, dtype) -> None:
    dice = np.random.default_rng(size)
    a, b = drawn(dice, dtype, size), drawn(dice, dtype, size)
    assert abs(dot(a, b) - a.astype(np.float64) @ b) <= ulps(size + 1, dtype) * (np.abs(a) @ np.abs(b))


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


def run(weights, xs, h, c, relu: int) -> tuple[np.ndarray, ...]:
    """`forward` over windows side by side from xs (K, B, D), h and c (B, H): what it leaves in a, c, z and out."""
    (K, B, D), H, dtype = xs.shape, h.shape[1], xs.dtype
    a, cells = np.full((K + 1, B, D + H), np.nan, dtype), np.full((K + 1, B, H), np.nan, dtype)
    z, out = np.full((K, B, 4 * H), np.nan, dtype), np.full((K, B, H), np.nan, dtype)
    a[:K, :, :D], a[0, :, D:], cells[0] = xs, h, c
    forward(*weights, a, cells, z, out, relu, K)
    return a, cells, z, out


@BOTH
@EACH_ACTIVATION
@EACH_SIZE
@EACH_NUMBER
def test_windows_are_their_steps_one_after_the_other(B, H, D, K, activation, dtype) -> None:
    dice = np.random.default_rng(K)
    weights, twin = cell(dice, dtype, H, D, activation)
    relu = int(activation is reference.relu)
    xs, h, c = drawn(dice, dtype, K, B, D), drawn(dice, dtype, B, H), drawn(dice, dtype, B, H)
    a, cells, _, _ = run(weights, xs, h, c, relu)
    assert (a[:K, :, :D] == xs).all()
    z = np.zeros(4 * H, dtype)
    for r in range(B):
        by_step, c_step = a[0, r].copy(), c[r].copy()
        h_wide, c_wide = h[r].astype(np.float64), c[r].astype(np.float64)
        for t in range(K):
            by_step[:D] = xs[t, r]
            step(*weights, by_step, c_step, z, relu)
            h_wide, c_wide = twin.step(xs[t, r].astype(np.float64), h_wide, c_wide)
            size = 1 + np.abs(c_wide).max()
            # step and window are compiled apart, and may contract other products into sums
            np.testing.assert_allclose(a[t + 1, r, D:], by_step[D:], rtol=0, atol=ulps(100, dtype) * size)
            # rounding errors of a step pass through the recurrence, which may double them a few times in a random cell
            np.testing.assert_allclose(cells[t + 1, r], c_wide, rtol=0, atol=ulps(1000, dtype) * size)
            np.testing.assert_allclose(a[t + 1, r, D:], h_wide, rtol=0, atol=ulps(1000, dtype) * size)


@BOTH
@EACH_ACTIVATION
@EACH_SIZE
@pytest.mark.parametrize("B", [2, 5, 7])
def test_a_window_comes_out_the_same_whatever_is_beside_it(B, H, D, K, activation, dtype) -> None:
    dice = np.random.default_rng(K)
    weights, _ = cell(dice, dtype, H, D, activation)
    relu = int(activation is reference.relu)
    xs, h, c = drawn(dice, dtype, K, B, D), drawn(dice, dtype, B, H), drawn(dice, dtype, B, H)
    pull = drawn(dice, dtype, K, B, H)

    def both_ways(rows: slice) -> tuple[np.ndarray, ...]:
        a, cells, z, out = run(weights, xs[:, rows], h[rows], c[rows], relu)
        dh, dx, dc = pull[:, rows].copy(), np.zeros((K, len(h[rows]), H), dtype), np.ones_like(h[rows])
        turned = np.full((4 * H, H), np.nan, dtype)
        backward(weights[0], weights[2], cells, z, out, dh, dx, dc, turned, relu, K, D == H)
        return a[1:, :, D:], cells, z, dh, dx

    together = both_ways(slice(None))
    for r in range(B):
        for many, one in zip(together, both_ways(slice(r, r + 1)), strict=True):
            np.testing.assert_array_equal(many[:, r], one[:, 0])  # to the bit


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
@EACH_NUMBER
def test_the_weight_gradient_is_a_product_over_the_steps_of_all_windows(B, H, D, K, dtype) -> None:
    dice = np.random.default_rng(K)
    a, c, dz = drawn(dice, dtype, K + 1, B, D + H), drawn(dice, dtype, K + 1, B, H), drawn(dice, dtype, K + 2, B, 4 * H)
    gw, gb, gp = drawn(dice, dtype, D + H, 4 * H), drawn(dice, dtype, 4 * H), drawn(dice, dtype, 3 * H)
    before = gw.astype(np.float64), gb.astype(np.float64), gp.astype(np.float64)
    weigh(a, c, dz, gw, gb, gp, K)
    a, c, dz = (each[:K].astype(np.float64).reshape(K * B, -1) for each in (a, c, dz))
    per_gate = [(dz[:, n * H : (n + 1) * H] * c).sum(axis=0) for n in range(3)]
    tolerance = ulps(2 * (K * B + 1), dtype) * 4 * np.sqrt(K * B)  # KB+1 terms of size 1 or so, a rounding each
    np.testing.assert_allclose(gw, before[0] + a.T @ dz, rtol=0, atol=tolerance)
    np.testing.assert_allclose(gb, before[1] + dz.sum(axis=0), rtol=0, atol=tolerance)
    np.testing.assert_allclose(gp, before[2] + np.concatenate(per_gate), rtol=0, atol=tolerance)
