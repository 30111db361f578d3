"""Add noise to normal scores and take it away again: levels, scalings and steps.

After Karras et al. 2022 (Elucidating the Design Space of Diffusion-Based Generative Models). Scores have a standard
deviation of 1, so an untrained network whose output is zero is the exact denoiser of independent columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LOWEST, HIGHEST = 0.02, 20.0
RHO = 7.0


@dataclass(frozen=True, eq=False)
class Scaling:
    """Hold the factors of one noise level (Karras et al. 2022, table 1), shaped like the level.

    The denoiser is ``skip * x + out * net(inside * x)``; the net's target is ``(score - skip * x) / out``.
    """

    skip: Tensor
    out: Tensor
    inside: Tensor


def scaling(level: Tensor) -> Scaling:
    """Return the factors at noise levels (standard deviations, in normal scores).

    >>> found = scaling(torch.tensor(1.0))
    >>> round(float(found.skip), 3), round(float(found.out**2), 3), round(float(found.inside**2), 3)
    (0.5, 0.5, 0.5)
    """
    total = level**2 + 1
    return Scaling(1 / total, level / total.sqrt(), 1 / total.sqrt())


def levels(steps: int) -> list[float]:
    """Return ``steps`` noise levels from the highest to the lowest, and 0 (Karras et al. 2022, equation 5).

    >>> [round(one, 2) for one in levels(4)]
    [20.0, 3.87, 0.45, 0.02, 0.0]
    """
    top, bottom = HIGHEST ** (1 / RHO), LOWEST ** (1 / RHO)
    share = [at / max(steps - 1, 1) for at in range(steps)]
    return [(top + one * (bottom - top)) ** RHO for one in share] + [0.0]


@dataclass(frozen=True)
class Pace:
    """Tie noise levels to times from 0 to 1, at which a share of the states as large as the time is hidden.

    The logarithm of the level at a uniform time is normal (Karras et al. 2022, table 1).
    """

    mean: float = -0.3
    deviation: float = 1.5

    def level(self, time: Tensor) -> Tensor:
        """Return the noise level at a time.

        >>> Pace(0.0, 1.0).level(torch.tensor([0.5]))
        tensor([1.])
        """
        return (self.mean + self.deviation * torch.special.ndtri(time)).exp().clamp(LOWEST, HIGHEST)

    def time(self, level: float) -> float:
        """Return the time of a noise level.

        >>> Pace(0.0, 1.0).time(1.0), Pace(0.0, 1.0).time(0.0)
        (0.5, 0.0)
        """
        if level <= 0:
            return 0.0
        return 0.5 * (1 + math.erf((math.log(level) - self.mean) / (self.deviation * math.sqrt(2))))


PACE = Pace()
