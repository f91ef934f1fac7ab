"""deep-river's LSTMRegressor, predict and learn an observation: one lead, which is all that it has; k1 = 1."""

from __future__ import annotations

import math

import torch
from deep_river.regression import LSTMRegressor
from rounds import HIDDEN, INPUTS, RATE, STEPS, serve

OBSERVATIONS = 8  # a piece of work


class Learner:
    def __init__(self) -> None:
        self.model = LSTMRegressor(
            n_features=INPUTS,
            hidden_size=HIDDEN,
            window_size=STEPS,
            optimizer_fn="adam",
            loss_fn="smooth_l1",
            lr=RATE,
            gradient_clip_value=1.0,
            is_feature_incremental=False,
            seed=1,
        )
        self.k = 0

    def learn(self) -> int:
        for _ in range(OBSERVATIONS):
            self.k += 1
            x = {f"x{n}": math.sin(self.k / (3 + n)) for n in range(INPUTS)}
            self.forecast = self.model.predict_one(x)
            self.model.learn_one(x, math.sin((self.k + 1) / 7))
        return OBSERVATIONS


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(["deep-river", "river", "torch"], {"deep-river LSTMRegressor, k1=1": Learner().learn})
