"""What was published, and whether exactly that was learned: by series, event time and `n_seen` of the forecasts."""

from __future__ import annotations

import json
import math
from bisect import insort
from collections import deque
from datetime import datetime

from streamlstm.codec.encode import rfc3339
from streamlstm.events import SECOND_NS
from tests.faults.subject import ROOMS
from tests.system.servers import Client

Name = tuple[str, int]  # room, and which of its observations, from 1

BEGIN_S, MINUTE_S = 1_700_000_000 // 60 * 60, 60
SHORTEST, LENGTHS = 80, 1000  # a message's length tells it from the thousand before it in its series
# Beyond 20 of QoS 2, mosquitto 2.0.11 turns messages away and acknowledges them all the same, since MQTT 3.1.1 has no
# word for a refusal; and paho, after a reconnection, sends more at once than it was told to.
IN_FLIGHT = 12
QOS = {"r0": 1, "r1": 2, "r2": 1, "r3": 2}


class Ledger:
    """The publisher's side and the subscriber's side of one daemon, each with a client that stays."""

    def __init__(self, sensor: Client, reader: Client) -> None:
        self.published = dict.fromkeys(ROOMS, 0)
        self._sensor, self._reader = sensor, reader
        self._waiting: deque[tuple[str, str, int]] = deque()
        self._given: set[int] = set()  # by mid, and what of it the broker has acknowledged
        self._taken: set[int] = set()
        sensor.paho.on_publish = lambda _c, _u, mid, _r, _p: self._taken.add(mid)
        self._seen: dict[str, dict[int, int]] = {room: {} for room in ROOMS}  # which observation: n_seen after it
        self._order: dict[str, list[int]] = {room: [] for room in ROOMS}
        self._checked = dict.fromkeys(ROOMS, 0)
        self._read = 0

    def publish(self, rounds: int) -> list[Name]:
        """So many observations of each room; `offer` hands them to the client, which keeps on until they are taken."""
        names = []
        for _ in range(rounds):
            for at, room in enumerate(ROOMS):
                self.published[room] = n = self.published[room] + 1
                value = round(10 * at + math.sin(n / 7) + math.sin(n * n) / 5, 3)
                text = json.dumps({"time": rfc3339((BEGIN_S + n * MINUTE_S) * SECOND_NS), "v": value})
                self._waiting.append((f"in/{room}", text.ljust(SHORTEST + n % LENGTHS), QOS[room]))
                names.append((room, n))
        self.offer()
        return names

    def offer(self) -> None:
        """To be called often: hands on what is to be published, a few at a time."""
        while self._waiting and len(self._given - self._taken) < IN_FLIGHT:
            # whether there is a connection or not: the client keeps it
            self._given.add(self._sensor.send(*self._waiting.popleft()).mid)

    def is_published(self) -> bool:
        """Whether the broker has acknowledged all of it."""
        if not self._waiting and self._given <= self._taken:
            self._given.clear()
            self._taken.clear()
        return not self._given and not self._waiting

    def named(self, topic: str, size: int) -> Name:
        """Which observation a message of this length is: the newest that has it."""
        room = topic.removeprefix("in/")
        newest = self.published[room]
        return room, newest - (newest - (size - SHORTEST)) % LENGTHS

    def has_answer(self, name: Name) -> bool:
        """Whether a forecast came that was made after this observation."""
        self._follow()
        return name[1] in self._seen[name[0]]

    def check(self, surely: set[Name], perhaps: set[Name], problems: list[str]) -> None:
        """Between each two forecasts of a series exactly what was published must have been learned, each once.

        surely: what we acknowledged. perhaps: what reached us, and was lost with the session before we acknowledged it.
        """
        self._follow()
        for room, order in self._order.items():
            begin = order.index(self._checked[room]) if self._checked[room] in order else 0
            for before, after in zip(order[begin:], order[begin + 1 :], strict=False):
                learned = self._seen[room][after] - self._seen[room][before]
                owed = sum((room, n) in surely for n in range(before + 1, after + 1))
                could = owed + sum((room, n) in perhaps - surely for n in range(before + 1, after + 1))
                if not owed <= learned <= could:
                    problems.append(
                        f"{room}: {learned} learned of observations {before + 1} to {after}, need {owed} to {could}"
                    )
            self._checked[room] = order[-1] if order else 0

    def _follow(self) -> None:
        seen = self._reader.seen
        while self._read < len(seen):
            _, payload, _ = seen[self._read]
            self._read += 1
            told = json.loads(payload)
            room, n = told["series"], _which(told["origin"])
            if n not in self._seen[room]:
                insort(self._order[room], n)
            elif self._seen[room][n] != told["n_seen"]:
                raise AssertionError(
                    f"{room}: observation {n} was counted as {self._seen[room][n]} and {told['n_seen']}"
                )
            self._seen[room][n] = told["n_seen"]


def _which(origin: str) -> int:
    return (int(datetime.fromisoformat(origin).timestamp()) - BEGIN_S) // MINUTE_S
