"""What a broker sends again is known; what only looks like it is not."""

from __future__ import annotations

from streamlstm.daemon.inbox import Message
from streamlstm.daemon.redelivery import KEPT, Redelivery
from streamlstm.events import Arrival


def message(mid: int, payload: bytes = b"21.5", *, again: bool = True, topic: str = "t") -> Message:
    return Message(Arrival(topic, payload, 0), 1, mid, again)


def taken(known: Redelivery, one: Message) -> bool:
    """Whether it is new; remembered if it is."""
    fresh, deliveries = known.told([one])
    known.remember(deliveries)
    return fresh == [one]


def test_only_the_same_message_under_the_same_identifier_and_with_the_flag_is_known():
    known = Redelivery()
    assert taken(known, message(7, again=False))
    assert not taken(known, message(7))
    assert not taken(known, message(7))
    assert taken(known, message(8))  # the first attempt never reached us
    assert taken(known, message(7, b"22.0"))  # the identifier is another message's now
    assert taken(known, message(7))
    assert taken(known, message(7, again=False))  # sent for the first time, and equal by chance
    assert taken(known, message(7, topic="u"))


def test_topic_and_payload_are_not_mixed_up():
    known = Redelivery()
    assert taken(known, message(1, b"bc", topic="a"))
    assert taken(known, message(1, b"c", topic="ab"))


def test_what_is_sent_at_most_once_is_never_known():
    known = Redelivery()
    assert taken(known, message(0)) and taken(known, message(0))
    assert known.export() == []


def test_the_newest_are_remembered_in_order_and_go_on_elsewhere():
    known, other = Redelivery(), Redelivery()
    for mid in range(1, KEPT + 11):
        assert taken(known, message(mid, again=False))
    assert [one.mid for one in known.export()] == list(range(11, KEPT + 11))
    other.remember(known.export())
    assert not taken(other, message(11)) and taken(other, message(10))


def test_one_that_came_by_a_lost_connection_and_again_by_the_next_is_taken_once_though_both_wait_together():
    known = Redelivery()
    first, second = message(7, again=False), message(8, b"8", again=False)
    fresh, deliveries = known.told([first, second, message(7), message(8, b"8"), message(9, b"9"), message(7, b"new")])
    assert fresh == [first, second, message(9, b"9"), message(7, b"new")]
    assert [one.mid for one in deliveries] == [7, 8, 9, 7]
