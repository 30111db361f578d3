"""Add noise to labels and take it away: multinomial diffusion (Hoogeboom et al. 2021, Argmax Flows, section 4).

At each step a label is, with a small probability, replaced by one drawn uniformly from its column.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from synth_worker.generators.segments import log_shares

OFFSET = 0.008
LARGEST_BETA = 0.999
ALMOST_NOTHING = 1e-30


@dataclass(frozen=True, eq=False)
class Cosine:
    """Hold a schedule of ``steps`` steps, each of shape (steps,) (Nichol and Dhariwal 2021, equation 17).

    ``alphas`` are what one step keeps of the signal's variance, ``kept`` what all steps so far have kept of it, and
    ``before`` what those before the step had.
    """

    alphas: Tensor
    kept: Tensor
    before: Tensor

    @property
    def steps(self) -> int:
        """Return the number of steps."""
        return len(self.alphas)


def cosine(steps: int, *, device: torch.device) -> Cosine:
    """Return the cosine schedule.

    >>> found = cosine(100, device=torch.device("cpu"))
    >>> bool((found.kept[1:] < found.kept[:-1]).all()), round(float(found.kept[0]), 3), float(found.before[0])
    (True, 0.999, 1.0)
    """

    def left(share: float) -> float:
        return math.cos((share + OFFSET) / (1 + OFFSET) * math.pi / 2) ** 2

    betas = [min(1 - left((at + 1) / steps) / left(at / steps), LARGEST_BETA) for at in range(steps)]
    alphas = 1 - torch.tensor(betas, dtype=torch.float64)
    kept = alphas.cumprod(0)
    before = torch.cat([torch.ones(1, dtype=torch.float64), kept[:-1]])
    return Cosine(*(one.float().to(device) for one in (alphas, kept, before)))


@dataclass(frozen=True, eq=False)
class Labels:
    """Hold where columns begin among all states, which column each state is of, and how many states that has."""

    starts: Tensor
    segments: Tensor
    sizes: Tensor

    def one_hot(self, states: Tensor) -> Tensor:
        """Return the logarithm of ones and almost-zeros, shape (rows, states)."""
        hot = torch.zeros(len(states), len(self.segments), device=states.device)
        return hot.scatter_(1, states + self.starts, 1.0).clamp_min(ALMOST_NOTHING).log()

    def blurred(self, shares: Tensor, kept: Tensor) -> Tensor:
        """Return log-probabilities after noise that keeps a share ``kept``, shape (rows, 1), of what was."""
        return (kept * shares.exp() + (1 - kept) / self.sizes).clamp_min(ALMOST_NOTHING).log()

    def before(self, start: Tensor, now: Tensor, schedule: Cosine, step: Tensor) -> Tensor:
        """Return the log-probabilities of each label one step earlier (Hoogeboom et al. 2021, equation 14).

        ``start`` are log-probabilities of what the labels were at first, ``now`` the labels as ``one_hot``, ``step``
        has shape (rows, 1) and counts from 0. Before step 0 is the start.
        """
        earlier = self.blurred(start, schedule.before[step]) + self.blurred(now, schedule.alphas[step])
        shares = log_shares(earlier, starts=self.starts, segments=self.segments)
        return torch.where(step == 0, start, shares)
