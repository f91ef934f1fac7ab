"""The waits between attempts to connect."""

import random

from hypothesis import given
from hypothesis import strategies as st

from streamlstm.daemon.backoff import Backoff


def test_waits_double_up_to_the_largest_and_never_beyond():
    backoff = Backoff(1.0, 60.0, dice=random.Random(1))
    waits = [backoff.failed() for _ in range(12)]
    for n, wait in enumerate(waits):
        assert min(60.0, 2.0 ** (n + 1)) / 2 <= wait <= min(60.0, 2.0 ** (n + 1))


def test_only_a_connection_that_lasted_begins_the_count_anew():
    backoff = Backoff(1.0, 60.0, 10.0, random.Random(1))
    for _ in range(6):
        backoff.failed()
    assert backoff.lost(9.9) > 29.0
    assert backoff.lost(10.0) <= 1.0


def test_three_short_connections_in_a_row_mean_a_rival_and_an_attempt_that_found_no_broker_between_does_not():
    backoff = Backoff()
    backoff.lost(0.5)
    backoff.lost(0.5)
    assert not backoff.is_contested
    backoff.failed()
    backoff.lost(0.5)
    assert not backoff.is_contested
    backoff.lost(0.5)
    backoff.lost(0.5)
    assert backoff.is_contested


def test_a_broker_that_names_the_takeover_is_believed_at_once_and_the_wait_is_long():
    backoff = Backoff(1.0, 60.0, 10.0, random.Random(1))
    wait = backoff.lost(3600.0, by_rival=True)
    assert backoff.is_contested
    assert wait >= 16.0


def test_connections_that_end_for_another_reason_are_no_rivals_doing():
    backoff = Backoff()
    for _ in range(5):
        backoff.lost(0.1, by_rival=False)
    assert not backoff.is_contested


def test_a_refused_login_is_tried_again_slowly():
    backoff = Backoff(1.0, 60.0, 10.0, random.Random(1))
    assert backoff.refused() >= 16.0
    assert backoff.refused() >= 30.0


@given(st.lists(st.sampled_from(["failed", "refused", "lost"]), max_size=200), st.integers(0, 9))
def test_whatever_happens_a_wait_is_between_half_the_first_and_the_largest(happened, seed):
    backoff = Backoff(1.0, 60.0, 10.0, random.Random(seed))
    for each in happened:
        wait = backoff.lost(0.0) if each == "lost" else getattr(backoff, each)()
        assert 0.5 <= wait <= 60.0
