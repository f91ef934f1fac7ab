"""What the type of a stream's values allows beside it, and what `check-config` understands of it."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from streamlstm.config import Stream
from streamlstm.understood import understood


def stream(**settings: object) -> Stream:
    return Stream.model_validate({"name": "s", "topic": "s", **settings})


def wrong(**settings: object) -> str:
    with pytest.raises(ValidationError) as caught:
        stream(**settings)
    return str(caught.value)


STEPPED = {"step": "1h", "aggregate": "mean"}
CLASSES = ["heat", "cool"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"type": "boolean", **STEPPED}, "aggregate: means nothing for a boolean; need last or min or max"),
        ({"type": "counter", **STEPPED}, "aggregate: means nothing for a counter; need sum"),
        ({"type": "angle", **STEPPED}, "aggregate: means nothing for an angle; need last"),
        ({"type": "category"}, "classes: need 2 to 8 different words"),
        ({"type": "category", "classes": ["heat", "heat"]}, "classes: need 2 to 8 different words"),
        ({"classes": CLASSES}, "classes: need type = 'category' beside it"),
        ({"type": "category", "classes": CLASSES, "map": {"on": 1}}, "map: the words of a category are its classes"),
        ({"type": "boolean", "bounds": [0, 1]}, "bounds: a boolean has its own"),
        ({"type": "boolean", "map": {"half": 0.5}}, "map: a boolean is 1 or 0"),
        ({"type": "count", "bounds": [-1, 9]}, "bounds: a count is never below 0"),
        ({"type": "counter", "step": "1h", "hold": "2h"}, "hold: a counter's readings hold as they are"),
        ({"period": 24}, "period: need type = 'angle' beside it"),
        ({"rollover": 100}, "rollover: need type = 'counter' beside it"),
    ],
)
def test_what_means_nothing_for_a_type_is_refused(settings, said) -> None:
    assert said in wrong(**settings)


def test_a_type_has_limits_of_its_own_unless_bounds_are_given() -> None:
    assert stream().limits == (-math.inf, math.inf)
    assert stream(type="boolean").limits == (0, 1)
    assert stream(type="counter").limits == (0, math.inf)
    assert stream(type="counter", bounds=[0, 5]).limits == (0, 5)


def test_once_around_is_360_or_the_radians_of_it_or_as_given() -> None:
    assert stream(type="angle").turn == 360
    assert stream(type="angle", unit="rad").turn == math.tau
    assert stream(type="angle", unit="rad", period=24).turn == 24


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "number; step found from the first observations"),
        ({"unit": "W", "step": "90s"}, "number in W; step of 90s"),
        ({"bounds": [-4, 8.5]}, "number within -4 to 8.5; step found from the first observations"),
        ({"type": "boolean", "step": "1h", "hold": "1d"}, "boolean, forecast as the probability of on; step of 1h; "
         "a value holds for 1d"),
        ({"type": "counter", "unit": "kWh", "rollover": 1e5, "step": "1h", "aggregate": "sum"},
         "counter in kWh, which begins again at 100000, differences a step; sum of each step of 1h"),
        ({"type": "count", "step": "1h", "aggregate": "count"},
         "count, whole and never below 0; number of readings in each step of 1h"),
        ({"type": "category", "classes": CLASSES, "step": "1h"}, "category, a probability for each of heat, cool; "
         "step of 1h"),
        ({"type": "angle", "unit": "°", "step": "1h"}, "angle in °, once around is 360; step of 1h"),
    ],
)  # fmt: skip
def test_check_config_says_what_it_understood(settings, words) -> None:
    assert understood(stream(**settings)) == words
