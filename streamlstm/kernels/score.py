"""Surprise: how rare the newest error is among its own, as -log10(p)/3. Twins: `tests/reference_score.py`."""

from __future__ import annotations

import math

from streamlstm.kernels import kernel

# n; q90, q99, q999 of an exponential with mean 1; how crowded exceedances of q99 and q999 are now, and usually
START = (1.0, 2.3026, 4.6052, 6.9078, 0.0, 0.0, 1.0, 1.0)
RATE, SWIFT = 0.01, 0.3  # of q90 in its own unit; of q999 in units of its distance to q99
CROWD = 24.0  # values for which an exceedance makes the next ones count less
APART = 0.05  # least distance of the quantiles: |error|/scale has mean 1, and what is far below that is no surprise
USUAL = 0.05  # how fast a habit of crowding is learned


@kernel
def surprise(tail, r):
    """Score |error|/scale = r against the tail seen so far, then take it in. Usual is 0 to 1; above 1, 1 in 1,000."""
    return rarity(tail, r, 1.0) / 3.0


@kernel
def rarity(tail, x, w):
    """-log10 p of x >= 0 under the tail seen so far; then take x in. tail (8,) as START; w the values x averages over.

    p is log-linear through (0, 1), (q90, .1), (q99, .01), (q999, .001), and beyond a power law through the last two:
    it never claims a thinner tail than it has seen. The quantiles move as
        q += a (τ - 1[x < q]),   a in units of the distance to the next lower one,
    so that in the long run the share beyond q999 is .001 whatever the distribution (Gibbs and Candès 2021). A step up
    is multiplied by c/(1 + e), e the exceedances of the last CROWD w values and c such that it is 1 on average: one
    burst of errors must not hide the next weeks', unless bursts are usual.
    """
    q90, q99, q999 = tail[1], tail[2], tail[3]
    if x <= q90:
        digits = x / q90
    elif x <= q99:
        digits = 1.0 + (x - q90) / (q99 - q90)
    elif x <= q999:
        digits = 2.0 + (x - q99) / (q999 - q99)
    else:
        digits = 3.0 + math.log(x / q999) / math.log(q999 / q99)
    tail[0] += 1.0
    a = max(RATE / w, 1.0 / (tail[0] + 10.0))
    b = max(SWIFT, 1.0 / (1.0 + 0.01 * tail[0])) / w
    tail[1] = max(q90 + a * q90 * (0.9 if x > q90 else -0.1), APART)
    for i in range(2):
        q, width = tail[2 + i], tail[2 + i] - (q90 if i == 0 else q99)
        miss = 0.01 if i == 0 else 0.001
        step = (4.0 * a if i == 0 else b) * width
        tail[4 + i] -= tail[4 + i] / (CROWD * w)
        if x > q:
            share = tail[6 + i] / (1.0 + tail[4 + i])
            tail[4 + i] += 1.0
            tail[6 + i] = min(tail[6 + i] + USUAL * (1.0 - share), 10.0)
            q += step * (1.0 - miss) * share
        else:
            q -= step * miss
        tail[2 + i] = max(q, tail[1 + i] + APART)
    return digits
