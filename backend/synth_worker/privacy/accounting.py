"""Account for privacy in zero-concentrated differential privacy, and convert it to epsilon and delta tightly.

A mechanism is rho-zCDP where the Renyi divergence of order alpha between its outputs on neighbouring tables is at most
alpha x rho, for all alpha > 1 (Bun and Steinke 2016, definition 1.1). Costs of mechanisms that follow one another add
up (lemma 1.7), also where each is chosen in view of the earlier answers, as long as the costs were fixed in advance.
Neighbouring here means add or remove one unit. Whatever is returned errs toward less privacy than there is.
"""

from __future__ import annotations

import math
from fractions import Fraction

from synth_worker.errors import BadInput

SLACK = 1e-12
"""Relative error of a few float operations, counted against us."""


def epsilon_of(rho: float, *, delta: float) -> float:
    """Return the epsilon for which rho-zCDP implies (epsilon, delta)-differential privacy.

    The least over alpha > 1 of ``alpha rho + log(1 / (alpha delta)) / (alpha - 1) + log(1 - 1 / alpha)`` (Canonne,
    Kamath and Steinke 2020, proposition 12). Any alpha gives a bound that holds, so a search that stops early only errs
    upward. Raises BadInput for a rho below 0 or a delta outside (0, 1).

    >>> round(epsilon_of(0.5, delta=1e-6), 2)
    5.22
    >>> epsilon_of(0.0, delta=1e-6)
    0.0
    """
    _check_delta(delta)
    if not (math.isfinite(rho) and rho >= 0):
        raise BadInput(f"rho is {rho:g}; it must be at least 0 and finite")
    if rho == 0:
        return 0.0

    def bound(order: float) -> float:  # order: log(alpha - 1)
        rest = math.exp(order)
        alpha = 1.0 + rest
        log_alpha = math.log1p(rest)
        return alpha * rho + (-math.log(delta) - log_alpha) / rest + order - log_alpha

    # The bound falls, then rises in alpha: near the order sqrt(log(1 / delta) / rho) it is least.
    middle = 0.5 * (math.log(-math.log(delta)) - math.log(rho))
    low, high = middle - 12.0, middle + 12.0
    for _ in range(200):
        one, two = low + (high - low) * 0.381966, low + (high - low) * 0.618034
        if bound(one) <= bound(two):
            high = two
        else:
            low = one
    return max(0.0, min(bound(low), bound(high)) * (1 + SLACK) + SLACK)


def rho_of(epsilon: float, *, delta: float) -> float:
    """Return the largest rho found for which rho-zCDP implies (epsilon, delta)-differential privacy.

    ``epsilon_of`` of it is never above ``epsilon``. Raises BadInput for an epsilon that is not above 0 and finite, or
    a delta outside (0, 1).

    >>> rho = rho_of(1.0, delta=1e-6)
    >>> round(rho, 4), epsilon_of(rho, delta=1e-6) <= 1.0
    (0.0244, True)
    """
    _check_epsilon(epsilon)
    _check_delta(delta)
    low, high = 0.0, epsilon + 1.0
    while epsilon_of(high, delta=delta) <= epsilon:
        high *= 2.0
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if epsilon_of(middle, delta=delta) <= epsilon:
            low = middle
        else:
            high = middle
    if low == 0.0:
        raise BadInput(f"epsilon {epsilon:g} at delta {delta:g} is too small to spend", hint="raise either")
    return low


def pure_rho(epsilon: float) -> float:
    """Return the rho of an epsilon-differentially private mechanism: epsilon^2 / 2 (Bun and Steinke 2016, prop. 1.4).

    >>> pure_rho(1.0)
    0.5
    """
    _check_epsilon(epsilon)
    return _up(Fraction(epsilon) ** 2 / 2)


def exponential_rho(epsilon: float) -> float:
    """Return the rho of an exponential mechanism: epsilon^2 / 8, as its range is bounded (Cesar and Rogers 2021, 3.4).

    >>> exponential_rho(2.0)
    0.5
    """
    _check_epsilon(epsilon)
    return _up(Fraction(epsilon) ** 2 / 8)


def exponential_epsilon(rho: float) -> float:
    """Return the epsilon of an exponential mechanism that costs at most rho.

    >>> exponential_epsilon(0.5)
    2.0
    """
    _check_positive(rho, "rho")
    epsilon = math.sqrt(8 * rho)
    while exponential_rho(epsilon) > rho:
        epsilon = math.nextafter(epsilon, 0.0)
    return epsilon


def gaussian_rho(*, sensitivity: float, scale: float) -> float:
    """Return the rho of (discrete) Gaussian noise: sensitivity^2 / (2 scale^2), sensitivity in L2.

    Bun and Steinke 2016, lemma 2.4; for the discrete Gaussian Canonne, Kamath and Steinke 2020, theorem 4.

    >>> gaussian_rho(sensitivity=1.0, scale=1.0)
    0.5
    """
    _check_positive(sensitivity, "sensitivity")
    _check_positive(scale, "scale")
    return _up(Fraction(sensitivity) ** 2 / (2 * Fraction(scale) ** 2))


def gaussian_scale(*, sensitivity: float, rho: float) -> float:
    """Return the smallest scale found of Gaussian noise that costs at most rho.

    >>> gaussian_scale(sensitivity=1.0, rho=0.5)
    1.0
    """
    _check_positive(sensitivity, "sensitivity")
    _check_positive(rho, "rho")
    scale = sensitivity / math.sqrt(2 * rho)
    while gaussian_rho(sensitivity=sensitivity, scale=scale) > rho:
        scale = math.nextafter(scale, math.inf)
    return scale


def _up(exact: Fraction) -> float:
    """Return the least float near a fraction that is not below it."""
    try:
        near = float(exact)
    except OverflowError:
        return math.inf
    return near if Fraction(near) >= exact else math.nextafter(near, math.inf)


def _check_epsilon(epsilon: float) -> None:
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise BadInput(f"epsilon is {epsilon:g}; it must be above 0 and finite", hint="a usual value is 1")


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise BadInput(f"delta is {delta:g}; it lies between 0 and 1", hint="a usual value is 1e-6, below 1 / rows")


def _check_positive(value: float, name: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise BadInput(f"{name} is {value:g}; it must be above 0 and finite")
