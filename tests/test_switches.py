"""Series that somebody pauses, freezes, resumes or resets; these are inputs like any other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlstm.events import Changed, Close, Closed, Mode, Opened, Reason, State, Switch, Tick
from streamlstm.living import Standing
from tests.observed import forecasts
from tests.test_engine import engine, number, numbers, wave
from tests.test_shedding import WEIGHTS

TRUE = wave(300)
SERIES = TRUE[0].series
PAUSE, FREEZE, RESUME = (Switch(SERIES, mode) for mode in (Mode.PAUSED, Mode.FROZEN, Mode.LEARNS))


def test_a_paused_series_drops_and_counts_its_readings_and_goes_on_where_it_was():
    paused, never = engine(), engine()
    paused.feed(TRUE[:200])
    assert paused.feed([PAUSE]) == [Changed(SERIES, State.PAUSED)]
    said = paused.feed(TRUE[200:220])
    assert [one.reason for one in said] == [Reason.PAUSED] * 20
    assert paused.report().discarded[Reason.PAUSED] == 20
    (changed,) = paused.feed([RESUME])
    assert isinstance(changed, Changed) and changed.state in (State.ACTIVE, State.FALLBACK)
    never.feed(TRUE[:200])
    assert [numbers(f) for f in forecasts(paused.feed(TRUE[220:]))] == [
        numbers(f) for f in forecasts(never.feed(TRUE[220:]))
    ]


def test_a_paused_series_does_not_become_stale_and_says_nothing_when_the_clock_goes_on():
    one = engine()
    one.feed(TRUE[:200])
    one.feed([PAUSE])
    year_ns = 365 * 86_400_000_000_000
    assert one.feed([Tick(TRUE[200].time_ns + year_ns)]) == []
    assert one.report().series[0].state is State.PAUSED


def test_a_frozen_series_forecasts_and_its_weights_stay_until_it_is_resumed():
    one = engine()
    one.feed(TRUE[:200])
    before = {name: number(one, name) for name in WEIGHTS}
    assert one.feed([FREEZE]) == []
    said = forecasts(one.feed(TRUE[200:250]))
    assert all((number(one, name) == values).all() for name, values in before.items())
    assert {forecast.state for forecast in said} == {State.FROZEN}
    assert len({numbers(forecast) for forecast in said}) == len(said)
    report = one.report()
    assert (report.learned, report.shed) == (250, 0)  # taken, and not for want of time
    (last,) = forecasts(one.feed([RESUME, *TRUE[250:251]]))
    assert last.state in (State.ACTIVE, State.FALLBACK)
    one.feed(TRUE[251:])
    assert not (number(one, "weights") == before["weights"]).all()


def test_before_a_series_is_warm_it_is_warming_also_while_it_is_frozen():
    one = engine()
    one.feed(TRUE[:3])
    one.feed([FREEZE])
    assert {f.state for f in forecasts(one.feed(TRUE[3:8]))} == {State.WARMING}


@pytest.mark.parametrize("mode", [Mode.FROZEN, Mode.PAUSED])
def test_what_somebody_wants_of_a_series_outlives_a_restart_and_a_closing(mode):
    one, other = engine(), engine()
    one.feed([*TRUE[:200], Switch(SERIES, mode)])
    other.restore(SERIES, *one.export(SERIES))
    assert other.export(SERIES) == one.export(SERIES)
    one.feed([Close(SERIES)])
    assert one.export(SERIES)[0] is Standing.CLOSED
    said = one.feed(TRUE[200:201])
    if mode is Mode.PAUSED:
        assert [one.reason for one in said if not isinstance(one, Opened)] == [Reason.PAUSED]
        assert one.report().series[0].state is State.PAUSED
    else:
        assert forecasts(said)[0].state is State.FROZEN


def test_a_closed_series_can_be_resumed_too():
    one = engine()
    one.feed([*TRUE[:200], FREEZE, Close(SERIES), RESUME])
    assert forecasts(one.feed(TRUE[200:201]))[0].state in (State.ACTIVE, State.FALLBACK)


def test_a_reset_series_begins_as_one_that_was_never_heard_of():
    one, never = engine(), engine()
    assert [type(said) for said in one.feed([*TRUE[:200], Close(SERIES, forget=True)])][-1] is Closed
    assert [numbers(f) for f in forecasts(one.feed(TRUE[200:]))] == [
        numbers(f) for f in forecasts(never.feed(TRUE[200:]))
    ]


def test_a_switch_of_a_series_that_is_not_there_changes_nothing():
    one = engine()
    assert one.feed([Switch("nobody", Mode.PAUSED)]) == []
    assert one.series() == []


@given(
    st.lists(st.tuples(st.integers(0, 299), st.sampled_from([PAUSE, FREEZE, RESUME])), max_size=6),
    st.sets(st.integers(1, 299), max_size=5),
)
@settings(max_examples=15)
def test_how_inputs_are_grouped_into_calls_changes_nothing_with_switches_between(switches, cuts):
    inputs = list(TRUE)
    for place, switch in sorted(switches, key=lambda one: -one[0]):
        inputs.insert(place, switch)
    whole, parts = engine(), engine()
    said = [numbers(f) for f in forecasts(whole.feed(inputs))]
    found: list[bytes] = []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(inputs)], strict=True):
        found += [numbers(f) for f in forecasts(parts.feed(inputs[begin:end]))]
    assert found == said
    assert parts.export(SERIES) == whole.export(SERIES)
