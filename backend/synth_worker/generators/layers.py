"""Make the layers of a network from a stream of random numbers that is handed in, never from a global one.

They lie where the stream draws: on its device.
"""

from __future__ import annotations

import math
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

HATS = (-2.0, -1.3, -0.8, -0.4, 0.0, 0.4, 0.8, 1.3, 2.0)
"""Where the pieces of a number's encoding meet, in normal scores: about evenly spread over the rows."""


class _Unset(nn.Linear):
    """Leave the weights to whoever makes the layer: PyTorch would draw them by its global seed."""

    def reset_parameters(self) -> None:
        """Draw nothing."""


def linear(inputs: int, outputs: int, *, generator: torch.Generator, gain: float = 1.0) -> nn.Linear:
    """Return a linear layer with He's uniform initial weights times ``gain`` (He et al. 2015, section 2.2)."""
    layer = _Unset(inputs, outputs, device=generator.device)
    bound = gain / math.sqrt(max(inputs, 1))
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.zero_()
    return layer


def embedding(entries: int, width: int, *, generator: torch.Generator) -> nn.Embedding:
    """Return an embedding whose entries are drawn from a normal distribution of standard deviation 0.3."""
    layer = cast("nn.Embedding", nn.utils.skip_init(nn.Embedding, entries, width, device=generator.device))
    with torch.no_grad():
        layer.weight.normal_(0.0, 0.3, generator=generator)
    return layer


def dropped(values: Tensor, share: float, *, generator: torch.Generator) -> Tensor:
    """Set a share of values to zero and scale up the others (Srivastava et al. 2014)."""
    if share <= 0:
        return values
    kept = torch.empty_like(values).bernoulli_(1 - share, generator=generator)
    return values * kept / (1 - share)


def hats(scores: Tensor) -> Tensor:
    """Encode numbers by their place between fixed points, shape (..., len(HATS)) (after Gorishniy et al. 2022).

    >>> hats(torch.tensor([0.0, 0.2])).sum(dim=-1)
    tensor([1., 1.])
    """
    points = _points(scores.device).to(scores.dtype)
    inside = scores.clamp(HATS[0], HATS[-1])[..., None]
    left = torch.cat([points[:1] - 1, points[:-1]])
    right = torch.cat([points[1:], points[-1:] + 1])
    rising = (inside - left) / (points - left)
    falling = (right - inside) / (right - points)
    return torch.minimum(rising, falling).clamp_min(0.0)


@cache
def _points(device: torch.device) -> Tensor:
    """Return HATS where the scores are: brought there once, for a recorded step cannot wait for a copy."""
    return torch.tensor(HATS, device=device)


class Residual(nn.Module):
    """Add to its input what two layers make of it: normalise, SiLU, dropout between."""

    def __init__(self, width: int, *, generator: torch.Generator, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = linear(width, width, generator=generator)
        self.outer = linear(width, width, generator=generator, gain=0.5)
        self.dropout = dropout

    def forward(self, values: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return values of the same shape; with a stream, dropout acts."""
        inner = functional.silu(self.inner(self.norm(values)))
        if generator is not None:
            inner = dropped(inner, self.dropout, generator=generator)
        return values + self.outer(inner)
