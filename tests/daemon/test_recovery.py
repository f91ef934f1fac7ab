"""A daemon that dies at any moment goes on as one that never did: every series the same bytes, and the same counts."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamlstm.daemon.recovery import recover
from streamlstm.engine import Engine
from streamlstm.events import Close, Discarded, Known, Observation, Reason, Shed, Switch, Tick
from streamlstm.store.store import Store
from tests.faults.lives import LIMITS, STREAMS, hurried, lived, state


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
def test_one_that_was_killed_again_and_again_is_as_one_that_never_was(tmp_path_factory, seed):
    with hurried():
        life, _ = lived(tmp_path_factory.mktemp("state"), seed, 500)
        life.kill()
        assert state(life.engine) == state(life.uninterrupted())


def test_the_lives_of_that_test_see_all_that_may_happen(tmp_path):
    with hurried():
        life, kills = lived(tmp_path, 1, 1500)
    report = life.engine.report()
    assert kills > 5 and life.undone > 2 and life.store.pruned > 0 and report.closed > 0
    assert report.discarded[Reason.SERIES_LIMIT] > 0 and report.discarded[Reason.MALFORMED] > 0
    assert {one.stream for one in life.journal if isinstance(one, Observation)} == {stream.name for stream in STREAMS}
    assert {type(one) for one in life.journal} == {Observation, Known, Tick, Close, Shed, Switch, Discarded}


def test_a_stream_that_has_left_the_configuration_does_not_keep_the_others_from_going_on(tmp_path):
    with hurried():
        life, _ = lived(tmp_path, 1, 500)
        expected = state(life.engine)
        life.store.close()
        store, own = Store(tmp_path), Engine(STREAMS[:3], seed=1, **LIMITS)
        recovered = recover(store, own)
        store.close()
    assert any(name.startswith("beside") for name in recovered.lost)
    for name in own.series():
        if not name.startswith("alike"):  # whose donors may be others
            assert own.export(name) == expected[name]
