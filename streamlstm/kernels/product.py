"""Sums of products of matrices, for one row, a few, or many. Twin: NumPy's `@`.

A row's sums run over k = 0, 1, 2 … one after the other, whichever rows are beside it: what comes out of a row is the
same, bit for bit, alone and in company. Tiles of five rows, since so many windows stand side by side; what the widest
tile leaves of the columns narrower ones take. The columns' loop is the outer one: what of `w` a tile reads, 30 kB of
the gradient's, stays in the first cache for all rows.
"""

from __future__ import annotations

from streamlstm.kernels import kernel
from streamlstm.kernels.tile import ACROSS, LANES, tile

ROWS = 5
HALF = 8  # lanes
_wide, _three, _two, _one = tile(ROWS, ACROSS), tile(ROWS, 3), tile(ROWS, 2), tile(ROWS, 1)
_wide_row, _three_row, _two_row, _one_row = tile(1, ACROSS), tile(1, 3), tile(1, 2), tile(1, 1)
_half, _half_row = tile(ROWS, 1, HALF), tile(1, 1, HALF)


@kernel
def product(x, w, out):
    """out += x w. x (R, K), in any layout; w (K, M) and out (R, M), with rows that are contiguous."""
    m, at = w.shape[1], 0
    while m - at >= ACROSS * LANES:
        widest(x, w, out, at)
        at += ACROSS * LANES
    if ACROSS > 3 and m - at >= 3 * LANES:
        three(x, w, out, at)
        at += 3 * LANES
    while m - at >= 2 * LANES:
        two(x, w, out, at)
        at += 2 * LANES
    while m - at >= LANES:
        one(x, w, out, at)
        at += LANES
    if LANES > HALF and m - at >= HALF:
        half(x, w, out, at)
        at += HALF
    if m > at:
        rest(x, w, out, at)


@kernel
def widest(x, w, out, at):
    """The columns from `at` on that the widest tile takes, of all rows."""
    r = 0
    while out.shape[0] - r >= ROWS:
        _wide(x[r:], w, out[r:], at)
        r += ROWS
    while r < out.shape[0]:
        _wide_row(x[r:], w, out[r:], at)
        r += 1


@kernel
def three(x, w, out, at):
    """The same for three vectors of columns."""
    r = 0
    while out.shape[0] - r >= ROWS:
        _three(x[r:], w, out[r:], at)
        r += ROWS
    while r < out.shape[0]:
        _three_row(x[r:], w, out[r:], at)
        r += 1


@kernel
def two(x, w, out, at):
    """The same for two."""
    r = 0
    while out.shape[0] - r >= ROWS:
        _two(x[r:], w, out[r:], at)
        r += ROWS
    while r < out.shape[0]:
        _two_row(x[r:], w, out[r:], at)
        r += 1


@kernel
def one(x, w, out, at):
    """The same for one."""
    r = 0
    while out.shape[0] - r >= ROWS:
        _one(x[r:], w, out[r:], at)
        r += ROWS
    while r < out.shape[0]:
        _one_row(x[r:], w, out[r:], at)
        r += 1


@kernel
def half(x, w, out, at):
    """The same for half of one."""
    r = 0
    while out.shape[0] - r >= ROWS:
        _half(x[r:], w, out[r:], at)
        r += ROWS
    while r < out.shape[0]:
        _half_row(x[r:], w, out[r:], at)
        r += 1


@kernel
def rest(x, w, out, at):
    """The columns from `at` on, too few for a tile."""
    for r in range(out.shape[0]):
        row = out[r]
        for k in range(w.shape[0]):
            s, wk = x[r, k], w[k]
            for j in range(at, w.shape[1]):
                row[j] += s * wk[j]
