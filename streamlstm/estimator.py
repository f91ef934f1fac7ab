"""The engine as a river forecaster: one series, no daemon. Learning and forecasting are the engine's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import isfinite, nan
from numbers import Real
from typing import Any

import numpy as np
from pydantic import ValidationError
from river.time_series.base import Forecaster

from streamlstm.config import Stream, duration_ns
from streamlstm.distribution import interval
from streamlstm.engine import Engine
from streamlstm.events import SECOND_NS, Floats, Forecast, Observation

HEADS = 24  # leads that are learned; between them the path follows the season


class LSTMForecaster(Forecaster):
    """An LSTM that learns a series online, by truncated backpropagation through time, with calibrated intervals.

    One pass, one observation at a time, the same arithmetic as the daemon's. Up to 24 leads, spaced geometrically
    up to the horizon, have a head of their own; the forecasts between them follow the seasonal profile. Before the
    model can say anything it answers with the last value, and before that with zero.

    The covariates are the numeric entries of the first `x`; what is new later is ignored, and what is absent or
    None is missing. Their future (`xs`) is not made use of. A `y` of None or NaN says that there was no value.

    Observations follow one another at equal steps, unless `learn_one` is given their `time`.

    Parameters
    ----------
    horizon
        The largest number of steps ahead that can be asked for.
    hidden
        Width of the hidden state of each cell; as the preset says if not given.
    truncation
        Steps that the gradient travels back; as the preset says if not given.
    seed
        Of the first weights.
    preset
        "full" forecasts best, "fleet" and "tiny" take less memory and time.
    layers
        LSTM layers, one to three.
    activation
        Of the cell: "tanh" or "relu".
    period
        Up to two seasons, the shorter first: in steps (24), or as durations ("1d"). If not given they are found, and
        with times those of the calendar are tried from the start.
    step
        The spacing as a duration ("30min"). If not given: found from the times, and one second where there are none.
    levels
        The coverage of the intervals that are calibrated.
    learning_rate
        Adam's step, of as many cells as there are numbers; as the preset says if not given.
    memory
        Past steps kept for replay; as the preset says if not given.

    Examples
    --------
    >>> from streamlstm import LSTMForecaster

    >>> model = LSTMForecaster(horizon=5, hidden=4, truncation=8, period=4)
    >>> for y in [10, 20, 30, 20] * 100:
    ...     model.learn_one(y)
    >>> [round(y) for y in model.forecast(5)]
    [10, 20, 30, 20, 10]

    """

    def __init__(
        self,
        horizon: int = 24,
        hidden: int | None = None,
        truncation: int | None = None,
        seed: int = 1,
        preset: str = "full",
        layers: int = 1,
        activation: str = "tanh",
        period: int | str | tuple[int | str, ...] | None = None,
        step: str | None = None,
        levels: tuple[float, ...] = (0.8, 0.95),
        learning_rate: float | tuple[float, ...] | None = None,
        memory: int | None = None,
    ) -> None:
        self.horizon = horizon
        self.hidden = hidden
        self.truncation = truncation
        self.seed = seed
        self.preset = preset
        self.layers = layers
        self.activation = activation
        self.period = period
        self.step = step
        self.levels = levels
        self.learning_rate = learning_rate
        self.memory = memory
        if horizon < 1:
            raise ValueError(f"horizon = {horizon}: need a whole number of steps from 1 on")
        self._stream((), timed=False)  # a wrong setting is refused here, not at the first observation
        self._names: tuple[str, ...] = ()  # of the covariates
        self._engine: Engine | None = None
        self._timed = False  # whether observations come with their times
        self._taken = 0  # observations
        self._last_y = 0.0
        self._newest: Forecast | None = None

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"horizon": 5, "hidden": 4, "truncation": 8}
        yield {"horizon": 5, "hidden": 4, "truncation": 8, "layers": 2, "activation": "relu", "period": 4}

    def learn_one(self, y: float | None, x: dict[Any, Any] | None = None, time: datetime | float | None = None) -> None:
        """Take the next observation.

        Parameters
        ----------
        y
            The value; None or NaN where it is missing.
        x
            Covariates known with it.
        time
            When it was: a datetime (UTC if it names no zone) or seconds since 1970. Give it always or never.

        """
        if self._engine is None:
            self._timed = time is not None
            self._names = _numeric(x or {})
            self._engine = Engine((self._stream(self._names, self._timed),), seed=self.seed, max_series=1)
        if self._timed != (time is not None):
            raise ValueError("time: give it with every observation, or with none")
        self._taken += 1
        at = self._taken * self._step_ns if time is None else _ns(time)
        value = nan if y is None else float(y)
        values = (value, *(_covariate(x, name) for name in self._names))
        for output in self._engine.feed([Observation("y", "y", at, values, position=self._taken)]):
            if isinstance(output, Forecast):
                self._newest = output
        if isfinite(value):
            self._last_y = value

    def forecast(self, horizon: int, xs: Sequence[dict[Any, Any]] | None = None) -> list[float]:
        """Return the forecasts of the next steps. The future covariates `xs` are not made use of."""
        self._check(horizon, xs)
        return self._path(horizon).tolist()

    def forecast_interval(
        self, horizon: int, level: float = 0.8, xs: Sequence[dict[Any, Any]] | None = None
    ) -> list[tuple[float, float]]:
        """Return (lower, upper) for each of the next steps; both the last value before there is an interval.

        Levels that the model was made for are calibrated each by itself, others lie between on its distribution.
        """
        self._check(horizon, xs)
        if not 0 < level < 1:
            raise ValueError(f"level = {level}: need a number between 0 and 1")
        path, newest = self._path(horizon), self._newest
        if newest is None or not np.isfinite(newest.yhat).all():
            return [(y, y) for y in path]
        steps = np.arange(1, horizon + 1)
        low, high = interval(newest, level)
        lower = path - np.interp(steps, newest.leads, newest.yhat - low)
        upper = path + np.interp(steps, newest.leads, high - newest.yhat)
        for at, lead in _heads_within(newest.leads, horizon):  # to the last bit what the engine says
            lower[lead - 1], upper[lead - 1] = low[at], high[at]
        return list(zip(lower.tolist(), upper.tolist(), strict=True))

    def _path(self, horizon: int) -> Floats:
        """From the leads that are learned to every step of the horizon, along the seasonal profile."""
        found = self._engine.learner("y") if self._engine else None
        if found is None or self._newest is None or not np.isfinite(self._newest.yhat).all():
            return np.full(horizon, self._last_y)
        learner, slot = found
        path = learner.path(slot, horizon)
        for at, lead in _heads_within(self._newest.leads, horizon):
            path[lead - 1] = self._newest.yhat[at]
        return path

    def _check(self, horizon: int, xs: Sequence[dict[Any, Any]] | None) -> None:
        if not 1 <= horizon <= self.horizon:
            raise ValueError(f"horizon = {horizon}: this model was made for 1 to {self.horizon} steps")
        if xs is not None and len(xs) != horizon:
            raise ValueError(f"xs has {len(xs)} entries: need one for each of the {horizon} steps")

    def _model(self) -> dict[str, Any]:
        """The settings of the cells; None where the preset decides."""
        return {
            "preset": self.preset,
            "hidden": self.hidden,
            "layers": self.layers,
            "truncation": self.truncation,
            "activation": self.activation,
            "learning_rate": self.learning_rate,
            "memory": self.memory,
        }

    @property
    def _step_ns(self) -> int:
        return SECOND_NS if self.step is None else _duration(self.step)

    def _stream(self, names: Sequence[str], timed: bool) -> Stream:
        """The settings of the engine's one stream."""
        found = timed and self.step is None
        periods = (self.period,) if isinstance(self.period, int | str) else self.period or ()
        if found and any(isinstance(period, int) for period in periods):
            raise ValueError(f"period = {self.period} counts steps: with times, give `step` too, or '1d' as the period")
        try:
            return Stream.model_validate(
                {
                    "name": "y",
                    "topic": "y",
                    "format": "json",
                    "value": ("y", *(f"x{i}" for i in range(len(names)))),
                    "step": "auto" if found else f"{self._step_ns}ns",
                    "seasons": tuple(p if isinstance(p, str) else f"{p * self._step_ns}ns" for p in periods) or None,
                    "calendar": timed or self.step is not None,
                    "leads": heads(self.horizon),
                    "levels": self.levels,
                    "model": {name: value for name, value in self._model().items() if value is not None},
                }
            )
        except ValidationError as error:
            raise ValueError("; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in error.errors())) from error


def heads(horizon: int) -> tuple[int, ...]:
    """The leads that get a head of their own: the first and the last, and geometrically spaced ones between.

    >>> heads(24)
    (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 21, 24)
    """
    return tuple(int(lead) for lead in np.unique(np.geomspace(1, horizon, HEADS).round()))


def _heads_within(leads: Sequence[int], horizon: int) -> Iterator[tuple[int, int]]:
    return ((at, lead) for at, lead in enumerate(leads) if lead <= horizon)


def _numeric(x: dict[Any, Any]) -> tuple[Any, ...]:
    """The names of the entries that are numbers, or may be, sorted."""
    return tuple(sorted((name for name, value in x.items() if value is None or isinstance(value, Real)), key=str))


def _covariate(x: dict[Any, Any] | None, name: Any) -> float:
    value = (x or {}).get(name)
    return float(value) if isinstance(value, Real) else nan


def _ns(time: datetime | float) -> int:
    if isinstance(time, datetime):
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        since = aware - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1_000
    return round(time * SECOND_NS)


def _duration(text: str) -> int:
    found = duration_ns(text)
    assert isinstance(found, int)
    return found
