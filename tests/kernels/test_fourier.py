"""The transform against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from streamlstm.kernels import fourier
from tests.kernels import ready

power, taper, size_for = ready(fourier.power), ready(fourier.taper), ready(fourier.size_for)


@pytest.mark.parametrize("N", [2, 4, 8, 64, 1024])
def test_the_spectrum_is_numpy_s(N) -> None:
    x = np.random.default_rng(1).normal(0, 1, N)
    out, half = np.empty(N // 2 + 1), np.empty((2, N // 2))
    power(x.copy(), np.full(N, np.nan), half[0], half[1], out)
    # our own sines are right to 1e-9, and each of the log N stages adds as much again, to a total power of N² or so
    np.testing.assert_allclose(out, np.abs(np.fft.rfft(x)) ** 2, rtol=0, atol=1e-8 * N)


def test_the_window_is_hann_s() -> None:
    x = np.ones(50)
    taper(x)
    np.testing.assert_allclose(x, np.sin(np.pi * np.arange(50) / 50) ** 2, rtol=0, atol=1e-9)


def test_the_size_is_the_least_power_of_two_that_holds_it() -> None:
    assert [size_for(n) for n in (1, 2, 3, 64, 65, 30_000)] == [1, 2, 4, 64, 128, 32_768]
