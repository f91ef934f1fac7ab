"""What Prometheus' own tool says of our metrics, in both formats and with and without single series."""

from __future__ import annotations

import gzip
import subprocess
from urllib.request import Request, urlopen

import pytest

from streamlstm.daemon.history import History
from streamlstm.daemon.http import serve
from tests.daemon.watched import forecasts, report, status, water
from tests.system.servers import need

pytestmark = pytest.mark.system
NOW_NS = 1_700_000_000_000_000_000


@pytest.mark.parametrize("series_labels_max", [0, 10])
@pytest.mark.parametrize("rows", [0, 10, 200])
def test_promtool_finds_nothing_wrong(rows, series_labels_max):
    promtool = need("promtool")
    told = [report(forecasts(water()[:rows])[-1])] if rows else []
    server = serve("127.0.0.1:0", lambda: status(told, time_ns=NOW_NS), History(), series_labels_max=series_labels_max)
    try:
        with urlopen(server.address + "metrics", timeout=10) as answer:
            shown = answer.read()
    finally:
        server.close()
    assert (b"streamlstm_skill_ratio{" in shown) == (rows == 200)
    checked = subprocess.run([promtool, "check", "metrics"], input=shown, capture_output=True, timeout=30, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_promtool_objects_to_what_is_wrong():
    checked = subprocess.run(
        [need("promtool"), "check", "metrics"],
        input=b"bad_total_name 1\n",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert checked.returncode != 0


def test_a_compressed_scrape_is_the_same_scrape():
    told = [report(forecasts(water()[:200])[-1])]
    server = serve("127.0.0.1:0", lambda: status(told, time_ns=NOW_NS), History())
    try:
        with urlopen(server.address + "metrics", timeout=10) as answer:
            plain = answer.read()
        with urlopen(Request(server.address + "metrics", headers={"accept-encoding": "gzip"}), timeout=10) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            packed = answer.read()
    finally:
        server.close()
    assert len(packed) < len(plain) / 2
    assert ours(gzip.decompress(packed)) == ours(plain)


def ours(scrape: bytes) -> list[bytes]:
    """The lines of our own metrics; those of the process move."""
    return [line for line in scrape.splitlines() if line.startswith(b"streamlstm_")]
