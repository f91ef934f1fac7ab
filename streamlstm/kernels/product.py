"""Sums of products of matrices, for one row, a few, or many. Twin: NumPy's `@`.

A row's sums run over k = 0, 1, 2 … one after the other, whichever rows are beside it: what comes out of a row is the
same, bit for bit, alone and in company. Tiles of five rows, since so many windows stand side by side; what the widest
tile leaves of the columns narrower ones take. The columns' loop is the outer one: what of `w` a tile reads, 30 kB of
the gradient's, stays in the first cache for all rows.
"""

from __future__ import annotations

from streamlstm.kernels import kernel
from streamlstm.kernels.tile import ACROSS, LANES, tile

HALF = 8  # lanes
_wide, _three, _two, _one, _half = tile(ACROSS), tile(3), tile(2), tile(1), tile(1, HALF)


@kernel
def product(x, w, out):
    """out += x w. x (R, K), in any layout; w (K, M) and out (R, M), with rows that are contiguous."""
    m, at = w.shape[1], 0
    while m - at >= ACROSS * LANES:
        _wide(x, w, out, at)
        at += ACROSS * LANES
    if ACROSS > 3 and m - at >= 3 * LANES:
        _three(x, w, out, at)
        at += 3 * LANES
    while m - at >= 2 * LANES:
        _two(x, w, out, at)
        at += 2 * LANES
    while m - at >= LANES:
        _one(x, w, out, at)
        at += LANES
    if LANES > HALF and m - at >= HALF:
        _half(x, w, out, at)
        at += HALF
    if m > at:
        rest(x, w, out, at)


@kernel
def rest(x, w, out, at):
    """The columns from `at` on, too few for a tile."""
    for r in range(out.shape[0]):
        row = out[r]
        for k in range(w.shape[0]):
            s, wk = x[r, k], w[k]
            for j in range(at, w.shape[1]):
                row[j] += s * wk[j]
