"""Whoever is not the broker we asked for is refused, with the reason in words; and whoever is, is not.

Each row of the table is a real mosquitto with a certificate of its own, made on the spot, and our link to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streamlstm.daemon.backoff import Backoff
from streamlstm.daemon.link import Link
from streamlstm.sections import Mqtt
from tests.faults.outcome import Budget, Outcome
from tests.system.servers import Certificates, Mosquitto, until

CERTIFICATE = "shows a certificate that is not accepted: "
# what is wrong: how the server is made, how the URL is changed, and what must be said
TABLE: dict[str, tuple[dict[str, Any] | None, tuple[str, str], str]] = {
    "wrong name": ({"name": "elsewhere"}, ("", ""), f"{CERTIFICATE}Hostname mismatch"),
    "common name only": ({"common_name_only": True}, ("", ""), f"{CERTIFICATE}Hostname mismatch"),
    "expired": ({"expired": True}, ("", ""), f"{CERTIFICATE}certificate has expired"),
    "other CA": ({"by_other": True}, ("", ""), f"{CERTIFICATE}unable to get local issuer certificate"),
    "self-signed": ({"self_signed": True}, ("", ""), f"{CERTIFICATE}self-signed certificate"),
    "plain client, TLS port": ({}, ("mqtts:", "mqtt:"), "does the port want TLS (mqtts://)?"),
    "TLS client, plain port": (None, ("mqtt:", "mqtts:"), "does this port speak it?"),
}


def run(budget: Budget) -> Outcome:
    outcome = Outcome()
    certificates = Certificates(budget.folder)
    refused: set[str] = set()
    said: dict[str, str] = {}
    for cycle in budget.each():
        try:
            _accepted(certificates, budget.folder / f"{cycle}")
            for at, what in enumerate(TABLE):
                said[what] = _refused(what, certificates, budget.folder / f"{cycle}-{at}")
                refused.add(what)
                outcome.progress += 1
        except (AssertionError, pytest.fail.Exception) as error:
            outcome.problems.append(str(error))
            break
        finally:
            outcome.cycles += 1
    outcome.figures = {"refused": f"{len(refused)} of {len(TABLE)}", "said": said}
    return outcome


def _refused(what: str, certificates: Certificates, folder: Path) -> str:
    """What is said of it, after several attempts."""
    faults, (ours, instead), reason = TABLE[what]
    with _broker(folder, None if faults is None else certificates.server(**faults)) as server:
        url = server.url.replace(ours, instead) if ours else server.url
        with _linked(url, certificates.ca) as link:
            until(lambda: reason in link.connection.why)
            before = len(server.log())
            until(lambda: len(server.log()) > before)  # another attempt, to the same end
            connection = link.connection
    assert " as us " not in server.log(), f"{what}: the broker took us in"
    assert connection.reconnects == 0 and not connection.connected, f"{what}: we took it for ours: {connection}"
    return connection.why


def _accepted(certificates: Certificates, folder: Path) -> None:
    """The control: with nothing wrong, we are connected and messages come."""
    with _broker(folder, certificates.server()) as server, _linked(server.url, certificates.ca) as link:
        until(lambda: link.take(0, 0.0) or not link.connection.why)


@contextmanager
def _broker(folder: Path, tls: tuple[Path, Path] | None) -> Iterator[Mosquitto]:
    folder.mkdir()
    with Mosquitto(folder, tls=tls, settings="log_type all") as server:
        yield server


@contextmanager
def _linked(url: str, ca: Path) -> Iterator[Link]:
    given: dict[str, Any] = {"url": url, "client_id": "us", "keepalive": "2s"}
    if url.startswith("mqtts"):
        given["ca_file"] = ca
    link = Link(Mqtt.model_validate(given), ["in/#"], backoff=lambda: Backoff(0.1, 0.5, 1.0))
    link.start()
    try:
        yield link
    finally:
        link.stop()
