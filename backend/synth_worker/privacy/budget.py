"""Count what privacy costs in whole units, so that no sum is ever rounded down.

A cost is a rho of zero-concentrated differential privacy (Bun and Steinke 2016) in units of 10^-9 and an additive
delta in units of 10^-18, both rounded up. Costs of mechanisms that follow one another, each chosen in view of the
earlier answers, add up as long as the limits are fixed in advance (Whitehouse et al. 2023, theorem 1): a budget is
such a pair of limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from synth_worker.errors import BadInput
from synth_worker.privacy.accounting import epsilon_of, rho_of

RHO_UNITS = 10**9
DELTA_UNITS = 10**18
LARGEST = 2**62
"""The largest number of units: sums of two still fit into 64 bits."""


@dataclass(frozen=True)
class Cost:
    """Hold what something costs: ``rho_nano`` units of 10^-9, ``delta_atto`` units of 10^-18.

    Raises BadInput for a cost below nothing, or beyond what 64 bits hold.

    >>> Cost.of_rho(0.1) + Cost.of_pure(1.0)
    Cost(rho_nano=600000001, delta_atto=0)
    """

    rho_nano: int = 0
    delta_atto: int = 0

    def __post_init__(self) -> None:
        for name, units in (("rho_nano", self.rho_nano), ("delta_atto", self.delta_atto)):
            if isinstance(units, bool) or not isinstance(units, int):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise BadInput(f"{name} is {units!r}; a cost is a whole number of units")
            if not 0 <= units <= LARGEST:
                raise BadInput(f"{name} is {units}; a cost lies between 0 and {LARGEST}")

    @classmethod
    def of_rho(cls, rho: float, *, delta: float = 0.0) -> Cost:
        """Return the cost of a rho-zCDP mechanism that fails with probability ``delta``; both are rounded up.

        >>> Cost.of_rho(0.1)  # the float 0.1 is a little more than a tenth
        Cost(rho_nano=100000001, delta_atto=0)
        """
        return cls(_up(rho, RHO_UNITS, "rho"), _up(delta, DELTA_UNITS, "delta"))

    @classmethod
    def of_pure(cls, epsilon: float, *, delta: float = 0.0) -> Cost:
        """Return the cost of an epsilon-DP mechanism: epsilon^2 / 2 (Bun and Steinke 2016, proposition 1.4).

        >>> Cost.of_pure(1.0)
        Cost(rho_nano=500000000, delta_atto=0)
        """
        _finite(epsilon, "epsilon")
        return cls(math.ceil(Fraction(epsilon) ** 2 / 2 * RHO_UNITS), _up(delta, DELTA_UNITS, "delta"))

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.rho_nano + other.rho_nano, self.delta_atto + other.delta_atto)

    def within(self, limit: Cost) -> bool:
        """Tell whether neither part is above the limit's."""
        return self.rho_nano <= limit.rho_nano and self.delta_atto <= limit.delta_atto

    def left_of(self, limit: Cost) -> Cost:
        """Return what is left of a limit once this is spent; nothing where more was.

        >>> Cost(6).left_of(Cost(10))
        Cost(rho_nano=4, delta_atto=0)
        """
        return Cost(max(limit.rho_nano - self.rho_nano, 0), max(limit.delta_atto - self.delta_atto, 0))

    @property
    def rho(self) -> float:
        """Return rho as a float that is not above it: a mechanism that uses it costs no more than this.

        >>> Cost.of_rho(Cost(3).rho)
        Cost(rho_nano=3, delta_atto=0)
        """
        near = self.rho_nano / RHO_UNITS
        return near if Fraction(near) * RHO_UNITS <= self.rho_nano else math.nextafter(near, 0.0)

    @property
    def delta(self) -> float:
        """Return the additive delta as a number, to show it."""
        return self.delta_atto / DELTA_UNITS

    def __str__(self) -> str:
        """Spell the cost out exactly.

        >>> str(Cost(31_240_123)), str(Cost(0, 10**12))
        ('rho 0.031240123', 'rho 0 and delta 1e-06')
        """
        whole, part = divmod(self.rho_nano, RHO_UNITS)
        rho = f"{whole}.{part:09d}".rstrip("0").rstrip(".")
        return f"rho {rho}" + (f" and delta {self.delta:g}" if self.delta_atto else "")


NOTHING = Cost()


@dataclass(frozen=True)
class Budget:
    """Hold what the owner of data allows in all: (``epsilon``, ``delta``)-differential privacy.

    ``additive`` is the part of ``delta`` that mechanisms may spend which fail with a small probability (thresholds on
    unknown categories); the rest converts rho into epsilon. It is fixed in advance: a division chosen after the fact
    would be no limit. Raises BadInput for an epsilon that is not above 0, a delta outside (0, 1), an additive part
    that leaves nothing to convert with.

    >>> Budget(3.0, 1e-6).limit.delta_atto
    0
    >>> Budget(1.0, 0.0)
    Traceback (most recent call last):
    synth_worker.errors.BadInput: delta is 0; it lies between 0 and 1 (a usual value is 1e-6, below 1 / rows)
    """

    epsilon: float
    delta: float
    additive: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise BadInput(f"epsilon is {self.epsilon:g}; it must be above 0 and finite", hint="a usual value is 1")
        if not 0 < self.delta < 1:
            raise BadInput(
                f"delta is {self.delta:g}; it lies between 0 and 1", hint="a usual value is 1e-6, below 1 / rows"
            )
        if not (self.additive >= 0 and self.convertible > 0):
            raise BadInput(
                f"the additive part of delta is {self.additive:g} of {self.delta:g}",
                hint="leave a part to convert with",
            )

    @property
    def convertible(self) -> float:
        """Return the part of delta that converts rho into epsilon: what the whole units set aside leave of it."""
        return self.delta - self.additive - 2 / DELTA_UNITS if self.additive else self.delta

    @property
    def limit(self) -> Cost:
        """Return the most that may be spent: rho rounded down, delta to the unit that ``convertible`` leaves out."""
        rho = rho_of(self.epsilon, delta=self.convertible)
        return Cost(math.floor(Fraction(rho) * RHO_UNITS), _up(self.additive, DELTA_UNITS, "delta"))

    def epsilon_spent(self, spent: Cost) -> float:
        """Return the epsilon that a spent cost amounts to at this budget's delta, never too low by rounding."""
        if spent == NOTHING:
            return 0.0
        return epsilon_of(spent.rho, delta=self.convertible)


def halved(epsilon: float, delta: float) -> Budget:
    """Return a budget of which half of delta is for mechanisms that fail with a small probability: the usual one.

    >>> halved(3.0, 1e-6).additive
    5e-07
    """
    return Budget(epsilon, delta, delta / 2)


def _up(value: float, units: int, name: str) -> int:
    _finite(value, name)
    return math.ceil(Fraction(value) * units)


def _finite(value: float, name: str) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise BadInput(f"{name} is {value}; a cost is a finite number of at least 0")
