"""The network of the published diffusion: Linear-ReLU-Dropout blocks over a row and the time."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth_worker.generators.layers import dropped, linear

TIME = 128
"""Units by which the network is told the time (Kotelnikov et al. 2023, section 3)."""


class PublishedNet(nn.Module):
    """Map noisy rows and their times to the noise of the numbers and logits of the labels."""

    def __init__(
        self, *, numbers: int, states: int, hidden: int, layers: int, dropout: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.numbers, self.dropout = numbers, dropout
        self.enter = linear(numbers + states, TIME, generator=generator)
        self.early = linear(TIME, TIME, generator=generator)
        self.late = linear(TIME, TIME, generator=generator)
        sizes = [TIME] + [hidden] * layers
        self.blocks = nn.ModuleList(linear(inputs, outputs, generator=generator) for inputs, outputs in pairwise(sizes))
        self.head = linear(hidden, numbers + states, generator=generator)

    def forward(self, row: Tensor, time: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return the noise (rows, numbers) and logits (rows, states); ``time`` counts steps, shape (rows, 1).

        ``row`` holds scores, then labels as 0 and 1. NOTE[DIFF]: not as their logarithms, 0 and -69, which the first
        layer could turn into the same, but beside which it does not hear the scores for thousands of steps.
        """
        values = self.enter(row) + self.late(functional.silu(self.early(sinusoids(time))))
        for block in self.blocks:
            values = functional.relu(block(values))
            values = values if generator is None else dropped(values, self.dropout, generator=generator)
        out = self.head(values).float()
        return out[:, : self.numbers], out[:, self.numbers :]


def sinusoids(time: Tensor) -> Tensor:
    """Return cosines and sines of a time at falling frequencies, shape (rows, TIME) (Vaswani et al. 2017, 3.5).

    >>> sinusoids(torch.zeros(1, 1)).sum()
    tensor(64.)
    """
    half = TIME // 2
    pace = torch.exp(-math.log(10_000) * torch.arange(half, device=time.device) / half)
    angle = time.float() * pace
    return torch.cat([angle.cos(), angle.sin()], dim=1)
