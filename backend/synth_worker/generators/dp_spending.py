"""Divide a privacy budget within one fit: nothing is measured that has not been taken from it first."""

from __future__ import annotations

from dataclasses import dataclass, field

from synth_worker.errors import TrainingFailed

SLACK = 1e-9


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
        """Return what is left."""
        return self.rho - sum(rho for _, rho in self.taken)

    def take(self, what: str, rho: float) -> float:
        """Return ``rho`` after it has been taken. Raises TrainingFailed where so much is not left."""
        if rho > self.left * (1 + SLACK) + SLACK * self.rho:
            raise TrainingFailed(
                f"{what} would cost {rho:.3g} of zCDP; {self.left:.3g} of {self.rho:.3g} are left",
                hint="this is a bug: the shares of a budget exceed it",
            )
        self.taken.append((what, rho))
        return rho
