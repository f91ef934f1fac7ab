from __future__ import annotations

import pytest

from streamlstm.daemon import notify
from streamlstm.daemon.notify import Notify
from streamlstm.daemon.watch import Watch
from tests.system.listener import Listener


@pytest.fixture(params=[False, True], ids=["a path", "an abstract name"])
def systemd(request, tmp_path):
    with Listener(tmp_path / "notify", abstract=request.param) as listener:
        yield listener


class Thread:
    """A part whose fault is set by the test."""

    found = ""

    def fault(self):
        return self.found


def test_all_words_of_a_call_come_as_one_datagram_and_a_line_break_in_one_of_them_as_a_blank(systemd):
    Notify(systemd.address).say(*notify.ready("lost a\nbroker"))
    assert systemd.heard() == ["READY=1", "STATUS=lost a broker"]


def test_a_reload_tells_the_monotonic_time_in_microseconds(systemd):
    Notify(systemd.address).say(*notify.reloading())
    begun, when = systemd.heard()
    assert begun == "RELOADING=1"
    assert when.removeprefix("MONOTONIC_USEC=").isdecimal()


@pytest.mark.parametrize(
    ("environment", "asked_s"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_fed_only_where_systemd_asks_this_very_process(environment, asked_s):
    assert Notify.of(environment, 7).watchdog_s == asked_s


def test_where_nobody_listens_it_is_said_once_in_the_log_and_nothing_ends(tmp_path, caplog):
    absent = Notify(str(tmp_path / "nobody"))
    for _ in range(3):
        absent.say("READY=1")
    Notify("").say("READY=1")
    assert [record.message.split()[0] for record in caplog.records] == ["event=notify_failed"]


def test_a_listener_that_does_not_read_holds_up_nobody(tmp_path):
    with Listener(tmp_path / "notify") as systemd:
        teller = Notify(systemd.address)
        for _ in range(2000):  # more than a socket's queue and its buffer hold
            teller.say("STATUS=" + "x" * 1000)
        assert 0 < len(systemd.heard()) < 2000


def test_readiness_is_said_with_the_first_turn_and_the_status_when_it_changes(systemd):
    watch = Watch(Notify(systemd.address, 30.0))
    watch.starting("compiling the kernels of a")
    for why in ("lost a broker", "lost a broker", "", ""):
        watch.beat(why)
    watch.reloading()
    watch.beat("")
    watch.stopping()
    assert [line for line in systemd.heard() if not line.startswith("MONOTONIC_USEC")] == [
        *("STATUS=compiling the kernels of a", "EXTEND_TIMEOUT_USEC=1800000000"),
        *("READY=1", "STATUS=lost a broker", "WATCHDOG=1"),
        "STATUS=ready",
        *("RELOADING=1", "READY=1", "STATUS=ready"),
        *("STOPPING=1", "STATUS=stopping"),
    ]


def test_the_watchdog_gets_a_word_a_third_of_its_interval_and_none_while_a_part_is_at_fault(systemd, caplog):
    watch, thread = Watch(Notify(systemd.address, 1e-9)), Thread()
    watch.over(Thread())
    watch.over(thread)
    assert watch.beat("") == ""
    assert watch.beat("") == ""
    assert systemd.heard() == ["READY=1", "STATUS=ready", "WATCHDOG=1", "WATCHDOG=1"]
    thread.found = "the thread has ended"
    assert watch.beat("lost a broker") == watch.beat("lost a broker") == "the thread has ended"
    assert systemd.heard() == ["STATUS=the thread has ended"]
    thread.found = ""
    assert watch.beat("") == ""
    assert systemd.heard() == ["STATUS=ready", "WATCHDOG=1"]
    assert [record.message.split()[0] for record in caplog.records] == ["event=unwell", "event=well_again"]


def test_without_a_watchdog_no_word_for_one_is_said(systemd):
    Watch(Notify(systemd.address)).beat("")
    assert systemd.heard() == ["READY=1", "STATUS=ready"]


def test_an_address_that_no_socket_can_have_is_one_more_that_cannot_be_told(caplog):
    Notify("/" + "x" * 200).say("READY=1")
    assert "event=notify_failed" in caplog.text
