"""What passed between the broker and us, by the broker's own word: mosquitto's log, and the rules it must keep to.

mosquitto writes one line a packet where `log_type all` is set, and writes it out at once, so that nothing is missing
from it after a `kill -9`. It does not write payloads; a message is known by its topic and its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from pathlib import Path

SETTINGS = "log_type all"
_LINE = re.compile(
    r"(?P<started>mosquitto version \S+ starting)"
    r"|(?:New client connected from \S+ as (?P<came>\S+) \(p\d, c\d, k(?P<keepalive>\d+))"
    r"|(?:Sending CONNACK to (?P<connack>\S+) \((?P<kept>[01]), (?P<refused>\d+)\))"
    r"|(?:Sending SUBACK to (?P<suback>\S+))"
    r"|(?:Sending PUBLISH to (?P<to>\S+) \(d\d, q(?P<qos>\d), r\d, m(?P<mid>\d+), "
    r"'(?P<topic>.*)', ... \((?P<size>\d+) bytes\)\))"
    r"|(?:Received PUBACK from (?P<by>\S+) \(Mid: (?P<answered>\d+), RC:\d+\))"
)


class Wire:
    """The messages to one client id, and its acknowledgements.

    Others may use the same id for a while; they are known by their keepalive, and what is sent to them is not for us.
    """

    def __init__(self, log: Path, client_id: str, keepalive_s: int, named: Callable[[str, int], Hashable]) -> None:
        self.problems: list[str] = []
        self.sent: dict[Hashable, int] = {}  # to us, how often
        self.acknowledged: set[Hashable] = set()  # by us
        self.outstanding: dict[int, Hashable] = {}  # by mid, in the order of sending, on the connection that stands
        self.acknowledgements = 0
        self.stands = False  # connected and subscribed, as far as a broker can know
        self.sessions_lost = 0
        self._log = log
        self._client_id = client_id
        self._keepalive = str(keepalive_s)
        self._named = named
        self._read = 0
        self._is_us = False
        self._connections = 0

    def follow(self) -> None:
        """Read what is new. Only whole lines."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if found := _LINE.search(line):
                self._take(found)

    def forget(self) -> None:
        """What is settled need not be kept."""
        self.sent.clear()
        self.acknowledged.clear()

    def _take(self, found: re.Match[str]) -> None:
        match found.lastgroup, self._is_us:
            case "started", _:
                self.stands, self.outstanding = False, {}
            case "keepalive", _ if found["came"] == self._client_id:
                self._is_us = found["keepalive"] == self._keepalive
                self._connections += self._is_us
                self.stands, self.outstanding = False, {}
            case "refused", True if found["connack"] == self._client_id:
                self.sessions_lost += found["kept"] == "0" and self._connections > 1
            case "suback", True if found["suback"] == self._client_id:
                self.stands = True
            case "size", True if found["to"] == self._client_id and found["qos"] == "1":
                name = self._named(found["topic"], int(found["size"]))
                self.sent[name] = self.sent.get(name, 0) + 1
                self.outstanding[int(found["mid"])] = name
            case "answered", True if found["by"] == self._client_id:
                self._answer(int(found["answered"]))

    def _answer(self, mid: int) -> None:
        """An acknowledgement must be of the oldest message that this very connection has outstanding."""
        self.acknowledgements += 1
        if mid not in self.outstanding:
            self.problems.append(f"connection {self._connections}: mid {mid} acknowledged, which it does not owe")
            return
        if mid != (oldest := next(iter(self.outstanding))):
            self.problems.append(f"connection {self._connections}: mid {mid} acknowledged before {oldest}")
        self.acknowledged.add(self.outstanding.pop(mid))
