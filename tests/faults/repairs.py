"""Whatever was done to a state's files: `state verify` tells if a daemon refuses them, and once repaired one goes on.

What is whole is kept byte for byte; where nothing but SQLite's own structure was damaged, all is as before.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from streamlstm.daemon.contents import meaning
from streamlstm.daemon.mending import NOTHING, shared_anew, unshared
from streamlstm.events import SECOND_NS, Known
from streamlstm.store.errors import StateRefused, StoreFailed
from streamlstm.store.inspection import Inspection
from streamlstm.store.repair import repair
from streamlstm.store.survey import Survey
from tests.faults import flips
from tests.faults.lives import STREAMS, Life, hurried, state
from tests.faults.outcome import Budget, Outcome

NOW_NS = 1_800_000_000 * SECOND_NS


def run(budget: Budget) -> Outcome:
    """Damage one file of a state, look at it, repair it, and let a daemon's keeper go on."""
    outcome, dice, found = Outcome(), budget.dice("repairs"), Counter[str]()
    with hurried():
        left = flips.left_behind(budget.folder / "whole", budget.seed)
        whole = surveyed(left[1])
        expected = flips.opened(shutil.copytree(left[0], budget.folder / "opened"))
        for cycle in budget.each():
            copy = shutil.copytree(left[cycle % 2], budget.folder / str(cycle))
            sizes = {file.name: file.stat().st_size for file in sorted(copy.iterdir()) if file.stat().st_size}
            largest = max(sizes, key=lambda name: sizes[name])
            name = dice.choice(list(sizes)) if cycle % 8 == 0 else "state.db" if cycle % 3 == 0 else largest
            what = flips.damage(dice, copy / name)
            try:
                outcome.problems += [f"cycle {cycle}: {what}: {one}" for one in _cycle(copy, whole, expected, found)]
            except Exception as error:
                outcome.problems.append(f"cycle {cycle}: {what}: {type(error).__name__}: {error}")
            shutil.rmtree(copy)
            outcome.cycles += 1
    outcome.progress = found["repaired"]
    outcome.figures.update(found)
    return outcome


def surveyed(folder: Path) -> Survey:
    """What `state verify` finds."""
    with Inspection(folder) as inspection:
        found = inspection.survey(meaning)
        found.damages += unshared(found)
        return found


def repaired(folder: Path) -> Survey:
    """What was found, once it is repaired."""
    with Inspection(folder) as inspection:
        found = inspection.survey(meaning)
        found.damages += unshared(found)
        repair(inspection, found, NOTHING, shared_anew(found))
    return found


def go_on(folder: Path) -> dict[str, object]:
    """Let a daemon's keeper live on in it, save all, and die; returns what it knew at first."""
    life = Life(folder)
    before, last, position, swept = state(life.engine), life.store.last, life.keeper.position, life.store.swept
    life.feed([Known(STREAMS[3].name, 0, ("c",), NOW_NS, (NOW_NS,), (1.0,), 0, NOW_NS)])
    assert (life.store.last, life.keeper.position) == (last + 1, position + 1)
    life.keeper.sweep(NOW_NS)
    for second in range(200):
        life.keeper.sweep(NOW_NS + (200 * 3600 + second) * SECOND_NS)
    assert life.store.swept > swept, "the sweep did not come to its end"
    learned = state(life.engine)
    life.kill()
    assert state(life.engine) == learned, "what was saved is not what was known"
    life.store.close()
    return before


def _cycle(copy: Path, whole: Survey, expected: dict[str, object], counts: Counter[str]) -> list[str]:
    try:
        found = surveyed(copy)
    except StateRefused as refused:
        counts["of a version that is not known"] += 1  # the bit was in it
        return [] if "newer" in str(refused) else [f"cannot be looked at: {refused}"]
    tried, is_refused = shutil.copytree(copy, copy.with_name("tried")), False
    try:
        flips.opened(tried)
    except (StateRefused, StoreFailed):
        is_refused = True
    finally:
        shutil.rmtree(tried)
    if not found.damages:
        counts["harmless"] += 1
        return ["a daemon refuses it, and verify finds nothing"] if is_refused else []
    kept = {name: (seen.record, seen.crc) for name, seen in found.series.items()}
    repaired(copy)
    again = surveyed(copy)
    problems = [f"after the repair: {damage}" for damage in again.damages]
    if {name: (seen.record, seen.crc) for name, seen in again.series.items()} != kept or again.last != found.last:
        problems.append("what was whole is not kept")
    before = go_on(copy)
    if all(getattr(found, part) == getattr(whole, part) for part in ("series", "journal", "shared")):
        counts["repaired, as it was"] += 1
        if before != expected:
            problems.append("all was whole, and yet it is another state")
    counts["repaired"] += 1
    counts["series lost or older"] += sum(found.series.get(name) != seen for name, seen in whole.series.items())
    counts["of series"] += len(whole.series)
    counts["inputs lost"] += found.inputs
    counts["of inputs"] += whole.last - whole.pruned
    return problems
