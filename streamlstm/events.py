"""The nouns: what comes in from a host, and what the engine answers. Values only; nothing here acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SECOND_NS = 1_000_000_000
BEGINNING = -(2**63)  # before any event time


class Reason(StrEnum):
    """Why a message was not learned from. A closed list: it is the label of a metric."""

    MALFORMED = "malformed"  # not the format that was promised
    NOT_UTF8 = "not_utf8"
    OVERSIZED = "oversized"  # longer than limits.payload
    TOO_DEEP = "too_deep"  # nested beyond what any sensor sends
    DUPLICATE_KEY = "duplicate_key"  # one JSON object names a key twice
    MISSING_FIELD = "missing_field"  # the key path leads nowhere
    WRONG_TYPE = "wrong_type"  # found, but no number and not in the map
    NOT_FINITE = "not_finite"  # an infinity, or too large to compute with
    OUT_OF_BOUNDS = "out_of_bounds"  # outside the stream's physical bounds
    BAD_TIME = "bad_time"  # the time cannot be read
    BEFORE_1970 = "before_1970"
    FUTURE = "future"  # further ahead of its arrival than the stream allows
    LATE = "late"  # behind what has already been learned
    DUPLICATE = "duplicate"  # this series already has a value at this time
    RETAINED = "retained"  # an old message that the broker kept
    UNKNOWN_TOPIC = "unknown_topic"  # matches no stream
    BAD_NAME = "bad_name"  # the topic cannot name a series
    SERIES_LIMIT = "series_limit"  # a new series beyond limits.max_series
    CLOSED = "closed"  # its series was closed before so many had come that its step was known
    PAUSED = "paused"  # somebody has paused its series


class State(StrEnum):
    """How a series stands, as published."""

    WARMING = "warming"  # too few observations to forecast
    ACTIVE = "active"  # the learned forecast is published: cells and plain experts, weighed
    FALLBACK = "fallback"  # at most leads naive forecasts are better, and have most of the weight
    STALE = "stale"  # nothing has come for longer than the stream's gap
    GAP = "gap"  # the newest reading was missing
    QUARANTINED = "quarantined"  # the newest reading is not believed, and not learned from
    FROZEN = "frozen"  # forecast, but not learned, since somebody wants it so
    PAUSED = "paused"  # neither, since somebody wants it so


class Mode(StrEnum):
    """What somebody wants of a series."""

    LEARNS = "learns"
    FROZEN = "frozen"  # forecasts go on, the cells' weights stay as they are
    PAUSED = "paused"  # readings are dropped and counted, nothing is forecast


class Arrival(NamedTuple):
    """One message, as the host received it."""

    topic: str
    payload: bytes
    received_ns: int
    position: int = 0  # the host's sequence number
    retained: bool = False


class Observation(NamedTuple):
    """What one message says of one series. A missing value is NaN."""

    series: str
    stream: str  # the configured stream's name, placeholders and all
    time_ns: int
    values: tuple[float, ...]  # the target first, then the covariates of the same message, in the configuration's order
    position: int = 0
    received_ns: int = 0  # 0: no clock beside the event time, as in recorded data


class Known(NamedTuple):
    """What one message says of one covariate: a value at its time, or values for times to come; NaN is missing."""

    stream: str
    covariate: int  # which of the stream's
    key: tuple[str, ...]  # the values of the placeholders in its topic; (): it is of all the stream's series
    since_ns: int  # when it came to be known: of a value, its own time
    times_ns: tuple[int, ...]  # that the values are for, ascending, each once; of a value, its own time
    values: tuple[float, ...]
    position: int = 0
    received_ns: int = 0
    counts: bool = True  # False: its message says more, and is counted with that


class Discarded(NamedTuple):
    """A message, or an observation, that ends here."""

    series: str  # "" where the message did not get as far as naming one
    time_ns: int
    reason: Reason
    detail: str = ""  # for a person: where, what was found, what is needed


class Tick(NamedTuple):
    """The host's clock, so that what waits can end its waiting."""

    time_ns: int


class Close(NamedTuple):
    """End a series: what it has learned is kept until it is heard again."""

    series: str
    forget: bool = False  # or not kept; of a closed series, what was kept


class Shed(NamedTuple):
    """From here on learning is shed, or is not any more: the host's word that more comes than can be learned.

    An input like any other, so that what was not learned is not learned either when the inputs are gone through again.
    """

    on: bool


class Switch(NamedTuple):
    """What somebody wants of a series from here on."""

    series: str
    mode: Mode


class Opened(NamedTuple):
    """A series was seen for the first time."""

    series: str
    stream: str


class Closed(NamedTuple):
    """A series has ended, and its place is free."""

    series: str
    stream: str


class Changed(NamedTuple):
    """A series' state changed without a forecast."""

    series: str
    state: State


@dataclass(frozen=True, slots=True)
class Frame:
    """What all forecasts of one stream and step have in common, and how their numbers are named. L leads, Q levels."""

    step_ns: int
    leads: tuple[int, ...]  # in steps (L,)
    levels: tuple[float, ...]  # nominal coverage (Q,)
    taus: tuple[float, ...]  # probabilities (T,) of the quantiles
    parts: Mapping[str, slice]  # of the numbers
    sources: tuple[str, ...]  # kinds of experts
    classes: tuple[str, ...] = ()  # (K,) of a category


class Part:
    """Some of a forecast's numbers: a view, (L,) or, in several rows, (Q, L) or (T, L)."""

    def __init__(self, *, in_rows: bool = False) -> None:
        self._in_rows = in_rows

    def __set_name__(self, owner: type[Forecast], name: str) -> None:
        self._name = name

    def __get__(self, forecast: Forecast, owner: type[Forecast]) -> Floats:
        frame = forecast.frame
        found = forecast.numbers[frame.parts[self._name]]
        return found.reshape(-1, len(frame.leads)) if self._in_rows else found


@dataclass(slots=True, eq=False)  # nobody changes one; frozen, each would take longer to make
class Forecast:
    """All that is said of one series after one observation; values in the series' own unit.

    The model's numbers stay in one array and are named when they are read: most are read of few forecasts.
    Where nothing honest can be said yet, `state` is WARMING and the parts of the forecast hold NaN.
    """

    obs: Observation
    frame: Frame
    numbers: Floats
    state: State

    yhat = Part()
    lower = Part(in_rows=True)  # (Q, L)
    upper = Part(in_rows=True)  # (Q, L)
    quantiles = Part(in_rows=True)  # (T, L) the predictive distribution; see `streamlstm.distribution`
    lstm = Part()  # the cells alone
    seasonal = Part()  # the seasonal naive forecast; NaN before a season has been seen
    naive = Part()  # 1 at which leads it is, for the most part, a naive forecast, else 0
    skill_persistence = Part()  # 1 - MAE/MAE(persistence), running; NaN before it is known
    skill_seasonal = Part()  # the same against the seasonal naive
    absolute_error = Part()  # running mean absolute error of what was published
    coverage = Part(in_rows=True)  # (Q, L) share of actuals inside the interval, running
    classes = Part(in_rows=True)  # (K, L) probabilities, of a category alone; its yhat is the place of the likeliest

    @property
    def series(self) -> str:
        return self.obs.series

    @property
    def stream(self) -> str:
        return self.obs.stream

    @property
    def position(self) -> int:
        return self.obs.position

    @property
    def origin_ns(self) -> int:
        return self.obs.time_ns

    @property
    def y(self) -> float:
        """The observation; NaN where it was missing."""
        return self.obs.values[0]

    @property
    def step_ns(self) -> int:
        return self.frame.step_ns

    @property
    def leads(self) -> tuple[int, ...]:
        """In steps (L,)."""
        return self.frame.leads

    @property
    def levels(self) -> tuple[float, ...]:
        """Nominal coverage (Q,)."""
        return self.frame.levels

    @property
    def taus(self) -> tuple[float, ...]:
        """Probabilities (T,) of the quantiles."""
        return self.frame.taus

    @property
    def times_ns(self) -> tuple[int, ...]:
        """When each forecast is for."""
        return tuple(self.origin_ns + lead * self.step_ns for lead in self.leads)

    @property
    def weights(self) -> dict[str, float]:
        """What share each kind of expert has in it, where it has one, mean over the leads; they add up to 1."""
        shares = self.numbers[self.frame.parts["weights"]].tolist()
        return {name: share for name, share in zip(self.frame.sources, shares, strict=True) if share > 0}

    @property
    def anomaly_score(self) -> float:
        """0 to 1 usual, above 1 rare; NaN before it is known."""
        return float(self.numbers[self.frame.parts["anomaly_score"].start])

    @property
    def n_seen(self) -> int:
        """Observations learned from."""
        seen = float(self.numbers[self.frame.parts["seen"].start])
        return int(seen) if seen == seen else 0


class Kind(StrEnum):
    """What can happen to a series. A closed list."""

    FALLBACK = "fallback"  # at most leads naive forecasts have most of the weight
    ANOMALY = "anomaly"  # what came was hardly to be expected
    DRIFT = "drift"  # errors have grown, and stay so; ends when they are as usual, or usual has become larger
    GAP = "gap"  # nothing came for several steps
    QUARANTINE = "quarantine"  # readings that are not believed: far beyond all others, or stuck


class Event(NamedTuple):
    """Something began or ended with an observation; told once."""

    series: str
    stream: str
    time_ns: int
    position: int
    kind: Kind
    begins: bool
    strength: float  # of an anomaly: its digits of surprise over the limit at which it is told; NaN otherwise


Input = Observation | Known | Discarded | Tick | Close | Shed | Switch
Output = Forecast | Discarded | Opened | Closed | Changed | Event
