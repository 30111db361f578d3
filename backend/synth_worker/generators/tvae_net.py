"""The two networks behind ``tvae``: from a row to a distribution of its code, and from a code to one of rows.

After Xu et al. 2019 (Modeling Tabular Data using Conditional GAN, section 4.5 and the sizes of its reference values).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synth_worker.encoding.numbers import BODY
from synth_worker.generators.column_logits import Segments, bent
from synth_worker.generators.layers import linear

CODE = 128
"""Length of a code; those entries that a table does not need stay standard normal noise."""

LEAST_SPREAD, MOST_SPREAD = 0.05, 1.0
"""Standard deviations of a score around what a code says, in normal scores: no single training value is a peak."""

FIRST_SPREAD, FIRST_LOG_VARIANCE = -2.0, -2.0
"""Where spreads (before they are squeezed between the two) and codes begin: a code says much of its row from the start,
and the training need not first find out that it can."""

LOG_VARIANCES = (-10.0, 4.0)
RELU_GAIN = math.sqrt(3.0)
HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
WEIGHT = 2.0
"""Times the log-likelihood of a row weighs what the divergence of its code does (Xu et al. 2019, reference values)."""


@dataclass(frozen=True)
class Shape:
    """Say what the networks are made of: the states of each column, the columns that have a score, hidden units."""

    widths: tuple[int, ...]
    numbers: tuple[int, ...]
    hidden: int


class TvaeNet(nn.Module):
    """Hold the encoder and the decoder."""

    numbers: Tensor

    def __init__(self, shape: Shape, *, logits: Sequence[float], generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        self.segments = Segments(shape.widths)
        total, scores, hidden = sum(shape.widths), len(shape.numbers), shape.hidden
        self.register_buffer("numbers", torch.tensor(shape.numbers, dtype=torch.long), persistent=False)
        self.reading = _layers(total + scores, hidden, generator)
        self.code = linear(hidden, 2 * CODE, generator=generator)
        self.writing = _layers(CODE, hidden, generator)
        self.states = linear(hidden, total, generator=generator, gain=0.3)
        self.scores = linear(hidden, scores, generator=generator, gain=0.3)
        self.spread = nn.Parameter(torch.full((scores,), FIRST_SPREAD))
        with torch.no_grad():
            self.code.bias[CODE:] = FIRST_LOG_VARIANCE
            # Begin with the columns' own distributions.
            self.states.bias.copy_(torch.as_tensor(logits, dtype=torch.float32))

    def encode(self, states: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and logarithms of the variances of the rows' codes, shape (rows, CODE) each."""
        hidden = self.reading(torch.cat([self.segments.one_hot(states), scores], dim=1))
        means, log_variances = self.code(hidden).chunk(2, dim=1)
        return means, log_variances.clamp(*LOG_VARIANCES)

    def decode(self, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of all states, means of the scores, and the spreads of these, shape (numbers,)."""
        hidden = self.writing(codes)
        spreads = LEAST_SPREAD + (MOST_SPREAD - LEAST_SPREAD) * self.spread.sigmoid()
        return bent(self.states(hidden)), self.scores(hidden), spreads

    def losses(self, states: Tensor, scores: Tensor, noise: Tensor) -> Tensor:
        """Return minus the evidence lower bound of each row, the likelihood weighted, shape (rows,).

        ``noise`` is standard normal, shape (rows, CODE).
        """
        means, log_variances = self.encode(states, scores)
        logits, centres, spreads = self.decode(means + (0.5 * log_variances).exp() * noise)
        missed = self.segments.losses(logits, states).sum(dim=1)
        missed = missed + self.score_losses(states, scores, centres=centres, spreads=spreads).sum(dim=1)
        divergence = 0.5 * (means**2 + log_variances.exp() - log_variances - 1).sum(dim=1)
        return WEIGHT * missed + divergence

    def score_losses(self, states: Tensor, scores: Tensor, *, centres: Tensor, spreads: Tensor) -> Tensor:
        """Return minus the log-density of each score, shape (rows, numbers); a cell that is no body counts nothing."""
        away = (scores - centres) / spreads
        return torch.where(states[:, self.numbers] == BODY, 0.5 * away**2 + spreads.log() + HALF_LOG_TAU, 0.0)


def _layers(inputs: int, hidden: int, generator: torch.Generator) -> nn.Sequential:
    first = linear(inputs, hidden, generator=generator, gain=RELU_GAIN)
    second = linear(hidden, hidden, generator=generator, gain=RELU_GAIN)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())
