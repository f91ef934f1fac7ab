"""What is known of a covariate is what was fed, as of any time, and nothing that came to be known later."""

from __future__ import annotations

from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlstm.events import Known
from streamlstm.timeline import known as stores
from streamlstm.timeline.known import Past, Schedule, Vintages

TIMES = st.integers(0, 40)
VALUES = st.integers(-3, 3).map(float) | st.just(nan)
HOLDS = st.none() | st.integers(1, 12)


def value(since, at, number):
    return Known("s", 0, (), since, (at,), (number,))


@st.composite
def vintages(draw):
    """A message with a few values for ascending times."""
    times = sorted(draw(st.sets(TIMES, min_size=1, max_size=5)))
    return Known("s", 0, (), draw(TIMES), tuple(times), tuple(draw(VALUES) for _ in times))


values = st.builds(lambda at, number: value(at, at, number), TIMES, VALUES)
tariffs = st.builds(value, TIMES, TIMES, VALUES)


def same(one, other):
    return one == other or (isnan(one) and isnan(other))


def after(store, messages):
    for message in messages:
        store.take(message)
    return store


# past


def past_by_hand(messages, as_of):
    """The last that was fed of those with the latest time at or before."""
    known = [
        (m.since_ns, n, m.values[0])
        for n, m in enumerate(messages)
        if m.since_ns <= as_of and m.values[0] == m.values[0]
    ]
    return (max(known)[2], max(known)[0]) if known else (nan, as_of)


@given(st.lists(values), TIMES)
def test_the_newest_value_at_a_time_counts_in_whatever_order_they_came(messages, as_of):
    found, wanted = after(Past(), messages).at(as_of), past_by_hand(messages, as_of)
    assert same(found[0], wanted[0]) and found[1] == wanted[1]


@given(st.lists(values), st.lists(values), TIMES)
def test_what_is_later_changes_nothing_of_the_past(messages, others, as_of):
    later = [other for other in others if other.since_ns > as_of]
    assert repr(after(Past(), messages).at(as_of)) == repr(after(Past(), messages + later).at(as_of))


def test_only_the_newest_values_are_kept():
    past = after(Past(), [value(t, t, float(t)) for t in range(10_000)])
    assert len(past.times_ns) == len(past.values) == stores.VALUES
    assert past.at(9_700) == (9_700.0, 9_700)
    assert isnan(past.at(9_000)[0])
    past.take(value(5, 5, 1.0))  # too old to be of use, and drives nothing out
    assert past.at(10_000 - stores.VALUES) == (10_000.0 - stores.VALUES, 10_000 - stores.VALUES)


# vintages


def vintage_by_hand(messages, hold, as_of, time):
    """The newest that was known then and has a value that holds at that time."""
    for _, _, message in sorted(
        ((m.since_ns, n, m) for n, m in enumerate(messages) if m.since_ns <= as_of), reverse=True
    ):
        times = message.times_ns
        for n, begin in enumerate(times):
            until_next = times[n + 1] - begin if n + 1 < len(times) else None
            alone = begin - times[n - 1] if n else 1
            lasts = min(x for x in (hold, until_next, alone if hold is until_next is None else None) if x is not None)
            if begin <= time < begin + lasts:
                return message.values[n]
    return nan


@given(st.lists(vintages(), max_size=12), HOLDS, TIMES, TIMES)
def test_the_newest_vintage_that_was_known_and_reaches_a_time_answers(messages, hold, as_of, time):
    found = after(Vintages(hold), messages).at(as_of, time)
    assert same(found, vintage_by_hand(messages, hold, as_of, time))


@pytest.mark.parametrize("store", [Vintages, Schedule])
@given(data=st.data(), hold=HOLDS, as_of=TIMES, time=TIMES)
def test_what_was_not_known_yet_changes_nothing(store, data, hold, as_of, time):
    kind = vintages() if store is Vintages else tariffs
    messages, others = data.draw(st.lists(kind, max_size=10)), data.draw(st.lists(kind, max_size=10))
    mixed = data.draw(
        st.permutations([(m, True) for m in messages] + [(m, False) for m in others if m.since_ns > as_of])
    )
    without = [message for message, is_own in mixed if is_own]
    found = after(store(hold), [message for message, _ in mixed]).at(as_of, time)
    assert same(found, after(store(hold), without).at(as_of, time))


@pytest.mark.parametrize("store", [Vintages, Schedule])
@given(data=st.data())
def test_in_little_room_the_old_is_forgotten_and_still_nothing_is_known_early(store, data):
    with pytest.MonkeyPatch.context() as patch:
        for name, most in (("VINTAGES", 3), ("ENTRIES", 8), ("SCHEDULED", 4), ("VERSIONS", 2)):
            patch.setattr(stores, name, most)
        messages = data.draw(st.lists(vintages() if store is Vintages else tariffs, max_size=30))
        kept = after(store(None), messages)
    if store is Vintages:
        assert len(kept.kept) == len(kept.since_ns) <= 3
        assert len(kept.kept) < 2 or sum(len(one.values) for one in kept.kept) <= 8
    else:
        assert len(kept.versions) == len(kept.times_ns) <= 4
        assert all(len(versions) <= 2 for versions in kept.versions.values())
    for as_of in range(0, 41, 4):
        early = {v for m in messages if m.since_ns <= as_of for v in m.values}
        for time in range(0, 41, 3):
            found = kept.at(as_of, time)
            assert isnan(found) or found in early


def test_a_corrected_forecast_goes_before_the_one_it_corrects_from_then_on():
    first = Known("s", 0, (), 100, (200, 300, 400), (1.0, 2.0, 3.0))
    second = Known("s", 0, (), 150, (200, 300), (10.0, 20.0))
    store = after(Vintages(None), [second, first])  # as they may be delivered
    assert [store.at(149, t) for t in (200, 399, 499)] == [1.0, 2.0, 3.0]
    assert [store.at(150, t) for t in (200, 399, 499)] == [10.0, 20.0, 3.0]  # what it does not reach, the first does
    assert isnan(store.at(150, 199)) and isnan(store.at(150, 500)) and isnan(store.at(99, 300))


def test_a_forecast_that_is_sent_again_takes_no_room():
    store = Vintages(None)
    for since in range(1_000):
        store.take(Known("s", 0, (), since, (2_000, 3_000), (1.0, nan)))
    assert (store.since_ns, len(store.kept)) == ([0], 1)


def test_the_newest_forecast_is_kept_however_long_it_is():
    long = stores.ENTRIES + 1
    store = after(
        Vintages(None), [Known("s", 0, (), since, tuple(range(long)), (1.0 * since,) * long) for since in (1, 2)]
    )
    assert (store.since_ns, store.at(2, 7)) == ([2], 2.0)


@pytest.mark.parametrize("store", [Vintages, Schedule])
@pytest.mark.parametrize("hold", [None, 2**62])
def test_the_end_of_time_is_a_time_like_any_other(store, hold):
    last = 2**63 - 1
    times = (1, last - 1) if store is Vintages else (last - 1,)
    kept = after(store(hold), [Known("s", 0, (), 5, times, (1.0,) * len(times))])
    assert kept.at(5, last - 1) == 1.0


# schedules


def schedule_by_hand(messages, hold, as_of, time):
    """Of each time the newest value that was known; among those the latest time that has begun."""
    newest: dict[int, tuple[int, int, float]] = {}
    for n, m in enumerate(messages):
        at = m.times_ns[0]
        if m.since_ns <= as_of and (m.since_ns, n) > newest.get(at, (-1, -1, nan))[:2]:
            newest[at] = (m.since_ns, n, m.values[0])
    begun = [at for at in newest if at <= time]
    if not begun:
        return nan
    begin, following = max(begun), [at for at in newest if at > time]
    lasts = hold
    if lasts is None:
        before = [at for at in begun if at < begin]
        lasts = min(following) - begin if following else begin - max(before) if before else 1
    return newest[begin][2] if time < begin + lasts else nan


@given(st.lists(tariffs, max_size=30), HOLDS, TIMES, TIMES)
def test_a_schedule_is_what_its_messages_say_together(messages, hold, as_of, time):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "VERSIONS", 100)
        store = after(Schedule(hold), messages)
    assert same(store.at(as_of, time), schedule_by_hand(messages, hold, as_of, time))


def test_a_tariff_holds_until_the_next_and_a_correction_counts_from_its_arrival():
    store = after(Schedule(None), [value(5, 100, 0.3), value(5, 160, 0.2), value(50, 100, 0.1)])
    assert [store.at(49, t) for t in (100, 159, 160, 219)] == [0.3, 0.3, 0.2, 0.2]
    assert [store.at(50, t) for t in (100, 159, 160)] == [0.1, 0.1, 0.2]
    assert isnan(store.at(50, 220)) and isnan(store.at(50, 99)) and isnan(store.at(4, 100))


@pytest.mark.parametrize("told", [0.3, nan])
def test_a_schedule_that_is_sent_again_and_again_forgets_nothing_by_it(told):
    store = Schedule(None)
    for since in range(1_000):
        store.take(value(since, 2_000, told))
    assert len(store.versions[2_000]) == 1
    store.take(value(1_000, 2_000, 7.0))
    assert same(store.at(999, 2_000), told) and store.at(1_000, 2_000) == 7.0


def test_a_holiday_is_over_when_it_no_longer_holds():
    store = after(Schedule(24), [value(0, 240, 1.0), value(0, 480, 1.0)])
    assert [store.at(1, t) for t in (240, 263, 480)] == [1.0, 1.0, 1.0]
    assert isnan(store.at(1, 264)) and isnan(store.at(1, 504))


def test_a_time_far_ahead_by_mistake_is_forgotten_like_any_other():
    store = Schedule(None)
    store.take(value(0, 10**15, 7.0))
    for t in range(stores.SCHEDULED):
        store.take(value(t, t, 1.0))
    assert len(store.times_ns) == stores.SCHEDULED
    assert store.times_ns[-1] < 10**15
