"""The matrix product in each of its blocks against NumPy's, and rows alone against the same rows in company."""

from __future__ import annotations

import numpy as np
import pytest

from streamlstm.kernels import lstm
from streamlstm.kernels import product as kernel
from tests.kernels import ready, ulps

product, turn = ready(kernel.product), ready(lstm.turn)

BOTH = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# rows in fives and alone; columns in each tile there is, and some left over
EACH_SIZE = pytest.mark.parametrize(
    ("R", "K", "M"),
    [(1, 1, 1), (2, 3, 5), (4, 4, 33), (5, 9, 16), (8, 7, 20), (13, 84, 192), (11, 2, 127), (5, 1, 120)],
)


@BOTH
@EACH_SIZE
def test_what_is_added_is_the_product(R, K, M, dtype) -> None:
    dice = np.random.default_rng(R)
    x, w, out = (dice.normal(size=shape).astype(dtype) for shape in ((K, R), (K, M), (R, M)))
    wide, sizes = out + x.astype(np.float64).T @ w, np.abs(out) + np.abs(x).T @ np.abs(w)
    product(x.T, w, out)
    assert (np.abs(out - wide) <= ulps(K + 1, dtype) * sizes).all()  # a rounding for each term of a sum


@BOTH
@EACH_SIZE
def test_a_row_comes_out_the_same_alone_and_in_company(R, K, M, dtype) -> None:
    dice = np.random.default_rng(R)
    x, w, out = (dice.normal(size=shape).astype(dtype) for shape in ((R, K), (K, M), (R, M)))
    alone = out.copy()
    product(x, w, out)
    for r in range(R):
        product(x[r : r + 1], w, alone[r : r + 1])
    np.testing.assert_array_equal(out, alone)


@BOTH
@pytest.mark.parametrize("rows", [3, 4, 9])
def test_turning_makes_columns_of_rows(rows, dtype) -> None:
    w, turned = np.arange(5 * rows, dtype=dtype).reshape(rows, 5), np.zeros((5, rows), dtype)
    turn(w, turned)
    assert (turned == w.T).all()
