from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from contextlib import closing, contextmanager
from itertools import pairwise
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import pytest
from plotly.offline import get_plotlyjs

from streamlstm.config import Stream
from streamlstm.daemon import http as ours
from streamlstm.daemon.health import STALLED_S, STARTING_S
from streamlstm.daemon.history import History
from streamlstm.daemon.http import HttpError, serve
from streamlstm.events import SECOND_NS
from tests.daemon.watched import HOUR_NS, LEADS, WATER, forecasts, report, status, water
from tests.forecasts import changed
from tests.system.servers import until


@pytest.fixture(scope="module")
def told():
    return forecasts(water()[690:890])  # 710, 828 and 839 end in gaps


@contextmanager
def serving(now, history=None, **options):
    """A server of what `now` gives; its host:port."""
    server = serve("127.0.0.1:0", now, history or History(), **options)
    try:
        yield server.address.removeprefix("http://").removesuffix("/")
    finally:
        server.close()


@pytest.fixture(scope="module")
def site(told):
    history = History()
    for forecast in told:
        history.record(forecast)
    lasts = [told[-1], changed(told[-1], series="a/../b"), changed(told[-1], series="..")]
    with serving(
        lambda: status([*map(report, lasts), report(None, "new")], time_ns=time.time_ns()),
        history,
        streams={WATER.name: WATER},
    ) as address:
        yield address


def ask(address, path, method="GET", **headers):
    """Status code, headers and body."""
    request = Request(
        f"http://{address}{path}", method=method, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.headers, refusal.read()


def read(address, path):
    code, _, body = ask(address, path)
    assert code == 200, body
    return json.loads(body)


@pytest.mark.parametrize(("ready", "allowed_s"), [(True, STALLED_S), (False, STARTING_S)])
def test_health_follows_the_progress_of_the_engine(ready, allowed_s):
    age_s = allowed_s - 20
    with serving(lambda: status(time_ns=time.time_ns() - age_s * SECOND_NS, ready=ready)) as address:
        assert ask(address, "/healthz")[0] == 200
        age_s = allowed_s + 1
        code, _, body = ask(address, "/healthz")
        assert code == 503
        assert "no new status from the engine" in json.loads(body)["why"]


def test_readiness_says_what_it_waits_for():
    ready = False
    with serving(lambda: status(time_ns=1, ready=ready, why="" if ready else "compiling")) as address:
        code, _, body = ask(address, "/readyz")
        assert (code, json.loads(body)) == (503, {"ready": False, "why": "compiling"})
        ready = True
        assert ask(address, "/readyz")[0] == 200


def test_one_series_is_told_with_values_fan_past_and_scores(site, told):
    one = read(site, "/api/series/water/inflow?lead=6")
    last = told[-1]
    assert (one["unit"], one["n_seen"], one["leads"]) == ("L/s", last.n_seen, list(LEADS))
    assert [v for v in one["values"]["y"] if v is not None] == [f.y for f in told]
    assert one["fan"]["time_ms"] == [(last.origin_ns + lead * HOUR_NS) / 1e6 for lead in LEADS]
    assert one["fan"]["lower"]["0.95"] == last.lower[1].tolist()
    made = [f for f in told if f.origin_ns + 6 * HOUR_NS <= last.origin_ns and f.yhat[2] == f.yhat[2]]
    assert one["past"]["lead"] == 6
    assert one["past"]["yhat"] == [f.yhat[2] for f in made]
    assert one["past"]["time_ms"] == [(f.origin_ns + 6 * HOUR_NS) / 1e6 for f in made]
    assert one["past"]["upper"]["0.8"] == [f.upper[0, 2] for f in made]
    assert one["scores"]["coverage"]["0.8"] == last.coverage[0].tolist()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"type": "category", "classes": ("heat", "off")}, {"type": "category", "classes": ["heat", "off"]}),
        ({"type": "angle", "unit": "°"}, {"type": "angle", "unit": "°", "turn": 360.0}),
    ],
)
def test_how_values_are_to_be_read_is_told_of_each_series(settings, says, told):
    stream = Stream.model_validate({"name": WATER.name, "topic": WATER.topic} | settings)
    with serving(lambda: status([report(told[-1])], time_ns=1), streams={stream.name: stream}) as address:
        for one in (read(address, "/api/series/water/inflow"), read(address, "/api/series")["series"][0]):
            assert {name: one[name] for name in says} == says


def test_a_gap_interrupts_the_line(site, told):
    values = read(site, "/api/series/water/inflow")["values"]
    gaps = [f.origin_ns for f, after in pairwise(told) if after.origin_ns - f.origin_ns > HOUR_NS]
    assert gaps
    holes = [t for t, y in zip(values["time_ms"], values["y"], strict=True) if y is None]
    assert holes == [(t + HOUR_NS) / 1e6 for t in gaps]


def test_nan_is_sent_as_null(told):
    with serving(lambda: status([report(told[3])], time_ns=1)) as address:
        body = ask(address, "/api/series/water/inflow")[2]
        assert b"NaN" not in body
        assert json.loads(body)["fan"]["yhat"] == [None] * len(LEADS)
        assert json.loads(body)["scores"]["persistence"] == [None] * len(LEADS)


@pytest.mark.parametrize("query", ["", "?lead=7", "?lead=-1", "?lead=x", "?lead=" + "9" * 400, "?lead=%00"])
def test_a_lead_that_is_none_shows_the_first(site, query):
    assert read(site, f"/api/series/water/inflow{query}")["past"]["lead"] == 1


@pytest.mark.parametrize("name", ["a/../b", ".."])
def test_names_that_look_like_paths_are_names(site, name):
    assert read(site, "/api/series/?" + urlencode({"name": name}))["series"] == name
    assert read(site, "/api/series/" + quote(name, safe=""))["series"] == name


def test_a_series_without_a_past_is_told_without_one_and_kept_from_then_on(told):
    history = History(series_max=1)
    history.record(changed(told[-2], series="other"))
    with serving(lambda: status([report(told[-1])], time_ns=1), history) as address:
        one = read(address, "/api/series/water/inflow")
        assert not one["kept"]
        assert "values" not in one and "past" not in one
        assert one["fan"]["yhat"] == told[-1].yhat.tolist()
        history.record(told[-1])
        assert read(address, "/api/series/water/inflow")["values"]["y"] == [told[-1].y]


def test_a_series_of_which_nothing_was_forecast_is_told(site):
    assert read(site, "/api/series/new")["leads"] == []


def test_an_unknown_series_is_not_found(site):
    code, _, body = ask(site, "/api/series/none%20such")
    assert (code, json.loads(body)) == (404, {"error": "no such series"})


def test_thousands_of_series_are_listed_searched_and_paged(told):
    reports = [report(changed(told[-1], series=f"room {at}/Flow")) for at in range(3000)]
    reports.append(report(None, "cellar"))
    now = status(reports, time_ns=1)
    with serving(lambda: now) as address:
        first = read(address, "/api/series")
        assert (first["total"], first["matched"], len(first["series"])) == (3001, 3001, 50)
        assert [one["series"] for one in first["series"][:3]] == ["cellar", "room 0/Flow", "room 1/Flow"]
        assert first["series"][12]["series"] == "room 11/Flow"
        paged = read(address, "/api/series?search=ROOM%201&offset=100&limit=7")
        assert (paged["matched"], len(paged["series"])) == (1111, 7)
        assert len(read(address, "/api/series?limit=99999999")["series"]) == 200
        assert [one["series"] for one in read(address, "/api/series?state=warming")["series"]] == ["cellar"]
        assert read(address, "/api/series?offset=5000")["series"] == []


def test_the_list_summarises_skill_against_the_better_rival(site, told):
    row = next(one for one in read(site, "/api/series")["series"] if one["series"] == "water/inflow")
    last = told[-1]
    better = [min(a, b) for a, b in zip(last.skill_persistence, last.skill_seasonal, strict=True)]
    assert row["skill"] == pytest.approx(sum(better) / len(better))
    assert row["coverage"]["0.95"] == pytest.approx(last.coverage[1].mean())
    assert row["spark"] == [f.y for f in told][-len(row["spark"]) :]


def test_half_a_letter_in_a_name_does_not_end_the_answers(told):
    with serving(lambda: status([report(changed(told[-1], series="half \ud83d"))], time_ns=1)) as address:
        assert read(address, "/api/series")["series"][0]["series"] == "half ?"
        assert read(address, "/api/series/half%20%3F")["series"] == "half ?"


def test_the_status_is_told(site):
    now = read(site, "/api/status")
    assert now["connected"] and now["ready"]
    assert now["states"] == {"active": 3, "warming": 1}
    assert now["discarded"] == {"duplicate": 3, "malformed": 1}


def test_metrics_come_in_the_format_that_is_asked_for(site):
    _, headers, body = ask(site, "/metrics")
    assert headers["content-type"].startswith("text/plain; version=")
    assert b"streamlstm_series 4.0" in body and b"process_resident_memory_bytes" in body
    _, headers, body = ask(site, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_metrics_of_single_series_follow_the_setting(told):
    with serving(lambda: status([report(told[-1])], time_ns=1), series_labels_max=5) as address:
        assert b'streamlstm_per_series_value{series="water/inflow"' in ask(address, "/metrics")[2]


def test_plotly_is_served_from_the_installed_package(site):
    code, headers, body = ask(site, "/plotly.js", accept_encoding="gzip")
    assert (code, headers["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(body).decode() == get_plotlyjs()
    assert ask(site, "/plotly.js")[2].decode() == get_plotlyjs()
    assert ask(site, "/plotly.js", if_none_match=headers["etag"])[0] == 304


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/chart.js", "/icon.svg"])
def test_the_page_is_served_once_per_change(site, path):
    code, headers, body = ask(site, path)
    assert code == 200 and body
    code, again, body = ask(site, path, if_none_match=headers["etag"])
    assert (code, again["etag"], body) == (304, headers["etag"], b"")


@pytest.mark.parametrize("path", ["/", "/api/status", "/metrics", "/healthz", "/nothing", "/plotly.js"])
def test_every_answer_carries_the_strict_headers(site, path):
    _, headers, _ = ask(site, path)
    policy = dict(part.split(maxsplit=1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers.get_all("server") is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/api/series", "/metrics"])
def test_nothing_can_be_changed(site, method, path):
    assert ask(site, path, method)[0] == 405


@pytest.mark.parametrize(
    "path", ["/page.py", "/../status.py", "/%2e%2e/status.py", "/index.html/../../app.py", "/page.js/"]
)
def test_only_the_files_of_the_page_are_served(site, path):
    with closing(http.client.HTTPConnection(site, timeout=10)) as connection:
        connection.request("GET", path)
        assert connection.getresponse().status in (307, 404)


def test_port_0_takes_a_free_one_and_closing_gives_it_back():
    server = serve("127.0.0.1:0", lambda: status(time_ns=1), History())
    host, port = server.address.removeprefix("http://").removesuffix("/").split(":")
    assert (host, int(port) > 0) == ("127.0.0.1", True)
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
    serve(f"{host}:{port}", lambda: status(time_ns=1), History()).close()


def test_closing_does_not_wait_for_peers():
    server = serve("127.0.0.1:0", lambda: status(time_ns=1), History())
    host, port = server.address.removeprefix("http://").removesuffix("/").split(":")
    silent = socket.create_connection((host, int(port)), timeout=5)
    idle = http.client.HTTPConnection(host, int(port), timeout=5)
    idle.request("GET", "/readyz")
    idle.getresponse().read()
    half = socket.create_connection((host, int(port)), timeout=5)
    half.sendall(b"GET / HTTP/1.1\r\nHost:")
    server.close()  # a close that waits for one of them would last until its patience ends
    for peer in (silent, idle.sock, half):
        with peer:
            assert ended(peer)


def ended(peer):
    """Whether the other side ends the connection (an answer may come before)."""
    try:
        while peer.recv(65536):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost:",
        b"GET /readyz HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nfew",
    ],
)
def test_a_peer_that_brings_no_complete_request_is_cut_off(monkeypatch, said):
    monkeypatch.setattr(ours, "PATIENCE_S", 0.2)
    with serving(lambda: status(time_ns=1)) as address:
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as peer:
            peer.sendall(said)
            assert ended(peer)


def test_a_peer_that_drips_is_cut_off(monkeypatch):
    monkeypatch.setattr(ours, "PATIENCE_S", 0.3)
    with serving(lambda: status(time_ns=1)) as address:
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), timeout=0.05) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n")
            for drop in range(1000):
                try:
                    peer.sendall(b"x-%d: y\r\n" % drop)
                    if peer.recv(100) == b"":
                        return
                except TimeoutError:
                    continue
                except OSError:
                    return
    pytest.fail("1000 drops over at least 50 s were listened to")


def test_a_peer_that_does_not_read_its_answer_is_cut_off(monkeypatch):
    monkeypatch.setattr(ours, "PATIENCE_S", 0.5)
    server = serve("127.0.0.1:0", lambda: status(time_ns=1), History())
    host, port = server.address.removeprefix("http://").removesuffix("/").split(":")
    held = server._server.server_state.connections
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect((host, int(port)))
        peer.sendall(b"GET /plotly.js HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: len(held) == 1)
        until(lambda: not held)
    server.close()


@pytest.mark.parametrize(
    "junk",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"x: " + b"y" * 40_000, b"\x00" * 100],
)
def test_junk_is_refused_and_others_are_served(site, junk):
    host, port = site.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(junk + b"\r\n\r\n")
        answer = peer.recv(65536)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    assert ask(site, "/readyz")[0] == 200


def test_a_port_that_is_taken_is_refused_with_what_to_change():
    with serving(lambda: status(time_ns=1)) as address, pytest.raises(HttpError) as refusal:
        serve(address, lambda: status(time_ns=1), History())
    assert f"http.listen = '{address}': another program listens there" in str(refusal.value)
    assert "choose another port" in str(refusal.value)


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("192.0.2.1:0", "not an address of this machine"),
        ("no such host.invalid:80", "need host:port"),
        ("127.0.0.1:99999", "from 0 (takes a free one) to 65535"),
        ("127.0.0.1:-1", "from 0 (takes a free one) to 65535"),
        ("\udcff:80", "need host:port"),
    ],
)
def test_an_address_that_cannot_be_had_is_refused_with_what_to_change(listen, found):
    with pytest.raises(HttpError) as refusal:
        serve(listen, lambda: status(time_ns=1), History())
    assert str(refusal.value).startswith(f"http.listen = {listen!r}: ")
    assert found in str(refusal.value)


def test_ipv6_is_served():
    try:
        server = serve("[::1]:0", lambda: status(time_ns=1), History())
    except HttpError:
        pytest.skip("this machine has no IPv6 loopback")
    try:
        assert server.address.startswith("http://[::1]:")
        assert ask(server.address.removeprefix("http://").removesuffix("/"), "/readyz")[0] == 200
    finally:
        server.close()
