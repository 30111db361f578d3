"""Treat the logits of all columns, laid side by side, as one distribution per column.

A loop over columns would cost more than a network: everything here works on the segments of all columns at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def starts_of(widths: Sequence[int]) -> Tensor:
    """Return where each column's states begin, shape (columns,).

    >>> starts_of((2, 3, 2)).tolist()
    [0, 2, 5]
    """
    return torch.cumsum(torch.tensor([0, *widths]), 0)[:-1]


def segments_of(widths: Sequence[int]) -> Tensor:
    """Return the column that each state belongs to, shape (states,).

    >>> segments_of((2, 3)).tolist()
    [0, 0, 1, 1, 1]
    """
    return torch.repeat_interleave(torch.arange(len(widths)), torch.tensor(widths, dtype=torch.long))


def log_sums(logits: Tensor, *, segments: Tensor, columns: int) -> Tensor:
    """Return the logarithm of the sum of each column's exponentials, shape (rows, columns)."""
    top = logits.detach().amax(dim=1, keepdim=True)
    sums = logits.new_zeros(len(logits), columns).index_add_(1, segments, (logits - top).exp())
    return (sums + 1e-30).log() + top


def surprise(logits: Tensor, states: Tensor, *, starts: Tensor, segments: Tensor) -> Tensor:
    """Return minus the log-probability of each cell's state, shape (rows, columns).

    >>> widths = (2, 3)
    >>> logits = torch.zeros(1, 5)
    >>> surprise(logits, torch.tensor([[0, 2]]), starts=starts_of(widths), segments=segments_of(widths)).exp()
    tensor([[2., 3.]])
    """
    return log_sums(logits, segments=segments, columns=len(starts)) - logits.gather(1, states + starts)


def log_shares(logits: Tensor, *, starts: Tensor, segments: Tensor) -> Tensor:
    """Return the log-probability of every state within its column, shape (rows, states)."""
    return logits - log_sums(logits, segments=segments, columns=len(starts))[:, segments]


def drawn_states(logits: Tensor, *, starts: Tensor, segments: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a state for each cell, shape (rows, columns): the largest logit after Gumbel noise is added."""
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device).clamp_(1e-30, 1 - 1e-7)
    noisy = logits - (-uniform.log()).log()
    rows, columns = len(logits), len(starts)
    index = segments.expand(rows, -1)
    best = noisy.new_full((rows, columns), -torch.inf).scatter_reduce_(1, index, noisy, "amax")
    winner = torch.where(noisy == best[:, segments], torch.arange(len(segments), device=logits.device), -1)
    found = winner.new_full((rows, columns), -1).scatter_reduce_(1, index, winner, "amax")
    return found - starts
