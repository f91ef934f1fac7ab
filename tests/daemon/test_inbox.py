"""The inbox between the two threads: bounded, in order, and what gives way when."""

import threading
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from streamlstm.daemon.inbox import Inbox, Message
from streamlstm.events import Arrival


def message(n: int, qos: int) -> Message:
    return Message(Arrival("a", b"", n, n), 1, n if qos else 0)


def numbers(messages: list[Message]) -> list[int]:
    return [m.arrival.position for m in messages]


def aside(put: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=put)
    thread.start()
    return thread


@given(st.lists(st.integers(0, 1), max_size=60), st.integers(1, 8), st.integers(1, 5))
def test_whatever_comes_qos_1_is_kept_in_order_and_every_qos_0_is_kept_or_counted(qualities, limit, batch):
    inbox = Inbox(limit, patience_s=0.0)
    feeder = aside(lambda: [inbox.put(message(n, qos)) for n, qos in enumerate(qualities, 1)] and None)
    taken: list[int] = []
    while feeder.is_alive() or inbox.waiting:
        assert inbox.waiting <= limit
        taken += numbers(inbox.take(batch, 0.001))
    assert taken == sorted(taken)
    assert {n for n, qos in enumerate(qualities, 1) if qos} <= set(taken)
    assert len(taken) + inbox.dropped == len(qualities)


def test_qos_0_waits_as_long_as_patience_lasts():
    inbox = Inbox(2, patience_s=60.0)
    feeder = aside(lambda: [inbox.put(message(n, 0)) for n in range(1, 101)] and None)
    taken: list[int] = []
    while len(taken) < 100:
        taken += numbers(inbox.take(3, 1.0))
    feeder.join()
    assert taken == list(range(1, 101))
    assert inbox.dropped == 0


def test_once_half_empty_it_is_patient_again():
    inbox = Inbox(4, patience_s=0.05)
    for n in range(1, 7):
        inbox.put(message(n, 0))
    assert inbox.dropped == 2
    assert numbers(inbox.take(4, 0.0)) == [1, 2, 3, 4]
    inbox.put(message(7, 0))
    assert inbox._full_since_s is None
    assert inbox.oldest_ns == 7


def test_closing_frees_a_thread_that_waits_and_its_message_is_not_taken():
    inbox = Inbox(1, patience_s=60.0)
    inbox.put(message(1, 1))
    feeder = aside(lambda: inbox.put(message(2, 1)))
    inbox.close()
    feeder.join(10)
    assert not feeder.is_alive()
    assert numbers(inbox.take(9, 0.0)) == [1]


def test_nothing_is_taken_where_nothing_is_asked_for():
    inbox = Inbox(1, patience_s=0.0)
    inbox.put(message(1, 1))
    assert inbox.take(0, 0.0) == []
    assert inbox.waiting == 1
