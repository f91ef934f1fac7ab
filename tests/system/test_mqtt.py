"""The link against real brokers: mosquitto, killed and misconfigured, and the bundled one."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from streamlstm.daemon.backoff import Backoff
from streamlstm.daemon.broker import BrokerError, Embedded
from streamlstm.daemon.endpoint import EndpointError
from streamlstm.daemon.inbox import Message
from streamlstm.daemon.link import Link
from streamlstm.sections import Mqtt
from tests.system.servers import Certificates, Client, Mosquitto, free_port, need_file, until

pytestmark = pytest.mark.system

VERSIONS = ("5", "3.1.1")
QUICK = {"first_s": 0.2, "most_s": 1.0, "lasting_s": 1.0}


@contextmanager
def linked(url: str, *filters: str, start: bool = True, **settings: object) -> Iterator[Link]:
    """A link to `url`, with short waits, stopped at the end."""
    config = Mqtt.model_validate({"url": url, "client_id": "us", "keepalive": "2s"} | settings)
    link = Link(config, filters or ("in/#",), backoff=lambda: Backoff(**QUICK))
    if start:
        link.start()
    try:
        yield link
    finally:
        link.stop()


def ready(link: Link) -> bool:
    link.take(0, 0.0)
    return link.connection.connected and not link.connection.why


def complaint(link: Link, part: str) -> bool:
    return part in link.connection.why


def taken(link: Link, count: int, patience_s: float = 20.0) -> list[Message]:
    """Exactly so many messages, unacknowledged."""
    messages: list[Message] = []
    deadline = time.monotonic() + patience_s
    while len(messages) < count and time.monotonic() < deadline:
        messages += link.take(count - len(messages), 0.1)
    assert len(messages) == count
    return messages


def payloads(messages: list[Message]) -> list[int]:
    return [int(m.arrival.payload) for m in messages]


def cut(link: Link) -> None:
    """End the connection as a broken network does, without a word."""
    until(lambda: link.connection.connected)
    for session in link._sessions:
        handle = session._client.socket()
        assert handle is not None
        handle.shutdown(socket.SHUT_RDWR)


@pytest.fixture(params=["mosquitto", "bundled"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The URL of one broker for each protocol version."""
    if request.param == "mosquitto":
        with Mosquitto(tmp_path) as server:
            yield dict.fromkeys(VERSIONS, server.url)
    else:
        with Embedded() as server:
            yield {version: server.url(version) for version in VERSIONS}


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as server:
        yield server


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, durable=True) as server:
        yield server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_arrive_in_order_and_once_acknowledged_do_not_come_again(broker, version):
    with Client(broker["3.1.1"]) as sensor:
        with linked(broker[version], version=version) as link:
            until(lambda: ready(link))
            sensor.send_all([("in/a", str(n)) for n in range(300)])
            while link.connection.received < 300:
                messages = link.take(64, 1.0)
                assert payloads(messages) == list(
                    range(messages[0].arrival.position - 1, messages[-1].arrival.position)
                )
                assert link.acknowledge(messages) == len(messages)
        with linked(broker[version], version=version) as link:
            until(lambda: ready(link))
            sensor.send_all([("in/a", "300")])
            assert payloads(taken(link, 1)) == [300]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_not_acknowledged_comes_again_and_a_late_acknowledgement_acknowledges_nothing(broker, version):
    with Client(broker["3.1.1"], "out/#") as sensor, linked(broker[version], version=version) as link:
        until(lambda: ready(link))
        sensor.send_all([("in/a", str(n)) for n in range(11)])
        first = taken(link, 11)
        assert link.acknowledge(first[:4]) == 4
        link.publish("out/a", "")
        until(lambda: sensor.seen)  # so the acknowledgements, sent before it, have reached the broker too
        cut(link)
        until(lambda: link.connection.reconnects == 1)
        again = taken(link, 7)
        assert payloads(again) == [4, 5, 6, 7, 8, 9, 10]
        assert link.acknowledge(first[4:]) == 0  # their connection is gone
        cut(link)
        until(lambda: link.connection.reconnects == 2)
        again = taken(link, 7)
        assert payloads(again) == [4, 5, 6, 7, 8, 9, 10]
        assert link.acknowledge(again) == 7


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_sent_while_we_are_away_wait_for_us(broker, version):
    with Client(broker["3.1.1"]) as sensor:
        with linked(broker[version], version=version) as link:
            until(lambda: ready(link))
        sensor.send_all([("in/a", str(n)) for n in range(50)])
        with linked(broker[version], version=version) as link:
            messages: list[Message] = []
            while len(messages) < 50:
                link.acknowledge(new := link.take(50, 5.0))
                assert new
                messages += new
            assert payloads(messages) == list(range(50))


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_that_the_broker_kept_are_marked_retained_and_live_ones_are_not(broker, version):
    with Client(broker["3.1.1"]) as sensor:
        sensor.send("in/old", "1", retain=True).wait_for_publish(10)
        with linked(broker[version], version=version) as link:
            until(lambda: ready(link))
            sensor.send("in/new", "2", retain=True).wait_for_publish(10)
            assert {(m.arrival.topic, m.arrival.retained) for m in taken(link, 2)} == {
                ("in/old", True),
                ("in/new", False),
            }


@pytest.mark.parametrize("version", VERSIONS)
def test_others_see_online_when_we_are_and_offline_however_we_leave(broker, version):
    topic = "streamlstm/bridge/state"

    def seen(watcher: Client) -> list[bytes]:
        """The changes of state: where one of our connections goes first, the other says offline, and then the will."""
        return [state for state, _ in groupby(watcher.payloads(topic))]

    with Client(broker["3.1.1"], topic) as watcher:
        with linked(broker[version], version=version) as link:
            until(lambda: ready(link) and seen(watcher) == [b"online"])
            cut(link)
            until(lambda: ready(link) and seen(watcher) == [b"online", b"offline", b"online"])
        until(lambda: seen(watcher) == [b"online", b"offline", b"online", b"offline"])
    with Client(broker["3.1.1"], topic) as late:
        until(lambda: late.seen == [(topic, b"offline", True)])


@pytest.mark.parametrize("version", VERSIONS)
def test_more_than_the_broker_takes_at_once_is_published_in_order_and_nothing_is_lost(broker, version):
    with Client(broker["3.1.1"], "out/a") as reader, linked(broker[version], version=version) as link:
        until(lambda: ready(link))
        for n in range(800):
            link.publish("out/a", str(n))
        until(lambda: len(reader.seen) == 800)
        assert [int(p) for p in reader.payloads("out/a")] == list(range(800))
        assert link.connection.unpublished == 0


def test_publications_wait_for_an_absent_broker_and_the_oldest_give_way(tmp_path, monkeypatch):
    monkeypatch.setattr("streamlstm.daemon.link.KEPT", 1000)
    server = Mosquitto(tmp_path)
    with linked(server.url) as link:
        for n in range(1500):
            link.publish("out/a", str(n), retain=True)
        until(lambda: complaint(link, "nothing listens"))
        assert link.connection.unpublished == 500
        with server, Client(server.url, "out/a") as reader:
            until(lambda: ready(link))
            until(lambda: reader.payloads("out/a")[-1:] == [b"1499"])
            assert link.connection.unpublished == 500


@pytest.mark.parametrize("version", VERSIONS)
def test_a_broker_killed_in_mid_stream_costs_no_message_and_readiness_says_so_meanwhile(durable, version):
    config = {"version": version, "keepalive": "2s"}
    with Client(durable.url, client_id="sensor", persistent=True) as sensor, linked(durable.url, **config) as link:
        until(lambda: ready(link))
        for n in range(100):
            sensor.send("in/a", str(n)).wait_for_publish(10)
        heard: list[Message] = []

        def take() -> None:
            heard.extend(new := link.take(10, 0.05))
            link.acknowledge(new)

        while len(heard) < 60:
            take()
        durable.saved()
        durable.kill9()
        until(lambda: not link.connection.connected)
        assert "lost" in link.connection.why or "nothing listens" in link.connection.why
        for n in range(100, 200):
            sensor.send("in/a", str(n))
        until(lambda: complaint(link, "nothing listens"))
        durable.start()
        until(lambda: ready(link), patience_s=2 * 2 + 1.0 + 5.0)  # 2 × keepalive + backoff, and a busy machine
        until(lambda: take() or len({m.arrival.payload for m in heard}) == 200)
        assert link.connection.reconnects == 1


def test_an_absent_broker_is_named_and_awaited(tmp_path):
    server = Mosquitto(tmp_path)
    with linked(server.url) as link:
        until(lambda: complaint(link, f"nothing listens at {server.url}"))
        assert not link.connection.connected
        with server:
            until(lambda: ready(link))


def test_an_unknown_host_is_named():
    with linked("mqtt://no-such-host.invalid") as link:
        until(lambda: complaint(link, "no-such-host.invalid"))


def test_a_refused_login_is_said_and_the_password_is_read_anew_for_every_attempt(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    with (
        Mosquitto(tmp_path, login=("us", "right")) as server,
        linked(server.url, username="us", password_file=secret) as link,
    ):
        until(lambda: complaint(link, "not authorized; check mqtt.username and mqtt.password_file"))
        assert not link.connection.connected
        secret.write_text("right\nonly the first line counts\n")
        until(lambda: ready(link))


def test_a_missing_or_empty_password_file_is_named_and_awaited(tmp_path):
    secret = tmp_path / "secret"
    with (
        Mosquitto(tmp_path, login=("us", "right")) as server,
        linked(server.url, username="us", password_file=secret) as link,
    ):
        until(lambda: complaint(link, f"mqtt.password_file = {secret}: No such file"))
        secret.write_text("")
        until(lambda: complaint(link, f"mqtt.password_file = {secret}: the first line is empty"))
        secret.write_text("right")
        until(lambda: ready(link))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_second_client_with_our_id_is_named_and_the_quarrel_slows_down(broker, version):
    with (
        linked(broker[version], version=version) as ours,
        linked(broker[version], version=version) as theirs,
    ):
        until(lambda: complaint(ours, "another client uses the id 'us'") or complaint(theirs, "another client uses"))
        theirs.stop()
        until(lambda: ready(ours))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_broker_that_hangs_up_on_a_subscription_is_not_taken_for_a_rivals_doing(mosquitto, version):
    deep = "/".join("x" * 210)  # mosquitto takes 200 levels
    with linked(mosquitto.url, "in/#", deep, version=version) as link:
        for attempt in range(4):
            until(lambda attempt=attempt: link.connection.reconnects >= attempt)
            until(lambda: complaint(link, "hangs up when we subscribe"))
            assert "another client" not in link.connection.why


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_subscription_is_named_and_keeps_us_from_being_ready(tmp_path, version):
    granted = {"acltype": "subscribePattern", "topic": "in/#", "priority": 0, "allow": True}
    rights = {
        "defaultACLAccess": dict.fromkeys(("publishClientSend", "publishClientReceive", "unsubscribe"), True)
        | {"subscribe": False},
        "clients": [],
        "groups": [{"groupname": "all", "roles": [{"rolename": "reader"}]}],
        "roles": [{"rolename": "reader", "acls": [granted]}],
        "anonymousGroup": "all",
    }
    (tmp_path / "rights.json").write_text(json.dumps(rights))
    plugin = need_file("mosquitto_dynamic_security.so", "/usr/lib", "/usr/local/lib")
    settings = f"plugin {plugin}\nplugin_opt_config_file {tmp_path / 'rights.json'}"
    with (
        Mosquitto(tmp_path, settings=settings) as server,
        linked(server.url, "in/#", "secret/#", version=version) as link,
    ):
        until(lambda: complaint(link, "refuses a subscription: 'secret/#'") and link.connection.connected)
        assert "'in/#'" not in link.connection.why


def test_a_flood_of_qos_0_beyond_the_inbox_is_dropped_and_counted_and_costs_no_qos_1_and_no_connection(mosquitto):
    with (
        Client(mosquitto.url) as flood,
        Client(mosquitto.url) as sensor,
        linked(mosquitto.url, inbox=20) as link,
    ):
        until(lambda: ready(link))
        stop = threading.Event()

        def pour() -> None:
            while not stop.is_set():
                flood.send_all([("in/flood", "0")] * 100, qos=0)
                stop.wait(0.01)  # else it is paho's own speed that gives out

        thread = threading.Thread(target=pour)
        thread.start()
        sent: list[paho.MQTTMessageInfo] = []
        kept: list[int] = []

        def take_slowly() -> bool:
            sent.append(sensor.send("in/kept", str(len(sent))))
            messages = link.take(5, 1.0)
            link.acknowledge(messages)
            kept.extend(int(m.arrival.payload) for m in messages if m.arrival.topic == "in/kept")
            return link.connection.dropped > 5000

        try:
            until(take_slowly)
        finally:
            stop.set()
            thread.join()
        until(lambda: take_slowly() and len(kept) >= 100)
        assert kept == list(range(len(kept)))
        assert link.connection.reconnects == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_who_publishes_for_every_message_gets_through_a_flood_that_fills_the_inbox(mosquitto, version):
    """On one connection the answers to our publications would stand in line behind the flood, for ever."""
    count = 5000
    with Client(mosquitto.url) as sensor, linked(mosquitto.url, inbox=20, keepalive="60s", version=version) as link:
        until(lambda: ready(link))
        feeder = threading.Thread(target=sensor.send_all, args=([("in/a", str(n)) for n in range(count)],))
        feeder.start()
        heard: list[int] = []

        def pass_on() -> bool:
            messages = link.take(20, 1.0)
            for message in messages:
                link.publish("out/a", message.arrival.payload)
            link.acknowledge(messages)
            heard.extend(payloads(messages))
            return len(heard) >= count

        until(pass_on, 60.0)
        feeder.join()
        assert heard == list(range(count))
        assert link.connection.unpublished == 0


def test_a_burst_of_qos_0_that_soon_passes_loses_nothing(mosquitto):
    with Client(mosquitto.url) as sensor, linked(mosquitto.url, inbox=20, keepalive="60s") as link:
        until(lambda: ready(link))
        sensor.send_all([("in/a", str(n)) for n in range(900)], qos=0)
        assert payloads(taken(link, 900)) == list(range(900))
        assert link.connection.dropped == 0


def test_a_payload_beyond_the_limit_takes_no_more_room_than_the_limit(mosquitto):
    config = Mqtt(url=mosquitto.url)
    link = Link(config, ["in/#"], payload_limit=100)
    link.start()
    with Client(mosquitto.url) as sensor:
        until(lambda: ready(link))
        sensor.send_all([("in/a", b"x" * 1_000_000)])
        assert len(taken(link, 1)[0].arrival.payload) == 101
    link.stop()


@pytest.mark.parametrize("version", VERSIONS)
def test_websockets_carry_the_same(tmp_path, version):
    with (
        Mosquitto(tmp_path, websockets=True) as server,
        linked(f"{server.url}/mqtt", "in/#", "streamlstm/bridge/state", version=version) as link,
    ):
        until(lambda: link.connection.connected)
        assert taken(link, 1)[0].arrival.payload == b"online"


class TestTls:
    """Only a certificate for the very name, valid now, signed by the given authority, is accepted."""

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("websockets", [False, True])
    def test_the_right_certificate_is_accepted(self, certificates, tmp_path, version, websockets):
        with (
            Mosquitto(tmp_path, tls=certificates.server(), websockets=websockets) as server,
            linked(server.url, version=version, ca_file=certificates.ca) as link,
        ):
            until(lambda: ready(link))

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            ({"by_other": True}, "unable to get local issuer certificate"),
            ({"expired": True}, "certificate has expired"),
            ({"name": "elsewhere"}, "not valid for 'localhost'"),
            ({"common_name_only": True}, "not valid for 'localhost'"),
            ({"self_signed": True}, "self-signed certificate"),
        ],
    )
    def test_any_other_is_refused_with_the_reason(self, certificates, tmp_path, fault, said):
        with (
            Mosquitto(tmp_path, tls=certificates.server(**fault)) as server,
            linked(server.url, ca_file=certificates.ca) as link,
        ):
            until(lambda: complaint(link, said))
            assert "mqtt.ca_file" in link.connection.why
            assert link.connection.reconnects == 0

    def test_a_client_certificate_is_shown_and_without_one_the_message_asks_for_it(self, certificates, tmp_path):
        tls, ours = certificates.server(), certificates.client()
        with Mosquitto(tmp_path, tls=tls, client_ca=certificates.ca) as server:
            with linked(server.url, ca_file=certificates.ca) as link:
                until(lambda: complaint(link, "mqtt.cert_file"))
            with linked(server.url, ca_file=certificates.ca, cert_file=ours[0], key_file=ours[1]) as link:
                until(lambda: ready(link))

    def test_a_plain_client_on_a_tls_port_is_told_so(self, certificates, tmp_path):
        with (
            Mosquitto(tmp_path, tls=certificates.server()) as server,
            linked(server.url.replace("mqtts", "mqtt")) as link,
        ):
            until(lambda: complaint(link, "does the port want TLS"))

    def test_a_tls_client_on_a_plain_port_is_told_so(self, mosquitto, certificates):
        with linked(mosquitto.url.replace("mqtt:", "mqtts:"), ca_file=certificates.ca) as link:
            until(lambda: complaint(link, "does this port speak it"))

    def test_files_that_cannot_be_used_are_named_before_anything_starts(self, certificates, tmp_path):
        nothing = tmp_path / "nothing.pem"
        with pytest.raises(EndpointError, match=r"mqtt\.ca_file"):
            Link(Mqtt(url="mqtts://localhost", ca_file=nothing), ["in/#"])
        cert, _ = certificates.client()
        with pytest.raises(EndpointError, match=r"mqtt\.key_file"):
            Link(Mqtt(url="mqtts://localhost", ca_file=certificates.ca, cert_file=cert, key_file=nothing), ["in/#"])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_talks_nonsense_is_tried_again_even_where_it_ends_the_network_thread():
    """A header without its blank is an error that paho does not expect: its thread ends, and must be replaced."""
    attempts = 0
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            nonlocal attempts
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                attempts += 1
                with sock:
                    sock.recv(1000)
                    sock.sendall(b"HTTP/1.1 101 x\r\nConnection: upgrade\r\nSec-WebSocket-Accept:none\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with linked(f"ws://127.0.0.1:{server.getsockname()[1]}") as link:
            until(lambda: ready(link) or attempts >= 3)
            assert not link.connection.connected
            assert complaint(link, "sends what no broker sends")
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_silent_server_is_not_waited_for_for_ever():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        linked(f"mqtt://127.0.0.1:{server.getsockname()[1]}", keepalive="1s") as link,
    ):
        until(lambda: complaint(link, "does not answer as a broker for MQTT 5 would"))


def test_without_its_package_the_bundled_broker_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BrokerError, match=r"install streamlstm\[demo\], or give mqtt\.url"):
        Embedded().start()


def test_the_bundled_broker_leaves_no_process_no_file_and_no_word(capfd, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Embedded() as server, Client(server.url("3.1.1")) as client:
        client.send_all([("a", b"x" * 1_000_000)])
        port = int(server.url("5").rsplit(":", 1)[1])
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", port)) != 0
    assert capfd.readouterr() == ("", "")


def test_a_stop_ends_soon_whatever_the_link_is_doing():
    port = free_port()
    with linked(f"mqtt://127.0.0.1:{port}") as link:
        until(lambda: complaint(link, "nothing listens"))
    networks = [session._network for session in link._sessions]
    until(lambda: not any(network and network.is_alive() for network in networks), 5.0)
