"""Divide a privacy budget within one fit: nothing is measured that has not been taken from it first."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from synth_worker.errors import TrainingFailed

SLACK = 1e-9
"""How far shares may miss the sum by rounding, relative; what is taken is cut to what is left."""


@dataclass(eq=False)
class Spending:
    """Hold what one fit may spend in zCDP and what it has taken, by name, in order.

    >>> spending = Spending(0.5)
    >>> spending.take("pairs", 0.2), round(spending.left, 3)
    (0.2, 0.3)
    """

    rho: float
    taken: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    @property
    def left(self) -> float:
        """Return what is left, never more: the sum is exact, its float rounded down."""
        exact = Fraction(self.rho) - sum(Fraction(rho) for _, rho in self.taken)
        near = float(exact)
        return near if Fraction(near) <= exact else math.nextafter(near, -math.inf)

    def take(self, what: str, rho: float) -> float:
        """Return what was taken: ``rho``, or what is left where shares add up to a little more than all of it.

        So what was taken never exceeds the budget, not by a rounding either. Raises TrainingFailed beyond that.
        """
        left = self.left
        if rho > left * (1 + SLACK) + SLACK * self.rho:
            raise TrainingFailed(
                f"{what} would cost {rho:.3g} of zCDP; {left:.3g} of {self.rho:.3g} are left",
                hint="this is a bug: the shares of a budget exceed it",
            )
        own = min(rho, left)
        self.taken.append((what, own))
        return own
