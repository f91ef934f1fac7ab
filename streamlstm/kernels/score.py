"""Surprise: how rare the newest error is among its own, as -log10(p)/3. Twin: `tests/reference.py:Surprise`."""

from __future__ import annotations

import math

from streamlstm.kernels import kernel

START = (1.0, 2.3026, 4.6052, 1.0)  # n, q90, q99, mean excess over q99: of an exponential with mean 1


@kernel
def surprise(tail, r):
    """Score |error|/scale = r against the tail seen so far, then take it in. tail (4,): n, q90, q99, mean excess b.

    p = 10^(-r/q90) below q90, log-linear to 0.01 at q99, then 0.01 exp(-(r - q99)/b).
    0 to 2/3 holds 99 in 100; above 1 is one in a thousand.
    """
    q90, q99, excess = tail[1], tail[2], tail[3]
    if r <= q90:
        digits = r / q90
    elif r <= q99:
        digits = 1.0 + (r - q90) / (q99 - q90)
    else:
        digits = 2.0 + (r - q99) / (excess * math.log(10.0))
    tail[0] += 1.0
    a = max(0.01, 1.0 / (tail[0] + 10.0))
    tail[1] = max(q90 + a * q90 * (0.9 - (1.0 if r < q90 else 0.0)), 1e-3)
    tail[2] = max(q99 + a * q99 * (0.99 - (1.0 if r < q99 else 0.0)), 1.05 * tail[1])
    if r > q99:
        tail[3] += 0.05 * (min(r - q99, 3.0 * q99) - excess)
        tail[3] = max(tail[3], 1e-3)
    return digits / 3.0
