"""The mixture of experts against its twin, and what must hold for it whatever the experts say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamlstm.kernels import mix
from tests.kernels import ready
from tests.reference_mix import Mixture

weigh, blend, settle, news, usual_error = map(ready, (mix.weigh, mix.blend, mix.settle, mix.news, mix.usual_error))
M = 4
PRIOR, PENALTY = np.array([5.0, 1.0, 1.0, 1.0]), np.array([0.0, 0.0, 3.0, 1.5])


def weights(state: NDArray, n: int = 1000, prior: NDArray = PRIOR) -> NDArray:
    out = np.full(len(prior), np.nan)
    weigh(state, prior, PENALTY, n, out)
    return out


class Lead:
    """One lead run by the kernels, every forecast maturing at once."""

    def __init__(self, lead: int) -> None:
        self.lead, self.n, self.size = lead, 0, 0.0
        self.state, self.regret, self.w = np.zeros((mix.ROWS, M)), np.zeros(M), np.zeros(M)

    def forecast(self, experts: NDArray) -> float:
        weigh(self.state, PRIOR, PENALTY, self.n, self.w)
        return blend(self.w, experts)[0]

    def learn(self, experts: NDArray, mixture: float, y: float) -> None:
        self.n += 1
        settle(self.state, experts, mixture, y, self.size, self.lead, self.regret)
        self.size = usual_error(self.size, self.n, mixture - y)


def drawn(seed: int, n: int) -> tuple[NDArray, NDArray]:
    """Labels, and experts that miss them by more or less, are sometimes absent, and sometimes wild."""
    dice = np.random.default_rng(seed)
    y = dice.normal(size=n).cumsum()
    experts = y[:, None] + dice.normal(0, [1, 0.3, 2, 0.5], (n, M))
    experts[dice.random((n, M)) < 0.1] = np.nan
    experts[dice.random((n, M)) < 0.01] *= 1e6
    experts[:5, 1:] = np.nan
    y[100:120] = experts[100:120, 0] = 3.0  # and for a while all is as forecast
    return y, experts


@pytest.mark.parametrize("lead", [1, 24])
def test_weights_gains_and_news_are_the_twin_s(lead: int) -> None:
    own, twin, short = Lead(lead), Mixture(PRIOR, PENALTY, lead), Lead(1)
    for n, (y, experts) in enumerate(zip(*drawn(lead, 1500), strict=True), start=1):
        F, brief = own.forecast(experts), short.forecast(experts[::-1].copy())
        # 1,500 roundings at 2e-16 of sums whose size is up to 1e3 times what is left of them in the exponent
        np.testing.assert_allclose(own.w, twin.weights(), rtol=1e-9)
        np.testing.assert_allclose(F, twin.forecast(experts), rtol=1e-9)
        short.learn(experts[::-1].copy(), brief, y)
        if lead > 1:
            news(own.state, short.regret, lead, 1, n)
            twin.hear(short.regret, 1)
        if math.isfinite(F):
            own.learn(experts, F, y)
            np.testing.assert_allclose(own.regret, twin.settle(experts, F, y), rtol=1e-12)
            assert own.size == pytest.approx(twin.s, rel=1e-12)


anything = st.floats(-1e12, 1e12) | st.just(0.0) | st.just(math.nan)
said = st.lists(anything, min_size=M, max_size=M)
label = st.floats(-1e12, 1e12) | st.just(0.0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.lists(anything, min_size=M, max_size=M), label), max_size=30), st.sampled_from([1, 6, 288])
)
def test_whatever_comes_weights_sum_to_one_and_the_mixture_lies_among_the_experts(rows, lead) -> None:
    own = Lead(lead)
    for experts, y in rows:
        E = np.array(experts)
        F = own.forecast(E)
        assert own.w.sum() == pytest.approx(1, rel=1e-12)
        assert (own.w > 0).all()
        if np.isnan(E).all():
            assert math.isnan(F)
            continue
        slack = 1e-9 * np.nanmax(abs(E))
        assert np.nanmin(E) - slack <= F <= np.nanmax(E) + slack
        own.learn(E, F, y)
        assert np.isfinite(own.state).all()
        assert (abs(own.regret) <= mix.REACH).all()
        assert (own.regret[np.isnan(E)] == 0).all()


@settings(deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.integers(1, 5))
def test_the_unit_of_the_series_does_not_matter(factor, shift, seed) -> None:
    y, experts = drawn(seed, 60)
    plain, other = Lead(6), Lead(6)
    for n in range(60):
        if np.isnan(experts[n]).all():  # nothing was forecast
            continue
        plain.learn(experts[n], plain.forecast(experts[n]), y[n])
        moved = factor * experts[n] + shift
        other.learn(moved, other.forecast(moved), factor * y[n] + shift)
    assert other.w == pytest.approx(plain.w, rel=1e-4)  # a shift by 1e6 deviations takes 6 of 16 digits


def test_at_birth_the_weights_are_the_priors_less_the_penalties() -> None:
    born = PRIOR * np.exp(-PENALTY)
    assert weights(np.zeros((mix.ROWS, M)), 0) == pytest.approx(born / born.sum())
    assert weights(np.zeros((mix.ROWS, M)), 300) == pytest.approx(PRIOR / PRIOR.sum())


def test_an_expert_with_no_prior_has_no_weight() -> None:
    assert weights(np.zeros((mix.ROWS, M)), prior=np.array([0.0, 1.0, 0.0, 0.0])).tolist() == [0, 1, 0, 0]


def test_the_blend_leaves_out_who_is_absent() -> None:
    F, share = blend(np.array([0.5, 0.3, 0.2]), np.array([np.nan, 1.0, 2.0]))
    assert (F, share) == pytest.approx((1.4, 0.5))
    F, share = blend(np.array([0.5, 0.5]), np.array([np.nan, np.inf]))
    assert math.isnan(F)
    assert share == 0


def test_a_series_that_is_forecast_without_error_moves_nothing() -> None:
    lead = Lead(1)
    for _ in range(50):
        lead.learn(np.full(M, 7.0), 7.0, 7.0)
    assert not lead.state.any()
    assert lead.size == 0


def test_the_best_expert_ends_with_the_weight_and_its_fall_is_seen() -> None:
    dice, lead = np.random.default_rng(3), Lead(1)
    for better in (1, 2):
        for _ in range(1500):
            y = dice.normal()
            spread = np.full(M, 2.0)
            spread[better] = 0.3
            experts = y + spread * dice.normal(size=M)
            lead.learn(experts, lead.forecast(experts), y)
        assert lead.w.argmax() == better


def test_news_moves_the_longer_lead_before_its_own_label_has_come() -> None:
    state, gains = np.zeros((mix.ROWS, M)), np.zeros(M)
    for n in range(1, 200):
        gains[1] = 1.0 if n > 100 else -1.0
        news(state, gains, 24, 12, n)
    assert weights(state).argmax() == 1
    assert state[mix.R].sum() == 0
