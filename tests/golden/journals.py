"""The short journals in this folder: what is in them, what running them comes to, and making both anew.

`python -m tests.golden.journals` writes what is not there yet: a journal, or what this build comes to. Where arithmetic
has changed it does so only after KERNEL_REVISION has gone up, and then forgets what the others came to.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

from streamlstm.codec.journal import Delivery, entry, from_bytes, to_bytes
from streamlstm.engine import Engine
from streamlstm.events import (
    SECOND_NS,
    Close,
    Discarded,
    Forecast,
    Input,
    Known,
    Observation,
    Output,
    Reason,
    Shed,
    Tick,
)
from streamlstm.golden import digest_of
from streamlstm.kernels import KERNEL_REVISION, fingerprint
from tests.small import STREAM, STREAM_BESIDE

FOLDER = Path(__file__).parent
EXPECTED = FOLDER / "expected.json"
STREAMS = {"plain": STREAM, "beside": STREAM_BESIDE}
HOUR_NS = 3600 * SECOND_NS
BEGIN_NS = 472_222 * HOUR_NS
TOLD = ("yhat", "lower", "upper", "lstm")  # of the newest forecasts, for machines that come to other bits
NAN = float("nan")


def file_of(name: str) -> Path:
    """Where a journal is."""
    return FOLDER / f"{name}.journal"


def run(name: str, body: bytes) -> tuple[Engine, list[Output]]:
    """What an engine says to a journal."""
    engine = Engine([STREAMS[name]], seed=1, max_series=3)
    return engine, engine.feed(from_bytes(body).inputs)


def came_to(name: str, body: bytes) -> tuple[str, dict[str, Any]]:
    """The digest, and the newest forecasts in numbers."""
    engine, outputs = run(name, body)
    newest = {one.series: one for one in outputs if isinstance(one, Forecast)}
    told = {series: {part: getattr(one, part).ravel().tolist() for part in TOLD} for series, one in newest.items()}
    return digest_of(engine, outputs), told


def build() -> dict[str, str]:
    """What must be the same for the same bits; whose sources they are must not matter."""
    return {part: value for part, value in fingerprint().items() if part not in ("revision", "sources")}


def build_name() -> str:
    """A build in one short word, and for a person what it is."""
    own = build()
    digest = blake2b(json.dumps(own, sort_keys=True).encode(), digest_size=4).hexdigest()
    return f"{own['cpu']}, numba {own['numba']}, numpy {own['numpy']}, {own['libc']}: {digest}"


def plain() -> list[Input]:
    """A series with all that may happen to one, another that comes and goes, and the clock."""
    wave, positions, found = _wave(), count(1), list[Input]()

    def reading(series: str, hour: int, value: float) -> None:
        at_ns = BEGIN_NS + hour * HOUR_NS
        found.append(Observation(series, STREAM.name, at_ns, (value,), next(positions), at_ns + 5 * SECOND_NS))

    for hour in range(260):
        if hour in range(180, 184):
            continue
        value = wave(hour)
        reading("a", hour, NAN if hour == 90 else 1e9 if hour == 150 else value)
        if hour == 100:
            reading("a", hour, value)
            reading("a", hour - 3, value)
        if hour in range(40, 120) or hour > 150:
            reading("b", hour, 20 - value)
        if hour % 24 == 23:
            found.append(Tick(BEGIN_NS + hour * HOUR_NS + HOUR_NS // 2))
        if hour in (130, 140):
            found.append(Shed(hour == 130))
        if hour == 125:
            found.append(Close("b"))
        if hour == 200:
            found += [Close("b", forget=True), Discarded("", BEGIN_NS, Reason.MALFORMED)]
    return found


def beside() -> list[Input]:
    """Two series of the same messages, and what is known ahead; for a while it is not."""
    wave, positions, found = _wave(), count(1), list[Input]()
    for hour in range(150):
        at_ns = BEGIN_NS + hour * HOUR_NS
        if hour not in range(100, 110):
            for_ns = at_ns + 5 * HOUR_NS
            outside = float(abs(hour % 10 - 5))
            found.append(Known(STREAM_BESIDE.name, 0, (), at_ns, (for_ns,), (outside,), next(positions)))
        y, a = wave(hour) + abs((hour - 5) % 10 - 5), NAN if hour == 70 else wave(hour + 6)
        found.append(Observation("small/y", STREAM_BESIDE.name, at_ns, (y, a), next(positions)))
        found.append(Observation("small/a", STREAM_BESIDE.name, at_ns, (a, y), next(positions)))
    return found


def made(name: str) -> bytes:
    """A journal, as its file is to be."""
    inputs = {"plain": plain, "beside": beside}[name]()
    return to_bytes(entry(inputs, [Delivery(7, b"digest of a messag")]))


def write() -> None:
    """What is missing here."""
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    if known.get("revision") != KERNEL_REVISION:
        known = {"revision": KERNEL_REVISION, "digests": {}, "forecasts": {}}
    for name in STREAMS:
        if not file_of(name).exists():
            file_of(name).write_bytes(made(name))
        digest, forecasts = came_to(name, file_of(name).read_bytes())
        before = known["digests"].setdefault(name, {}).setdefault(build_name(), digest)
        known["forecasts"].setdefault(name, forecasts)
        if digest != before:
            raise SystemExit(f"{name}: arithmetic has changed: let KERNEL_REVISION go up first")
    EXPECTED.write_text(json.dumps(known, indent=1) + "\n")


def _wave() -> Any:
    """A day's wave with noise: the same numbers to the last bit, whatever the machine."""
    state = [1]

    def value(hour: int) -> float:
        state[0] = state[0] * 48_271 % (2**31 - 1)
        return abs(hour % 24 - 12) + state[0] / 2**31

    return value


if __name__ == "__main__":
    write()
