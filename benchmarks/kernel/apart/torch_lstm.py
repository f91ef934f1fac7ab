"""The update in PyTorch: nn.LSTM or LSTMCell, linear heads at every step, Huber's loss, norm clip, Adam. One thread.

A window comes in ready as a tensor, and its own last step is the forecast: at k1 = 16 of all 16 observations at once.
"""

from __future__ import annotations

from functools import partial

import torch
from rounds import CLIP, HIDDEN, INPUTS, LEADS, RATE, STEPS, serve
from torch import nn


class ByLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.heads = nn.LSTM(INPUTS, HIDDEN), nn.Linear(HIDDEN, LEADS)

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return self.heads(self.cell(x, (h[None], c[None]))[0])


class ByCell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.heads = nn.LSTMCell(INPUTS, HIDDEN), nn.Linear(HIDDEN, LEADS)

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        out = []
        for step in x:
            h, c = self.cell(step, (h, c))
            out.append(h)
        return self.heads(torch.stack(out))


class Learner:
    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.adam = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
        self.x, self.label = torch.randn(STEPS, 1, INPUTS), torch.randn(STEPS, 1, LEADS)
        self.h, self.c = torch.zeros(1, HIDDEN), torch.zeros(1, HIDDEN)

    def learn(self, observations: int) -> int:
        said = self.model(self.x, self.h, self.c)
        loss = nn.functional.smooth_l1_loss(said, self.label)
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.adam.step()
        self.forecast = said.detach()[-observations:].numpy()
        return observations


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(1)
    learners = {"PyTorch nn.LSTM": Learner(ByLayer()), "PyTorch LSTMCell": Learner(ByCell())}
    serve(
        ["torch"],
        {f"{name}, k1={k}": partial(learner.learn, k) for name, learner in learners.items() for k in (1, STEPS)},
    )
