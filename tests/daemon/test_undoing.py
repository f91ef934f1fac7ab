"""Learning that is taken back is as if it had never been: byte for byte what an engine is that was not fed it."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from streamlstm.codec.journal import Delivery
from streamlstm.daemon import undoing
from streamlstm.daemon.keeper import Keeper
from streamlstm.daemon.mending import NOTHING
from streamlstm.daemon.recovery import recover, undone
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Observation
from streamlstm.store.errors import StateRefused, Unsuitable
from streamlstm.store.store import Store
from streamlstm.store.writing import Writing
from tests.faults.lives import engine, hurried, lived, state
from tests.small import STREAM

HOUR_NS, BEGIN_NS = 3600 * SECOND_NS, 1_700_000_000 * SECOND_NS // 3600 * 3600
STREAMS = [STREAM.model_copy(update={"name": "{x}", "topic": "{x}"})]


CALLS = ("put", "drop", "keep_only", "share", "close")  # of which an undoing consists


class House:
    """Two series, a reading an hour of each, saved every ten hours; a day of it can be taken back."""

    def __init__(self, folder, undo_ns=24 * HOUR_NS, **more):
        self.folder, self.fed = folder, []
        self.given = {"undo_ns": undo_ns, "every_ns": 10 * HOUR_NS, **more}
        self.start()

    def start(self):
        self.engine, self.store = Engine(STREAMS, seed=1, max_series=9), Store(self.folder)
        self.keeper = Keeper(self.engine, self.store, **self.given)
        self.keeper.recover(lambda _: None)

    def stop(self):
        self.store.close()

    def live(self, since, until):
        for hour in range(since, until):
            at_ns = BEGIN_NS + hour * HOUR_NS
            said = [Observation(name, "{x}", at_ns, (float(hour % 7 + k),), 0, at_ns) for k, name in enumerate("ab")]
            numbered = self.keeper.keep(said, [Delivery(hour, b"%08d" % hour)])
            self.fed += numbered
            self.engine.feed(numbered)
            for tenth in range(20):
                self.keeper.sweep(at_ns + tenth * SECOND_NS)

    def undo(self, since, until, series=()):
        """With the daemon stopped, as the command does; what was planned."""
        self.stop()
        store = Store(self.folder)
        try:
            plan = undoing.planned(store, BEGIN_NS + since * HOUR_NS, BEGIN_NS + until * HOUR_NS, list(series))
            undoing.undo(store, Engine(STREAMS, seed=1, max_series=9), STREAMS, plan)
            self.fed = [one for one in self.fed if not plan.span.covers(one)]
        finally:
            store.close()
            self.start()
        return plan

    def uninterrupted(self):
        own = Engine(STREAMS, seed=1, max_series=9)
        for one in self.fed:
            own.feed([one])
        return own


def test_a_time_of_one_series_is_taken_back_and_all_goes_on(tmp_path):
    house = House(tmp_path)
    house.live(0, 90)
    before = state(house.engine)
    position, deliveries = house.keeper.position, house.keeper._known.export()
    plan = house.undo(70, 80, ["a*", "nobody"])
    assert plan.observations == {"a": 10} and plan.source.swept > 0
    after = state(house.engine)
    assert after == state(house.uninterrupted()) and after["a"] != before["a"] and after["b"] == before["b"]
    assert house.keeper.position == position and house.keeper._known.export() == deliveries
    house.live(90, 130)
    house.stop()
    house.start()
    assert state(house.engine) == state(house.uninterrupted())
    house.stop()


def test_what_was_taken_back_stays_so_when_more_is_taken_back_from_before_it(tmp_path):
    house = House(tmp_path)
    house.live(0, 90)
    later = house.undo(80, 84)
    house.live(90, 92)
    earlier = house.undo(72, 75, ["b"])
    assert earlier.source.swept <= later.source.swept < later.first and len(undone(house.store)) == 2
    assert state(house.engine) == state(house.uninterrupted())
    with pytest.raises(Unsuitable, match="no observation of these series and this time"):
        house.undo(80, 84)  # there is nothing left of it
    house.undo(85, 86)
    house.undo(86, 87)  # as of the same input
    assert state(house.engine) == state(house.uninterrupted()) and len(undone(house.store)) == 4
    house.live(92, 200)
    assert undone(house.store) == []  # the journal has no input of then any more
    house.stop()


def test_what_comes_of_that_time_afterwards_is_learned(tmp_path):
    house = House(tmp_path)
    house.live(0, 40)
    house.undo(30, 40)
    house.live(30, 60)  # the sensor had kept it
    expected = Engine(STREAMS, seed=1, max_series=9)
    for one in house.fed:
        expected.feed([one])
    assert state(house.engine) == state(expected) and house.engine.report().discarded == {}
    house.undo(50, 55)
    assert state(house.engine) == state(house.uninterrupted())
    house.stop()


def test_the_first_time_of_all_is_taken_back_from_nothing(tmp_path):
    house = House(tmp_path)
    house.live(0, 30)
    assert house.undo(2, 8, ["a"]).source.swept == 0
    assert state(house.engine) == state(house.uninterrupted())
    house.live(30, 40)
    house.stop()
    house.start()
    assert state(house.engine) == state(house.uninterrupted())
    house.stop()


def test_a_series_that_was_never_heard_otherwise_is_not_there_any_more(tmp_path):
    house = House(tmp_path)
    house.live(0, 12)
    at_ns = BEGIN_NS + 12 * HOUR_NS
    house.engine.feed(house.keeper.keep([Observation("c", "{x}", at_ns, (1.0,), 0, at_ns)]))
    house.live(13, 30)
    assert "c" in house.engine.series()
    house.undo(12, 13)
    assert house.engine.series() == ["a", "b"]
    house.stop()


def test_a_day_can_always_be_taken_back_and_beyond_what_is_kept_it_is_refused_and_nothing_is_changed(tmp_path):
    house = House(tmp_path)
    house.live(0, 30)
    for hour in range(30, 130, 7):
        house.live(hour, hour + 7)
        store = house.store
        assert undoing.planned(store, BEGIN_NS + (hour - 17) * HOUR_NS, 2**62, []).observations["a"] >= 24
        assert len(store.generations()) <= 2
    before = state(house.engine)
    with pytest.raises(Unsuitable, match=r"state\.db: the journal has no observation .* it has 2023-\S+Z to 2023-\S+Z"):
        house.undo(3, 7)
    with pytest.raises(Unsuitable, match=r"has learned of this time already \(a, b\); need a time behind 2023-"):
        house.undo(3, 125)
    store = house.store
    store.append(1, NOTHING)  # as after a repair
    with pytest.raises(
        Unsuitable, match=r"no state of before .* a repair or an import at input \d+\); need `state.undo`"
    ):
        house.undo(125, 130)
    assert state(house.engine) == before
    house.stop()


def test_a_series_that_the_configuration_does_not_fit_is_named_and_nothing_is_changed(tmp_path):
    house = House(tmp_path)
    house.live(0, 90)
    plan = undoing.planned(house.store, BEGIN_NS + 80 * HOUR_NS, 2**62, ["a"])
    other = [STREAMS[0].model_copy(update={"leads": (1, 4)})]
    saved = house.store.saved()
    with pytest.raises(Unsuitable, match=r"series 'a': .*; series 'b': .*; need the configuration that they were"):
        undoing.undo(house.store, Engine(other, seed=1, max_series=9), other, plan)
    assert house.store.saved() == saved
    house.stop()


def test_killed_in_the_middle_it_is_not_done_and_afterwards_it_is(tmp_path, monkeypatch):
    """At each call within the transaction the files are copied, as a kill would leave them."""
    with hurried():
        life, _ = lived(tmp_path / "state", 4, 300)
        life.kill()
        before, undone, copies = state(life.engine), life.undone, []
        now_ns = max(one.time_ns for one in life.journal if isinstance(one, Observation))
        with monkeypatch.context() as patched:
            for call in CALLS:
                original = getattr(Writing, call)

                def copied(self, *given, original=original):
                    original(self, *given)
                    copies.append(shutil.copytree(tmp_path / "state", tmp_path / f"copy-{len(copies)}"))

                patched.setattr(Writing, call, copied)
            life.undo(now_ns - 10 * HOUR_NS, now_ns, [])
        assert life.undone == undone + 1 and len(copies) > 15
        after = state(life.engine)
        assert after != before and after == state(life.uninterrupted())
        life.store.close()
        for copy in [*copies[::8], copies[-1]]:
            own, store = engine(), Store(copy)
            recover(store, own)
            store.close()
            assert state(own) == before


def test_a_disk_that_fails_in_the_middle_leaves_all_as_it_was(tmp_path, monkeypatch):
    house = House(tmp_path)
    house.live(0, 60)
    before, left = state(house.engine), [0]
    for call in CALLS:
        original = getattr(Writing, call)

        def failing(self, *given, original=original):
            left[0] -= 1
            if not left[0]:
                raise sqlite3.OperationalError("disk I/O error")
            return original(self, *given)

        monkeypatch.setattr(Writing, call, failing)
    plan = undoing.planned(house.store, BEGIN_NS + 50 * HOUR_NS, 2**62, [])
    for left[0] in range(1, 6):
        with pytest.raises(StateRefused, match="disk I/O error"):
            undoing.undo(house.store, Engine(STREAMS, seed=1, max_series=9), STREAMS, plan)
        house.stop()
        house.start()
        assert state(house.engine) == before
        plan = undoing.planned(house.store, BEGIN_NS + 50 * HOUR_NS, 2**62, [])
    house.stop()


def test_off_by_default_nothing_is_kept_for_it(tmp_path):
    house = House(tmp_path / "off", undo_ns=0)
    house.live(0, 60)
    store = house.store
    assert store.pruned == store.swept > 100 and store.generations() == {} and not store.has_older(store.swept)
    assert {one.at for name in store.names() if name != "ledger" for one in store.shared(name)} <= {
        store.swept,
        *[at for *_, at in store.saved()],
    }
    with pytest.raises(Unsuitable, match=r"\(kept: none\); need `state.undo`"):
        undoing.planned(store, BEGIN_NS + 58 * HOUR_NS, 2**62, [])
    house.stop()


def test_switched_off_what_was_kept_goes_with_the_next_sweep(tmp_path):
    house = House(tmp_path)
    house.live(0, 60)
    assert len(house.store.generations()) == 2 and house.store.pruned < house.store.swept
    house.stop()
    house.given["undo_ns"] = 0
    house.start()
    house.live(60, 75)
    assert house.store.generations() == {} and house.store.pruned == house.store.swept
    house.stop()


def test_a_journal_that_grows_too_long_for_it_is_cut_sooner(tmp_path):
    house = House(tmp_path, undo_ns=10**6 * HOUR_NS, undo_bytes=3000)
    most = 0
    for hour in range(0, 200, 10):
        house.live(hour, hour + 10)
        most = max(most, house.store.journaled(house.store.pruned))
    assert len(house.store.generations()) == 2 and 1500 < most < 3000 + 3000  # and what two sweeps take
    house.stop()


def test_a_generation_that_a_kill_has_cut_short_goes_on_or_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("streamlstm.daemon.keeper.STEP_BYTES", 1)  # one series at a time
    house = House(tmp_path, every_ns=10**6 * HOUR_NS)
    for _ in range(2):
        house.live(0, 3)
        house.keeper._begin(BEGIN_NS)
        house.keeper._step()
        began = house.store.last
        assert house.store.has_older(began) and house.store.generations() == {}
        house.stop()
        undo_ns, house.given["undo_ns"] = house.given["undo_ns"], 0
        house.start()  # without it, for a while
        assert not house.store.has_older(began)
        house.stop()
        house.given["undo_ns"] = undo_ns
        house.start()
        house.keeper._step()
        assert house.store.generations() == {} and house.store.swept == began
    house.live(3, 6)
    house.keeper._begin(BEGIN_NS)
    house.keeper._step()
    began = house.store.last
    house.stop()
    house.start()
    house.live(6, 7)  # and with it comes the rest of the sweep
    assert [*house.store.generations()] == [began] and len(house.store.saved_then(began)) == 2
    house.stop()
