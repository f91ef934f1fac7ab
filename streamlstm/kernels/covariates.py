"""A covariate's running scale, how long one waits for its next value, and how a value fades that is overdue.

A scale is six numbers: mean, variance, mean square difference, how many values; the last value's age and the usual wait
for the next, in steps. Twin: `tests/reference_covariates.py`.
"""

from __future__ import annotations

import math

from streamlstm.kernels import kernel
from streamlstm.kernels.unit import clip, floored

COLUMNS = 6
MEAN, VARIANCE, SQUARE, SEEN, AGE, WAIT = range(COLUMNS)
RATE = 0.001  # at least: of the running statistics
PATIENCE = 3.0  # usual waits: so long a value counts in full


@kernel
def take_value(scale, value, last):
    """One more value, and the one a step before it, NaN unknown: the running mean, variance and square difference.

    r = max(.001, 1/n),   v <- (1 - r) (v + r (x - m)²),   m <- m + r (x - m),   q <- q + r ((x - x₋₁)² - q)
    """
    scale[SEEN] += 1.0
    rate = max(RATE, 1.0 / scale[SEEN])
    away = value - scale[MEAN]
    if scale[SEEN] == 1.0:
        scale[MEAN] = value
    else:
        scale[MEAN] += rate * away
        scale[VARIANCE] = (1.0 - rate) * (scale[VARIANCE] + rate * away * away)
        if not math.isnan(last):
            scale[SQUARE] += rate * ((value - last) * (value - last) - scale[SQUARE])


@kernel
def waited(scale, age):
    """An age one step after another: where it is not one more, a new value has come, after so many steps."""
    if age <= scale[AGE]:
        wait = scale[AGE] + 1.0 - age
        scale[WAIT] += 0.02 * (wait - scale[WAIT]) if scale[WAIT] > 0.0 else wait
    scale[AGE] = age


@kernel
def fading(age, wait):
    """How much a value of this age still counts: min(1, 3 w / a), w the usual wait, at least a step."""
    reach = PATIENCE * max(wait, 1.0)
    return reach / age if age > reach else 1.0


@kernel
def clipped(away, square, level):
    """A difference in units of its root mean square, within ±6. A constant has none: the level's last digits count."""
    return clip(away / floored(math.sqrt(square), level))
