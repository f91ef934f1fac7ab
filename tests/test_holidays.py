"""Holidays of a stream, through the settings and the whole engine."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from holidays import country_holidays

from streamlstm.engine import Engine
from streamlstm.events import Observation
from tests.observed import HOUR_NS, forecasts
from tests.small import STREAM_BESIDE

BEGIN = date(2023, 1, 1)


def day_off_is_quiet(days: int) -> tuple[np.ndarray, np.ndarray]:
    """(y, is a holiday), hour by hour: a day's wave that is missing on holidays."""
    off = country_holidays("JP", years=range(2023, 2025))  # sixteen a year
    free = np.repeat([BEGIN + timedelta(days=n) in off for n in range(days)], 24)
    wave = 10 + 5 * np.sin(np.arange(24 * days) * 2 * np.pi / 24)
    noise = np.random.default_rng(2).normal(0, 0.3, 24 * days)
    return np.where(free, 10.0, wave) + noise, free


def error_on_holidays(holidays: str) -> float:
    y, free = day_off_is_quiet(420)
    stream = STREAM_BESIDE.model_copy(update={"covariates": (), "holidays": holidays})  # as many known ahead as there
    begin_ns = (BEGIN - date(1970, 1, 1)).days * 24 * HOUR_NS
    engine = Engine((stream,), seed=1, max_series=1)
    said = forecasts(
        engine.feed(Observation("small/y", stream.name, begin_ns + i * HOUR_NS, (v, 0.0), i) for i, v in enumerate(y))
    )
    yhat = np.array([one.yhat[1] for one in said])  # three hours ahead
    later = np.arange(5_000, len(y) - 3)
    wrong = np.abs(y[later + 3] - yhat[later])
    return float(wrong[free[later + 3]].mean())


def test_days_off_are_forecast_better_where_they_are_known():
    # of a country with other holidays nothing can be learned
    assert error_on_holidays("JP") < 0.8 * error_on_holidays("FR")


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("de", "need the ISO 3166 code of a country, such as 'DE' or 'DE-BY'; did you mean 'DE'?"),
        ("de-by", "did you mean 'DE-BY'?"),
        ("de-Bayern", "did you mean 'DE'?"),
        ("Germany", "need the ISO 3166 code of a country"),
        ("DE-XX", "need a part of DE, one of BB, BE, BW, BY"),
        ("DE-", "need a part of DE, one of"),
        ("", "need the ISO 3166 code of a country"),
    ],
)
def test_a_place_without_holidays_is_refused_with_what_is_needed(problems, place, expected):
    (problem,) = problems(f'[mqtt]\nurl = "mqtt://b"\n[[streams]]\nname = "s"\ntopic = "s"\nholidays = "{place}"\n')
    assert problem.startswith(f"streams.s.holidays = '{place}': ")
    assert expected in problem
