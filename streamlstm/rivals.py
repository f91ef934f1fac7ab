"""Forecasters to be compared with: the seasonal naive one, and river's HoltWinters and SNARIMAX."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite, nan, sqrt
from typing import Any, Protocol

import numpy as np

from streamlstm.events import Floats

BRIDGED = 1_000  # missed steps that a rival walks over; a longer hole leaves its season out of phase


class Rival(Protocol):
    """Learns one observation at a time, on the grid, and says nothing (NaN) before it can."""

    def learn(self, y: float, missed: int) -> None: ...

    def forecast(self, leads: Sequence[int]) -> list[float]: ...


class SeasonalNaive:
    """What was seen one period before; where that was missed, what stood in its place then."""

    def __init__(self, period: int) -> None:
        self.period = period
        self._seen: deque[float] = deque(maxlen=period)

    def learn(self, y: float, missed: int) -> None:
        for _ in range(min(missed, 2 * self.period)):
            self._seen.append(self._before(1))
        self._seen.append(y if isfinite(y) else self._before(1))

    def forecast(self, leads: Sequence[int]) -> list[float]:
        return [self._before(lead) for lead in leads]

    def _before(self, lead: int) -> float:
        return self._seen[(lead - 1) % self.period] if len(self._seen) == self.period else nan


class River:
    """A forecaster of river on its own terms: a missed step is learned as it was forecast, which keeps the season."""

    def __init__(self, model: Any, after: int) -> None:
        self.model = model
        self.after = after  # observations before it is asked
        self._learned = 0

    def learn(self, y: float, missed: int) -> None:
        for _ in range(min(missed, BRIDGED)):
            self._fill()
        if isfinite(y):
            self._learned += 1
            self.model.learn_one(y)
        else:
            self._fill()

    def forecast(self, leads: Sequence[int]) -> list[float]:
        if self._learned < self.after:
            return [nan] * len(leads)
        path = self._path(max(leads))
        return [path[lead - 1] for lead in leads]

    def _fill(self) -> None:
        if self._learned >= self.after:
            self.model.learn_one(self._path(1)[0])

    def _path(self, horizon: int) -> list[float]:
        """Its forecasts; infinite where they have run away."""
        try:
            path = self.model.forecast(horizon)
        except OverflowError:
            return [inf] * horizon
        return [float(y) if isfinite(y) else inf for y in path]


def holt_winters(period: int) -> Rival:
    """Additive, with the smoothing that did well on half-hourly and hourly series."""
    from river.time_series import HoltWinters

    make: Callable[..., Any] = HoltWinters
    if period < 2:
        return River(make(alpha=0.3, beta=0.01), after=3)
    return River(make(alpha=0.1, beta=0.001, gamma=0.3, seasonality=period), after=period + 1)


def snarimax(period: int) -> Rival:
    """Twelve lags, seasonally differenced; the target is standardised, or the regression runs away."""
    from river.linear_model import LinearRegression
    from river.optim import SGD
    from river.preprocessing import StandardScaler, TargetStandardScaler
    from river.time_series import SNARIMAX

    seasonal = 1 if period >= 2 else 0
    linear: Any = StandardScaler() | LinearRegression(optimizer=SGD(3e-4))
    model = SNARIMAX(p=12, d=0, q=0, m=max(period, 1), sd=seasonal, sp=seasonal, regressor=TargetStandardScaler(linear))
    return River(model, after=max(period, 1) + 12)


RIVER: Mapping[str, Callable[[int], Rival]] = {"holtwinters": holt_winters, "snarimax": snarimax}


def find_period(y: Floats) -> int:
    """Find the period, in steps, at which a series most resembles itself; 0 where none stands out.

    The largest autocorrelation of the differences, from the lag at which it first falls below zero to a third of the
    series. Divided by one number for all lags, so that of a period and its multiples the period wins. It sees the
    whole series: it is for a rival, never for the model.
    """
    known = np.flatnonzero(np.isfinite(y))
    if len(known) < 12:
        return 0
    d = np.diff(np.interp(np.arange(len(y)), known, y[known]))
    d -= d.mean()
    spectrum = np.fft.rfft(d, 2 * len(d))
    r = np.fft.irfft(spectrum * spectrum.conj())[: len(d) // 3]
    below = np.flatnonzero(r < 0)
    if not len(below) or not r[0] > 0:
        return 0
    best = int(below[0] + np.argmax(r[below[0] :]))
    return best if r[best] > max(0.2, 4 / sqrt(len(d))) * r[0] else 0
