"""deep-river's LSTMForecaster, for comparison. Run as a script: see `online`.

It learns one step ahead with one step of Adam an observation, and forecasts by feeding back what it said. Beside its
window of past values it is given the calendar, which is known ahead. It scales nothing itself, so values go in
standardised by what was seen so far.
"""

from __future__ import annotations

import torch
from deep_river.forecasting import LSTMForecaster
from online import CALENDAR, Running, calendar, run

HIDDEN, WINDOW, RATE = 32, 24, 1e-3


def forecasts(seen, leads, step_s, seed):
    """Learn from each observation, then say what is ahead."""
    torch.set_num_threads(1)
    model = LSTMForecaster(
        n_features=CALENDAR,
        window_size=WINDOW,
        hidden_size=HIDDEN,
        optimizer_fn="adam",
        loss_fn="smooth_l1",
        lr=RATE,
        seed=seed,
    )
    scale = Running()
    for now, missed, y in seen:
        if scale.n:
            for k in range(missed, 0, -1):
                fill(model, now - k * step_s)
        if y is not None:
            scale.learn(y)
            model.learn_one((y - scale.mean) / scale.deviation, named(now))
        elif scale.n:
            fill(model, now)
        if scale.n < WINDOW:
            yield [None] * len(leads)
            continue
        path = model.forecast(max(leads), [named(now + step * step_s) for step in range(1, max(leads) + 1)])
        yield [scale.mean + scale.deviation * path[lead - 1] for lead in leads]


def named(civil_s):
    return {f"calendar_{i:02}": wave for i, wave in enumerate(calendar(civil_s))}


def fill(model, civil_s):
    """A step that was missed: what was forecast takes its place in the window, and nothing is learned from it."""
    model._y_window.append(model.forecast(1, [named(civil_s)])[0])


if __name__ == "__main__":
    run(forecasts)
