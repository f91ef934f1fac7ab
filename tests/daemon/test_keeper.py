"""When series are saved, and what is kept of what cannot be."""

from __future__ import annotations

import pytest

from streamlstm.daemon import keeper as keeping
from streamlstm.daemon.keeper import Keeper
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Observation
from streamlstm.store.store import Store
from tests.small import STREAM

HOUR_NS, BEGIN_NS = 3600 * SECOND_NS, 1_700_000_000 * SECOND_NS


def opened(folder, stream=STREAM, every_ns=HOUR_NS):
    own = Engine([stream], seed=1, max_series=5)
    keeper = Keeper(own, Store(folder), every_ns)
    keeper.recover(lambda _: None)
    return own, keeper


def take(own, keeper, hours):
    for hour in hours:
        at_ns = BEGIN_NS + hour * HOUR_NS
        own.feed(keeper.keep([Observation("a", STREAM.name, at_ns, (float(hour % 7),), 0, at_ns)]))


def swept(keeper, now_ns):
    """The clock goes on for ten seconds; whether a sweep came to its end."""
    before = keeper.swept_ns
    for tenth in range(100):
        keeper.sweep(now_ns + tenth * SECOND_NS // 10)
    return keeper.swept_ns != before


def test_every_series_is_saved_once_an_interval(tmp_path):
    own, keeper = opened(tmp_path)
    take(own, keeper, range(5))
    assert not swept(keeper, BEGIN_NS) and keeper.age_s(BEGIN_NS) != keeper.age_s(BEGIN_NS)
    assert not swept(keeper, BEGIN_NS + HOUR_NS // 2)
    assert swept(keeper, BEGIN_NS + HOUR_NS) and keeper.age_s(BEGIN_NS + 2 * HOUR_NS) == 3600
    assert not swept(keeper, BEGIN_NS + 3 * HOUR_NS // 2) and swept(keeper, BEGIN_NS + 3 * HOUR_NS)
    keeper.close(0.0)


def test_one_that_is_asked_for_is_due_at_once_and_while_one_is_on_that_one_keeps_its_time(tmp_path):
    own, keeper = opened(tmp_path)
    take(own, keeper, range(5))
    assert not swept(keeper, BEGIN_NS) and keeper.hasten() and swept(keeper, BEGIN_NS + SECOND_NS)
    take(own, keeper, range(5, 10))
    keeper.sweep(BEGIN_NS + 2 * HOUR_NS)  # one begins
    keeper.hasten()
    keeper.sweep(BEGIN_NS + 2 * HOUR_NS + SECOND_NS)  # and is through
    assert keeper.swept_ns == BEGIN_NS + 2 * HOUR_NS
    keeper.close(0.0)


def test_one_that_dies_again_and_again_before_its_time_saves_all_the_same(tmp_path):
    for life in range(4):
        own, keeper = opened(tmp_path)
        take(own, keeper, range(5 * life, 5 * life + 5))
        # the first life has nothing to go by; the second knows that nothing was saved yet, the third that it was
        assert swept(keeper, BEGIN_NS + life * HOUR_NS // 2) == (life in (1, 3))
        keeper.close(0.0)


def test_a_clock_that_is_set_back_does_not_put_it_off(tmp_path):
    own, keeper = opened(tmp_path)
    take(own, keeper, range(5))
    assert not swept(keeper, BEGIN_NS) and swept(keeper, BEGIN_NS + HOUR_NS)
    assert swept(keeper, BEGIN_NS - 1000 * HOUR_NS)
    keeper.close(0.0)


@pytest.mark.parametrize("bound", ["MOST_INPUTS", "MOST_BYTES"])
def test_a_long_journal_is_cut_before_its_time(tmp_path, monkeypatch, bound):
    monkeypatch.setattr(keeping, bound, 20 if bound == "MOST_INPUTS" else 1000)
    own, keeper = opened(tmp_path)
    take(own, keeper, range(5))
    assert not swept(keeper, BEGIN_NS)
    take(own, keeper, range(5, 40))
    assert swept(keeper, BEGIN_NS + SECOND_NS)
    take(own, keeper, range(40, 45))
    assert not swept(keeper, BEGIN_NS + 20 * SECOND_NS)
    keeper.close(0.0)


def test_at_the_end_all_is_saved_and_the_next_start_reads_no_journal(tmp_path):
    own, keeper = opened(tmp_path)
    take(own, keeper, range(30))
    before = own.export("a")
    keeper.close(5.0)
    store = Store(tmp_path)
    assert list(store.batches(store.pruned)) == [] and store.pruned == 30
    store.close()
    again, keeper = opened(tmp_path)
    assert again.export("a") == before and keeper.position == 30
    keeper.close(0.0)


def test_a_series_that_does_not_fit_the_configuration_any_more_begins_anew_and_that_is_said(tmp_path, caplog):
    own, keeper = opened(tmp_path)
    take(own, keeper, range(30))
    keeper.close(5.0)
    other = STREAM.model_copy(update={"leads": (1, 4)})
    own, keeper = opened(tmp_path, other)
    assert own.series() == [] and "event=series_begins_anew series='a'" in caplog.text
    take(own, keeper, range(30, 40))
    assert own.series() == ["a"] and own.report().learned == 40
    keeper.close(5.0)
    own, keeper = opened(tmp_path, other)
    assert own.series() == ["a"]
    keeper.close(0.0)


def test_a_sweep_goes_on_where_the_last_process_left_it(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "STEP_BYTES", 1)  # one series at a time
    saved = []
    for life in range(4):
        own, keeper = opened(tmp_path)
        for name in "abc":
            at_ns = BEGIN_NS + life * HOUR_NS
            own.feed(keeper.keep([Observation(name, STREAM.name, at_ns, (1.0,), 0, at_ns)]))
        for tenth in range(0, 10, 5):  # time for a beginning and one step at the most
            keeper.sweep(BEGIN_NS + HOUR_NS + life * SECOND_NS + tenth * SECOND_NS // 10)
        keeper.close(0.0)
        store = Store(tmp_path)
        saved.append((sorted(name for name, *_ in store.saved()), store.pruned > 0))
        store.close()
    assert saved == [([], False), (["a"], False), (["a", "b", "c"], True), (["a", "b", "c"], True)]
