"""The mixture of experts against its twin, and what must hold for it whatever the experts say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamlstm.kernels import mix
from tests.kernels import JIT, ready
from tests.reference_mix import Mixture, states

consult, weigh, blend, settle, news, usual_error = map(
    ready, (mix.consult, mix.weigh, mix.blend, mix.settle, mix.news, mix.usual_error)
)
naive_share, falls_back = ready(mix.naive_share), ready(mix.falls_back)
OWN = 4  # experts beside the committees
M = OWN + mix.COMMITTEES
PRIOR, PENALTY = np.array([5.0, 1, 1, 1, 1, 1, 1]), np.array([0.0, 0, 3.0, 1.5, 0, 0, 3.0])


class Lead:
    """One lead run by the kernels, every forecast maturing at once."""

    def __init__(self, lead: int = 1, prior: NDArray = PRIOR, voters: int = OWN) -> None:
        self.voters = voters  # of the median
        self.lead, self.prior, self.n, self.size = lead, prior, 0, 0.0
        self.state, self.regret, self.w = np.zeros((mix.ROWS, M)), np.zeros(M), np.zeros(M)
        self.said = np.full(M, np.nan)

    def weights(self) -> NDArray:
        weigh(self.state, self.prior, PENALTY, self.w)
        return self.w

    def forecast(self, experts: NDArray) -> float:
        self.said[:OWN] = experts
        consult(self.state, self.said, np.zeros(M), self.voters)
        return blend(self.weights(), self.said, self.size)[0]

    def learn(self, mixture: float, y: float) -> None:
        self.n += 1
        settle(self.state, self.said, mixture, y, self.size, self.lead, self.w, self.regret)
        self.size = usual_error(self.size, self.n, mixture - y)

    def live(self, y: float, experts: NDArray) -> float:
        F = self.forecast(experts)
        if math.isfinite(F):
            self.learn(F, y)
        return F


def drawn(seed: int, n: int) -> tuple[NDArray, NDArray]:
    """Labels, and experts that miss them by more or less, are late, sometimes absent, and sometimes wild."""
    dice = np.random.default_rng(seed)
    y = dice.normal(size=n).cumsum()
    experts = y[:, None] + dice.normal(0, [1, 0.3, 2, 0.5], (n, OWN))
    experts[dice.random((n, OWN)) < 0.1] = np.nan
    experts[dice.random((n, OWN)) < 0.01] *= 1e6
    experts[:5, 1:] = np.nan
    experts[:50, 3] = np.nan
    y[100:120] = experts[100:120, 0] = 3.0  # and for a while all is as forecast
    return y, experts


@pytest.mark.parametrize("lead", [1, 24])
def test_forecasts_weights_gains_and_news_are_the_twin_s(lead: int) -> None:
    own, twin, short = Lead(lead), Mixture(PRIOR, PENALTY, lead), Lead()
    for y, experts in zip(*drawn(lead, 1000), strict=True):
        F = own.forecast(experts)
        np.testing.assert_allclose(own.said[OWN : OWN + 2], twin.committees(experts), rtol=1e-12)
        # exponents to 60, and e^x, in single precision; the gains agree since both are told the same F
        np.testing.assert_allclose(own.w, twin.weights(), rtol=5e-6, atol=1e-15)
        np.testing.assert_allclose(F, twin.forecast(own.said), rtol=5e-6, atol=1e-5)
        if math.isfinite(F):
            own.learn(F, y)
            np.testing.assert_allclose(own.regret, twin.settle(own.said, F, y), rtol=1e-12)
            assert own.size == pytest.approx(twin.s, rel=1e-12)
        if lead > 1 and math.isfinite(short.live(y, experts[::-1].copy())):
            news(own.state, short.regret, lead, 1, short.n, own.n)
            twin.hear(short.regret, 1)


@pytest.mark.parametrize("voters", [1, 2, 3])
def test_only_the_first_experts_vote_in_the_median_and_all_in_the_mean(voters: int) -> None:
    own, twin = Lead(voters=voters), Mixture(PRIOR, PENALTY, 1)
    for y, experts in zip(*drawn(9, 300), strict=True):
        F = own.forecast(experts)
        np.testing.assert_allclose(own.said[OWN], twin.committees(experts[:voters])[0], rtol=1e-12)
        np.testing.assert_allclose(own.said[OWN + 1], twin.committees(experts)[1], rtol=1e-12)
        if math.isfinite(F):
            own.learn(F, y)
            twin.settle(own.said, F, y)


anything = st.floats(-1e12, 1e12) | st.just(0.0) | st.just(math.nan)
said = st.lists(anything, min_size=OWN, max_size=OWN)
label = st.floats(-1e12, 1e12) | st.just(0.0)


@settings(deadline=None)
@given(st.lists(st.tuples(said, label), max_size=30), st.sampled_from([1, 6, 288]))
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
        own.learn(F, y)
        assert np.isfinite(own.state).all()
        assert (abs(own.regret) <= mix.REACH).all()
        assert (own.regret[np.isnan(own.said)] == 0).all()


@settings(deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3), st.integers(1, 5))
def test_the_unit_of_the_series_does_not_matter(factor, shift, seed) -> None:
    plain, other = Lead(6), Lead(6)
    for y, experts in zip(*drawn(seed, 60), strict=True):
        plain.live(y, experts)
        other.live(factor * y + shift, factor * experts + shift)
    assert other.weights() == pytest.approx(plain.weights(), rel=1e-4)  # a shift by 1e6 deviations takes 6 of 16 digits


def test_at_birth_the_weights_are_the_priors_less_the_penalties() -> None:
    born = PRIOR * np.exp(-PENALTY)
    assert Lead().weights() == pytest.approx(born / born.sum())


def test_an_expert_with_no_prior_has_no_weight() -> None:
    assert Lead(prior=np.array([0.0, 1, 0, 0, 0, 0, 0])).weights().tolist() == [0, 1, 0, 0, 0, 0, 0]


def test_the_blend_leaves_out_who_is_absent() -> None:
    F, share = blend(np.array([0.5, 0.3, 0.2]), np.array([np.nan, 1.0, 2.0]), 0.0)
    assert (F, share) == pytest.approx((1.4, 0.5))
    F, share = blend(np.array([0.5, 0.5]), np.array([np.nan, np.inf]), 1.0)
    assert math.isnan(F)
    assert share == 0


def test_a_forecast_far_from_all_others_pulls_no_harder_the_farther_it_is() -> None:
    weights = np.array([0.5, 0.4, 0.1])
    assert blend(weights, np.array([0.0, 0.0, 8.0]), 1.0)[0] == pytest.approx(0.8)  # not far: the mean
    # its mean is 0.1 X away from the others and 0.9 X from it: both are far, and the many are less so
    assert blend(weights, np.array([0.0, 0.0, 1e6]), 1.0)[0] == pytest.approx(1e6 / (9 * 9 + 1))


def test_committees_ask_only_who_is_there_and_at_birth_there_is_but_the_median() -> None:
    lead = Lead()
    lead.forecast(np.array([1.0, 5.0, np.nan, 9.0]))
    assert lead.said[OWN] == 5
    assert math.isnan(lead.said[OWN + 1])
    lead.learn(5.0, 5.0)
    lead.forecast(np.array([1.0, 7.0, 100.0, 2.0]))
    assert lead.said[OWN] == 4.5
    assert lead.said[OWN + 1] == 7  # the second was exact, and the third has not been heard before


def test_a_series_that_is_forecast_without_error_earns_nobody_anything() -> None:
    lead = Lead()
    for _ in range(50):
        lead.live(7.0, np.full(OWN, 7.0))
    assert not lead.state[[mix.S, mix.V, mix.R, mix.B, mix.P, mix.MISS]].any()
    assert lead.size == 0


def test_the_best_expert_ends_with_the_weight_and_its_fall_is_seen() -> None:
    dice, lead = np.random.default_rng(3), Lead()
    for better in (1, 2):
        for _ in range(1500):
            y = dice.normal()
            spread = np.full(OWN, 2.0)
            spread[better] = 0.3
            lead.live(y, y + spread * dice.normal(size=OWN))
        assert lead.weights()[:OWN].argmax() == better


def test_a_newcomer_is_taken_for_an_average_expert() -> None:
    """It comes 2,000 labels late, as good as the others: it must not profit from nothing being held against it yet."""
    dice, lead = np.random.default_rng(4), Lead(prior=np.ones(M))
    for n in range(2001):
        y, experts = dice.normal(), np.full(OWN, np.nan)
        experts[:2] = y + dice.normal(size=2)
        experts[2] = y + dice.normal() if n == 2000 else np.nan
        lead.live(y, experts)
    w = lead.weights()
    assert 0.3 * w[:2].min() < w[2] < 3 * w[:2].max()


def test_news_moves_the_longer_lead_before_its_own_label_has_come() -> None:
    lead, gains = Lead(24, np.ones(M)), np.zeros(M)
    for n in range(1, 200):
        gains[1] = 1.0 if n > 100 else -1.0
        news(lead.state, gains, 24, 12, n, mix.HEARD)
    assert lead.weights().argmax() == 1
    assert not lead.state[mix.R].any()


def test_a_lead_without_labels_of_its_own_hears_no_news() -> None:
    lead = Lead(24)
    for n in range(1, 200):
        news(lead.state, np.arange(M) * math.sin(n), 24, 12, n, mix.HEARD - 1)
    assert not lead.state[mix.P].any()


@pytest.mark.skipif(not JIT, reason="20,000 labels in plain Python")
def test_in_the_long_run_the_mixture_is_not_worse_than_the_best_expert() -> None:
    dice = np.random.default_rng(5)
    lead, own, best = Lead(6), 0.0, np.zeros(OWN)
    for _ in range(20_000):
        y = dice.standard_t(3)
        experts = y + dice.normal(0, [1.0, 0.9, 1.5, 3.0]) + [0.5, 0.5, 0.5, 0.5]  # no average can undo what all share
        own += abs(lead.live(y, experts) - y)
        best += abs(experts - y)
    assert own <= best.min()


def test_the_naive_share_is_of_those_who_are_there_and_moves_slowly() -> None:
    weights, forecasts = np.array([0.2, 0.2, 0.4, 0.2]), np.array([1.0, np.nan, 2.0, 3.0])
    assert naive_share(1.0, weights, forecasts, 2) == pytest.approx(1 - mix.STEADY * 0.75)
    assert naive_share(0.3, weights, np.full(4, np.nan), 2) == 0.3
    share = 1.0
    for _ in range(500):
        share = naive_share(share, weights, forecasts, 2)
    assert share == pytest.approx(0.25)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
@settings(deadline=None)
def test_a_fallback_ends_and_begins_with_hysteresis(shares) -> None:
    fallen, found = True, []
    for share in shares:
        fallen = falls_back(fallen, share)
        found.append(bool(fallen))
    assert found == states(np.array(shares), mix.FALL, mix.RETURN)
