"""A state says which build wrote it; a start says whether this one has computed the same from it."""

from __future__ import annotations

import pytest

from streamlstm.daemon.builds import BUILD, UNKNOWN, Build, newest, record
from streamlstm.daemon.contents import meaning
from streamlstm.daemon.keeper import Keeper
from streamlstm.daemon.mending import NOTHING, shared_anew, unshared
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Observation
from streamlstm.kernels import fingerprint
from streamlstm.store.inspection import Inspection
from streamlstm.store.repair import repair
from streamlstm.store.store import Store
from tests.small import STREAM, with_model

HOUR_NS, BEGIN_NS = 3600 * SECOND_NS, 1_700_000_000 * SECOND_NS
OTHER = with_model(STREAM, learning_rate=(2e-3, 4e-3, 9e-3))


def opened(folder, *streams):
    streams = streams or (STREAM,)
    own = Engine(streams, seed=1, max_series=5)
    keeper = Keeper(own, Store(folder), HOUR_NS)
    keeper.recover(lambda _: None, streams)
    return own, keeper


def lived(folder, hours=30, saves=False):
    """A process that has learned something, and has saved it at its end or was killed."""
    own, keeper = opened(folder)
    for hour in range(hours):
        at_ns = BEGIN_NS + hour * HOUR_NS
        own.feed(keeper.keep([Observation("a", STREAM.name, at_ns, (float(hour % 7),), 0, at_ns)]))
    keeper.close(5.0 if saves else 0.0)


def as_by_another(folder, **otherwise):
    """Let the state say that another build wrote it, one that came to the same unless `digest` is given."""
    store = Store(folder)
    was = newest(store)
    changed = {"fingerprint": was.fingerprint | {"numba": "0.1"}, "settings": was.settings, "digest": was.digest}
    store.share([record(Build(**changed | otherwise), store.last)])
    store.close()


def start(folder, *streams):
    """Whether a start replays exactly, and which build the state is of then."""
    _, keeper = opened(folder, *streams)
    keeper.close(0.0)
    store = Store(folder)
    found = newest(store)
    store.close()
    return keeper.replays_exactly, found


def test_a_state_is_of_the_build_that_writes_it_and_the_same_build_replays_it_exactly(tmp_path, caplog):
    lived(tmp_path)
    exact, found = start(tmp_path)
    assert exact and found.fingerprint == fingerprint()
    assert "event=replay_inexact" not in caplog.text


def test_another_build_that_comes_to_the_same_is_as_good_and_is_remembered(tmp_path, caplog):
    lived(tmp_path)
    as_by_another(tmp_path)
    exact, found = start(tmp_path)
    assert exact and found.fingerprint == fingerprint()
    assert "event=replay_inexact" not in caplog.text


def test_another_build_that_comes_to_something_else_goes_on_all_the_same_and_that_is_said_once(tmp_path, caplog):
    lived(tmp_path)
    as_by_another(tmp_path, digest="0" * 64)
    own, keeper = opened(tmp_path)
    keeper.close(0.0)
    assert keeper.replays_exactly is False and own.report().learned == 30
    assert "event=replay_inexact was='numba=0.1' is='numba=" in caplog.text
    assert "and came to 0000000000000000" in caplog.text
    assert start(tmp_path)[0]  # what this build has made of the journal, it makes of it again


def test_where_nothing_is_computed_anew_no_build_matters(tmp_path, caplog):
    lived(tmp_path, saves=True)
    as_by_another(tmp_path, digest="0" * 64)
    assert start(tmp_path)[0] and "event=replay_inexact" not in caplog.text


def test_a_state_that_does_not_say_is_not_taken_for_exact(tmp_path, caplog):
    own = Engine([STREAM], seed=1, max_series=5)
    keeper = Keeper(own, Store(tmp_path), HOUR_NS)
    keeper.recover(lambda _: None)
    own.feed(keeper.keep([Observation("a", STREAM.name, BEGIN_NS, (1.0,), 0, BEGIN_NS)]))
    keeper.close(0.0)
    assert keeper.replays_exactly is None
    assert start(tmp_path)[0] is False and UNKNOWN in caplog.text
    assert start(tmp_path)[0]


def test_builds_are_compared_by_the_model_that_was_run_before_if_any_stream_still_has_it(tmp_path, caplog):
    lived(tmp_path)
    as_by_another(tmp_path)
    other = OTHER.model_copy(update={"name": "other", "topic": "other"})
    exact, found = start(tmp_path, other, STREAM)
    assert exact
    as_by_another(tmp_path)
    assert start(tmp_path, other)[0] is False and "no stream has the model any more" in caplog.text
    assert newest_settings(tmp_path) != found.settings


def newest_settings(folder):
    store = Store(folder)
    try:
        return newest(store).settings
    finally:
        store.close()


def test_an_engine_with_another_configuration_takes_over_with_its_own_model(tmp_path):
    lived(tmp_path)
    _, keeper = opened(tmp_path)
    keeper.hand_over(Engine([OTHER], seed=1, max_series=5), HOUR_NS, [OTHER])
    keeper.close(0.0)
    exact, found = start(tmp_path, OTHER)
    assert exact and "0.002" in found.settings


@pytest.mark.parametrize("saves", [False, True])
def test_it_is_still_there_after_sweeps_and_repairs_and_nothing_takes_it_for_damage(tmp_path, saves):
    lived(tmp_path, saves=saves)
    with Inspection(tmp_path) as inspection:
        found = inspection.survey(meaning)
        assert found.damages + unshared(found) == []
        assert [name for name, _ in found.shared].count(BUILD) == 1
        repair(inspection, found, NOTHING, shared_anew(found))
    exact, build = start(tmp_path)
    assert exact and build.fingerprint == fingerprint()
