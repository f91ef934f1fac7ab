"""Forecasting that lives where the data is born: an LSTM per series that learns online from an MQTT stream.

The map, from what users call down to arithmetic; a room imports only from lower floors:

    cli                                       commands: run, demo, backtest, replay, check-config
    daemon/  evaluate  estimator              what waits; prequential scores; the river estimator
    engine                                    the spine: `Engine.feed` shows the whole way of an observation
    codec/  model/                            bytes to values and back; a series' state, and in what order it moves
    timeline/                                 what happened when: order, gaps, pace
    distribution                              quantiles to a distribution function and intervals
    kernels/  events  config                  arithmetic; the nouns; every setting
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamlstm.estimator import LSTMForecaster

__all__ = ["LSTMForecaster"]


def __getattr__(name: str) -> Any:
    """Import the estimator when it is asked for: river is large, and the daemon does without it."""
    if name == "LSTMForecaster":
        from streamlstm.estimator import LSTMForecaster

        return LSTMForecaster
    raise AttributeError(f"module 'streamlstm' has no attribute {name!r}")
