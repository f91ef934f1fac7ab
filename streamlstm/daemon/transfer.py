"""Series out of a state and into another one, by way of an engine that is where the journal ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from streamlstm.config import Config
from streamlstm.daemon.contents import About, meaning, unfit
from streamlstm.daemon.keeper import Keeper
from streamlstm.daemon.mending import NOTHING
from streamlstm.daemon.recovery import recover
from streamlstm.engine import Engine
from streamlstm.events import Close
from streamlstm.living import Standing
from streamlstm.store import portable
from streamlstm.store.errors import Unsuitable
from streamlstm.store.portable import Carried
from streamlstm.store.records import Saved
from streamlstm.store.store import Store


def export(directory: Path, engine: Engine, file: Path, names: Sequence[str]) -> tuple[int, dict[str, str]]:
    """Write these series, or all, as of the journal's end; returns how many, and which do not fit, and why."""
    store = Store(directory)
    try:
        lost = recover(store, engine).lost
    finally:
        store.close()
    there = engine.series()
    for name in names:
        if name in lost:
            raise Unsuitable(f"series {name!r}: {lost[name]}; need the configuration that it was learned with")
        if name not in there:
            raise Unsuitable(f"series {name!r}: not in this state; see `streamlstm state list`")
    wanted = sorted(set(names) or there)
    return portable.write(file, (_carried(engine, name) for name in wanted)), lost


def adopt(directory: Path, engine: Engine, config: Config, file: Path, *, replace: bool) -> tuple[int, list[str]]:
    """Take the series of a file into a state; returns how many, and which of them were replaced.

    They are as of an input that the journal counts for them, and all others are saved with them: so each input is in
    each series once. Until all is known to fit, nothing is written.
    """
    keeper, patience_s = Keeper(engine, store := Store(directory)), 0.0
    try:
        keeper.recover(lambda _: None, config.streams)
        there, replaced, count = {*engine.series()}, list[str](), 0
        for one in portable.read(file):
            if one.name in there:
                if not replace:
                    raise Unsuitable(f"series {one.name!r}: in this state already; --replace puts the file's there")
                replaced.append(one.name)
                engine.feed([Close(one.name, forget=True)])
            of = _settled(engine, config, one, f"{file}: series {one.name!r}")
            keeper.position = max(keeper.position, of.position)
            count += 1
        _refuse_too_many(engine, config, file)
        store.append(1, NOTHING)
        patience_s = math.inf
    finally:
        keeper.close(patience_s)
    return count, replaced


def _carried(engine: Engine, name: str) -> Carried:
    standing, body = engine.export(name)
    return Carried(name, standing.value, body)


def _settled(engine: Engine, config: Config, one: Carried, where: str) -> About:
    try:
        of = meaning(Saved(one.name, one.standing, 0, one.body))
        assert isinstance(of, About), "of a series"
        if of.stream not in {stream.name for stream in config.streams}:
            raise ValueError(f"its stream {of.stream!r} is not in the configuration")
        if of.members[0] != one.name:
            raise ValueError(f"it is of {of.members[0]!r}")
        if one.standing == Standing.OPEN:
            engine.enter(one.name, of.stream)
        elif why := unfit(one.body, config.resolved):
            raise ValueError(why)
        engine.restore(one.name, Standing(one.standing), one.body)
    except ValueError as error:
        raise Unsuitable(f"{where}: {error}; need the configuration that it was learned with") from error
    return of


def _refuse_too_many(engine: Engine, config: Config, file: Path) -> None:
    """The limits hold for those that come in, too."""
    report, limits = engine.report(), config.limits
    if len(report.series) > limits.max_series:
        raise Unsuitable(
            f"{file}: {len(report.series)} open series with those: limits.max_series = {limits.max_series}"
        )
    if report.memory_bytes > limits.memory:
        raise Unsuitable(f"{file}: {report.memory_bytes} bytes with those: limits.memory = {limits.memory}")
