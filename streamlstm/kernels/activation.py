"""Squashing functions by our own arithmetic: the platform's change with the C library, and do not vectorise here."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from streamlstm.kernels import kernel

LOG2_E = np.float32(1.4426950408889634)
LN2_HIGH = np.float32(0.693145751953125)  # 16 leading bits: n times this is exact for |n| < 256
LN2_LOW = np.float32(1.42860682030941723e-6)


@kernel
def exp32(x):
    """e^x in float32, relative error below 2.5e-7, for |x| clipped at 80.

    x = n ln 2 + r with |r| <= ln(2)/2; e^r by its Taylor polynomial of degree 6, 2^n by writing the exponent bits.
    """
    x = min(max(x, np.float32(-80.0)), np.float32(80.0))
    n = np.floor(x * LOG2_E + np.float32(0.5))
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + np.float32(0.5)
    p = p * r + np.float32(1.0)
    p = p * r + np.float32(1.0)
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return p * power


def sigmoid(x):
    """1 / (1 + e^-x). float32 by `exp32`, float64 by the C library (tests only)."""
    return 1.0 / (1.0 + math.exp(-x))


def tanh(x):
    """Hyperbolic tangent. float32 by `exp32` (absolute error below 2e-7), float64 by the C library (tests only)."""
    return math.tanh(x)


def exp(x):
    """e^x. float32 by `exp32`, float64 by the C library (tests only)."""
    return math.exp(x)


@overload(exp, inline="always")
def _exp(x):
    if x == types.float32:
        return lambda x: exp32(x)
    return lambda x: math.exp(x)


@overload(sigmoid, inline="always")
def _sigmoid(x):
    if x == types.float32:
        return lambda x: np.float32(1.0) / (np.float32(1.0) + exp32(-x))
    return lambda x: 1.0 / (1.0 + math.exp(-x))


@overload(tanh, inline="always")
def _tanh(x):
    if x == types.float32:
        return lambda x: np.float32(1.0) - np.float32(2.0) / (exp32(x + x) + np.float32(1.0))
    return lambda x: math.tanh(x)
