"""Sums of products of matrices, for one row, a few, or many. Twin: NumPy's `@`.

A row's sums run over k = 0, 1, 2 … one after the other, whichever rows are beside it: what comes out of a row is the
same, bit for bit, alone and in company. Inner loops run along the rows of `w` and `out`, and so vectorise; numbers
from `x` stay in registers meanwhile, four of each of five rows: twenty products for nine loads and five stores.
"""

from __future__ import annotations

from streamlstm.kernels import kernel


@kernel
def product(x, w, out):
    """out += x w. x (R, K), in any layout; w (K, M) and out (R, M), with rows that are contiguous."""
    rows = out.shape[0]
    fives = rows - rows % 5
    twos = rows - (rows - fives) % 2
    for r in range(0, fives, 5):
        five_rows(x[r : r + 5], w, out[r : r + 5])
    for r in range(fives, twos, 2):
        two_rows(x[r : r + 2], w, out[r : r + 2])
    for r in range(twos, rows):
        one_row(x[r], w, out[r])


@kernel
def five_rows(x, w, out):
    """The same for R = 5."""
    n, m = w.shape
    whole = n - n % 4
    y0, y1, y2, y3, y4 = out[0], out[1], out[2], out[3], out[4]
    for k in range(0, whole, 4):
        x0, x1, x2, x3, x4 = four(x[0], k), four(x[1], k), four(x[2], k), four(x[3], k), four(x[4], k)
        w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
        for j in range(m):
            u = w0[j], w1[j], w2[j], w3[j]
            y0[j] = plus(y0[j], x0, u)
            y1[j] = plus(y1[j], x1, u)
            y2[j] = plus(y2[j], x2, u)
            y3[j] = plus(y3[j], x3, u)
            y4[j] = plus(y4[j], x4, u)
    for k in range(whole, n):
        s0, s1, s2, s3, s4, wk = x[0, k], x[1, k], x[2, k], x[3, k], x[4, k], w[k]
        for j in range(m):
            u0 = wk[j]
            y0[j] += s0 * u0
            y1[j] += s1 * u0
            y2[j] += s2 * u0
            y3[j] += s3 * u0
            y4[j] += s4 * u0


@kernel
def two_rows(x, w, out):
    """The same for R = 2."""
    n, m = w.shape
    whole = n - n % 4
    y0, y1 = out[0], out[1]
    for k in range(0, whole, 4):
        x0, x1 = four(x[0], k), four(x[1], k)
        w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
        for j in range(m):
            u = w0[j], w1[j], w2[j], w3[j]
            y0[j] = plus(y0[j], x0, u)
            y1[j] = plus(y1[j], x1, u)
    for k in range(whole, n):
        s0, s1, wk = x[0, k], x[1, k], w[k]
        for j in range(m):
            y0[j] += s0 * wk[j]
            y1[j] += s1 * wk[j]


@kernel
def one_row(x, w, out):
    """The same for R = 1: x (K,), out (M,)."""
    n, m = w.shape
    whole = n - n % 4
    for k in range(0, whole, 4):
        x0 = four(x, k)
        w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
        for j in range(m):
            out[j] = plus(out[j], x0, (w0[j], w1[j], w2[j], w3[j]))
    for k in range(whole, n):
        s, wk = x[k], w[k]
        for j in range(m):
            out[j] += s * wk[j]


@kernel
def four(x, k):
    """Four numbers of a row, from k on."""
    return x[k], x[k + 1], x[k + 2], x[k + 3]


@kernel
def plus(total, x, u):
    """total + x · u over four terms, from left to right: four fused multiply-adds."""
    return total + x[0] * u[0] + x[1] * u[1] + x[2] * u[2] + x[3] * u[3]
