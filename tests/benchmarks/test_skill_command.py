"""The benchmark as a whole, on files made here and on the small engine that the other tests compile."""

import csv
import json
import sys
from math import isnan, nan, sin

import numpy as np
import pytest

from benchmarks.skill import page, plots, protocol, rivals, run
from benchmarks.skill.datasets import ALL, Dataset
from benchmarks.skill.tables import markdown_table
from streamlstm.codec.table import Row
from streamlstm.config import Stream
from streamlstm.evaluate import backtest
from streamlstm.events import SECOND_NS
from streamlstm.scores import OURS
from tests.small import STREAM

HOUR_NS = 3600 * SECOND_NS
LEADS = (1, 3)
ROWS = 700


def made(folder, name="made", missing=()):
    """A day's wave with noise in a file, and the dataset that reads it."""
    noise = np.random.default_rng(1).normal(0, 0.3, ROWS)
    with (folder / f"{name}.csv").open("w", newline="") as file:
        write = csv.writer(file)
        write.writerow(("timestamp", "value"))
        for i in range(ROWS):
            if i not in missing:
                write.writerow((3600 * i, 10 + 3 * sin(i * 2 * np.pi / 24) + noise[i]))
    return Dataset(name, ("value",), "made here", (f"{name}.csv",), "0" * 64)


@pytest.fixture
def small(monkeypatch):
    """The engine of `tests.small` in place of the presets, whose compilation takes a minute each."""
    monkeypatch.setattr(protocol, "LEADS", LEADS)
    monkeypatch.setattr(protocol, "FAR_ROWS", ROWS + 1)
    monkeypatch.setattr(protocol, "stream", lambda *_: STREAM.model_copy(update={"name": "skill"}))


def asked(folder, dataset, names=()):
    return run.Request(folder, (dataset,), ("small",), tuple(names), None, {}, None)


@pytest.mark.usefixtures("small")
def test_one_pass_gives_the_figures_of_the_backtest(tmp_path):
    dataset = made(tmp_path, missing=range(300, 305))
    outcome = run.run(asked(tmp_path, dataset, ["holtwinters"]), lambda _: None)
    rows = dataset.rows(tmp_path)
    by_hand = backtest(rows, STREAM, ("value",), seed=1, clock=lambda: 0.0, first_row=100)
    for own, score in zip(outcome.figures, by_hand.scores, strict=True):
        assert (own.lead, own.rows) == (score.lead, ROWS - 5)
        pairs = by_hand.pairs["value"][score.lead]
        assert own.mae == pytest.approx(np.nanmean(np.abs(pairs.y - pairs.forecasts[OURS])), rel=1e-12)
        assert own.rivals["holtwinters"] > 0
    assert outcome.other_bytes == ["made"]
    assert isnan(outcome.measured[0].likelihood)

    text = page.page(outcome, {"command": "`x`"}, (dataset,), {"torch": "no environment"}, ["ratios.svg"])
    assert "this run read other bytes" in text
    assert "Skipped: torch: no environment." in text
    assert "| made | 1 |" in text
    told = json.loads(json.dumps(page.document(outcome, {}, {}), allow_nan=False))
    assert [f["lead"] for f in told["figures"]] == list(LEADS)
    assert told["measured"][0]["likelihood"] is None
    assert told["shows"][0]["ours"] is None  # taxi was not run
    assert plots.write(outcome, tmp_path / "plots")[0].read_text().count("<circle") == 2 * len(LEADS)


def test_a_recorded_rival_is_scored_at_the_origins_where_it_spoke(tmp_path):
    dataset = made(tmp_path, missing=range(300, 305))
    rows = dataset.rows(tmp_path)
    said = np.array([[row.values[0], nan] for row in rows])  # persistence at the first lead, nothing at the second
    named = {"told": lambda: rivals.Recorded(said)}
    pairs = backtest(rows, STREAM, ("value",), seed=1, clock=lambda: 0.0, rivals=named).pairs["value"]
    assert pairs[1].forecasts["told"].tolist() == pairs[1].forecasts["persistence"].tolist()
    assert np.isnan(pairs[3].forecasts["told"]).all()


def test_a_rival_with_an_environment_of_its_own_is_told_each_observation_and_the_gap_before_it(tmp_path, monkeypatch):
    script = tmp_path / "echo.py"
    script.write_text(
        "import csv, sys\n"
        "rows = list(csv.DictReader(open(sys.argv[1])))\n"
        "csv.writer(open(sys.argv[2], 'w')).writerows((r['y'], r['missed']) for r in rows)\n"
    )
    monkeypatch.setitem(rivals.SCRIPTS, "torch", str(script))
    dataset = made(tmp_path, missing=range(300, 305))
    rows = dataset.rows(tmp_path)
    rows[7] = rows[7]._replace(values=(nan,))
    cache = tmp_path / "cache"
    found = rivals.asked(["torch", "deep-river"], {"torch": sys.executable}, dataset, 0, rows, cache)
    assert list(found) == ["torch"]  # the other has no environment
    values, missed = found["torch"].forecasts.T
    assert np.array_equal(values, [row.values[0] for row in rows], equal_nan=True)
    assert missed.tolist() == [5.0 if i == 300 else 0.0 for i in range(len(rows))]
    script.write_text("raise SystemExit('a second run')")
    again = rivals.asked(["torch"], {"torch": sys.executable}, dataset, 0, rows, cache)
    assert np.array_equal(again["torch"].forecasts, found["torch"].forecasts, equal_nan=True)


def test_a_rival_that_fails_says_why(tmp_path, monkeypatch):
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit('no such module')")
    monkeypatch.setitem(rivals.SCRIPTS, "torch", str(script))
    dataset = made(tmp_path)
    with pytest.raises(RuntimeError, match="no such module"):
        rivals.asked(["torch"], {"torch": sys.executable}, dataset, 0, dataset.rows(tmp_path), None)


def test_the_series_inside_rivers_wheel_have_one_value_a_time_after_1970(tmp_path):
    for dataset in ALL:
        if dataset.in_wheel is not None:
            times = [row.time_ns for row in dataset.rows(tmp_path)]
            assert times == sorted(set(times))
            assert times[0] >= 0


def test_monthly_data_have_the_year_as_their_season_and_events_have_none():
    month = [Row(i, round(i * 30.4 * 24) * HOUR_NS, (1.0,)) for i in range(20)]
    event = [Row(i, i * i * 7 * SECOND_NS + i, (1.0,)) for i in range(20)]
    assert protocol.periods(month) == {"year": 12}
    assert protocol.periods(event) == {}
    assert protocol.periods([Row(i, i * HOUR_NS, (1.0,)) for i in range(20)]) == {"day": 24, "week": 168}


def test_every_dataset_has_the_same_settings_but_for_the_clock_on_the_wall():
    told = [protocol.stream(d, protocol.presets()[0]).model_dump(exclude={"timezone"}) for d in ALL]
    assert all(settings == told[0] for settings in told)
    defaults = Stream(name="skill", topic="skill").model_dump(exclude={"timezone", "leads", "model"})
    assert {key: told[0][key] for key in defaults} == defaults


def test_a_table_is_markdown():
    assert markdown_table(["a|b", "n"], [["x", 1]]) == "| a\\|b | n |\n|---|---:|\n| x | 1 |"
