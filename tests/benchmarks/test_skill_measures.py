"""The benchmark's figures against ones worked out by hand."""

from math import isnan, log, nan

import numpy as np
import pytest

from benchmarks.skill import chance, ettm, likelihood
from benchmarks.skill.measures import against_best, against_rivals, measure, naives, wape, worst_window
from benchmarks.skill.shows import Line
from streamlstm.scores import OURS, PERSISTENCE, SEASONAL, Pairs


def pairs(y, half=1.0, **forecasts):
    """Pairs whose one interval reaches `half` to either side of our forecast."""
    y, named = np.array(y, float), {name: np.array(f, float) for name, f in forecasts.items()}
    times = np.arange(len(y))
    ours = named[OURS]
    return Pairs(times, times + 1, y, named, (ours - half)[None], (ours + half)[None])


def test_the_worst_window_is_the_one_with_fewest_hits():
    hits = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], bool)
    assert worst_window(hits, 3) == (pytest.approx(1 / 3), 2)
    assert worst_window(hits, len(hits)) == (pytest.approx(6 / 9), 0)


def test_a_series_shorter_than_the_window_has_no_worst_one():
    share, _ = worst_window(np.ones(4, bool), 5)
    assert isnan(share)


def test_the_best_naive_is_chosen_afterwards_on_the_same_pairs():
    own = pairs([1, 2, 3, 4], **{OURS: [1, 2, 3, 5], PERSISTENCE: [3, 4, 5, 6], "day": [1, 2, 3, 8]})
    naive = naives(own, ("day",))
    assert against_best(own, naive, np.ones(4, bool)) == ("day", 0.25)  # 1/4 over 4/4
    assert against_best(own, naive, np.array([0, 0, 0, 1], bool)) == (PERSISTENCE, 0.5)  # 1 over 2


def test_a_seasonal_naive_says_what_the_shorter_one_says_until_it_has_seen_its_season():
    own = pairs(
        [0, 0, 0],
        **{OURS: [0, 0, 0], PERSISTENCE: [1, 2, 3], "day": [nan, 5, 6], "week": [nan, nan, 9], SEASONAL: [7] * 3},
    )
    found = naives(own, ("day", "week"))
    assert list(found) == [PERSISTENCE, "day", "week"]
    assert found["day"].tolist() == [1, 5, 6]
    assert found["week"].tolist() == [1, 5, 9]


def test_without_a_grid_the_seasonal_naive_is_the_engines_own():
    own = pairs([0, 0], **{OURS: [0, 0], PERSISTENCE: [1, 2], SEASONAL: [nan, 4]})
    assert {name: f.tolist() for name, f in naives(own, ()).items()} == {PERSISTENCE: [1, 2], SEASONAL: [1, 4]}


def test_a_perfect_naive_has_no_ratio():
    own = pairs([1, 1], **{OURS: [2, 2], PERSISTENCE: [1, 1]})
    assert isnan(against_best(own, {PERSISTENCE: own.y}, np.ones(2, bool))[1])


def test_rivals_are_compared_where_all_of_them_spoke():
    own = pairs([0, 0, 0], **{OURS: [9, 1, 1], PERSISTENCE: [0, 0, 0], "late": [nan, 2, 4], "mute": [nan] * 3})
    found = against_rivals(own, ["late", "mute"], np.ones(3, bool))
    assert found["late"] == 3
    assert isnan(found["mute"])


def test_the_error_is_told_relative_to_the_size_of_the_values():
    own = pairs([10, -10, 20], **{OURS: [11, -12, 20]})
    assert wape(own, np.ones(3, bool)) == 3 / 40
    assert isnan(wape(own, np.zeros(3, bool)))


def test_figures_count_from_row_100_and_the_early_ones_end_at_600():
    rows = np.arange(50, 750)
    error = np.where(rows < 100, 50.0, np.where(rows < 600, 2.0, 0.5))
    own = pairs(np.zeros(700), **{OURS: error, PERSISTENCE: np.ones(700), "day": np.ones(700)})
    found = measure(own, rows, (0.8,), ("day",), ())
    assert found["n"] == 650
    assert found["ratio"] == found["mae"] == pytest.approx((500 * 2 + 150 * 0.5) / 650)
    assert found["early"] == 2
    assert found["naive_mae"] == {PERSISTENCE: 1, "day": 1}
    assert isnan(found["late_wape"][OURS])  # there is no row 10,000
    assert found["coverage"] == {"0.8": pytest.approx(150 / 650)}
    assert (found["worst"], found["worst_row"]) == ({"0.8": 0.0}, {"0.8": 100})


@pytest.mark.parametrize(("y", "place"), [(0, 0), (952, 0), (953, 1), (2857, 1), (2858, 2), (39_197, 21), (45_000, 21)])
def test_a_value_falls_into_the_bucket_of_cui_et_al(y, place):
    assert likelihood.bucket(y) == place  # w = 40000/21 = 1904.76, int((y + w/2)/w)


def test_the_likelihood_is_that_of_the_bucket_and_never_below_a_hundredth():
    edges = likelihood.EDGES
    assert len(edges) == likelihood.BUCKETS - 1
    uniform = np.clip(edges / 40_000, 0, 1)
    assert likelihood.surprisal(10_000, uniform) == pytest.approx(log(21))
    assert likelihood.surprisal(0, uniform) == pytest.approx(log(42))  # the outer ones are half as wide
    assert likelihood.surprisal(10_000, np.where(edges < 20_000, 0.0, 1.0)) == pytest.approx(-log(0.01))
    assert likelihood.surprisal(40_000, np.zeros(21)) == pytest.approx(0)


def test_every_bucket_lies_between_the_edges_beside_it():
    for place, (low, high) in enumerate(zip(likelihood.EDGES[:-1], likelihood.EDGES[1:], strict=True), start=1):
        assert likelihood.bucket(low + 1e-6) == likelihood.bucket(high - 1e-6) == place


def test_errors_on_etth1_are_means_over_windows_that_lie_in_the_split():
    rng = np.random.default_rng(3)
    y = rng.normal(0, [1, 5], (ettm.END, 2))
    forecasts = rng.normal(0, 1, (ettm.END - ettm.FIRST, 2, ettm.STEPS))
    found = ettm.errors(y, forecasts)
    unit = y[:2880].std(axis=0)
    for H in (1, 24, 48):
        squares, sizes = [], []
        for first in range(3600, 14_400 - H + 1):  # the window's first target; the origin is the row before
            e = (forecasts[first - 3600, :, :H] - y[first : first + H].T) / unit[:, None]
            squares.append((e**2).mean())
            sizes.append(np.abs(e).mean())
        assert found[f"mse_{H}"] == pytest.approx(np.mean(squares), rel=1e-9)  # same sums, other order
        assert found[f"mae_{H}"] == pytest.approx(np.mean(sizes), rel=1e-9)


@pytest.mark.parametrize(
    ("ours", "higher", "reached"),
    [(1.0, False, "aim"), (1.5, False, "floor"), (2.5, False, "below the floor"), (3.0, True, "aim"), (nan, True, "")],
)
def test_a_line_says_which_bound_it_reached(ours, higher, reached):
    floor, aim = (2.0, 3.0) if higher else (2.0, 1.0)
    assert Line("x", "full", floor, aim, ours, higher=higher).reached == reached


def test_misses_come_in_runs_further_ahead_so_that_the_worst_window_is_worse_by_chance() -> None:
    dice = np.random.default_rng(0)
    near, far = (np.median(chance.walks(lead, 0.8, dice)) for lead in (1, 48))
    assert 0.72 < near < 0.78
    assert far < near - 0.1
