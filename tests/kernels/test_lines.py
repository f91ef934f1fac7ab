"""Lines and their floor, each step against its twin, and against chance."""

from __future__ import annotations

import numpy as np
import pytest

from streamlstm.kernels import lines as of_lines
from tests import reference_periods as twin
from tests.kernels import ready

flatten, best_line, sharpen = ready(of_lines.flatten), ready(of_lines.best_line), ready(of_lines.sharpen)
tail, share, added, clear = map(ready, (of_lines.tail, of_lines.share, of_lines.added, of_lines.clear))

N, n = 1024, 600
WIDTH = N / n


def series(kind: str) -> np.ndarray:
    dice = np.random.default_rng(3)
    t = np.arange(n)
    noise = {"white": dice.normal(0, 1, n), "walk": dice.normal(0, 1, n).cumsum()}[kind.split("+")[0]]
    pattern = np.resize(dice.normal(0, 1, 24), n) + np.sin(2 * np.pi * t / 24)
    return noise + 2 * pattern if "+" in kind else noise


def flat(kind: str) -> np.ndarray:
    return twin.flattened(twin.spectrum(series(kind), N), WIDTH)


KINDS = ["white", "walk", "white+season", "walk+season"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_spectrum_is_the_twin_s(kind) -> None:
    spectrum = twin.spectrum(series(kind), N)
    expected = twin.flattened(spectrum, WIDTH)
    assert flatten(spectrum, WIDTH, np.empty(N), np.empty(N))
    np.testing.assert_allclose(spectrum, expected, rtol=1e-6)  # sines right to 1e-9, next to 1 in white noise's colour


@pytest.mark.parametrize("kind", ["white", "walk"])
def test_without_a_season_a_flat_spectrum_is_exponential_at_every_frequency(kind) -> None:
    lines = flat(kind)
    for part in np.array_split(lines[int(3 * WIDTH) :], 4):
        # 75 independent bins in each: their mean is 1 ± 0.12 by chance, and the floor wavers by as much
        assert part.mean() == pytest.approx(1, abs=0.4)


def test_of_nothing_there_is_no_spectrum() -> None:
    assert not flatten(np.zeros(N // 2 + 1), WIDTH, np.empty(N), np.empty(N))


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_line_is_the_twin_s(kind) -> None:
    lowest = 3 * WIDTH
    assert best_line(flat(kind), lowest) == pytest.approx(twin.best_line(flat(kind), lowest), rel=1e-9)


def test_a_season_s_line_is_found_and_sharpened_between_the_bins() -> None:
    lines = flat("walk+season")
    f, chance = best_line(lines, 3 * WIDTH)
    assert chance > 20
    assert N / sharpen(lines, f, WIDTH) == pytest.approx(24, rel=2e-3)
    assert abs(f - N / 24) < 0.5


@pytest.mark.parametrize("f", [N / 24, N / 24 + 0.3, 17.0, 5.2])
@pytest.mark.parametrize("kind", KINDS)
def test_sharpening_shares_and_further_lines_are_the_twins(kind, f) -> None:
    lines = flat(kind)
    assert sharpen(lines, f, WIDTH) == pytest.approx(twin.sharpen(lines, f, WIDTH), rel=1e-9)
    for m in (2, 3, 7):
        assert share(lines, f, m) == pytest.approx(twin.share(lines, f, m), rel=1e-9)
        # s − ln Σ cancels: what is left of some tens is right to 1e-12
        assert added(lines, f, m, WIDTH) == pytest.approx(twin.added(lines, f, m, WIDTH), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("h", [1, 2, 5, 16])
def test_the_odds_of_a_sum_are_erlang_s(h) -> None:
    for s in (0.5, 3.0, 20.0, 300.0):
        assert tail(h, s) == pytest.approx(twin.tail(h, s), rel=1e-9, abs=1e-11)


def test_the_odds_of_a_huge_sum_are_finite_and_grow() -> None:
    assert tail(1, 0.0) == 0
    odds = [tail(16, s) for s in (1e3, 1e6, 1e12, 1e100)]
    assert np.isfinite(odds).all()
    assert odds == sorted(odds)


def test_cleared_lines_stand_out_no_more_and_others_stay() -> None:
    lines = flat("walk+season")
    lines[200] = 50.0  # no multiple of 1024 / 24
    clear(lines, N / 24, WIDTH)
    for h in range(1, 12):
        assert lines[int(h * N / 24)] <= 1
    assert lines[200] == 50
