"""`streamlstm state` as a user meets it: what it prints where, what it changes, and with which code it leaves."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3

import pytest

from streamlstm import cli
from streamlstm.codec.encode import rfc3339
from streamlstm.codec.journal import from_bytes
from streamlstm.config import load
from streamlstm.daemon.builds import UNKNOWN, Build, described, judged, record
from streamlstm.daemon.mending import NOTHING
from streamlstm.events import SECOND_NS, Forecast, Observation, Shed
from streamlstm.store.store import Store
from tests.faults import flips
from tests.faults.lives import STREAMS, Life, hurried, lived, state

CONFIG = """
seed = 1
[mqtt]
url = "mqtt://127.0.0.1:1"
[limits]
max_series = 12
closed = 60000
[[streams]]
name = "plain/{x}"
topic = "p/{x}"
ttl = "3d"
gap = "12h"
lateness = "2h"
leads = [1, 3]
model = { hidden = 4, truncation = 8, memory = 512 }
[[streams]]
name = "alike/{x}"
topic = "a/{x}"
step = "1h"
group = true
ttl = "4d"
seasons = []
leads = [1, 3]
model = { hidden = 4, truncation = 8, memory = 512 }
[[streams]]
name = "meter/{x}"
topic = "m/{x}"
type = "counter"
step = "1h"
aggregate = "sum"
ttl = "5d"
resolutions = [{ step = "2h", leads = [1, 3] }]
leads = [1, 3]
model = { hidden = 4, truncation = 8, memory = 512 }
[[streams]]
name = "beside/{x}/{value}"
topic = "b/{x}"
joint = true
step = "1h"
format = "json"
value = ["y", "a"]
ttl = "3d"
covariates = [{ topic = "weather/{x}", value = "w", time = "t", known_ahead = true }]
leads = [1, 3]
model = { hidden = 4, truncation = 8, memory = 512 }
"""
FIXABLE, REFUSED = 1, 3


@pytest.fixture
def call(capsys, monkeypatch):
    """Run a command in this process: (exit code, stdout, stderr with plain spacing)."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words):
        with hurried(), pytest.raises(SystemExit) as left:
            cli.main(["state", *[str(word) for word in words]])
        printed = capsys.readouterr()
        return left.value.code or 0, printed.out, " ".join(printed.err.split())

    return run


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A state that was left as by a kill, and what an engine is that recovers it."""
    with hurried():
        own, _ = lived(tmp_path_factory.mktemp("lives") / "own", 14, 500)  # with closed series of three streams
        own.kill()
        own.store.close()
        return own.folder, state(own.engine)


@pytest.fixture
def folder(life, tmp_path):
    return shutil.copytree(life[0], tmp_path / "state")


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    assert load(path, {}).streams == tuple(STREAMS)
    return path


def damaged(folder, name):
    db = sqlite3.connect(folder / "state.db")
    db.execute("UPDATE series SET body = substr(body, 2) WHERE name = ?", (name,))
    db.commit()
    db.close()
    return folder


def test_help_names_every_verb_and_each_has_its_own(call):
    code, out, _ = call("--help")
    verbs = ("list", "show", "verify", "repair", "undo", "export", "import")
    assert code == 0 and all(verb in out for verb in verbs)
    assert all(call(verb, "--help")[0] == 0 for verb in verbs)


def test_list_says_which_build_wrote_it_and_verify_whether_this_one_computes_the_same(call, folder, config):
    this = judged(None, STREAMS, 0).build
    other = Build(this.fingerprint | {"numba": "0.1"}, this.settings, "0" * 64)
    for build, exact, word in ((this, True, "this"), (other, False, "another")):
        store = Store(folder)
        store.share([record(build, store.last)])
        store.close()
        assert f"from input {store.last + 1} on by {word} build: {described(build)}" in call("list", folder)[1]
        listed = json.loads(call("list", folder, "--json")[1])["builds"][-1]
        assert listed["is_this"] is exact and listed["fingerprint"] == build.fingerprint
        words = "exactly as it was" if exact else "by another build, perhaps inexactly: golden vectors come to"
        assert f"replayed {words}" in call("verify", folder, "--config", config)[1]
        verified = json.loads(call("verify", folder, "--config", config, "--json")[1])
        assert (verified["exact"], verified["build"]) == (exact, described(this))


def test_list_says_so_where_no_build_is_known(call, tmp_path):
    store = Store(tmp_path)
    store.append(1, NOTHING)
    store.close()
    assert UNKNOWN in call("list", tmp_path)[1]


def test_list_tells_of_every_series_and_of_the_journal(call, folder):
    store = Store(folder)
    saved, last, pruned = store.saved(), store.last, store.pruned
    store.close()
    code, out, err = call("list", folder)
    assert (code, err) == (0, "")
    assert all(re.search(rf"{re.escape(name)} +{standing} .* {at} ", out) for name, standing, at in saved)
    assert f"journal: {last - pruned:,} inputs ({pruned + 1} to {last})" in out
    code, out, err = call("list", folder, "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert [(one["series"], one["standing"], one["input"]) for one in document["series"]] == sorted(saved)
    assert {one["stream"] for one in document["series"] if one["standing"] != "gone"} >= {
        STREAMS[0].name,
        STREAMS[2].name,
    }
    assert document["journal"]["to"] == document["acknowledged"] == last and document["damages"] == []


def test_observations_that_are_told_are_those_that_were_learned(call, tmp_path):
    folder, last_ns = tmp_path / "state", 1_700_002_800 * SECOND_NS
    with hurried():
        own = Life(folder)
        for hour in range(30):
            last_ns += 3600 * SECOND_NS
            own.feed([Observation("plain/a", "plain/{x}", last_ns, (float(hour),), 0, last_ns)])
        own.keeper.close(60.0)
    (told,) = json.loads(call("list", folder, "--json")[1])["series"]
    assert (told["observations"], told["waiting"]) == (28, 2)  # within the lateness
    assert told["newest"] == rfc3339(last_ns - 2 * 3600 * SECOND_NS)
    shown = json.loads(call("show", folder, "plain/a", "--json")[1])["members"][0]
    assert shown["rows"][0]["observations"] == 28 and shown["held_for_order"] == 2
    assert shown["forecast"]["observed"] == [27.0] and shown["forecast"]["position"] == 28
    assert shown["step_seconds"] == 3600.0 and shown["last_value"] == told["newest"]
    assert shown["state"] in call("show", folder, "plain/a")[1]


def test_show_has_each_resolution_and_each_standing(call, folder):
    documents = [json.loads(call("show", folder, one["series"], "--json")[1]) for one in listed(call, folder)]
    assert {one["standing"] for one in documents} >= {"open", "closed"}
    assert any(len(one["members"]) == 2 for one in documents if one["standing"] == "open")
    code, _, err = call("show", folder, "nobody")
    assert code == FIXABLE and "series 'nobody': no such one" in err


def listed(call, folder):
    return json.loads(call("list", folder, "--json")[1])["series"]


def test_verify_tells_a_digest_by_which_two_states_are_compared(call, folder, config, tmp_path, life):
    code, out, err = call("verify", folder)
    assert (code, err) == (0, "") and "whole" in out
    same = shutil.copytree(folder, tmp_path / "same")
    documents = [json.loads(call("verify", one, "--config", config, "--json")[1]) for one in (folder, same)]
    assert documents[0]["sha256"] == documents[1]["sha256"] and documents[0]["unfit"] == {}
    assert len(documents[0]["parts"]) == len(life[1])
    with hurried():
        own = Life(same)
        now_ns = 1_800_000_000 * SECOND_NS
        own.feed([Observation(own.engine.series()[0], STREAMS[0].name, now_ns, (1.0,), 0, now_ns)])
        own.store.close()
    assert json.loads(call("verify", same, "--config", config, "--json")[1])["sha256"] != documents[0]["sha256"]


def test_verify_names_series_that_another_configuration_cannot_go_on_with(call, folder, config):
    other = CONFIG.replace('"plain/', '"plane/').replace('"beside/', '"aside/').replace('"1h"', '"30min"', 1)
    config.write_text(other)
    document = json.loads(call("verify", folder, "--config", config, "--json")[1])
    for name, why in document["unfit"].items():
        assert ("its step was another one" if name.startswith("alike") else "not in the configuration") in why
    assert {name.split("/")[0] for name in document["unfit"]} == {"plain", "alike", "beside"}
    assert {one["series"] for one in listed(call, folder) if one["standing"] == "closed"} & {*document["unfit"]}


def test_damage_is_refused_with_its_place_and_repaired_only_on_request(call, folder, config):
    name = next(one["series"] for one in listed(call, folder) if one["standing"] == "open")
    damaged(folder, name)
    for verb in ("verify", "list"):
        code, _, err = call(verb, folder)
        assert code == REFUSED and f"series '{name}': its checksum does not fit" in err
    assert json.loads(call("verify", folder, "--json")[1])["damages"][0]["place"] == f"series '{name}'"
    assert call("show", folder, name)[0] == REFUSED
    assert call("export", folder, folder / "x.zip", "--config", config)[0] == REFUSED
    before = (folder / "state.db").read_bytes()
    code, out, err = call("repair", folder)
    assert code == FIXABLE and f"lost: series '{name}'" in err and "--yes" in err
    assert (folder / "state.db").read_bytes() == before
    code, out, err = call("repair", folder, "--yes")
    assert code == 0 and "before-repair-1" in out
    assert (folder / "before-repair-1" / "state.db").read_bytes() == before
    assert call("verify", folder, "--config", config)[0] == 0
    assert call("repair", folder, "--yes")[1].endswith("nothing to repair\n")


def test_lost_inputs_are_told_with_their_number_and_time(call, folder):
    db = sqlite3.connect(folder / "state.db")
    (last,) = db.execute("SELECT max(first + count - 1) FROM journal").fetchone()
    db.execute("DELETE FROM journal WHERE first BETWEEN ? AND ?", (last - 20, last - 10))
    db.commit()
    db.close()
    code, out, _ = call("repair", folder, "--yes", "--json")
    document = json.loads(out)
    assert code == 0 and document["repaired"]
    (loss,) = document["lost"]
    assert re.match(r"inputs \d+ to \d+ \(\d+\), after 20\d\d-\S+ and before 20\d\d-\S+ by event time", loss)
    assert json.loads(call("list", folder, "--json")[1])["journal"]["to"] == last


def test_a_state_that_a_daemon_works_with_is_refused(call, folder, config):
    store = Store(folder)
    commands = (
        ["list", folder],
        ["show", folder, "a"],
        ["verify", folder],
        ["repair", folder, "--yes"],
        ["undo", folder, "--config", config, "--from", "2023-11-20T00:00:00Z", "--to", "2023-11-21T00:00:00Z"],
        ["export", folder, folder / "x.zip", "--config", config],
        ["import", folder, folder / "x.zip", "--config", config],
    )
    for command in commands:
        code, _, err = call(*command)
        assert code == REFUSED and "another process works with this state; stop it first" in err, command
    store.close()


def span_of(folder):
    """The last hours that the journal has observations of, as options."""
    store = Store(folder)
    times = [one.time_ns for batch in store.batches(store.pruned) for one in from_bytes(batch.body).inputs if on(one)]
    store.close()
    hour_ns = 3600 * SECOND_NS
    return "--from", rfc3339(max(times) - 12 * hour_ns), "--to", rfc3339(max(times) + hour_ns)


def on(item):
    return isinstance(item, Observation) and item.series.startswith("plain")


def test_undo_says_what_would_be_taken_back_and_does_it_only_on_request(call, folder, config):
    command = ("undo", folder, "--config", config, *span_of(folder), "--series", "plain/*")
    before = verified(call, folder, config)
    code, out, err = call(*command)
    assert code == FIXABLE and out == "" and "nothing was changed; --yes takes it back" in err
    assert re.search(r"plain/\w: \d+ observations are taken back", err)
    assert re.search(
        r"\d+ observations of \d series, from 20\S+Z on and before 20\S+Z; from the (state|beginning) of", err
    )
    assert verified(call, folder, config) == before
    code, out, _ = call(*command, "--yes", "--json")
    document = json.loads(out)
    assert code == 0 and document["undone"] and document["inputs"] > 0
    assert {name.split("/")[0] for name in document["observations"]} == {"plain"}
    after = verified(call, folder, config)
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == {f"series {name}" for name in document["observations"]} | {"counts"}
    code, out, err = call(*command, "--yes")
    assert code == FIXABLE and "the journal has no observation of these series and this time; it has 20" in err
    assert call("verify", folder)[0] == 0 and call("repair", folder)[1].endswith("nothing to repair\n")
    goes_on(folder)


def verified(call, folder, config):
    return json.loads(call("verify", folder, "--config", config, "--json")[1])["parts"]


def test_undo_does_with_another_configuration_or_a_wrong_time_nothing(call, folder, config):
    before = verified(call, folder, config)
    span = span_of(folder)
    code, _, err = call("undo", folder, "--config", config, *span[2:], "--from", "yesterday", "--yes")
    assert code == 2 and "--from: time 'yesterday'" in err
    code, _, err = call("undo", folder, "--config", config, "--from", span[3], "--to", span[1], "--yes")
    assert code == 2 and "need a time behind --from" in err
    config.write_text(CONFIG.replace("memory = 512", "memory = 256"))
    code, _, err = call("undo", folder, "--config", config, *span, "--yes")
    assert code == FIXABLE and "series 'plain/" in err and "need the configuration that they were learned with" in err
    config.write_text(CONFIG)
    assert verified(call, folder, config) == before


def test_a_generation_is_listed_and_its_damage_named_and_a_repair_gives_it_up(call, folder, config):
    kept = json.loads(call("list", folder, "--json")[1])["generations"]
    assert len(kept) == 2 and kept[0]["time"] < kept[1]["time"] and "kept so that" in call("list", folder)[1]
    db = sqlite3.connect(folder / "state.db")
    at = kept[0]["input"]
    db.execute("UPDATE older SET body = substr(body, 2) WHERE generation = ? AND standing = 'open'", (at,))
    db.commit()
    db.close()
    code, _, err = call("verify", folder)
    assert code == REFUSED and re.search(
        rf"series '\S+' of the generation of input {at}: its checksum does not fit", err
    )
    code, out, err = call("repair", folder, "--yes", "--json")
    lost = [f"older states of inputs {at}, from which learning would be taken back"]
    assert code == 0 and json.loads(out)["lost"] == lost
    assert call("verify", folder, "--config", config)[0] == 0
    assert [one["input"] for one in json.loads(call("list", folder, "--json")[1])["generations"]] == [kept[1]["input"]]


def test_where_there_is_no_state_none_is_made(call, tmp_path, config):
    empty = tmp_path / "empty"
    empty.mkdir()
    for where in (empty, tmp_path / "nowhere"):
        assert call("list", where)[0] == REFUSED
        assert call("export", where, tmp_path / "x.zip", "--config", config)[0] == REFUSED
    assert list(empty.iterdir()) == [] and not (tmp_path / "x.zip").exists()


def test_what_is_exported_and_imported_is_the_same_and_goes_on(call, folder, config, tmp_path):
    """Byte for byte, with all that only the journal had; and it forecasts what it would have forecast."""
    code, *_ = call("export", folder, tmp_path / "x.zip", "--config", config)
    assert code == 0 and (tmp_path / "x.zip").stat().st_mode & 0o777 == 0o600
    new = tmp_path / "new" / "state"
    code, _, err = call("import", new, tmp_path / "x.zip", "--config", config)
    assert code == 0, err
    assert new.stat().st_mode & 0o777 == 0o700
    parts = json.loads(call("verify", folder, "--config", config, "--json")[1])["parts"]
    others = json.loads(call("verify", new, "--config", config, "--json")[1])["parts"]
    names = [name for name in parts if name.startswith("series ")]
    assert len(names) > 4 and {name: others[name] for name in names} == {name: parts[name] for name in names}
    call("export", new, tmp_path / "y.zip", "--config", config)
    assert (tmp_path / "y.zip").read_bytes() == (tmp_path / "x.zip").read_bytes()
    assert goes_on(new) == goes_on(folder)


def goes_on(folder):
    """What is forecast of the next observations."""
    now_ns, numbers = 1_760_000_400 * SECOND_NS, {}
    with hurried():
        own = Life(folder)
        own.feed([Shed(False)])  # as every daemon begins
        for hour in range(30):
            for name in own.engine.series():
                if name.startswith(("plain", "alike")):
                    time_ns = now_ns + hour * 3600 * SECOND_NS
                    stream = name.split("/")[0] + "/{x}"
                    inputs = own.keeper.keep([Observation(name, stream, time_ns, (20.0 + hour % 5,), 0, time_ns)])
                    for one in own.engine.feed(inputs):
                        if isinstance(one, Forecast):
                            numbers[name, one.obs.time_ns] = one.numbers.tobytes()
        own.store.close()
    assert len(numbers) > 30
    return numbers


def test_series_that_are_there_are_kept_unless_they_are_to_be_replaced(call, folder, config, tmp_path):
    names = [one["series"] for one in listed(call, folder) if one["standing"] == "open"][:2]
    chosen = [word for name in names for word in ("--series", name)]
    assert call("export", folder, tmp_path / "x.zip", "--config", config, *chosen)[0] == 0
    before = json.loads(call("verify", folder, "--config", config, "--json")[1])["parts"]
    goes_on(folder)
    after = json.loads(call("verify", folder, "--config", config, "--json")[1])["parts"]
    code, _, err = call("import", folder, tmp_path / "x.zip", "--config", config)
    assert code == FIXABLE and "in this state already" in err
    assert json.loads(call("verify", folder, "--config", config, "--json")[1])["parts"] == after
    code, out, _ = call("import", folder, tmp_path / "x.zip", "--config", config, "--replace", "--json")
    assert code == 0 and sorted(json.loads(out)["replaced"]) == sorted(names)
    now = json.loads(call("verify", folder, "--config", config, "--json")[1])["parts"]
    for name in after:
        if name.startswith("series "):
            assert now[name] == (before if name.removeprefix("series ") in names else after)[name]


def test_no_input_is_learned_twice_by_what_was_imported(call, folder, config, tmp_path):
    """The journal still has what the series that is replaced had learned: it is not fed to the new one."""
    name = next(one["series"] for one in listed(call, folder) if one["standing"] == "open")
    digest = json.loads(call("verify", folder, "--config", config, "--json")[1])["parts"][f"series {name}"]
    call("export", folder, tmp_path / "x.zip", "--config", config, "--series", name)
    call("import", folder, tmp_path / "x.zip", "--config", config, "--replace")
    assert json.loads(call("verify", folder, "--config", config, "--json")[1])["parts"][f"series {name}"] == digest
    position = position_of(folder)
    goes_on(folder)
    assert position_of(folder) > position


def position_of(folder):
    with hurried():
        own = Life(folder)
        own.store.close()
        return own.keeper.position


def test_an_import_that_does_not_fit_changes_nothing(call, folder, config, tmp_path):
    call("export", folder, tmp_path / "x.zip", "--config", config)
    new = tmp_path / "new"
    for change, words in (
        (("memory = 512", "memory = 256"), "need the configuration that it was learned with"),
        (('name = "meter/{x}"', 'name = "metre/{x}"'), "not in the configuration"),
        (("max_series = 12", "max_series = 2"), "limits.max_series"),
        (("max_series = 12", 'memory = "1MiB"'), "limits.memory"),
    ):
        config.write_text(CONFIG.replace(*change))
        code, _, err = call("import", new, tmp_path / "x.zip", "--config", config)
        assert code == FIXABLE and words in err, err
        assert listed(call, new) == []
    code, _, err = call("export", folder, tmp_path / "y.zip", "--config", config, "--series", "nobody")
    assert code == FIXABLE and "'nobody': not in this state" in err and not (tmp_path / "y.zip").exists()


@pytest.mark.parametrize("kind", sorted(set(flips.KINDS)))
def test_each_kind_of_damage_is_told_by_verify_if_a_daemon_would_refuse(call, folder, kind):
    dice, whole = random.Random(kind), (folder / "state.db").read_bytes()
    refused = 0
    for _ in range(5):
        flips.damage(dice, folder / "state.db", [kind])
        code, _, err = call("verify", folder)
        assert code in (0, REFUSED) and ("state.db" in err or str(folder) in err or not code)
        refused += code == REFUSED
        (folder / "state.db").write_bytes(whole)
    assert refused


def test_check_config_says_what_taking_learning_back_costs(capsys, config, tmp_path):
    said = []
    for undo in ("0s", "7d"):
        config.write_text(CONFIG + f'[state]\ndirectory = "{tmp_path}/var"\nundo = "{undo}"\nundo_size = "2GiB"\n')
        cli.app(["check-config", str(config)], standalone_mode=False)
        said.append(capsys.readouterr().out)
    assert "so that learning can be taken back" not in said[0]
    assert re.search(r"up to 2\.\d GiB on the disk, 2\.\d of it so that learning can be taken back", said[1])
