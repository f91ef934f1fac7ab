"""What a harness tells of a run, and how a run is bounded."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Budget:
    """How much is to be tried: so many cycles, or as many as fit into some seconds, whichever ends first."""

    cycles: int
    seconds: float
    seed: int
    folder: Path  # of one's own, empty, for whatever files are needed

    def dice(self, name: str) -> random.Random:
        """Every choice of a harness comes from here, so that a seed says all of it."""
        return random.Random(f"{self.seed}/{name}")

    def each(self) -> Iterator[int]:
        """The cycles, from 0 on."""
        ends_s = time.monotonic() + self.seconds
        for cycle in range(self.cycles):
            if time.monotonic() >= ends_s:
                return
            yield cycle


@dataclass
class Outcome:
    """What was done and what was found. A harness that did nothing has failed: it must show its progress."""

    cycles: int = 0
    progress: int = 0  # observations, inputs or files that really went through what was broken
    problems: list[str] = field(default_factory=list)  # each with what is needed to see it again
    figures: dict[str, object] = field(default_factory=dict)  # measured beside it, by name with unit

    @property
    def passed(self) -> bool:
        return self.cycles > 0 and self.progress > 0 and not self.problems


Harness = Callable[..., Outcome]  # of a budget, and the names of faults that are to be planted
