"""The squashing functions over everything a float32 can be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streamlstm.kernels import stage
from streamlstm.kernels.activation import exp32, sigmoid, tanh
from tests import reference
from tests.kernels import needs_compiler

# Every exponent that a float32 has, a thousand mantissas each, both signs; and the clip's neighbourhood more closely.
WIDE = np.ldexp(np.linspace(1, 2, 1000, endpoint=False), np.arange(-149, 128)[:, None]).astype(np.float32).ravel()
RANGE = np.concatenate([-WIDE[::-1], WIDE, np.linspace(-90, 90, 500_001, dtype=np.float32)])
BEYOND = np.array([np.inf, 3e38, 1e30, 1000, 89, 80.5], np.float32)


@stage
def exps(x, out):
    for j in range(x.shape[0]):
        out[j] = exp32(x[j])


@stage
def sigmoids(x, out):
    for j in range(x.shape[0]):
        out[j] = sigmoid(x[j])


@stage
def tanhs(x, out):
    for j in range(x.shape[0]):
        out[j] = tanh(x[j])


def of(function, x: NDArray) -> NDArray:
    out = np.full_like(x, 7)
    function(x, out)
    return out


def test_exp_has_seven_digits() -> None:
    x = np.linspace(-80, 80, 20_001, dtype=np.float32)
    exact = np.exp(x.astype(np.float64))
    # The last two sums of the polynomial round by half a unit each, the product by another: 1.5 x 1.2e-7; Taylor's
    # remainder at ln(2)/2 is 1.2e-7 at most and only at the edges.
    assert np.abs(of(exps, x) / exact - 1).max() < 2.5e-7


@needs_compiler
@pytest.mark.filterwarnings(
    "ignore:overflow"
)  # the twin's e^-x far to the left, where its quotient is 0 as it should be
def test_sigmoid_is_exact_to_a_unit_of_float32_over_the_whole_range() -> None:
    exact = reference.sigmoid(RANGE.astype(np.float64))
    assert np.abs(of(sigmoids, RANGE) - exact).max() < 1.2e-7
    inside = RANGE[
        np.abs(RANGE) < 80
    ]  # in the far left tail, too, its digits are right: it is what a shut gate lets by
    assert np.abs(of(sigmoids, inside) / reference.sigmoid(inside.astype(np.float64)) - 1).max() < 4e-7


@needs_compiler
def test_tanh_is_exact_to_two_units_of_float32_over_the_whole_range() -> None:
    assert np.abs(of(tanhs, RANGE) - np.tanh(RANGE.astype(np.float64))).max() < 2e-7


@needs_compiler
@pytest.mark.parametrize("function", [sigmoids, tanhs])
def test_squashing_never_leaves_its_range(function) -> None:
    low = 0 if function is sigmoids else -1
    for x in (RANGE, BEYOND, -BEYOND):
        assert of(function, x).min() >= low
        assert of(function, x).max() <= 1


@needs_compiler
def test_beyond_the_clip_everything_is_at_its_end() -> None:
    assert (of(tanhs, BEYOND) == 1).all()
    assert (of(tanhs, -BEYOND) == -1).all()
    assert (of(sigmoids, BEYOND) == 1).all()
    assert (of(sigmoids, -BEYOND) < 1e-34).all()
    assert np.isfinite(of(exps, np.concatenate([BEYOND, -BEYOND]))).all()


@pytest.mark.filterwarnings("ignore:invalid value")  # numpy's, where the compiler is off
@pytest.mark.parametrize(
    ("function", "dtype"),
    [(exps, np.float32), (sigmoids, np.float32), (sigmoids, np.float64), (tanhs, np.float32), (tanhs, np.float64)],
)
def test_what_is_not_a_number_does_not_become_one(function, dtype) -> None:
    nan = np.array([np.nan, -np.nan, 0.5, np.nan], dtype)
    assert np.isnan(of(function, nan)).tolist() == [True, True, False, True]


def test_in_float64_they_are_the_c_library_s() -> None:
    x = np.linspace(-30, 30, 1001)
    # one rounding each in the exponential, the sum and the quotient
    np.testing.assert_allclose(of(sigmoids, x), reference.sigmoid(x), rtol=4 * 2.2e-16)
    np.testing.assert_allclose(of(tanhs, x), np.tanh(x), rtol=4 * 2.2e-16)
