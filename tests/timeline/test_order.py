"""One series' observations come out once each, in ascending time, or are discarded with a reason."""

from hypothesis import given
from hypothesis import strategies as st

from streamlstm.events import Discarded, Observation, Reason
from streamlstm.timeline.order import MOST, Reorder


def seen(time_ns, received_ns=0):
    return Observation("s", "s", time_ns, (1.0,), received_ns=received_ns)


def passed(lateness_ns, times):
    order = Reorder(lateness_ns)
    out = [settled for time_ns in times for settled in order.feed(seen(time_ns))]
    out += order.drain()
    assert order.held == 0
    return out


def kept(settled):
    return [o.time_ns for o in settled if isinstance(o, Observation)]


def reasons(settled):
    return [d.reason for d in settled if isinstance(d, Discarded)]


@given(st.lists(st.integers(0, 40)), st.integers(0, 50))
def test_every_observation_leaves_exactly_once_and_the_kept_ones_ascend(times, lateness):
    out = passed(lateness, times)
    assert len(out) == len(times)
    assert kept(out) == sorted(set(kept(out)))
    assert sorted(o.time_ns for o in out) == sorted(times)


@given(st.permutations(range(12)))
def test_within_the_lateness_the_order_of_arrival_changes_nothing(times):
    assert passed(12, times) == passed(12, sorted(times))


@given(st.lists(st.integers(0, 60), min_size=1), st.integers(0, 20))
def test_only_what_is_behind_a_released_time_by_lateness_is_late(times, lateness):
    order, newest = Reorder(lateness), -1
    for time_ns in times:
        newest = max(newest, time_ns)
        late = Reason.LATE in reasons(order.feed(seen(time_ns)))
        assert not late or time_ns < newest - lateness


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), max_size=40), st.integers(0, 10))
def test_counts_add_up_at_any_moment_with_expiry_between(arrivals, lateness):
    order, out, now = Reorder(lateness), [], 0
    for fed, (time_ns, wait) in enumerate(arrivals, start=1):
        now += wait
        out += order.expire(now)
        out += order.feed(seen(time_ns, received_ns=now))
        assert len(out) + order.held == fed
    assert kept(out) == sorted(set(kept(out)))


def test_an_early_observation_waits_until_the_newest_is_lateness_past_it():
    order = Reorder(10)
    assert order.feed(seen(100)) == []
    assert order.feed(seen(95)) == []
    assert order.held == 2
    assert kept(order.feed(seen(105))) == [95]
    assert kept(order.feed(seen(110))) == [100]


def test_a_stream_that_stops_lets_go_of_its_last_reading_by_the_clock():
    order = Reorder(10)
    order.feed(seen(100, received_ns=1_000))
    order.feed(seen(103, received_ns=1_005))
    assert order.expire(1_010) == []
    assert kept(order.expire(1_011)) == [100]
    assert kept(order.expire(1_016)) == [103]


def test_what_was_received_before_the_clock_was_set_back_waits_no_longer():
    order = Reorder(10)
    order.feed(seen(100, received_ns=1_000))
    assert kept(order.expire(999)) == [100]


def test_an_overdue_reading_takes_earlier_ones_with_it():
    order = Reorder(10)
    order.feed(seen(100, received_ns=1_000))
    order.feed(seen(98, received_ns=1_009))
    assert kept(order.expire(1_011)) == [98, 100]


def test_recorded_data_never_expires():
    order = Reorder(10)
    order.feed(seen(100))
    assert order.expire(10**18) == []
    assert kept(order.drain()) == [100]


def test_equal_time_is_a_duplicate_and_behind_is_late():
    order = Reorder(0)
    assert kept(order.feed(seen(5))) == [5]
    assert order.feed(seen(5)) == [Discarded("s", 5, Reason.DUPLICATE)]
    assert order.feed(seen(4)) == [Discarded("s", 4, Reason.LATE)]


def test_of_two_held_at_one_time_the_first_to_arrive_counts():
    order = Reorder(10)
    first, second = seen(7)._replace(values=(1.0,)), seen(7)._replace(values=(2.0,))
    assert order.feed(first) == []
    assert order.feed(second) == [Discarded("s", 7, Reason.DUPLICATE)]
    assert order.drain() == [first]


def test_of_more_than_may_wait_the_earliest_goes_on():
    order = Reorder(10 * MOST)
    assert [order.feed(seen(time_ns)) for time_ns in range(MOST, 0, -1)] == [[]] * MOST
    assert kept(order.feed(seen(MOST + 1))) == [1]
    assert order.held == MOST
    assert reasons(order.feed(seen(1))) == [Reason.DUPLICATE]
