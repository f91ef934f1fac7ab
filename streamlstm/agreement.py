"""Forecasts of one series at several resolutions, issued at once, made to agree.

Where the leads of a finer one cover all steps of a coarser one's, their mean, or sum, is to be its forecast. All are
moved by as little as that takes, each the more the larger its usual error is: the projection of Wickramasuriya et al.
(2019) with a diagonal covariance, as Athanasopoulos et al. (2017) have it for temporal hierarchies,

    x' = x - V Cᵀ (C V Cᵀ)⁻¹ C x,    C x = 0 where they agree,    V = diag(usual |error|²).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from streamlstm.config import Stream
from streamlstm.events import Floats, Forecast, Output
from streamlstm.member import Member
from streamlstm.resolutions import SUMS

LEAST = 1e-12  # of the largest variance: as sure as any forecast is


class Said(NamedTuple):
    """A forecast and the stream that it is of."""

    forecast: Forecast
    stream: Stream


class Tie(NamedTuple):
    """One step of a coarser forecast, and the steps of a finer one that make it up."""

    coarse: int  # place among all forecasts' leads, one after the other
    fine: tuple[int, ...]


def agree_all(said: Iterable[tuple[Member, Sequence[Output]]]) -> None:
    """Make what was said of series agree, in its order: that of a finer resolution, then of those gathered from it."""
    finest, family = None, list[Said]()
    for member, outputs in said:
        forecast = next(one for one in outputs if isinstance(one, Forecast))
        if member.gathers is None:
            _agree_with(finest, family)
            finest, family = member, [Said(forecast, member.stream)] if member.coarser else []
        elif finest and member in finest.coarser and _end(forecast) == _end(family[0].forecast):
            family.append(Said(forecast, member.stream))
    _agree_with(finest, family)


def _agree_with(finest: Member | None, family: Sequence[Said]) -> None:
    if finest and len(family) > 1:
        agree(family, is_sum=finest.stream.aggregate in SUMS)


def _end(forecast: Forecast) -> int:
    """Of the step that it was issued after."""
    return forecast.origin_ns + forecast.step_ns


def agree(family: Sequence[Said], *, is_sum: bool) -> None:
    """Move forecasts of one series and origin, the finest first, until they agree; intervals move along.

    Nothing moves where one of those that belong together says nothing yet. Afterwards each coarser forecast is exactly
    what the finer ones, kept within their bounds, add up to.
    """
    forecasts = [one.forecast for one in family]
    first = np.cumsum([0, *[len(one.leads) for one in forecasts]]).tolist()
    found = [tie for n in range(1, len(forecasts)) for tie in _ties(forecasts, first, n)]
    said = np.concatenate([one.yhat for one in forecasts])
    ties = [tie for tie in found if np.isfinite(said[[tie.coarse, *tie.fine]]).all()]
    if not ties:
        return
    agreed = _projected(said, np.concatenate([one.absolute_error for one in forecasts]), ties, is_sum)
    parts = [slice(*ends) for ends in pairwise(first)]
    for part, one in zip(parts, family, strict=True):
        agreed[part] = np.clip(agreed[part], *one.stream.limits)
    for tie in ties:
        made_up = agreed[list(tie.fine)]
        agreed[tie.coarse] = made_up.sum() if is_sum else made_up.mean()
    for part, one in zip(parts, family, strict=True):
        _move(one, agreed[part])


def _ties(forecasts: Sequence[Forecast], first: Sequence[int], n: int) -> list[Tie]:
    """How the nth forecast hangs on finer ones: on the finest whose leads cover a step of it."""
    found, coarse = [], forecasts[n]
    for place, begin_ns in enumerate(coarse.times_ns):
        for m, fine in enumerate(forecasts[:n]):
            at = {time_ns: i for i, time_ns in enumerate(fine.times_ns)}
            times_ns = range(begin_ns, begin_ns + coarse.step_ns, fine.step_ns)
            if all(time_ns in at for time_ns in times_ns):
                found.append(Tie(first[n] + place, tuple(first[m] + at[time_ns] for time_ns in times_ns)))
                break
    return found


def _projected(said: Floats, error: Floats, ties: Sequence[Tie], is_sum: bool) -> Floats:
    """x' for all forecasts x (N,) at once; an error that is not known yet counts as the usual one of those that are."""
    known = np.isfinite(error) & (error > 0)
    usual = np.where(known, error, error[known].mean() if known.any() else 1.0)
    variance = np.maximum((usual / usual.max()) ** 2, LEAST)
    C = np.zeros((len(ties), len(said)))
    for row, tie in zip(C, ties, strict=True):
        row[tie.coarse] = -1.0
        row[list(tie.fine)] = 1.0 if is_sum else 1.0 / len(tie.fine)
    moved: Floats = said - variance * (C.T @ np.linalg.solve((C * variance) @ C.T, C @ said))
    return moved


def _move(one: Said, agreed: Floats) -> None:
    """Put a forecast where it agrees, and its distribution with it: of a count, to whole numbers outward."""
    forecast, stream = one
    by = agreed - forecast.yhat
    for part, outward in ((forecast.lower, np.floor), (forecast.upper, np.ceil), (forecast.quantiles, None)):
        moved = np.where(by == 0.0, part, part + by)
        if outward and stream.type == "count":
            moved = outward(moved)
        part[:] = np.clip(moved, *stream.limits)
    forecast.yhat[:] = agreed
