"""The surprise of an error: how rare it is, and what the tail learns from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.kernels import score
from tests import reference
from tests.kernels import ready

surprise = ready(score.surprise)


def test_at_the_start_it_is_the_exponential_s() -> None:
    for p in (0.5, 0.1, 0.05, 0.01, 0.001, 1e-9):
        assert surprise(np.array(score.START), -math.log(p)) == pytest.approx(-math.log10(p) / 3, rel=1e-4)


@pytest.mark.parametrize("kind", ["exponential", "pareto", "lognormal"])
def test_scores_and_tail_are_the_twin_s(kind) -> None:
    dice = np.random.default_rng(7)
    rs = {
        "exponential": dice.exponential(1, 5000),
        "pareto": dice.pareto(1.5, 5000),
        "lognormal": dice.lognormal(0, 2, 5000),
    }[kind]
    tail, twin = np.array(score.START), reference.Surprise(*score.START)
    for r in rs:
        if twin.score(r) < 50:  # beyond it the twin's p is no longer a normal float64
            assert surprise(tail.copy(), r) == pytest.approx(twin.score(r), rel=1e-9, abs=1e-12)  # 10^x and back again
        surprise(tail, r)
        twin.take(r)
    np.testing.assert_allclose(tail, (twin.n, twin.q90, twin.q99, twin.excess), rtol=1e-10)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e12), max_size=60), st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_larger_error_is_never_less_surprising_and_the_tail_stays_in_order(seen, one, other) -> None:
    tail = np.array(score.START)
    for r in seen:
        assert surprise(tail, r) >= 0
    smaller, larger = sorted((one, other))
    assert surprise(tail.copy(), smaller) <= surprise(tail.copy(), larger)
    assert 0 < tail[1] < tail[2]
    assert tail[3] > 0


def test_of_a_hundred_scores_one_is_above_two_thirds() -> None:
    rs = np.random.default_rng(8).exponential(1.5, 25_000)
    tail = np.array(score.START)
    scores = np.array([surprise(tail, r) for r in rs])[5000:]
    # Of 20,000 scores 200 are expected above, ± 14 by chance; the tail wavers with its rate of 0.01, and has reached
    # 1.5 times its start only after forty errors beyond it.
    assert (scores > 2 / 3).mean() == pytest.approx(0.01, abs=0.003)
    assert (scores > 1 / 3).mean() == pytest.approx(0.1, abs=0.015)
    assert 0.0003 < (scores > 1).mean() < 0.004
