"""An online LSTM in PyTorch, for comparison. Run as a script: see `online`.

One layer of 32, a linear head for each lead, inputs of the last value (standardised by what was seen so far) and the
calendar. After each observation one step of Adam: every lead's loss is that of the window that ended `lead` steps ago,
whose label has just come. Then it forecasts, relative to the last value.
"""

from __future__ import annotations

from collections import deque

import torch
from online import CALENDAR, Running, calendar, run
from torch import nn

HIDDEN, WINDOW, RATE = 32, 24, 5e-4  # rates of 1e-3 and 3e-3 and a window of 48 did worse on taxi demand


class OnlineLSTM(nn.Module):
    def __init__(self, leads: int) -> None:
        super().__init__()
        self.cell = nn.LSTM(1 + CALENDAR, HIDDEN, batch_first=True)
        self.heads = nn.Linear(HIDDEN, leads)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, WINDOW, 1 + CALENDAR) to (B, L)."""
        _, (h, _) = self.cell(x)
        return self.heads(h[0])


def forecasts(seen, leads, step_s, seed):
    """Learn from each observation, then say what is ahead."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = OnlineLSTM(len(leads))
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    scale = Running()
    keep = max(leads) + WINDOW
    inputs = deque(maxlen=keep)  # on the grid; of missed steps the last value, carried forward
    values = deque(maxlen=keep)
    last = None

    def advance(civil_s):
        values.append(last)
        inputs.append([(last - scale.mean) / scale.deviation, *calendar(civil_s)])

    for now, missed, y in seen:
        if last is not None:
            for k in range(missed, 0, -1):
                advance(now - k * step_s)
        if y is not None:
            scale.learn(y)
            last = y
        if last is not None:
            advance(now)
        if y is not None:
            learn(model, adam, list(inputs), list(values), leads, y, scale.deviation)
        if len(inputs) < WINDOW:
            yield [None] * len(leads)
            continue
        with torch.no_grad():
            ahead = model(torch.tensor([list(inputs)[-WINDOW:]]))[0]
        yield [last + scale.deviation * float(d) for d in ahead]


def learn(model, adam, inputs, values, leads, y, deviation):
    """One step on the windows whose label is y."""
    ready = [i for i, lead in enumerate(leads) if len(inputs) - lead >= WINDOW]
    if not ready:
        return
    ends = [len(inputs) - leads[i] for i in ready]
    windows = torch.tensor([inputs[end - WINDOW : end] for end in ends])
    labels = torch.tensor([(y - values[end - 1]) / deviation for end in ends])
    own = model(windows)[torch.arange(len(ready)), torch.tensor(ready)]
    loss = nn.functional.smooth_l1_loss(own, labels)
    adam.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()


if __name__ == "__main__":
    run(forecasts)
