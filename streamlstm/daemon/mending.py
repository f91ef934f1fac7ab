"""What a damaged state can go on with: what its series have in common is known, made anew, or begins anew."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from streamlstm.codec.journal import entry, to_bytes
from streamlstm.daemon.recovery import COMMONS, HEAD, ORIGIN, Head, Origin
from streamlstm.engine import Engine
from streamlstm.living import Commons, Standing, packed, unpacked
from streamlstm.store.records import Shared
from streamlstm.store.survey import Damage, Survey
from streamlstm.timeline.join import Joined

NOTHING = to_bytes(entry((), ()))  # stands in the journal for what is missing there


def unshared(found: Survey) -> list[Damage]:
    """What must be there where there are series, and is not."""
    damages = list[Damage]()
    newest = max((seen.record.at for seen in found.series.values()), default=0)
    heads = [at for name, at in found.shared if name == HEAD]
    if found.series and max(heads, default=-1) < newest:
        damages.append(Damage(HEAD, f"the counts as of input {newest} are missing"))
    if found.pruned and (ORIGIN, found.pruned) not in found.shared:
        what = f"deliveries as of input {found.pruned} are missing, and whether learning was shed"
        damages.append(Damage(ORIGIN, what))
    return damages


def shared_anew(found: Survey) -> list[Shared]:
    """All that is to be shared in the repaired state."""
    pruned, shared = found.pruned, [_head(found)]
    if not pruned:
        return shared  # the journal has the rest, from the beginning on
    origin = found.shared.get((ORIGIN, pruned))
    shared.append(Shared(ORIGIN, pruned, origin.meaning if origin else msgspec.msgpack.encode(Origin([], False, 0))))
    opened = defaultdict[str, list[str]](list)
    for seen in found.series.values():
        if seen.record.standing == Standing.OPEN:
            opened[seen.meaning.stream] += seen.meaning.members[:1]
    for name, at in found.shared:
        if name.startswith(COMMONS) and at == pruned:
            commons: Commons = unpacked(Commons, found.shared[name, at].meaning)
            opened.pop(name.removeprefix(COMMONS), None)
            shared.append(Shared(name, at, packed(commons._replace(opened=_still(commons.opened, found)))))
    for stream, names in sorted(opened.items()):  # lost, or it has no covariates: then it does not matter
        shared.append(Shared(f"{COMMONS}{stream}", pruned, packed(Commons(Joined((), (), ()), tuple(names)))))
    return shared


def _head(found: Survey) -> Shared:
    """Counts as they were, or from zero; and no position is given out twice, as far as one can know."""
    heads = [at for name, at in found.shared if name == HEAD]
    newest = max([*heads, *[seen.record.at for seen in found.series.values()]], default=found.pruned)
    head = Head(0, Engine((), seed=0, max_series=1).counts())
    if heads:
        head = msgspec.msgpack.decode(found.shared[HEAD, max(heads)].meaning, type=Head)
    known = [seen.meaning.position for seen in (*found.journal.values(), *found.series.values())]
    position = max([head.position, *known]) + found.inputs
    return Shared(HEAD, newest, msgspec.msgpack.encode(Head(position, head.counts)))


def _still(opened: tuple[str, ...], found: Survey) -> tuple[str, ...]:
    """Series whose covariates are kept, less those that are lost."""
    return tuple(name for name in opened if name in found.series)
