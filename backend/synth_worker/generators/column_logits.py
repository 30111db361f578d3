"""Compute softmaxes of all columns at once: a row of logits is divided into one segment per column.

A loop over columns in the loss would cost more than the network.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from synth_worker.errors import BadModel
from synth_worker.generators.persistence import Stored
from synth_worker.table import Ints

PRIOR = 0.3
"""Rows that each state is taken to have been seen more often than it was, where a network begins."""

MOST_LOGIT = 15.0
"""Logits are bent to within this: e to the difference of two of them, times a small gradient, is then no subnormal
number in single precision, which processors are slow with."""

ROUNDS = 20
LEAST_SHARE = 1e-5
MOST_ADDED = 2.0
"""Logits are moved by no more than this to mend the shares: the rest is what the network learnt."""


class Segments(nn.Module):
    """Hold where each column's logits lie in a row; ``widths`` are the columns' numbers of states."""

    starts: Tensor
    column: Tensor
    membership: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        sizes = torch.tensor(self.widths, dtype=torch.long)
        column = torch.repeat_interleave(torch.arange(len(self.widths)), sizes)
        self.register_buffer("starts", sizes.cumsum(0) - sizes, persistent=False)
        self.register_buffer("column", column, persistent=False)
        self.register_buffer("membership", nn.functional.one_hot(column, len(self.widths)).float(), persistent=False)

    def one_hot(self, states: Tensor) -> Tensor:
        """Return ones where the states are and zeros elsewhere, shape (rows, all states)."""
        zeros = torch.zeros(len(states), sum(self.widths), device=states.device)
        return zeros.scatter_(1, states + self.starts, 1.0)

    def counts(self, states: Tensor) -> Tensor:
        """Return how often each state of each column occurs, shape (all states,)."""
        return torch.bincount((states + self.starts).flatten(), minlength=sum(self.widths))

    def log_sums(self, logits: Tensor) -> Tensor:
        """Return the logarithm of the sum of exponentials of each column's logits, shape (rows, columns)."""
        top = logits.detach().amax(dim=1, keepdim=True)
        return ((logits - top).exp() @ self.membership + 1e-36).log() + top

    def log_shares(self, logits: Tensor) -> Tensor:
        """Return the logarithm of each state's probability, shape (rows, all states)."""
        return logits - self.log_sums(logits)[:, self.column]

    def losses(self, logits: Tensor, states: Tensor) -> Tensor:
        """Return each column's cross-entropy, shape (rows, columns)."""
        return self.log_sums(logits) - logits.gather(1, states + self.starts)

    def losses_at(self, logits: Tensor, columns: Tensor, states: Tensor) -> Tensor:
        """Return the cross-entropy of one column of each row, all shapes (rows,)."""
        sums = self.log_sums(logits).gather(1, columns[:, None])[:, 0]
        return sums - logits.gather(1, (self.starts[columns] + states)[:, None])[:, 0]


def bent(logits: Tensor) -> Tensor:
    """Return logits within +-15, the small ones nearly as they are."""
    return MOST_LOGIT * torch.tanh(logits / MOST_LOGIT)


def calibrated(segments: Segments, logits: Tensor, counts: Sequence[Ints]) -> Tensor:
    """Return what to add to logits, shape (all states,), so that states are drawn as often as they were counted.

    ``logits`` are those of many drawn rows. A state of count 0 gets minus infinity: it is never drawn.

    >>> counts = [np.array([30, 70]), np.array([10, 0, 10])]
    >>> made = Segments((2, 3))
    >>> added = calibrated(made, torch.zeros(50, 5), counts)
    >>> made.log_shares(torch.zeros(1, 5) + added).exp()
    tensor([[0.3000, 0.7000, 0.5000, 0.0000, 0.5000]])
    """
    shares = [one / max(one.sum(), 1) for one in counts] or [np.zeros(0)]
    wanted = torch.as_tensor(np.concatenate(shares), device=logits.device).float()
    added = torch.zeros_like(wanted)
    if len(logits):
        for _ in range(ROUNDS):
            drawn = segments.log_shares(logits + added).exp().mean(dim=0)
            step = ((wanted + LEAST_SHARE) / (drawn + LEAST_SHARE)).log()
            added = (added + step).clamp(-MOST_ADDED, MOST_ADDED)
    return torch.where(wanted > 0, added, -torch.inf)


def first_logits(counts: Sequence[Ints]) -> list[float]:
    """Return the logits of the columns' own shares, a bias to begin with; ``counts`` are those of each one's states."""
    shares = [(np.asarray(one, dtype=np.float64) + PRIOR) / (one.sum() + PRIOR * len(one)) for one in counts]
    return np.log(np.concatenate(shares)).tolist() if shares else []


def restore_added(stored: Stored, counts: Sequence[Ints]) -> Tensor:
    """Read back what ``calibrated`` returned. Raises BadModel where it does not fit the counts."""
    found = stored.array("added", dtype=np.float32, shape=(sum(len(one) for one in counts),)).astype(np.float32)
    possible = np.concatenate([one > 0 for one in counts])
    if not (np.isfinite(found[possible]).all() and np.isneginf(found[~possible]).all()):
        raise BadModel("the model does not say which states occur", hint="fit it again")
    return torch.as_tensor(found)
