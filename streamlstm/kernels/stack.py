"""The linear combination of experts that the past would have chosen, at one lead, by recursive least squares.

It works on how they differ from their median, may weight an expert negatively, and so undoes what they share. It is
one more expert for `streamlstm.kernels.mix`: its last committee. Gain and correction are `streamlstm.kernels.linear`'s.
Twin: `tests/reference_mix.py:Stack`. M experts, of which all but the last, this one, are asked: K = M - 1.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel, linear
from streamlstm.kernels.mix import COMMITTEES, NOTHING

START = 0.1  # of the covariance's diagonal
UNIT = 2.0  # usual errors of the mixture: the median's are larger, and an innovation counts up to one unit
REACH = 4.0  # units, of a difference and of the correction


@kernel
def differences(forecasts, unit, out):
    """x = clip((E - median)/u, ±4), 0 where there is no forecast. forecasts (M,), the median in its place; out (K,)."""
    K = out.shape[0]
    median = forecasts[K + 1 - COMMITTEES]
    for m in range(K):
        x = (forecasts[m] - median) / unit
        out[m] = min(max(x, -REACH), REACH) if math.isfinite(x) else 0.0


@kernel
def combine(theta, forecasts, size, x):
    """Fill in the last committee's forecast: median + u clip(θᵀx, ±4), u = 2 s; NaN before there is a usual error s.

    theta (K,), forecasts (M,), of which the last is written, x (K,) scratch.
    """
    M = forecasts.shape[0]
    median, unit = forecasts[M - COMMITTEES], UNIT * size
    forecasts[M - 1] = math.nan
    if size > NOTHING and math.isfinite(median):
        differences(forecasts, unit, x)
        forecasts[M - 1] = median + unit * min(max(linear.inner(theta, x), -REACH), REACH)


@kernel
def learn(theta, covariance, forecasts, y, size, x, px, gain):
    """Move the coefficients by one matured label y, in units of the usual error as it is now.

    theta (K,), zeros at birth; covariance (K, K), START on the diagonal at birth; forecasts (M,) as made at the origin;
    size s, the mixture's usual error before this label; x, px, gain (K,) scratch.
    """
    median, unit = forecasts[forecasts.shape[0] - COMMITTEES], UNIT * size
    if size > NOTHING and math.isfinite(median):
        differences(forecasts, unit, x)
        linear.gain(covariance, x, px, gain)
        linear.correct(theta, gain, x, (y - median) / unit)
