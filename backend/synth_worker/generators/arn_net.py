"""The network behind ``arn``: from any part of a row to a distribution for each other cell.

What is known of a row goes in as embeddings of states and pieces of scores, what is not as nothing; out come, for every
column at once, logits of its states and a mixture of normal densities for its score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth_worker.generators.layers import HATS, Residual, dropped, embedding, hats, linear

MOST_EMBEDDED = 12
COMPONENTS = 8


@dataclass(frozen=True)
class Shape:
    """Say what the network is made of.

    ``widths`` are the states of each column, ``numbers`` the columns that have a score (places among the columns).
    ``spread`` is the least standard deviation of a component of a score's mixture, in normal scores: with it no single
    training value becomes a peak.
    """

    widths: tuple[int, ...]
    numbers: tuple[int, ...]
    hidden: int
    layers: int
    dropout: float
    spread: float


class ArnNet(nn.Module):
    """Map known cells to distributions of all cells."""

    offsets: Tensor
    segments: Tensor
    places: Tensor

    def __init__(self, shape: Shape, *, logits: Sequence[float], generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        total, columns, scores = sum(shape.widths), len(shape.widths), len(shape.numbers)
        width = min(MOST_EMBEDDED, max(2, max(shape.widths, default=2)))
        starts = torch.cumsum(torch.tensor([0, *shape.widths]), 0)[:-1]
        self.register_buffer("offsets", starts, persistent=False)
        segments = torch.repeat_interleave(torch.arange(columns), torch.tensor(shape.widths))
        self.register_buffer("segments", segments, persistent=False)
        self.register_buffer("places", torch.tensor(shape.numbers, dtype=torch.long), persistent=False)
        self.embed = embedding(total, width, generator=generator)
        inputs = columns * (width + 1) + scores * (len(HATS) + 1)
        self.enter = linear(inputs, shape.hidden, generator=generator)
        self.blocks = nn.ModuleList(
            Residual(shape.hidden, generator=generator, dropout=shape.dropout) for _ in range(shape.layers)
        )
        self.norm = nn.LayerNorm(shape.hidden)
        self.states = linear(shape.hidden, total, generator=generator, gain=0.1)
        self.mixture = linear(shape.hidden, scores * 3 * COMPONENTS, generator=generator, gain=0.1)
        with torch.no_grad():
            # Begin with the columns' own distributions: the states' shares, and about a standard normal score.
            self.states.bias.copy_(torch.as_tensor(logits, dtype=torch.float32))
            spread = torch.linspace(-1.5, 1.5, COMPONENTS)
            bias = torch.stack([-0.5 * spread**2, spread, torch.full_like(spread, math.log(math.expm1(0.5)))])
            self.mixture.bias.copy_(bias.flatten().repeat(scores))

    def entered(self, states: Tensor, scores: Tensor, known: Tensor) -> Tensor:
        """Return what the first layer makes of the known cells (``known``: 1 or 0, shape (rows, columns))."""
        rows = len(states)
        cells = self.embed(states + self.offsets) * known[..., None]
        numbers = _pieces(scores) * known[:, self.places][..., None]
        return self.enter(torch.cat([cells.reshape(rows, -1), known, numbers.reshape(rows, -1)], dim=1))

    def also(self, column: int, states: Tensor, scores: Tensor | None) -> Tensor:
        """Return what one more known column adds to ``entered``: the first layer is linear in the columns."""
        columns, width = len(self.shape.widths), self.embed.embedding_dim
        cells = self.embed(states + self.offsets[column])
        weight = self.enter.weight
        found = functional.linear(cells, weight[:, column * width : (column + 1) * width])
        found = found + weight[:, columns * width + column]
        if scores is not None:
            pieces = len(HATS) + 1
            start = columns * (width + 1) + self.shape.numbers.index(column) * pieces
            found = found + functional.linear(_pieces(scores), weight[:, start : start + pieces])
        return found

    def hidden(self, entered: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the last hidden layer; with a stream, dropout acts."""
        values = entered
        for block in self.blocks:
            values = block(values, generator)
        values = functional.silu(self.norm(values))
        return values if generator is None else dropped(values, self.shape.dropout, generator=generator)

    def column(self, hidden: Tensor, column: int) -> Tensor:
        """Return the logits of one column's states, shape (rows, states)."""
        start, stop = int(self.offsets[column]), int(self.offsets[column]) + self.shape.widths[column]
        return functional.linear(hidden, self.states.weight[start:stop], self.states.bias[start:stop])

    def density(self, hidden: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return log-weights, means and spreads of one score's mixture, shape (rows, components) each."""
        start = number * 3 * COMPONENTS
        part = slice(start, start + 3 * COMPONENTS)
        values = functional.linear(hidden, self.mixture.weight[part], self.mixture.bias[part])
        return mixture_of(values, least=self.shape.spread)

    def losses(self, states: Tensor, scores: Tensor, hidden: Tensor) -> Tensor:
        """Return minus the log-probability of each cell, shape (rows, columns)."""
        rows, columns = states.shape
        logits = self.states(hidden).float()
        # One softmax over the segments of all columns: a loop over columns would cost more than the network.
        top = logits.detach().amax(dim=1, keepdim=True)
        sums = torch.zeros(rows, columns, device=logits.device).index_add_(1, self.segments, (logits - top).exp())
        picked = logits.gather(1, states + self.offsets)
        found = (sums + 1e-30).log() + top - picked
        if not len(self.places):
            return found
        weights, means, spreads = mixture_of(
            self.mixture(hidden).view(rows, len(self.places), -1), least=self.shape.spread
        )
        away = (scores[..., None] - means) / spreads
        density = torch.logsumexp(weights - 0.5 * away**2 - spreads.log(), dim=-1)
        body = states[:, self.places] == 0
        return found.index_add(1, self.places, torch.where(body, -density, 0.0))


def _pieces(scores: Tensor) -> Tensor:
    return torch.cat([hats(scores), scores[..., None]], dim=-1)


def mixture_of(values: Tensor, *, least: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-weights, means, spreads from a network's output, shape (..., 3 x components) -> (..., components)."""
    weights, means, spreads = values.view(*values.shape[:-1], 3, COMPONENTS).unbind(dim=-2)
    return functional.log_softmax(weights, dim=-1), means, least + functional.softplus(spreads)
