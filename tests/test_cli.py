"""The command line as a user meets it: what it prints where, what it writes, and with which code it leaves."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from math import pi, sin
from pathlib import Path

import numpy as np
import pytest

from streamlstm import cli, cli_backtest
from streamlstm.model.batch import Learner
from tests.system.servers import Client, Mosquitto, until

ROOT = Path(__file__).parent.parent
START = datetime(2026, 3, 2, tzinfo=UTC)
CONFIG = """
[mqtt]
url = "{url}"
[http]
listen = "127.0.0.1:0"
[[streams]]
name = "load"
topic = "load"
format = "json"
value = "load"
time = "time"
step = "1h"
leads = [1, 3]
[streams.model]
hidden = 4
truncation = 8
memory = 64
"""


@pytest.fixture
def call(capsys, monkeypatch):
    """Run a command in this process: (exit code, stdout, stderr with plain spacing)."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words):
        with pytest.raises(SystemExit) as left:
            cli.main([str(word) for word in words])
        printed = capsys.readouterr()
        return left.value.code or 0, printed.out, " ".join(re.sub("[│╭╮╰╯─]", " ", printed.err).split())

    return run


@pytest.fixture
def data(tmp_path):
    """A day's wave, hour by hour, with a second one beside it."""
    lines = ["time,load,temp"]
    for i in range(200):
        load = 50 + 10 * sin(i * pi / 12) + (i * 37 % 11) / 5
        lines.append(f"{START + timedelta(hours=i):%Y-%m-%d %H:%M:%S},{load:.3f},{20 - load / 10:.3f}")
    path = tmp_path / "data.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(url="mqtt://127.0.0.1:1"))
    return path


def test_help_names_every_command_and_the_exit_codes(call):
    code, out, _ = call("--help")
    assert code == 0
    assert all(name in out for name in ("run", "demo", "backtest", "replay", "check-config"))
    assert all(f"{number} " in out for number in (0, 1, 2, 3, 70))


def test_json_is_one_document_on_stdout_with_the_promised_names(call, data, config):
    code, out, err = call(
        "backtest", data, "--time", "time", "--target", "load", "--config", config, "--leads", "1,5", "--json"
    )
    found = json.loads(out)
    assert code == 0
    assert set(found) == {
        "file", "rows", "observations", "discarded", "held", "seconds", "us_per_observation", "leads", "rivals",
    }  # fmt: skip
    assert [lead["lead"] for lead in found["leads"]] == [1, 5]
    assert set(found["leads"][0]) == {
        "target", "lead", "n", "mae", "mse", "rmse", "wape", "skill_persistence", "skill_seasonal", "coverage",
        "interval_width",
    }  # fmt: skip
    assert set(found["leads"][0]["coverage"]) == {"0.8", "0.95"}
    assert (found["file"], found["rows"], found["observations"]) == (str(data), 200, 200)
    assert set(found["rivals"]["persistence"]) == {"1", "5"}
    assert "{" not in err


def test_a_table_says_the_same_to_people(call, data, config):
    words = ("backtest", data, "--time", "time", "--target", "load", "--config", config)
    _, out, _ = call(*words, "--json")
    code, shown, _ = call(*words)
    mae = json.loads(out)["leads"][0]["mae"]
    assert code == 0
    assert f"{mae:.4g}" in shown
    assert "200 rows, 200 observations" in shown


def test_a_category_is_read_scored_and_written_in_its_words(call, tmp_path):
    words = ["heat", "off", "<cool>"]
    rows = [
        f"{START + timedelta(hours=i):%Y-%m-%d %H:%M:%S},{'?' if i == 50 else words[i // 8 % 3]}" for i in range(200)
    ]
    data, config, out, plot = (tmp_path / name for name in ("modes.csv", "c.toml", "out.csv", "picture.html"))
    data.write_text("\n".join(["time,mode", *rows, "2026-03-20 00:00:00,warm"]))
    typed = f'type = "category"\nclasses = {json.dumps(words)}\nleads = [1, 3, 6]'
    config.write_text(CONFIG.format(url="mqtt://127.0.0.1:1").replace("leads = [1, 3]", typed))
    command = ("backtest", data, "--time", "time", "--target", "mode", "--config", config)
    code, shown, _ = call(*command, "--out", out, "--plot", plot)
    assert code == 0
    with out.open(newline="") as file:
        predicted = list(csv.DictReader(file))
    assert list(predicted[0]) == ["origin", "time", "target", "lead", "y", "yhat"]
    assert {row["y"] for row in predicted} == set(words) >= {row["yhat"] for row in predicted}
    missed = np.mean([row["y"] != row["yhat"] for row in predicted if row["lead"] == "1"])
    assert f"{100 * missed:.1f} %" in shown
    assert "wrong_type" in shown and "'warm': need one of the classes" in shown
    html = plot.read_text().split("</script>", 1)[1]
    assert "missed by" in html and "Coverage" not in html and "<cool>" not in html
    lead = json.loads(call(*command, "--json")[1])["leads"][0]
    assert (lead["mae"], lead["wape"], lead["coverage"]["0.8"]) == (pytest.approx(missed), None, None)


def test_predictions_and_the_picture_are_written(call, data, config, tmp_path):
    out, plot = tmp_path / "predictions.csv", tmp_path / "picture.html"
    code, shown, _ = call(
        "backtest", data, "--time", "time", "--target", "load", "--target", "temp", "--config", config,
        "--from", 150, "--out", out, "--plot", plot, "--plot-lead", 3,
    )  # fmt: skip
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert code == 0
    assert list(rows[0]) == [
        "origin", "time", "target", "lead", "y", "yhat", "lower_0.8", "upper_0.8", "lower_0.95", "upper_0.95",
    ]  # fmt: skip
    assert {row["target"] for row in rows} == {"load", "temp"}
    assert min(row["time"] for row in rows) == f"{START + timedelta(hours=150):%Y-%m-%dT%H:%M:%SZ}"
    assert len(rows) == 2 * 2 * 50
    assert "forecast 3 steps before" in plot.read_text()
    assert str(out) in shown
    assert str(plot) in shown


def test_rivals_of_river_stand_beside_when_asked_for(call, data, config):
    _, out, _ = call(
        "backtest", data, "--time", "time", "--target", "load", "--config", config,
        "--rival", "holtwinters", "--rival", "snarimax", "--json",
    )  # fmt: skip
    rivals = json.loads(out)["rivals"]
    assert {"persistence", "seasonal", "holtwinters", "snarimax"} <= set(rivals)
    assert all(0 < mae < 50 for name in ("holtwinters", "snarimax") for mae in rivals[name].values())


def test_a_column_that_is_known_ahead_goes_to_the_engine_at_the_times_of_the_leads(call, data, config, monkeypatch):
    steps = []

    def take(learner, taken):
        steps.extend(taken)
        return np.full((len(taken), learner.columns["all"].stop), np.nan)

    monkeypatch.setattr(Learner, "take", take)
    monkeypatch.setattr(Learner, "compile", lambda _: None)  # what takes the steps here is not compiled
    words = ("backtest", data, "--time", "time", "--target", "load", "--config", config, "--ahead", "temp")
    code, _, _ = call(*words, "--json")
    with data.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert code == 0
    assert len(steps) == len(rows) == 200
    for n, step in enumerate(steps[:-3]):
        assert step.values == (float(rows[n]["load"]), float(rows[n + 1]["temp"]), float(rows[n + 3]["temp"]))
    assert np.isnan(steps[-1].values[1:]).all()


def test_a_bad_row_is_counted_and_the_first_is_shown(call, data, config):
    lines = data.read_text().splitlines()
    lines[100] = lines[100].replace("2026", "2O26")
    data.write_text("\n".join(lines))
    code, out, _ = call("backtest", data, "--time", "time", "--target", "load", "--config", config)
    assert code == 0
    assert "1 bad_time" in out
    assert "row 99 (line 101)" in out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--time", "tiem", "--target", "load"], 1, "no column 'tiem'; did you mean 'time'?"),
        (["--time", "time", "--target", "lod"], 1, "did you mean 'load'?"),
        (["--time", "time"], 2, "--target"),
        (["--time", "time", "--target", "load", "--leads", "1,soon"], 2, "--leads[1] = 'soon'"),
        (["--time", "time", "--target", "load", "--step", "1 moon"], 2, "--step = '1 moon'"),
        (["--time", "time", "--target", "load", "--levels", "80"], 2, "--levels"),
        (["--time", "time", "--target", "load", "--timezone", "Mars/Olympus"], 2, "Mars/Olympus"),
        (["--time", "time", "--target", "load", "--time-format", "jd"], 2, "need one of auto"),
        (["--time", "time", "--target", "load", "--separator", ";;"], 2, "need one character"),
        (["--time", "time", "--target", "load", "--rival", "prophet"], 2, "need one of holtwinters, snarimax"),
        (["--time", "time", "--target", "load", "--from", "200"], 2, "the file has 200 rows"),
        (["--time", "time", "--target", "load", "--covariate", "load"], 2, "each column once"),
        (["--time", "time", "--target", "load", "--ahead", "load"], 2, "each column once"),
        (["--time", "time", "--target", "load", "--ahead", "none"], 1, "no column 'none'"),
        (["--time", "time", "--target", "load", "--joint"], 2, "--joint: need several --target"),
        (["--time", "time", "--target", "load", "--config", "nowhere.toml"], 1, "nowhere.toml"),
    ],
)
def test_what_the_user_can_mend_is_said_in_words_with_its_code(call, data, words, code, told):
    left, out, err = call("backtest", data, *words)
    assert left == code
    assert told in err
    assert "Traceback" not in err
    assert out == ""


def test_a_file_that_is_not_there_is_named(call, tmp_path):
    code, _, err = call("backtest", tmp_path / "none.csv", "--time", "a", "--target", "b")
    assert code == 1
    assert "none.csv: No such file" in err


def test_a_place_that_cannot_be_written_is_named(call, data, config, tmp_path):
    out = tmp_path / "none" / "out.csv"
    code, _, err = call("backtest", data, "--time", "time", "--target", "load", "--config", config, "--out", out)
    assert code == 1
    assert "out.csv" in err


def test_a_config_of_several_streams_asks_which(call, data, config):
    config.write_text(config.read_text() + '[[streams]]\nname = "other"\ntopic = "other"\n')
    words = ("backtest", data, "--time", "time", "--target", "load", "--config", config)
    code, _, err = call(*words)
    assert code == 2
    assert "--stream: need one stream of the config: load, other" in err
    assert call(*words, "--stream", "load")[0] == 0


def test_a_good_config_is_told_its_size(call, config):
    code, out, _ = call("check-config", config)
    assert code == 0
    assert "no problems" in out
    assert "KiB for each series" in out
    sizes = json.loads(call("check-config", config, "--json")[1])
    assert sizes["problems"] == []
    assert sizes["bytes_per_series"]["load"] > 1000


@pytest.mark.parametrize(
    ("covariates", "told"),
    [
        ('{ topic = "a", value = "v" }', "1 covariate"),
        ('{ topic = "a", value = "v", time = "t", known_ahead = true }', "1 covariate, one known ahead"),
        (
            '{ topic = "a", value = "v" }, { topic = "b", value = "v" }, '
            '{ topic = "a", value = "v", time = "t", known_ahead = true }',
            "3 covariates, one known ahead",
        ),
    ],
)
def test_the_covariates_of_a_config_are_counted(call, config, covariates, told):
    text = config.read_text().replace('step = "1h"', f'step = "1h"\ncovariates = [{covariates}]')
    config.write_text(text)
    assert f"; {told}\n" in call("check-config", config)[1]
    counted = json.loads(call("check-config", config, "--json")[1])["covariates"]["load"]
    assert sum(counted.values()) == int(told[0])


def test_every_problem_of_a_config_is_told_at_once(call, config):
    config.write_text(config.read_text().replace('"1h"', '"1 hour"').replace("hidden", "hiden").replace("[1, 3]", "[]"))
    code, _, err = call("check-config", config)
    assert code == 1
    assert "1 hour" in err
    assert "did you mean 'hidden'?" in err
    assert "leads" in err
    left, out, _ = call("check-config", config, "--json")
    assert left == 1
    assert len(json.loads(out)["problems"]) == 3


def test_more_series_than_the_memory_holds_is_said(call, config):
    config.write_text(config.read_text() + '[limits]\nmax_series = 1000000\nmemory = "1MiB"\n')
    assert "limits.memory holds" in call("check-config", config)[1]


def test_a_mistake_of_ours_leaves_with_70_and_says_what_to_report(call, data, monkeypatch):
    def fails(*_):
        raise RuntimeError("arena is flat")

    monkeypatch.setattr(cli_backtest, "run", fails)
    words = ("backtest", data, "--time", "time", "--target", "load")
    code, _, err = call(*words)
    assert code == 70
    assert "arena is flat" in err
    assert "report it" in err
    assert "Traceback" not in err
    code, _, err = call(*words, "--debug")
    assert code == 70
    assert "Traceback" in err


def started(*words, **variables):
    """A command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "streamlstm", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_module_is_the_command():
    process = started("--help")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "check-config" in out


@pytest.mark.system
def test_recorded_rows_are_replayed_into_a_broker(data, tmp_path):
    data.write_text("\n".join([*data.read_text().splitlines()[:5], "2026-03-02 04:00:00,,21", "then,1,2"]))
    with Mosquitto(tmp_path) as broker, Client(broker.url, "load") as subscriber:
        process = started("replay", data, "--broker", broker.url, "--topic", "load", "--speed", 0)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "5 rows published" in err
        assert "1 rows discarded" in err
        assert "'then'" in err
        until(lambda: len(subscriber.payloads("load")) == 5)
        first, *_, last = map(json.loads, subscriber.payloads("load"))
    assert first == {"time": "2026-03-02T00:00:00Z", "load": 50.0, "temp": 15.0}
    assert last == {"time": "2026-03-02T04:00:00Z", "load": None, "temp": 21.0}


@pytest.mark.system
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_daemon_ends_with_code_0_when_it_is_told_to(config, tmp_path, how):
    with Mosquitto(tmp_path) as broker:
        config.write_text(CONFIG.format(url=broker.url))
        process = started("run", "--config", config)
        assert process.stderr is not None
        seen = []
        for line in process.stderr:  # ends with the process
            seen.append(line)
            if "event=ready" in line:
                process.send_signal(how)
        process.wait(timeout=30)
        assert process.returncode == 0, "".join(seen)
        assert any("event=ready" in line for line in seen)


def test_a_daemon_with_a_bad_config_leaves_with_code_1(call, config):
    config.write_text("[mqtt]\n")
    code, _, err = call("run", "--config", config)
    assert code == 1
    assert "mqtt.url" in err


@pytest.mark.system
def test_the_demo_shows_where_to_look_and_sums_up():
    process = started("demo", "--seconds", 8)
    out, err = process.communicate(timeout=480)
    assert process.returncode == 0, err
    assert re.search(r"the page: http://127\.0\.0\.1:\d+", out)
    received, learned = map(int, re.search(r"(\d+) readings received, (\d+) learned", out).groups())
    assert received == learned > 30
    assert int(re.search(r"(\d+) forecasts", out)[1]) > 0
    assert all(f"{lead} h" in out for lead in (1, 6, 24))


@pytest.mark.system
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_demo_ends_cleanly_while_it_is_still_compiling(how, tmp_path):
    # An empty cache, so that there is something to compile.
    process = started("demo", HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), NUMBA_CACHE_DIR=str(tmp_path / "numba"))
    until(lambda: children(process.pid))  # its broker runs
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "ended before anything was learned" in out


def children(pid):
    """The processes that a process has started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return listed.stdout.split()
