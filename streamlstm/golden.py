"""A short run that every build can repeat, and the digest of what it comes to.

What is digested are the numbers of every forecast, what else is said, and at the end what was learned. It is not the
exported state: its form may change while nothing is computed otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import numpy as np

from streamlstm.config import Covariate, Stream
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Discarded, Event, Forecast, Input, Known, Observation, Output
from streamlstm.model.arena import INHERITED, row_bytes
from streamlstm.model.several import rows_of

STEP_NS = 3600 * SECOND_NS
BEGIN_NS = 472_222 * STEP_NS  # in November 2023
STEPS = 300
MISSING, SPIKE, GAP, TWICE = 90, 150, range(200, 204), 230  # steps at which that happens
NAME = "golden"
# Of a stream's settings, those that decide what is computed, and how it is compiled.
DECIDING = ("type", "classes", "leads", "levels", "seasons", "calendar", "joint", "holidays", "model")
# Of a forecast's numbers, by name: further ones that come to be published change no digest.
NUMBERS = (
    "yhat", "lstm", "seasonal", "quantiles", "lower", "upper", "weights", "coverage", "absolute_error",
    "skill_persistence", "skill_seasonal", "naive", "anomaly_score", "seen",
)  # fmt: skip


def probe(stream: Stream) -> Stream:
    """A stream with the same model, and with nothing of its own otherwise."""
    plain = Stream(name=NAME, topic=NAME)
    covariates = tuple(
        Covariate.model_construct(
            topic=f"{NAME}/{place}",
            known_ahead=one.known_ahead,
            values=one.values and "values[]",
            hold=one.hold,
            classes=one.classes,
            hashed=one.hashed,
        )
        for place, one in enumerate(stream.covariates)
    )
    values = tuple(f"value{place}" for place in range(len(stream.value)))
    own = {"step": STEP_NS, "value": values, "covariates": covariates, "period": None}
    if stream.type == "angle":
        own["period"] = stream.turn
    return plain.model_copy(update=own | {name: getattr(stream, name) for name in DECIDING})


def settings(stream: Stream) -> str:
    """As text, what the run of a stream's model depends on: of two that are the same, the runs are."""
    return probe(stream).model_dump_json(exclude_defaults=True, warnings=False)


def smallest_first(streams: Iterable[Stream]) -> list[Stream]:
    """By what a series takes of memory, and so about by how long its run takes."""
    return sorted(streams, key=lambda stream: rows_of(stream) * row_bytes(stream, STEP_NS))


def digest(stream: Stream) -> str:
    """What the run of a stream's model comes to. Its kernels are compiled for it, if they are not yet."""
    engine = Engine([probe(stream)], seed=1, max_series=1)
    return digest_of(engine, engine.feed(inputs(probe(stream))))


def inputs(stream: Stream) -> list[Input]:
    """Observations with a value missing, one beyond belief, a gap and one that comes twice; covariates beside them."""
    found = list[Input]()
    noise = 1
    for step in range(STEPS):
        noise = noise * 48_271 % (2**31 - 1)
        if step in GAP:
            continue
        time_ns = BEGIN_NS + step * STEP_NS
        wave = abs(step % 24 - 12) + noise / 2**31  # exact, whatever the machine
        for place, one in enumerate(stream.covariates):
            for_ns = time_ns + 8 * STEP_NS if one.known_ahead else time_ns
            found.append(Known(NAME, place, (), time_ns, (for_ns,), (float(step // 12 % 2),)))
        own = float("nan") if step == MISSING else _valued(stream, step, wave)
        values = (own, *[wave + place for place in range(1, len(stream.value))])
        found += [Observation(NAME, NAME, time_ns, values, len(found))] * (2 if step == TWICE else 1)
    return found


def digest_of(engine: Engine, outputs: Sequence[Output]) -> str:
    """SHA-256 of what an engine has said, and of what its open series have learned."""
    found = sha256()
    for one in outputs:
        found.update(_said(one).encode())
        if isinstance(one, Forecast):
            for name in NUMBERS:
                found.update(one.numbers[one.frame.parts[name]].tobytes())
    for series in engine.series():
        if learned := engine.learner(series):
            learner, slot = learned
            for row in range(learner.rows_a_series):
                record = learner.rows.record(slot + row)
                for name in INHERITED:
                    found.update(np.ascontiguousarray(record[name]).tobytes())
    return found.hexdigest()


def _said(one: Output) -> str:
    """What an output is, but for its wording."""
    match one:
        case Forecast():
            return f"{one.series} {one.origin_ns} {one.state}"
        case Discarded():
            return f"{one.series} {one.time_ns} {one.reason}"
        case Event():
            return f"{one.series} {one.time_ns} {one.kind} {one.begins} {one.strength!r}"
    return f"{one.series} {type(one).__name__}"


def _valued(stream: Stream, step: int, wave: float) -> float:
    """A value of the stream's type."""
    match stream.type:
        case "boolean":
            return float(wave > 6)
        case "category":
            return float(int(wave) % len(stream.classes))
        case "count":
            return float(int(wave))
        case "counter":
            return 1000.0 * step + wave
        case "number" if step == SPIKE:
            return 1e9
    return wave
