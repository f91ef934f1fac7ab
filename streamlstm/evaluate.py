"""One prequential pass of the production engine over recorded data, beside its rivals. Measures are in `scores`.

Every forecast is issued from what was known at its origin, and scored when the observation it is about arrives.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite, isnan, nan

import numpy as np

from streamlstm.codec.table import Row
from streamlstm.config import Stream
from streamlstm.engine import Engine
from streamlstm.events import Discarded, Forecast, Known, Observation, Reason
from streamlstm.rivals import Rival
from streamlstm.scores import OURS, PERSISTENCE, SEASONAL, Pairs, Score, score
from streamlstm.timeline.gaps import bridge, bridge_event
from streamlstm.timeline.pace import Pace, Rhythm

CHUNK = 256  # rows fed at once; the results do not depend on it

Rivals = Mapping[str, Callable[[], Rival]]


@dataclass(frozen=True, slots=True)
class Result:
    """What one pass over a table gave."""

    rows: int  # of the file
    observations: int  # taken by the engine, of all targets
    discarded: Mapping[str, int]
    held: int  # by the engine to the end: for an earlier one, or for the step to be found
    first_problem: str  # of a row that was discarded; "" where none was
    engine_seconds: float
    levels: tuple[float, ...]
    pairs: Mapping[str, Mapping[int, Pairs]]  # by target and lead
    scores: tuple[Score, ...]

    @property
    def us_per_observation(self) -> float:
        return 1e6 * self.engine_seconds / self.observations if self.observations else nan


def backtest(
    table: Iterable[Row | Discarded],
    stream: Stream,
    targets: Sequence[str],
    *,
    ahead: Sequence[tuple[Sequence[int], Sequence[float]]] = (),
    seed: int,
    clock: Callable[[], float],
    first_row: int = 0,
    rivals: Rivals | None = None,
) -> Result:
    """Feed the rows, whose values are the targets' followed by the covariates', and score what is forecast.

    Each target is a series of its own; the covariates are inputs to each, and of a joint stream the other targets are
    too. `ahead`: times and values of each of the
    stream's covariates that are known ahead, all of them from the beginning on. Forecasts for rows before `first_row`
    are learned from, but not scored. `clock` times the engine alone, kernels compiled.
    """
    streams = {name: stream.model_copy(update={"name": name, "resolutions": ()}) for name in targets}
    engine = Engine(tuple(streams.values()), seed=seed, max_series=len(targets))
    engine.warm_up()
    for name in targets:
        engine.feed(Known(name, n, (), 0, tuple(times), tuple(values)) for n, (times, values) in enumerate(ahead))
    ledgers = {name: _Ledger(own, rivals or {}, first_row) for name, own in streams.items()}
    discarded: Counter[str] = Counter()
    first_problem = ""
    rows = taken = 0
    seconds = 0.0
    for chunk in _chunks(table):
        batch: list[Observation] = []
        for item in chunk:
            rows += 1
            if isinstance(item, Discarded):
                discarded[item.reason] += 1
                first_problem = first_problem or item.detail
                continue
            covariates = item.values[len(targets) :]
            for place, name in enumerate(targets):
                others = item.values[:place] + item.values[place + 1 : len(targets)] if stream.joint else ()
                values = (item.values[place], *others, *covariates)
                if stream.bounds and not (isnan(values[0]) or stream.bounds[0] <= values[0] <= stream.bounds[1]):
                    discarded[Reason.OUT_OF_BOUNDS] += 1
                    continue
                batch.append(Observation(name, name, item.time_ns, values, position=item.number + 1))
        start = clock()
        outputs = engine.feed(batch)
        seconds += clock() - start
        for output in outputs:
            match output:
                case Forecast():
                    taken += 1
                    ledgers[output.series].take(output)
                case Discarded():
                    discarded[output.reason] += 1
    pairs = {name: ledger.pairs() for name, ledger in ledgers.items()}
    scores = tuple(score(name, lead, p, stream.levels) for name, by in pairs.items() for lead, p in by.items())
    held = engine.report().held
    return Result(rows, taken, dict(discarded), held, first_problem, seconds, stream.levels, pairs, scores)


class _Ledger:
    """One target's forecasts that wait for their observation, and the pairs that have met."""

    def __init__(self, stream: Stream, rivals: Rivals, first_row: int) -> None:
        self.stream = stream
        self.first_row = first_row
        self.rivals = {name: make() for name, make in rivals.items()}
        self.pace = Pace(stream.step, in_time=stream.in_time)  # finds what the engine's own finds
        self.early: list[Forecast] = []  # until then
        self.leads: tuple[int, ...] = ()
        self.last_y = nan
        self.last_ns = 0
        self.place = -1  # on the grid; where there is none, the number of the observation
        self.waiting: dict[int, list[tuple[int, int, array[float]]]] = defaultdict(list)  # by place
        self.times: dict[int, array[int]] = defaultdict(lambda: array("q"))  # by lead
        self.numbers: dict[int, array[float]] = defaultdict(lambda: array("d"))  # by lead

    def take(self, forecast: Forecast) -> None:
        """Settle what this observation answers, then keep what is forecast from it."""
        self.early.append(forecast)
        if rhythm := self.pace.feed(forecast.origin_ns):
            for known in self.early:
                self._take(known, rhythm)
            self.early.clear()

    def _take(self, forecast: Forecast, rhythm: Rhythm) -> None:
        self.leads = forecast.leads
        missed = self._advance(forecast.origin_ns, rhythm)
        for lead, origin_ns, numbers in self.waiting.pop(self.place, []):
            if forecast.position > self.first_row and isfinite(forecast.y):
                self.times[lead].extend((origin_ns, forecast.origin_ns))
                self.numbers[lead].append(forecast.y)
                self.numbers[lead].extend(numbers)
        if isfinite(forecast.y):
            self.last_y = forecast.y
        for rival in self.rivals.values():
            rival.learn(forecast.y, missed)
        self._keep(forecast)

    def _advance(self, time_ns: int, rhythm: Rhythm) -> int:
        """Move to the place of this observation; return how many steps were missed before it."""
        if self.place < 0:
            self.place, self.last_ns = 0, time_ns
            return 0
        cross = bridge if rhythm.regular else bridge_event
        missed, lead, _ = cross(self.last_ns, time_ns, rhythm.step_ns, self.stream.gap)
        self.place, self.last_ns = self.place + lead, time_ns
        if missed:
            for place in [p for p in self.waiting if p < self.place]:
                del self.waiting[place]
        return missed

    def _keep(self, forecast: Forecast) -> None:
        paths = [rival.forecast(self.leads) for rival in self.rivals.values()]
        for i, lead in enumerate(self.leads):
            numbers = array("d", (forecast.yhat[i], self.last_y, forecast.seasonal[i], *(path[i] for path in paths)))
            numbers.extend((*forecast.lower[:, i], *forecast.upper[:, i]))
            self.waiting[self.place + lead].append((lead, forecast.origin_ns, numbers))

    def pairs(self) -> dict[int, Pairs]:
        """All that has met, by lead."""
        names = (OURS, PERSISTENCE, SEASONAL, *self.rivals)
        levels = len(self.stream.levels)
        found = {}
        for lead in self.leads:
            times = np.array(self.times[lead], dtype=np.int64).reshape(-1, 2).T
            numbers = np.array(self.numbers[lead]).reshape(-1, 1 + len(names) + 2 * levels).T
            forecasts = dict(zip(names, numbers[1:], strict=False))
            lower, upper = numbers[1 + len(names) :].reshape(2, levels, -1)
            own = self.stream
            turn = own.turn if own.type == "angle" else 0.0
            found[lead] = Pairs(times[0], times[1], numbers[0], forecasts, lower, upper, own.classes, turn)
        return found


def _chunks(table: Iterable[Row | Discarded]) -> Iterator[list[Row | Discarded]]:
    rows = iter(table)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk
