"""Treat the logits of all columns, laid side by side, as one distribution per column."""

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


def surprise(logits: Tensor, states: Tensor, *, starts: Tensor, segments: Tensor) -> Tensor:
    """Return minus the log-probability of each cell's state, shape (rows, columns).

    One softmax over the segments of all columns: a loop over columns would cost more than the network.

    >>> widths = (2, 3)
    >>> logits = torch.zeros(1, 5)
    >>> surprise(logits, torch.tensor([[0, 2]]), starts=starts_of(widths), segments=segments_of(widths)).exp()
    tensor([[2., 3.]])
    """
    top = logits.detach().amax(dim=1, keepdim=True)
    sums = logits.new_zeros(states.shape).index_add_(1, segments, (logits - top).exp())
    return (sums + 1e-30).log() + top - logits.gather(1, states + starts)
