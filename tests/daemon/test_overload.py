from __future__ import annotations

from streamlstm.daemon.overload import CALM_S, REST_S, Overload


def turns(overload, seconds, *, emptied, begin_s):
    """Eight turns a second; the times at which something changed."""
    times = [begin_s + turn / 8 for turn in range(round(8 * seconds))]
    return [now_s for now_s in times if overload.changes(emptied, now_s)]


def test_a_burst_that_is_taken_up_in_time_is_learned():
    overload = Overload(60.0)
    assert turns(overload, 60.0, emptied=False, begin_s=100.0) == []
    assert turns(overload, 1.0, emptied=True, begin_s=160.0) == []
    assert turns(overload, 59.0, emptied=False, begin_s=161.0) == []


def test_where_the_inbox_is_not_emptied_for_so_long_learning_is_shed_and_that_is_told_once():
    overload = Overload(60.0)
    assert turns(overload, 200.0, emptied=False, begin_s=100.0) == [160.0]
    assert overload.sheds


def test_learning_goes_on_when_the_inbox_was_emptied_again_and_again_for_a_while():
    overload = Overload(5.0)
    turns(overload, 10.0, emptied=False, begin_s=0.0)
    assert overload.sheds
    behind_s = 9.875  # the last turn that was
    assert turns(overload, 2 * CALM_S, emptied=True, begin_s=10.0) == [behind_s + CALM_S]
    assert not overload.sheds


def test_who_has_little_patience_does_not_change_his_mind_in_the_middle_of_a_flood():
    overload = Overload(0.25)
    assert turns(overload, 60.0, emptied=False, begin_s=100.0) == [100.25]


def test_a_moment_of_rest_does_not_end_it():
    overload = Overload(5.0)
    turns(overload, 10.0, emptied=False, begin_s=0.0)
    for second in range(10, 60, 5):
        assert turns(overload, 1.0, emptied=True, begin_s=float(second)) == []
        assert turns(overload, 4.0, emptied=False, begin_s=second + 1.0) == []
    assert overload.sheds


def test_bursts_that_are_each_taken_up_within_a_second_are_keeping_up():
    overload = Overload(5.0)
    turns(overload, 10.0, emptied=False, begin_s=0.0)
    changed = []
    for second in range(10, 40):
        changed += turns(overload, REST_S - 0.25, emptied=False, begin_s=float(second))
        changed += turns(overload, 0.25, emptied=True, begin_s=second + REST_S - 0.25)
    assert len(changed) == 1
    assert not overload.sheds


def test_after_0_seconds_is_never():
    assert turns(Overload(0.0), 1000.0, emptied=False, begin_s=0.0) == []
