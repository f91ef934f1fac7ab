"""river's HoltWinters and SNARIMAX: learn, and forecast as many leads ahead, an observation. No networks: a scale."""

from __future__ import annotations

import math

from river import time_series
from rounds import LEADS, STEPS, serve

OBSERVATIONS = 64  # a piece of work


class Learner:
    def __init__(self, model: time_series.base.Forecaster) -> None:
        self.model, self.k = model, 0

    def learn(self) -> int:
        for _ in range(OBSERVATIONS):
            self.k += 1
            self.model.learn_one(10 + math.sin(self.k / 7) + 0.1 * math.sin(self.k * 1.7))
            if self.k > 3 * STEPS:  # neither has anything to say before
                self.forecast = self.model.forecast(LEADS)
        return OBSERVATIONS


if __name__ == "__main__":
    holt_winters = time_series.HoltWinters(alpha=0.3, beta=0.1, gamma=0.3, seasonality=STEPS)
    snarimax = time_series.SNARIMAX(p=STEPS, d=1, q=1)
    serve(
        ["river"],
        {"river HoltWinters, k1=1": Learner(holt_winters).learn, "river SNARIMAX, k1=1": Learner(snarimax).learn},
    )
