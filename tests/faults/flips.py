"""Bits flipped, files cut, blocks lost: whatever is done to its files, the state is right or it is refused."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from streamlstm.daemon.recovery import recover
from streamlstm.events import Tick
from streamlstm.store.errors import StateRefused, StoreFailed
from streamlstm.store.store import Store
from tests.faults.lives import Life, engine, hurried, state, things
from tests.faults.outcome import Budget, Outcome

BLOCK = 4096
KINDS = ("a bit flipped", "a bit flipped", "a bit flipped", "cut", "a block of zeros", "a block again")


def run(budget: Budget) -> Outcome:
    """Damage one file of a state that was left as by a kill, and open it."""
    outcome, dice, found = Outcome(), budget.dice("flips"), Counter[str]()
    with hurried():
        left = left_behind(budget.folder / "whole", budget.seed)
        expected = opened(shutil.copytree(left[0], budget.folder / "copy"))
        assert [sum(file.stat().st_size > 0 for file in one.iterdir()) for one in left] == [3, 2], "with a log, without"
        for cycle in budget.each():
            shutil.rmtree(budget.folder / "copy")
            whole = left[cycle % 2]
            copy = shutil.copytree(whole, budget.folder / "copy")
            sizes = {file.name: file.stat().st_size for file in sorted(copy.iterdir()) if file.stat().st_size}
            name = dice.choice(list(sizes)) if cycle % 8 == 0 else max(sizes, key=lambda name: sizes[name])
            what = damage(dice, copy / name)
            try:
                after = opened(copy)
            except (StateRefused, StoreFailed) as refused:
                assert str(copy) in str(refused), f"a refusal that does not say where: {refused}"
                found["refused"] += 1
            else:
                found["harmless" if after == expected else "silent"] += 1
                if after != expected:
                    outcome.problems.append(f"cycle {cycle}: {what} made another state, and nothing was said")
            outcome.cycles += 1
    outcome.progress = found["refused"]
    outcome.figures.update(found)
    return outcome


def left_behind(folder: Path, seed: int) -> tuple[Path, Path]:
    """The files of a life that ended in the middle of a sweep: copied while they were open, and once they were closed.

    So the first has what is newest in the log, the other has no log.
    """
    life = Life(folder / "open")
    for thing in things(random.Random(seed), 700):
        if isinstance(thing, list):
            life.feed(thing)
        elif isinstance(thing, int):
            life.keeper.tick(thing)
            life.keeper.sweep(thing)
    life.keeper.keep([Tick(2_000_000_000 * 10**9)])  # the journal's end is not a snapshot
    left = shutil.copytree(folder / "open", folder / "left")
    life.store.close()
    return left, folder / "open"


def opened(folder: Path) -> dict[str, object]:
    own, store = engine(), Store(folder)
    try:
        recover(store, own)
        return state(own)
    finally:
        store.close()


def damage(dice: random.Random, file: Path, kinds: Sequence[str] = KINDS) -> str:
    """Do something of these kinds to a file; returns what."""
    content = bytearray(file.read_bytes())
    place = dice.randrange(len(content))
    what = dice.choice(kinds)
    match what:
        case "a bit flipped":
            content[place] ^= 1 << dice.randrange(8)
        case "cut":
            del content[place:]
        case "a block of zeros":
            begin = place // BLOCK * BLOCK
            content[begin : begin + BLOCK] = bytes(len(content[begin : begin + BLOCK]))
        case "a block again":  # a write that went to the wrong place
            begin, other = place // BLOCK * BLOCK, dice.randrange(len(content)) // BLOCK * BLOCK
            content[begin : begin + BLOCK] = content[other : other + BLOCK]
    file.write_bytes(content)
    return f"{what} at {place} of {len(content)} in {file.name}"
