"""The surprise of an error: how rare it is, and what the tail learns from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import score
from tests.kernels import ready
from tests.reference_score import Tail, window_tail

surprise = ready(score.surprise)
rarity = ready(score.rarity)
N = 24_000


def noise(kind: str, seed: int) -> np.ndarray:
    """|error|/scale of N forecasts, mean 1: as they come from a scale that is right on average."""
    dice = np.random.default_rng(seed)
    if kind == "rough and calm days":
        size, x = np.empty(N), 0.0
        for i, shock in enumerate(dice.normal(0, 0.15, N)):
            x = 0.98 * x + shock
            size[i] = np.exp(x)
        r = size * abs(dice.normal(0, 1, N))
    elif kind == "garch":
        r, v, e = np.empty(N), 1.0, 0.0
        for i, shock in enumerate(dice.normal(0, 1, N)):
            v = 0.02 + 0.1 * e * e + 0.88 * v
            e = np.sqrt(v) * shock
            r[i] = abs(e)
    elif kind == "autocorrelated":
        r, x = np.empty(N), 0.0
        for i, shock in enumerate(dice.normal(0, 1, N)):
            x = 0.9 * x + shock
            r[i] = abs(x)
    else:
        r = {
            "normal": lambda: abs(dice.normal(0, 1, N)),
            "exponential": lambda: dice.exponential(1, N),
            "student 3": lambda: abs(dice.standard_t(3, N)),
            "student 1.5": lambda: abs(dice.standard_t(1.5, N)),
            "lognormal": lambda: dice.lognormal(0, 2, N),
            "mostly nothing": lambda: np.where(dice.random(N) < 0.87, 0.0, dice.exponential(5, N)),
            "small counts": lambda: dice.poisson(0.3, N) * 1.0,
        }[kind]()
    return r / r.mean()


KINDS = (
    "normal",
    "exponential",
    "student 3",
    "student 1.5",
    "lognormal",
    "mostly nothing",
    "small counts",
    "rough and calm days",
    "garch",
    "autocorrelated",
)


def scores(rs: np.ndarray) -> np.ndarray:
    tail = np.array(score.START)
    return np.array([surprise(tail, r) for r in rs])


def test_at_the_start_it_is_the_exponential_s() -> None:
    for p in (1.0, 0.5, 0.1, 0.05, 0.01, 0.001):
        assert surprise(np.array(score.START), -math.log(p)) == pytest.approx(-math.log10(p) / 3, abs=1e-5)


@pytest.mark.parametrize("kind", ["exponential", "student 1.5", "lognormal"])
@pytest.mark.parametrize("w", [1.0, 6.0])
def test_digits_and_tail_are_the_twin_s(kind, w) -> None:
    rs = noise(kind, 7)[:5000]
    twin = Tail() if w == 1.0 else window_tail(w)
    tail = twin.array()
    for r in rs:
        assert rarity(tail.copy(), r, w) == pytest.approx(twin.digits(r), rel=1e-9, abs=1e-12)  # logarithms of others
        rarity(tail, r, w)
        twin.take(r)
    np.testing.assert_allclose(tail, twin.array(), rtol=1e-9)  # the same sums; a step's product in another order


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e12), max_size=60), st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_larger_error_is_never_less_surprising_and_the_tail_stays_in_order(seen, one, other) -> None:
    tail = np.array(score.START)
    for r in seen:
        assert surprise(tail, r) >= 0
    smaller, larger = sorted((one, other))
    assert surprise(tail.copy(), smaller) <= surprise(tail.copy(), larger)
    assert 0 < tail[1] < tail[2] < tail[3]


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_thousand_scores_about_one_is_above_1_whatever_the_noise(kind) -> None:
    found = np.concatenate([scores(noise(kind, seed))[4000:] for seed in (1, 2)])
    # Of 40,000 scores 40 are expected above, ± 6 by chance where they come one by one.
    assert 0.0005 < (found > 1).mean() < 0.002
    assert 0.006 < (found > 2 / 3).mean() < 0.016


@pytest.mark.parametrize("kind", ["exponential", "student 3", "mostly nothing"])
def test_the_first_thousand_scores_cry_wolf_less_than_fifteen_times(kind) -> None:
    assert np.mean([(scores(noise(kind, seed)[:1000]) > 1).sum() for seed in range(5)]) < 15


def test_a_spike_that_comes_every_day_becomes_usual() -> None:
    rs = np.random.default_rng(9).exponential(1, 3000)
    days = np.arange(2000, 3000, 24)
    rs[days] = 20.0
    found = scores(rs)[days]
    assert found[0] > 1.5
    assert (np.diff(found[:6]) < 0).all()
    assert found[12:].max() < 1.02  # it is now the one in a thousand, and hovers about its quantile


def test_one_burst_teaches_the_tail_less_than_as_many_single_errors() -> None:
    rs = np.random.default_rng(10).exponential(1, 3000)
    rs[2900] = 30.0
    alone, burst, single = rs.copy(), rs.copy(), rs.copy()
    burst[2000:2024] = 30.0
    single[1200:2400:50] = 30.0
    assert scores(single)[2900] < scores(burst)[2900] < scores(alone)[2900]
    assert scores(burst)[2900] > 1.2
