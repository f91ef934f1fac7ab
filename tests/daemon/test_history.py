from __future__ import annotations

from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.daemon import history
from streamlstm.daemon.history import ASKED_MAX, BLOCK, History
from streamlstm.events import Forecast
from tests.daemon.watched import HOUR_NS, LEADS, forecasts, water
from tests.forecasts import changed


@pytest.fixture(scope="module")
def told() -> list[Forecast]:
    return forecasts(water()[:120])


def numbered(series: str, at: int, like: Forecast) -> Forecast:
    """A forecast of which every number says which one it is."""
    return changed(
        like, series=series, origin_ns=at * HOUR_NS, y=float(at), yhat=np.full_like(like.yhat, at), n_seen=at + 1
    )


def test_what_was_recorded_is_read_back_to_the_last_bit(told):
    kept = History(points=1000)
    for forecast in told:
        kept.record(forecast)
    past = kept.past("water/inflow")
    assert past.times_ns.tolist() == [f.origin_ns for f in told]
    assert past.y.tolist() == [f.y for f in told]
    for at, lead in enumerate(LEADS):
        band = past.at_lead(lead)
        assert band.times_ns.tolist() == [f.origin_ns + lead * HOUR_NS for f in told]
        np.testing.assert_array_equal(band.yhat, [f.yhat[at] for f in told])
        np.testing.assert_array_equal(band.lower, np.array([f.lower[:, at] for f in told]).T)
        np.testing.assert_array_equal(band.upper, np.array([f.upper[:, at] for f in told]).T)


@settings(max_examples=60)
@given(points=st.integers(1, 70), series_max=st.integers(1, 4), fed=st.lists(st.sampled_from("abcdef"), max_size=250))
def test_the_newest_points_of_the_first_series_are_kept(points, series_max, fed):
    like = forecasts(water()[:1])[0]
    kept = History(points, series_max)
    for at, series in enumerate(fed):
        kept.record(numbered(series, at, like))
    first = list(dict.fromkeys(fed))
    for series in first[:series_max]:
        assert kept.past(series).y.tolist() == [float(at) for at, one in enumerate(fed) if one == series][-points:]
    assert all(kept.past(series) is None for series in first[series_max:])


def test_a_series_that_is_asked_for_takes_the_place_of_one_that_is_not(told):
    kept = History(series_max=2)
    for series in ("first", "second", "third"):
        kept.record(numbered(series, 0, told[0]))
    kept.ask("first")
    kept.ask("third")
    assert kept.past("third") is None
    kept.record(numbered("third", 1, told[0]))
    assert kept.past("third").y.tolist() == [1.0]
    assert kept.past("second") is None
    assert kept.past("first").y.tolist() == [0.0]


def test_what_readers_ask_for_is_bounded_too(told):
    kept = History(series_max=1)
    kept.record(numbered("kept", 0, told[0]))
    for at in range(10 * ASKED_MAX):
        kept.ask(f"asked {at}")
    kept.record(numbered("asked 0", 0, told[0]))
    assert kept.past("kept") is not None
    kept.record(numbered(f"asked {10 * ASKED_MAX - 1}", 0, told[0]))
    assert kept.past("kept") is None


def test_other_leads_start_a_new_past(told):
    kept = History()
    kept.record(told[0])
    other = forecasts(water()[:2], leads=(1, 2))[1]
    kept.record(other)
    past = kept.past("water/inflow")
    assert past.leads == (1, 2)
    assert past.times_ns.tolist() == [other.origin_ns]


def test_wide_forecasts_are_kept_within_the_bytes(told, monkeypatch):
    monkeypatch.setattr(history, "BYTES_MAX", 4 * 5000)
    kept = History(points=10_000, series_max=4)
    for at in range(500):
        kept.record(numbered("wide", at, told[0]))
    past = kept.past("wide")
    assert past.rows.nbytes <= 5000 + 2 * BLOCK * past.rows.itemsize
    assert past.y[-1] == 499.0


def test_a_reader_sees_whole_observations_while_another_thread_records(told):
    kept = History(points=50)
    kept.record(numbered("live", 0, told[0]))

    def engine() -> None:
        for at in range(1, 20_001):
            kept.record(numbered("live", at, told[0]))

    thread = Thread(target=engine)
    thread.start()
    reads = 0
    while thread.is_alive() or not reads:
        past = kept.past("live")
        y = past.y
        assert len(y) <= 50
        np.testing.assert_array_equal(np.diff(y), 1.0)
        np.testing.assert_array_equal(past.times_ns, y * HOUR_NS)
        np.testing.assert_array_equal(past.at_lead(1).yhat, y)
        reads += 1
    thread.join()
    assert kept.past("live").y[-1] == 20_000.0


def test_what_is_said_of_the_newest_origin_again_takes_its_place(told):
    kept = History()
    for n in range(BLOCK + 1):
        for _ in range(2):
            kept.record(numbered("a", n, told[-1]))
    kept.record(changed(numbered("a", BLOCK, told[-1]), y=-1.0))
    past = kept.past("a")
    assert past.y.tolist() == [*range(BLOCK), -1.0]
