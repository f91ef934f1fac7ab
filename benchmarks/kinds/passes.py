"""The engine over one series, in one pass, and which observation each forecast met. N observations, L leads, Q levels.

All rows use as many leads, so that the engine is compiled once for each number of covariates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.kinds.figure import Given
from streamlstm.codec.table import Row
from streamlstm.config import Stream
from streamlstm.engine import Engine
from streamlstm.evaluate import CHUNK
from streamlstm.events import Floats, Forecast, Observation

LEADS = (1, 5, 24, 48)
HOUR_NS = 3_600_000_000_000
BEGIN_NS = 1_577_836_800_000_000_000  # 2020-01-01, a Wednesday: where series made here begin
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Said:
    """What the engine said after each observation, in their order."""

    time_ns: Places  # (N,)
    y: Floats  # (N,) NaN missing
    yhat: Floats  # (N, L)
    lower: Floats  # (N, Q, L)
    upper: Floats  # (N, Q, L)
    quantiles: Floats  # (N, T, L)
    classes: Floats  # (N, K, L) of a category, else (N, 0, L)
    step_ns: int
    leads: tuple[int, ...]  # in steps, as the engine counts them
    taus: tuple[float, ...]

    def met(self, j: int, first: int = 0) -> tuple[Places, Places]:
        """Origins and targets (places in this pass) of the forecasts at the jth lead that met a value on the grid.

        first: the place from which on targets count.
        """
        want = self.time_ns + self.leads[j] * self.step_ns
        at = np.minimum(np.searchsorted(self.time_ns, want), len(want) - 1)
        made = (self.time_ns[at] == want) & np.isfinite(self.yhat[:, j]) & np.isfinite(self.y[at]) & (at >= first)
        return np.flatnonzero(made), at[made]

    def errors(self, j: int) -> Floats:
        """|error| of the forecast *issued* at each observation (N,); NaN where it met nothing."""
        origins, targets = self.met(j)
        out = np.full(len(self.y), np.nan)
        out[origins] = np.abs(self.y[targets] - self.yhat[origins, j])
        return out


def stream(given: Given, inputs: int = 0, **settings: Any) -> Stream:
    """The defaults, the preset, and what a row says."""
    named = {"format": "json", "value": ("y", *(f"x{i}" for i in range(inputs)))} if inputs else {}
    usual = {"name": "kinds", "topic": "kinds", "leads": LEADS, "model": {"preset": given.preset}}
    return Stream.model_validate({**usual, **named, **settings})


def run(
    given: Given, rows: Sequence[Row], own: Stream | None = None, engine: Engine | None = None, series: str = "kinds"
) -> Said:
    """One pass, of an engine of its own or among other series. Rows hold the target first, then the covariates."""
    own = own or stream(given)
    engine = engine or Engine((own,), seed=given.seed, max_series=1)
    said: list[Forecast] = []
    for begin in range(0, len(rows), CHUNK):
        batch = [
            Observation(series, own.name, row.time_ns, row.values, begin + i + 1)
            for i, row in enumerate(rows[begin : begin + CHUNK])
        ]
        said += [output for output in engine.feed(batch) if isinstance(output, Forecast)]
    return said_of(said)


def said_of(said: Sequence[Forecast]) -> Said:
    """All forecasts of one series, in their order."""
    return Said(
        np.array([f.origin_ns for f in said]),
        np.array([f.y for f in said]),
        np.array([f.yhat for f in said]),
        np.array([f.lower for f in said]),
        np.array([f.upper for f in said]),
        np.array([f.quantiles for f in said]),
        np.array([f.classes if f.frame.classes else np.zeros((0, len(f.leads))) for f in said]),
        said[0].step_ns,
        said[0].leads,
        said[0].taus,
    )


def rows_of(y: Floats, step_ns: int = HOUR_NS, inputs: Floats | None = None) -> list[Row]:
    """Values made here (N,) as rows, with covariates (N, C) beside them."""
    beside = inputs.tolist() if inputs is not None else [()] * len(y)
    return [Row(i, BEGIN_NS + i * step_ns, (v, *x)) for i, (v, x) in enumerate(zip(y.tolist(), beside, strict=True))]


def mean(errors: Floats) -> float:
    """Of what met something."""
    known = errors[np.isfinite(errors)]
    return float(known.mean()) if len(known) else float("nan")
