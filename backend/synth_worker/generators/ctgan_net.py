"""The two networks behind ``ctgan``: one makes rows from noise and a condition, one tells them from real ones.

After Xu et al. 2019 (Modeling Tabular Data using Conditional GAN, sections 4.3 and 4.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth_worker.encoding.numbers import BODY
from synth_worker.generators.layers import linear
from synth_worker.generators.column_logits import Segments, bent

NOISE = 128
"""Length of the noise that a row is made from."""

SHARPNESS = 0.2
"""Temperature of the softmax: so low that states are nearly zeros and ones, as real ones are."""

SLOPE = 0.2
CRITIC = 256


@dataclass(frozen=True)
class Shape:
    """Say what the networks are made of: the states of each column, the columns that have a score, hidden units."""

    widths: tuple[int, ...]
    numbers: tuple[int, ...]
    hidden: int


class Maker(nn.Module):
    """Make rows: two layers, each of which sees all that came before, then logits of states, and scores."""

    bodies: Tensor

    def __init__(self, shape: Shape, *, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        self.segments = Segments(shape.widths)
        total, hidden = sum(shape.widths), shape.hidden
        bodies = self.segments.starts[list(shape.numbers)] + BODY
        self.register_buffer("bodies", bodies, persistent=False)
        inputs = NOISE + total
        self.layers = nn.ModuleList(linear(inputs + at * hidden, hidden, generator=generator) for at in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(2))
        self.states = linear(inputs + 2 * hidden, total, generator=generator)
        self.scores = linear(inputs + 2 * hidden, len(shape.numbers), generator=generator)

    def forward(self, noise: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of all states and scores; ``condition`` has a one at the wanted state, if any."""
        values = torch.cat([noise, condition], dim=1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            values = torch.cat([functional.relu(norm(layer(values))), values], dim=1)
        return bent(self.states(values)), self.scores(values)

    def soft(self, logits: Tensor, scores: Tensor, *, generator: torch.Generator) -> Tensor:
        """Return rows as the critic sees them, states drawn but differentiable (Jang et al. 2017, Gumbel-softmax)."""
        uniform = torch.empty_like(logits).uniform_(1e-6, 1 - 1e-6, generator=generator)
        noisy = logits - (-uniform.log()).log()
        # In logarithms of shares the largest is near zero: after division by the temperature nothing overflows.
        states = (self.segments.log_shares(noisy) / SHARPNESS).clamp_min(-30.0)
        states = self.segments.log_shares(states).exp()
        # A score counts as far as the cell is a body; that of a real row is 0 elsewhere.
        return torch.cat([states, scores * states[:, self.bodies]], dim=1)


class Critic(nn.Module):
    """Say how real rows look beside their condition.

    NOTE[DIFF]: no dropout, and single rows instead of packs of ten. Shares and margins are mended after the training,
    so a maker that repeats itself is less to be feared than a critic that learns slowly: after 1,000 steps on flchain
    packs of 10 / 5 / 2 / 1 left a difference of correlations of .144 / .092 / .058 / .057, single rows with dropout
    .083.
    """

    def __init__(self, shape: Shape, *, generator: torch.Generator) -> None:
        super().__init__()
        width = 2 * sum(shape.widths) + len(shape.numbers)
        self.first = linear(width, CRITIC, generator=generator)
        self.second = linear(CRITIC, CRITIC, generator=generator)
        self.last = linear(CRITIC, 1, generator=generator)

    def forward(self, rows: Tensor) -> Tensor:
        """Return a figure for each row, shape (rows, 1); a row is followed by its condition."""
        values = functional.leaky_relu(self.first(rows), SLOPE)
        return self.last(functional.leaky_relu(self.second(values), SLOPE))
