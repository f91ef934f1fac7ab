"""The broker killed, restarted, robbed of our session; other clients with our id: and every message learned once.

What the broker lost is not ours to answer for. Its own log tells: a message that it sent to us and that we acknowledged
is ours. One that we did not acknowledge it owes us for as long as it keeps our session; so where the session survives,
nothing may be missing at all.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

from tests.faults.ledger import Name
from tests.faults.outcome import Budget, Outcome
from tests.faults.scene import ALLOWED_S, BUSY_S, FAILURES, Scene, figures, scene
from tests.faults.subject import CLIENT_ID
from tests.system.servers import Client

ERA = 35  # cycles with one daemon and one version of the protocol
# what is done, and whether the broker still has our session and all messages afterwards
KINDS = {
    "killed": True,
    "killed under load": False,
    "restarted under load": True,
    "killed and the session gone": False,
    "thrown out, the session gone": False,
    "taken over once": False,
    "taken over for a while": False,
}


def run(budget: Budget, faults: tuple[str, ...] = ()) -> Outcome:
    outcome, dice = Outcome(), budget.dice("broker")
    back_s: list[float] = []
    done, lost = Counter[str](), Counter[str]()
    for cycles in _eras(budget):
        version = ("5", "3.1.1")[outcome.cycles // ERA % 2]
        try:
            with scene(budget.folder / f"from-{outcome.cycles}", version, faults=faults) as made:
                for cycle in cycles:
                    kind = list(KINDS)[cycle % len(KINDS)]
                    outcome.cycles += 1
                    back_s.append(_cycle(made, kind, dice))
                    done[kind] += 1
                    lost[kind] += made.lost
                    if made.problems:
                        break
                outcome.progress += made.learned
                made.accounts()
                outcome.problems += made.problems
        except FAILURES as error:
            outcome.problems.append(str(error))
        if outcome.problems:
            last = outcome.cycles - 1
            at = f"MQTT {version}, cycle {last}, {list(KINDS)[last % len(KINDS)]}" if outcome.cycles else "at the start"
            outcome.problems = [f"{at}: {each}" for each in outcome.problems]
            break
    outcome.figures = {
        "cycles_of": dict(done),
        "lost_by_the_broker_itself": {kind: n for kind, n in lost.items() if n},
        "back_s": figures(back_s),
    }
    return outcome


def _eras(budget: Budget) -> Iterator[Iterator[int]]:
    """The cycles in pieces, one for each daemon."""
    cycles = budget.each()
    for first in cycles:
        yield chain([first], islice(cycles, ERA - 1))


def _cycle(made: Scene, kind: str, dice: random.Random) -> float:
    """One fault, and all that was published before, meanwhile and after it accounted for. Returns in how many seconds
    the daemon was back."""
    names = made.begin(dice)
    _break(made, kind, dice, names)
    over_s = time.monotonic()
    made.until("we are connected and subscribed again", lambda: made.wire.stands, ALLOWED_S + BUSY_S)
    back_s = time.monotonic() - over_s
    names += made.ledger.publish(5)
    made.release()
    made.settle(names, keeps=KINDS[kind])
    return back_s


def _break(made: Scene, kind: str, dice: random.Random, names: list[Name]) -> None:
    """Returns when the fault is over."""
    if kind.startswith(("thrown out", "taken over")):
        with Client(made.server.url, client_id=CLIENT_ID, persistent=kind.startswith("taken over")):
            names += made.ledger.publish(5)
            made.wait(dice.uniform(1.5, 4.0) if kind == "taken over for a while" else 0.0)
        return
    if kind == "killed":
        made.until("the broker has all messages", made.ledger.is_published)
        made.server.saved()
    if kind == "restarted under load":
        made.server.stop()
    else:
        made.server.kill9()
    if kind == "killed and the session gone":
        made.server.forget()
    names += made.ledger.publish(5)
    time.sleep(dice.choice((0.0, dice.uniform(0.0, 2.0))))  # nothing listens meanwhile
    made.server.start()
