"""Compare the accounting with other accounts of the same mechanisms: dp_accounting's, and the exact one of a Gaussian.

Gaussians that follow one another are one Gaussian, whose privacy is known in closed form (Balle and Wang 2018, theorem
8). What is returned must not be below that, nor below the privacy loss distribution's; it should be what Renyi
accounting gives, as that is what zCDP sums.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from dp_accounting import dp_event
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant
from scipy.stats import norm

from synth_worker.privacy.accounting import epsilon_of, gaussian_rho, gaussian_scale, rho_of

SLACK = 1e-3
"""How far our epsilon may lie from Renyi accounting, relative: also below it, as theirs takes the best of a grid."""


@dataclass(frozen=True)
class Composition:
    """Hold Gaussians that follow one another, as noise per sensitivity, and the delta at which they are told."""

    scales: tuple[float, ...]
    delta: float

    @property
    def ours(self) -> float:
        """Return our epsilon."""
        return epsilon_of(sum(gaussian_rho(sensitivity=1.0, scale=one) for one in self.scales), delta=self.delta)

    @property
    def _event(self) -> dp_event.DpEvent:
        return dp_event.ComposedDpEvent([dp_event.GaussianDpEvent(one) for one in self.scales])

    def renyi(self, *, orders: int = 600) -> float:
        """Return dp_accounting's epsilon by Renyi divergences."""
        account = RdpAccountant(orders=list(1 + np.exp(np.linspace(-6, 9, orders))))
        account.compose(self._event)
        return float(account.get_epsilon(self.delta))

    def loss_distribution(self) -> float:
        """Return dp_accounting's epsilon by privacy loss distributions, which is nearly the exact one."""
        account = PLDAccountant(value_discretization_interval=min(1e-2, self.ours / 100))
        account.compose(self._event)
        return float(account.get_epsilon(self.delta))

    def exact_delta(self, epsilon: float) -> float:
        """Return the delta that the composed Gaussian has at an epsilon."""
        mu = math.sqrt(sum(1 / one**2 for one in self.scales))
        other = epsilon + float(norm.logcdf(-mu / 2 - epsilon / mu))
        return float(norm.cdf(mu / 2 - epsilon / mu)) - math.exp(other)


def compositions(count: int, *, seed: int) -> list[Composition]:
    """Return ``count`` compositions of 1 to 30 Gaussians, of epsilon .05 to 20 and delta 1e-10 to 1e-2 in all."""
    rng, found = np.random.default_rng(seed), list[Composition]()
    for _ in range(count):
        delta, epsilon = 10 ** rng.uniform(-10, -2), math.exp(rng.uniform(math.log(0.05), math.log(20)))
        rho = rho_of(float(epsilon), delta=float(delta))
        shares = rng.dirichlet(np.ones(int(rng.integers(1, 31))))
        scales = [gaussian_scale(sensitivity=1.0, rho=max(rho * float(one), 1e-9)) for one in shares]
        found.append(Composition(tuple(scales), float(delta)))
    return found
