"""The three small streams that every test of the model shares: each distinct set of sizes is a minute of compiling.

Only hidden, layers, truncation and the numbers of leads, levels and inputs are compiled in. Whatever else a test wants
otherwise, `with_model` or `model_copy` change for free.
"""

from __future__ import annotations

from typing import Any

from streamlstm.config import Model, Stream

STREAM = Stream(name="small", topic="small", step="1h", leads=(1, 3), model=Model(hidden=4, truncation=8, memory=512))


def with_model(stream: Stream, **settings: Any) -> Stream:
    """The same stream with other settings of its model."""
    return stream.model_copy(update={"model": stream.model.model_copy(update=settings)})


STREAM_TWO_LAYERS = with_model(STREAM, layers=2)
# one covariate that comes with the target and is a target too, and one that is known ahead
STREAM_BESIDE = Stream.model_validate(
    {
        **STREAM.model_dump(include={"topic", "leads", "model"}),
        "name": "small/{value}",
        "joint": True,
        "step": "1h",
        "format": "json",
        "value": ("y", "a"),
        "covariates": ({"topic": "weather", "value": "w", "time": "t", "known_ahead": True},),
    }
)
