"""Taking learning back: a replay from an older state of all series, without the observations that are not to count.

All else is as it was: what the clock said, which series ended, covariates, what was refused, which messages are known.
Nothing is written until the replay is through, and then all of it at once.

An entry of nothing stands in the journal for inputs that a repair did not find, and for series that came by an import:
what is older than that cannot be begun from, since a replay would not have them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from streamlstm.codec.encode import rfc3339
from streamlstm.codec.journal import from_bytes
from streamlstm.config import Stream
from streamlstm.daemon.builds import judged, newest, record
from streamlstm.daemon.contents import unfit
from streamlstm.daemon.earlier import Earlier
from streamlstm.daemon.mending import NOTHING
from streamlstm.daemon.recovery import COMMONS, HEAD, ORIGIN, Head, Origin, Recovered, Undone, recover, undone
from streamlstm.daemon.redelivery import Redelivery
from streamlstm.engine import Engine
from streamlstm.events import BEGINNING, Observation
from streamlstm.living import Family, Standing, unpacked
from streamlstm.shelf import Kept
from streamlstm.store.errors import StateRefused, Unsuitable
from streamlstm.store.generation import UNDONE
from streamlstm.store.records import Saved, Shared
from streamlstm.store.store import Store


class Plan(NamedTuple):
    """What is to be taken back, and from where the rest is learned once more."""

    span: Undone
    observations: dict[str, int]  # by series
    first: int  # index of an entry that is before none of them
    source: Earlier
    inputs: int  # behind it


def planned(store: Store, since_ns: int, until_ns: int, series: Sequence[str]) -> Plan:
    """Unsuitable where there is nothing to take back, or nothing old enough to begin from."""
    span = Undone(store.last, since_ns, until_ns, list(series))
    hole = 0
    taken, found, first, times_ns = undone(store), Counter[str](), 0, (2**63, BEGINNING)
    for batch in store.batches(store.pruned):
        try:
            inputs = from_bytes(batch.body).inputs
            hole = batch.last if batch.body == NOTHING else hole
        except ValueError as error:
            raise StateRefused(f"{store.path}: journal, inputs from {batch.first}: {error}") from error
        before = [one for one in taken if batch.first <= one.upto]
        for item in inputs:
            if isinstance(item, Observation):
                times_ns = min(times_ns[0], item.time_ns), max(times_ns[1], item.time_ns)
                if span.covers(item) and not any(one.covers(item) for one in before):
                    found[item.series] += 1
                    first = first or batch.first
    if not found:
        there = "has none" if times_ns[0] > times_ns[1] else "has " + " to ".join(map(rfc3339, times_ns))
        raise Unsuitable(f"{store.path}: the journal has no observation of these series and this time; it {there}")
    source = _source(store, first, hole, span)
    return Plan(span, dict(sorted(found.items())), first, source, store.last - source.swept)


def undo(store: Store, engine: Engine, streams: Sequence[Stream], plan: Plan) -> Recovered:
    """Do it. Unsuitable, and nothing is changed, where a series does not fit the configuration."""
    found = recover(plan.source, engine, without=[plan.span])
    lost = found.lost | _unfit(plan.source, streams)
    if lost:
        said = "; ".join(f"series {name!r}: {why}" for name, why in sorted(lost.items()))
        raise Unsuitable(f"{store.path}: {said}; need the configuration that they were learned with")
    known, last = Redelivery(), store.last
    known.remember(found.deliveries)
    origin = Origin(known.export(), engine.sheds, time.time_ns())
    spans = [one for one in undone(store) if one.upto == last] + [plan.span]
    store.begin_again(
        _series(engine, last),
        Shared(HEAD, last, msgspec.msgpack.encode(Head(found.position, engine.counts()))),
        [
            Shared(ORIGIN, last, msgspec.msgpack.encode(origin)),
            *[Shared(f"{COMMONS}{name}", last, body) for name, body in engine.commons().items()],
            Shared(UNDONE, last, msgspec.msgpack.encode(spans)),
            record(judged(newest(store), streams, 0).build, last),
        ],
        [at for at, one in store.generations().items() if one.ends < plan.first],
    )
    return found


def _source(store: Store, first: int, hole: int, span: Undone) -> Earlier:
    """The newest state that is older than what is to be taken back, and behind a hole of the journal."""
    generations = [Earlier(store, at) for at in [*([] if store.pruned else [0]), *store.generations()]]
    older = [one for one in generations if one.ends < first and one.swept >= hole]
    if not older:
        there = ", ".join(rfc3339(one.head.time_ns) for one in generations if one.head) or "none"
        text = f"no state of before these observations is kept that the rest could be learned from (kept: {there}"
        text += f"; a repair or an import at input {hole})" if hole else ")"
        raise Unsuitable(f"{store.path}: {text}; need `state.undo` to reach so far back, and to have been set then")
    if older[-1].swept == store.pruned and (learned := _reached(older[-1], span)):
        raise Unsuitable(
            f"{store.path}: the oldest state that is kept has learned of this time already ({', '.join(learned)}); "
            f"need a time behind {rfc3339(max(learned.values()))} for these series"
        )
    return older[-1]


def _reached(source: Earlier, span: Undone) -> dict[str, int]:
    """Series with observations at or behind its beginning that are in a state already: the newest of each."""
    found = dict[str, int]()
    for name, standing, _ in source.saved():
        if span.names(name) and (newest_ns := _newest_ns(source.series(name), standing)) >= span.since_ns:
            found[name] = newest_ns
    return found


def _newest_ns(saved: Saved, standing: str) -> int:
    """Event time of the newest observation that a series has taken."""
    if standing == Standing.OPEN:
        family: Family = unpacked(Family, saved.body)
        order = family.members[0].order
        return max(order.newest_ns, order.released_ns)
    if standing == Standing.CLOSED:
        kept: Kept = unpacked(Kept, saved.body)
        return kept.released_ns
    return BEGINNING


def _unfit(source: Earlier, streams: Sequence[Stream]) -> dict[str, str]:
    closed = [name for name, standing, _ in source.saved() if standing == Standing.CLOSED]
    found = {name: unfit(source.series(name).body, streams) for name in closed}
    return {name: why for name, why in found.items() if why}


def _series(engine: Engine, at: int) -> Iterator[Saved]:
    for name in engine.series():
        standing, body = engine.export(name)
        yield Saved(name, standing.value, at, body)
