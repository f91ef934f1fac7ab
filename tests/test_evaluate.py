"""The backtest against the engine run by hand, against river's metrics, and against what may not be known yet."""

from itertools import count
from math import isfinite, isnan, nan, sin

import numpy as np
import pytest
from river import metrics
from river.time_series import HoltWinters

from streamlstm import scores
from streamlstm.codec.encode import rfc3339
from streamlstm.codec.table import Row
from streamlstm.config import Stream
from streamlstm.engine import Engine
from streamlstm.evaluate import backtest
from streamlstm.events import SECOND_NS, Forecast, Observation
from streamlstm.picture import page
from streamlstm.rivals import River, SeasonalNaive, find_period, holt_winters, snarimax
from streamlstm.scores import OURS, PERSISTENCE, Pairs, document, predictions

HOUR = 3600 * SECOND_NS
SMALL = {"hidden": 4, "truncation": 8, "memory": 64}  # the sizes of tests.small: each new one is compiled anew


def stream(**settings):
    given = {"name": "y", "topic": "y", "step": "1h", "leads": [1, 3], "model": SMALL, **settings}
    return Stream.model_validate(given)


def wave(n, seed=1):
    """A day's wave with noise, hour by hour."""
    noise = np.random.default_rng(seed).normal(0, 0.3, n)
    return [10 + 3 * sin(i * 2 * np.pi / 24) + noise[i] for i in range(n)]


def table(values, places=None):
    """Rows on the hour, at the places given or one after another."""
    return [Row(i, place * HOUR, (y,)) for i, (place, y) in enumerate(zip(places or count(1000), values, strict=False))]


def run(rows, targets=("y",), first_row=0, rivals=None, **settings):
    return backtest(
        rows, stream(**settings), targets, seed=1, clock=count().__next__, first_row=first_row, rivals=rivals
    )


def by_hand(rows, lead, first_row=0):
    """(y, yhat, last value) of the forecasts that the engine makes for these rows, matched by time alone."""
    engine = Engine((stream(),), seed=1, max_series=1)
    rows = [row for row in rows if isinstance(row, Row)]
    numbers = {row.time_ns: row.number for row in rows}
    values = {row.time_ns: row.values[0] for row in rows}
    met = []
    last = nan
    for row in rows:
        outputs = engine.feed([Observation("y", "y", row.time_ns, row.values, position=row.number + 1)])
        last = row.values[0] if isfinite(row.values[0]) else last
        for forecast in outputs:
            if isinstance(forecast, Forecast):
                time_ns = forecast.origin_ns + lead * HOUR
                yhat = forecast.yhat[forecast.leads.index(lead)]
                if isfinite(yhat) and isfinite(values.get(time_ns, nan)) and numbers[time_ns] >= first_row:
                    met.append((time_ns, values[time_ns], yhat, last))
    return sorted(met)


GAPPY = table(wave(320), [i for i in range(340) if i % 17 != 5][:320])
GAPPY[50] = GAPPY[50]._replace(values=(nan,))


@pytest.mark.parametrize("lead", [1, 3])
@pytest.mark.parametrize("first_row", [0, 200])
def test_each_forecast_is_scored_against_the_observation_at_its_time(lead, first_row):
    pairs = run(GAPPY, first_row=first_row).pairs["y"][lead]
    made = ~np.isnan(pairs.forecasts[OURS])
    columns = (pairs.time_ns, pairs.y, pairs.forecasts[OURS], pairs.forecasts[PERSISTENCE])
    found = zip(*(column[made] for column in columns), strict=True)
    assert [tuple(pair) for pair in found] == by_hand(GAPPY, lead, first_row)
    assert (pairs.time_ns - pairs.origin_ns == lead * HOUR).all()
    assert made.sum() > 80


def test_the_measures_are_those_of_river_on_the_same_pairs():
    result = run(GAPPY)
    for score in result.scores:
        pairs = result.pairs["y"][score.lead]
        same = pairs.comparable
        mae, mse, naive = metrics.MAE(), metrics.MSE(), metrics.MAE()
        columns = (pairs.y[same], pairs.forecasts[OURS][same], pairs.forecasts[PERSISTENCE][same])
        for y, yhat, last in zip(*columns, strict=True):
            mae.update(y, yhat)
            mse.update(y, yhat)
            naive.update(y, last)
        # The same sums in another order.
        assert score.mae == pytest.approx(mae.get(), rel=1e-12)
        assert score.mse == pytest.approx(mse.get(), rel=1e-12)
        assert score.skill(PERSISTENCE) == pytest.approx(1 - mae.get() / naive.get(), rel=1e-9)
        assert score.n == same.sum() > 100
        columns = (pairs.y[same], pairs.lower[0][same], pairs.upper[0][same])
        inside = sum(low <= y <= high for y, low, high in zip(*columns, strict=True))
        assert score.coverage["0.8"] == pytest.approx(inside / score.n, rel=1e-12)


def test_all_contestants_are_measured_on_the_same_pairs():
    result = run(table(wave(300)), rivals={"late": lambda: SeasonalNaive(100)})
    pairs = result.pairs["y"][1]
    assert np.isnan(pairs.forecasts["late"]).sum() > 50
    assert all(not np.isnan(forecast[pairs.comparable]).any() for forecast in pairs.forecasts.values())
    assert result.scores[0].n == pairs.comparable.sum() == (~np.isnan(pairs.forecasts["late"])).sum()


def test_a_rival_that_never_speaks_takes_no_pairs_from_the_others():
    with_it = run(table(wave(300)), rivals={"mute": lambda: SeasonalNaive(1_000)})
    without = run(table(wave(300)))
    assert [s.n for s in with_it.scores] == [s.n for s in without.scores]
    assert with_it.scores[0].rivals["mute"] != with_it.scores[0].rivals["mute"]
    assert document(with_it.scores)["rivals"]["mute"] == {"1": None, "3": None}


def test_what_comes_later_changes_no_forecast_that_was_issued_before():
    values = wave(300)
    noise = list(np.random.default_rng(7).normal(50, 20, 100))
    pairs, disturbed = (run(table(v)).pairs["y"][3] for v in (values, values[:200] + noise))
    before = pairs.origin_ns < table(values)[200].time_ns
    assert before.sum() > 150
    for name in pairs.forecasts:
        assert pairs.forecasts[name][before].tobytes() == disturbed.forecasts[name][before].tobytes()
    assert pairs.lower[:, before].tobytes() == disturbed.lower[:, before].tobytes()


def test_every_row_is_taken_or_discarded_with_a_reason():
    rows = table(wave(60))
    rows[20:20] = [rows[19], rows[3]]  # a repeated row, and one that comes late
    rows = [row._replace(number=i) for i, row in enumerate(rows)]
    result = run(rows)
    assert result.discarded == {"duplicate": 1, "late": 1}
    assert result.rows == 62 == result.observations + sum(result.discarded.values()) + result.held


def test_rows_too_few_to_find_the_step_are_held():
    result = run(table(wave(5)), step="auto")
    assert (result.rows, result.observations, result.held) == (5, 0, 5)
    assert result.scores == ()


def test_each_target_is_a_series_of_its_own():
    a, b = wave(200, seed=1), wave(200, seed=2)
    both = [Row(i, i * HOUR + HOUR, (x, y)) for i, (x, y) in enumerate(zip(a, b, strict=True))]
    alone = [Row(i, i * HOUR + HOUR, (x,)) for i, x in enumerate(a)]
    together = run(both, targets=("a", "b"))
    assert together.observations == 400
    assert set(together.pairs) == {"a", "b"}
    one = run(alone, targets=("a",)).pairs["a"][1]
    assert together.pairs["a"][1].forecasts[OURS].tobytes() == one.forecasts[OURS].tobytes()


def test_rivals_of_several_targets_carry_the_targets_name():
    rows = [Row(i, i * HOUR + HOUR, (x, 2 * x)) for i, x in enumerate(wave(100))]
    assert set(document(run(rows, targets=("a", "b")).scores)["rivals"]) == {
        f"{target}/{rival}" for target in "ab" for rival in ("persistence", "seasonal")
    }


def test_leads_count_observations_where_the_spacing_has_no_grid():
    spaces = np.random.default_rng(3).integers(60, 3000, 200)
    times = np.cumsum(spaces) * SECOND_NS
    rows = [Row(i, int(t), (y,)) for i, (t, y) in enumerate(zip(times, wave(200), strict=True))]
    pairs = run(rows, step="auto").pairs["y"][3]
    place = {int(t): i for i, t in enumerate(times)}
    assert {place[int(b)] - place[int(a)] for a, b in zip(pairs.origin_ns, pairs.time_ns, strict=True)} == {3}
    assert len(pairs.y) > 150


def test_only_the_engine_is_timed():
    rows = table(wave(600))
    assert run(rows).engine_seconds == 3  # one tick of the test's clock for each of three batches


def test_predictions_are_a_table_with_the_columns_that_were_promised():
    result = run(GAPPY, first_row=300)
    head, *lines = predictions(result.pairs, result.levels)
    assert head == (
        "origin", "time", "target", "lead", "y", "yhat", "lower_0.8", "upper_0.8", "lower_0.95", "upper_0.95",
    )  # fmt: skip
    pairs = result.pairs["y"][1]
    assert lines[0] == (
        rfc3339(int(pairs.origin_ns[0])), rfc3339(int(pairs.time_ns[0])), "y", 1, pairs.y[0], pairs.forecasts[OURS][0],
        pairs.lower[0, 0], pairs.upper[0, 0], pairs.lower[1, 0], pairs.upper[1, 0],
    )  # fmt: skip
    assert len(lines) == sum(len(p.y) for p in result.pairs["y"].values())


def test_an_angle_is_off_by_the_shorter_way_round():
    y, ours = np.array([350.0, 10.0, 180.0]), np.array([10.0, 350.0, 90.0])
    none = np.zeros(3, np.int64)
    lower, upper = (ours - 25)[None], (ours + 25)[None]
    pairs = Pairs(none, none, y, {OURS: ours, "persistence": ours}, lower, upper, turn=360.0)
    one = scores.score("y", 1, pairs, [0.8])
    assert one.mae == pytest.approx((20 + 20 + 90) / 3)
    assert one.coverage["0.8"] == pytest.approx(2 / 3)
    assert isnan(one.wape)


def test_a_series_too_short_to_forecast_has_measures_of_null():
    result = run(table(wave(2)))
    for lead in document(result.scores)["leads"]:
        assert lead["n"] == 0
        assert lead["mae"] is lead["skill_seasonal"] is lead["coverage"]["0.8"] is None
    assert "too short" in page("x", result.scores, result.pairs, result.levels)


def test_the_picture_needs_nothing_from_elsewhere_and_escapes_names():
    rows = table(wave(200))
    name = "<b>load & more"
    result = run(rows, targets=(name,))
    html = page(name, result.scores, result.pairs, result.levels)
    assert "&lt;b&gt;load &amp; more" in html
    assert "<b>load" not in html
    assert "src=" not in html.split("</script>", 1)[1]
    assert "<link" not in html


def test_the_seasonal_rival_says_what_was_seen_one_period_before():
    rival = SeasonalNaive(3)
    for y in (1.0, 2.0, 3.0, 4.0):
        rival.learn(y, missed=0)
    assert rival.forecast([1, 2, 3, 4]) == [2.0, 3.0, 4.0, 2.0]
    rival.learn(6.0, missed=1)  # what was missed is taken from one period before
    assert rival.forecast([1, 2, 3]) == [4.0, 2.0, 6.0]


def test_a_rival_of_river_forecasts_what_it_does_by_itself():
    values = wave(200)
    rival = holt_winters(24)
    own = HoltWinters(alpha=0.1, beta=0.001, gamma=0.3, seasonality=24)
    for y in values:
        rival.learn(y, missed=0)
        own.learn_one(y)
    assert rival.forecast([1, 5, 24]) == [own.forecast(24)[lead - 1] for lead in (1, 5, 24)]


@pytest.mark.parametrize("make", [holt_winters, snarimax])
@pytest.mark.parametrize("period", [0, 24])
def test_rivals_of_river_walk_over_gaps_and_missing_values(make, period):
    rival = make(period)
    for i, y in enumerate(wave(300)):
        rival.learn(nan if i % 50 == 7 else y, missed=3 if i % 40 == 9 else 0)
    assert all(0 < y < 20 for y in rival.forecast([1, 12]))


def test_a_rival_that_runs_away_is_infinitely_wrong_and_not_left_out():
    class Runaway:
        def learn_one(self, y): ...

        def forecast(self, horizon):
            return [1e300 * 1e300] * horizon

    result = run(table(wave(100)), rivals={"runaway": lambda: River(Runaway(), after=1)})
    assert document(result.scores)["rivals"]["runaway"] == {"1": None, "3": None}
    assert [s.n for s in result.scores] == [s.n for s in run(table(wave(100))).scores]


def test_the_period_of_a_wave_is_found_and_noise_has_none():
    assert find_period(np.array(wave(480))) == 24
    gappy = np.array(wave(480))
    gappy[::7] = nan
    assert find_period(gappy) == 24
    assert find_period(np.random.default_rng(5).normal(0, 1, 500)) == 0
    assert find_period(np.cumsum(np.random.default_rng(5).normal(0, 1, 500))) == 0
    assert find_period(np.full(50, 3.0)) == 0
    assert find_period(np.array([1.0, 2.0])) == 0
