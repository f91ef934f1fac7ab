"""What a damaged state can go on with: what its series have in common is known, made anew, or begins anew."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from streamlstm.codec.journal import entry, to_bytes
from streamlstm.daemon.recovery import COMMONS, HEAD, ORIGIN, Head, Origin
from streamlstm.engine import Engine
from streamlstm.living import Commons, Standing, packed, unpacked
from streamlstm.store.generation import APART, BUILD, MANIFEST, UNDONE
from streamlstm.store.ledger import combined
from streamlstm.store.records import Shared, crc
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
    if found.swept and (ORIGIN, found.swept) not in found.shared:
        what = f"deliveries as of input {found.swept} are missing, and whether learning was shed"
        damages.append(Damage(ORIGIN, what))
    return damages


def shared_anew(found: Survey) -> list[Shared]:
    """All that is to be shared in the repaired state."""
    swept, shared = found.swept, [_head(found)]
    shared += [Shared(*key, seen.meaning) for key, seen in found.shared.items() if _is_of_then(*key, found)]
    if not swept:
        return shared  # the journal has the rest, from the beginning on
    origin = found.shared.get((ORIGIN, swept))
    shared.append(Shared(ORIGIN, swept, origin.meaning if origin else msgspec.msgpack.encode(Origin([], False, 0))))
    opened = defaultdict[str, list[str]](list)
    for seen in found.series.values():
        if seen.record.standing == Standing.OPEN:
            opened[seen.meaning.stream] += seen.meaning.members[:1]
    for name, at in found.shared:
        if name.startswith(COMMONS) and at == swept:
            commons: Commons = unpacked(Commons, found.shared[name, at].meaning)
            opened.pop(name.removeprefix(COMMONS), None)
            shared.append(Shared(name, at, packed(commons._replace(opened=_still(commons.opened, found)))))
    of = found.generations.get(swept)
    if of and of.shared == _begins(shared, swept):
        return [*shared, Shared(MANIFEST, swept, found.shared[MANIFEST, swept].meaning)]  # nothing is lost
    for stream, names in sorted(opened.items()):  # lost, or it has no covariates: then it does not matter
        shared.append(Shared(f"{COMMONS}{stream}", swept, packed(Commons(Joined((), (), ()), tuple(names)))))
    return shared


def _is_of_then(name: str, at: int, found: Survey) -> bool:
    """Whether it is of an older generation, or says what was taken back, or who wrote it."""
    return name in (UNDONE, BUILD) or (at in found.generations and at != found.swept and name != HEAD)


def _begins(shared: list[Shared], at: int) -> int:
    """As in a manifest: a generation whose beginning had to be made anew is none any more."""
    return combined(crc(one) for one in shared if one.at == at and one.name not in APART)


def _head(found: Survey) -> Shared:
    """Counts as they were, or from zero; and no position is given out twice, as far as one can know."""
    heads = [at for name, at in found.shared if name == HEAD]
    newest = max([*heads, *[seen.record.at for seen in found.series.values()]], default=found.swept)
    head = Head(0, Engine((), seed=0, max_series=1).counts())
    if heads:
        head = msgspec.msgpack.decode(found.shared[HEAD, max(heads)].meaning, type=Head)
    known = [seen.meaning.position for seen in (*found.journal.values(), *found.series.values())]
    position = max([head.position, *known]) + found.inputs
    return Shared(HEAD, newest, msgspec.msgpack.encode(Head(position, head.counts)))


def _still(opened: tuple[str, ...], found: Survey) -> tuple[str, ...]:
    """Series whose covariates are kept, less those that are lost."""
    return tuple(name for name in opened if name in found.series)
