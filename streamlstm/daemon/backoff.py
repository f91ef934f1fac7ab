"""How long to wait before the next attempt to connect: doubling, with jitter, and slower where haste cannot help."""

from __future__ import annotations

import random

SLOW = 5  # doublings that a refusal starts from: half a minute


class Backoff:
    """Waits between attempts.

    Only a connection that lasted begins the count anew. paho's own backoff begins anew at every CONNACK, and two
    clients with one id then throw each other out several times a second for ever.
    """

    def __init__(
        self, first_s: float = 1.0, most_s: float = 60.0, lasting_s: float = 10.0, dice: random.Random | None = None
    ) -> None:
        self.lasting_s = lasting_s
        self._first_s = first_s
        self._most_s = most_s
        self._dice = dice or random.Random()
        self._failures = 0
        self._short = 0  # connections in a row that were accepted and ended at once

    @property
    def is_contested(self) -> bool:
        """The broker accepts us and throws us out again and again: so it does when two clients share one id."""
        return self._short >= 3

    def lost(self, lasted_s: float, *, by_rival: bool | None = None) -> float:
        """An accepted connection is gone; whether another client took our session: yes, no, or nobody knows."""
        if lasted_s >= self.lasting_s and not by_rival:
            self._failures = self._short = 0
            return self._wait()
        self._short = 0 if by_rival is False else max(self._short + 1, 3 if by_rival else 0)
        return self.refused() if self.is_contested else self._again()

    def failed(self) -> float:
        """No broker was reached. That is no rival's doing."""
        self._short = 0
        return self._again()

    def refused(self) -> float:
        """The broker said no, and will until somebody changes something."""
        self._failures = max(self._failures, SLOW - 1)
        return self._again()

    def _again(self) -> float:
        self._failures += 1
        return self._wait()

    def _wait(self) -> float:
        doublings = min(self._failures, 32)  # beyond, only the largest wait counts
        return min(self._most_s, self._first_s * 2.0**doublings) * self._dice.uniform(0.5, 1.0)
