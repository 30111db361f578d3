"""The network behind the endpoint diffusion: from a row that is partly known, hidden or noisy to what it was.

A state is known or hidden; a score is known, hidden or noisy. Out come, for every column at once, logits of its states,
and for every score the denoiser's free part (``diffusion.Scaling``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from synth_worker.generators.layers import HATS, Residual, dropped, embedding, hats, linear
from synth_worker.generators.segments import segments_of, starts_of, surprise

MOST_EMBEDDED = 12
WAVES = 8
"""Frequencies by which the network is told the noise level."""


@dataclass(frozen=True)
class Shape:
    """Say what the network is made of.

    ``widths`` are the states of each column, ``numbers`` the columns that have a score (places among the columns).
    """

    widths: tuple[int, ...]
    numbers: tuple[int, ...]
    hidden: int
    layers: int
    dropout: float


@dataclass(frozen=True, eq=False)
class Seen:
    """Hold what the network is shown of rows.

    ``states`` (rows, columns) and ``values`` (rows, numbers; scaled to about unit variance), with 1 where ``told`` a
    state is known, ``clean`` a score is known, ``noisy`` it is known up to noise; all else is hidden. ``level`` is the
    noise level, shape (rows, 1).
    """

    states: Tensor
    told: Tensor
    values: Tensor
    clean: Tensor
    noisy: Tensor
    level: Tensor


class EndpointNet(nn.Module):
    """Map rows of which something is known to what they were."""

    starts: Tensor
    segments: Tensor
    places: Tensor

    def __init__(self, shape: Shape, *, logits: Sequence[float], generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        total, columns, scores = sum(shape.widths), len(shape.widths), len(shape.numbers)
        width = min(MOST_EMBEDDED, max(2, max(shape.widths, default=2)))
        self.register_buffer("starts", starts_of(shape.widths), persistent=False)
        self.register_buffer("segments", segments_of(shape.widths), persistent=False)
        self.register_buffer("places", torch.tensor(shape.numbers, dtype=torch.long), persistent=False)
        self.embed = embedding(total, width, generator=generator)
        inputs = columns * (width + 1) + scores * (len(HATS) + 3) + 2 * WAVES
        self.enter = linear(inputs, shape.hidden, generator=generator)
        self.blocks = nn.ModuleList(
            Residual(shape.hidden, generator=generator, dropout=shape.dropout) for _ in range(shape.layers)
        )
        self.norm = nn.LayerNorm(shape.hidden)
        self.states = linear(shape.hidden, total, generator=generator, gain=0.1)
        # Zero at first: the denoiser of independent normal scores is then exact.
        self.scores = linear(shape.hidden, scores, generator=generator, gain=0.0)
        with torch.no_grad():
            self.states.bias.copy_(torch.as_tensor(logits, dtype=torch.float32))

    def hidden(self, seen: Seen, generator: torch.Generator | None = None) -> Tensor:
        """Return what the network makes of rows, shape (rows, hidden); with a stream, dropout acts."""
        rows = len(seen.states)
        cells = self.embed(seen.states + self.starts) * seen.told[..., None]
        shown = (seen.clean + seen.noisy)[..., None]
        numbers = torch.cat([hats(seen.values), seen.values[..., None]], dim=-1) * shown
        inside = torch.cat(
            [cells.reshape(rows, -1), seen.told, numbers.reshape(rows, -1), seen.clean, seen.noisy, waves(seen.level)],
            dim=1,
        )
        values = self.enter(inside)
        for block in self.blocks:
            values = block(values, generator)
        values = functional.silu(self.norm(values))
        return values if generator is None else dropped(values, self.shape.dropout, generator=generator)

    def surprise(self, hidden: Tensor, states: Tensor) -> Tensor:
        """Return minus the log-probability of each cell's state, shape (rows, columns)."""
        return surprise(self.states(hidden).float(), states, starts=self.starts, segments=self.segments)


def waves(level: Tensor) -> Tensor:
    """Return sines and cosines of the logarithm of a noise level, shape (rows, 2 WAVES)."""
    angle = level.log() / 4 * (math.pi / 2) * torch.arange(1, WAVES + 1, device=level.device)
    return torch.cat([angle.sin(), angle.cos()], dim=1)
