"""The power goes while nothing has been told to be durable: this must lose something, or `powercut` proves nothing."""

from __future__ import annotations

from tests.faults import powercut
from tests.faults.outcome import Budget, Outcome

SHARE = 0.9  # of the cycles, at least, in which something is lost


def run(budget: Budget, faults: tuple[str, ...] = ("no-sync",)) -> Outcome:
    """A cycle is a state of its own, one power cut, and all that is compared after it."""
    outcome, dice = Outcome(), budget.dice("control")
    for cycle in budget.each():
        folder = budget.folder / str(cycle)
        folder.mkdir()
        found = powercut.run(Budget(1, 60.0, dice.getrandbits(32), folder), faults)
        outcome.cycles += 1
        outcome.progress += bool(found.problems)
    outcome.figures["cycles that lost something"] = outcome.progress
    if outcome.progress < int(SHARE * outcome.cycles):  # of two or three, one may be spared by chance
        outcome.problems.append(f"{outcome.progress} of {outcome.cycles} cycles lost something, need {SHARE:.0%}")
    return outcome
