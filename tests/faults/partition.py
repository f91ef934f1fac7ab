"""A network that swallows packets between us and the broker, both ways or one, for longer or shorter than a keepalive.

The daemon is in a network namespace of its own, and a veth pair leads to the broker. Packets are dropped where they
would be received, without a word to who sent them, so that either side may hold a connection that the other has given
up, or never heard of.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.outcome import Budget, Outcome
from tests.faults.scene import ALLOWED_S, BUSY_S, FAILURES, Scene, figures, scene
from tests.faults.subject import KEEPALIVE_S
from tests.system.servers import need, need_root

WAYS = {"to us": (True, False), "from us": (False, True), "both ways": (True, True)}
KINDS = [
    *WAYS,
    "both ways, the broker restarted meanwhile",  # so we hold a connection that nobody knows
]


def run(budget: Budget) -> Outcome:
    outcome, dice = Outcome(), budget.dice("partition")
    back_s: list[float] = []
    done = Counter[str]()
    said = "at first"
    try:
        with (
            Wires() as wires,
            scene(budget.folder / "scene", "5", host=wires.theirs, ours=wires.ours, within=wires.within) as made,
        ):
            for cycle in budget.each():
                kind = KINDS[cycle % len(KINDS)]
                lasts_s = dice.choice((dice.uniform(0.1, KEEPALIVE_S), dice.uniform(KEEPALIVE_S, 4 * KEEPALIVE_S)))
                said = f"cycle {cycle}, {kind}, for {lasts_s:.2f} s"
                outcome.cycles += 1
                back_s.append(_cycle(made, wires, kind, lasts_s, dice))
                done[f"{kind}, {'shorter' if lasts_s < KEEPALIVE_S else 'longer'} than the keepalive"] += 1
                if made.problems:
                    break
            outcome.progress = made.learned
            made.accounts()
            outcome.problems += made.problems
            outcome.figures["reconnects"] = made.subject.metrics()["streamlstm_mqtt_reconnects_total"]
            outcome.figures["packets_dropped"] = wires.dropped
            if not wires.dropped:
                outcome.problems.append("no packet was dropped: nothing was tested")
    except FAILURES as error:
        outcome.problems.append(str(error))
    outcome.problems = [f"{said}: {each}" for each in outcome.problems]
    outcome.figures |= {"cycles_of": dict(done), "back_s": figures(back_s)}
    return outcome


def _cycle(made: Scene, wires: Wires, kind: str, lasts_s: float, dice: random.Random) -> float:
    """Returns after how many seconds what is published at the end of the partition has reached us, and is learned or,
    where the engine is held, only sent to us."""
    names = made.begin(dice)
    restarts = kind not in WAYS
    with wires.cut(made.port, *WAYS.get(kind, (True, True))):
        ends_s = time.monotonic() + lasts_s
        if restarts:
            made.server.stop()
            made.server.start()
        while time.monotonic() < ends_s:
            names += made.ledger.publish(1)
            made.wait(min(0.25, max(0.0, ends_s - time.monotonic())))
    over_s = time.monotonic()
    probes = made.ledger.publish(1)
    made.release()
    made.until(
        "what is published now has arrived",
        lambda: all(probe in made.wire.acknowledged for probe in probes),
        ALLOWED_S + BUSY_S,
    )
    back_s = time.monotonic() - over_s
    made.settle(names + probes)
    return back_s


class Wires:
    """A network namespace, and the way there."""

    def __init__(self) -> None:
        need_root("ip netns and iptables")
        need("ip")
        self._iptables = need("iptables")
        number = os.getpid()
        self._name, self._here, self._there = f"faults{number}", f"fa{number}", f"fb{number}"
        self.theirs, self.ours = (f"198.18.{number % 256}.{n}" for n in (1, 2))  # a range for tests of networks
        self.within = ("ip", "netns", "exec", self._name)
        self.dropped = 0  # packets

    @contextmanager
    def cut(self, port: int, to_us: bool, from_us: bool) -> Iterator[None]:
        """Drop what the broker's port sends to us, or what we send to it."""
        rules = []
        if to_us:
            rules.append((*self.within, self._iptables, "{}", "INPUT", "-p", "tcp", "--sport", str(port), "-j", "DROP"))
        if from_us:
            rule = ("-i", self._here, "-p", "tcp", "--dport", str(port), "-j", "DROP")
            rules.append((self._iptables, "{}", "INPUT", *rule))
        for rule in rules:
            _run(*(part.format("-A") for part in rule))
        try:
            yield
        finally:
            for prefix in {rule[: rule.index("{}")] for rule in rules}:
                self.dropped += sum(
                    int(line.split()[0])
                    for line in _run(*prefix, "-nvxL", "INPUT").splitlines()
                    if "DROP" in line.split()[2:3]
                )
            for rule in rules:
                _run(*(part.format("-D") for part in rule))

    def __enter__(self) -> Wires:
        _run("ip", "netns", "add", self._name)
        try:
            _run("ip", "link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self._name)
            _run("ip", "addr", "add", f"{self.theirs}/30", "dev", self._here)
            _run("ip", "link", "set", self._here, "up")
            _run(*self.within, "ip", "addr", "add", f"{self.ours}/30", "dev", self._there)
            _run(*self.within, "ip", "link", "set", self._there, "up")
            _run(*self.within, "ip", "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _run("ip", "netns", "del", self._name)  # and with it the pair


def _run(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, f"{' '.join(command)}: {ran.stderr.strip()}"
    return ran.stdout
