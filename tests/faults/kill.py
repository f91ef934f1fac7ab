"""kill -9 under load: a daemon that dies at random moments, again and again, while the broker has more for it."""

from __future__ import annotations

import signal

from tests.faults.nursery import Nursery
from tests.faults.outcome import Budget, Outcome
from tests.faults.under_load import Load, broken


def run(budget: Budget, faults: tuple[str, ...] = ()) -> Outcome:
    """Kill it in each cycle."""
    return broken(budget, "kill", budget.folder / "state", _killed, faults)


def _killed(nursery: Nursery, _: Load) -> str:
    code = nursery.end(signal.SIGKILL)
    return "" if code == -signal.SIGKILL else f"it had ended by itself with {code}"
