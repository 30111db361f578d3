"""Audit a mechanism by what it answers: bound epsilon from below on two neighbouring inputs.

An event is chosen on one half of the draws (all thresholds and equalities on a number that is computed from the
answer) and judged on the other half, so that the choice costs nothing. For (epsilon, delta)-differential privacy
P(event | one) <= exp(epsilon) P(event | other) + delta; with Clopper-Pearson bounds of both probabilities that gives
a lower bound of epsilon that holds with the confidence asked for (Jagielski, Ullman and Oprea 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, chi2

from synth_worker.table import Floats, Ints

CONFIDENCE = 0.999


@dataclass(frozen=True)
class Event:
    """Hold an event: answers up to, from, or equal to ``value``, and in which direction it tells inputs apart."""

    kind: str
    value: float
    swapped: bool

    def holds(self, answers: Floats) -> np.ndarray:
        """Tell where the event occurred."""
        if self.kind == "equal":
            return answers == self.value
        return answers >= self.value if self.kind == "from" else answers <= self.value


def events_of(one: Floats, other: Floats, *, most: int = 400) -> list[Event]:
    """Return the threshold and equality events at the values that occur, at most about ``most`` values."""
    values = np.unique(np.concatenate([one, other]))
    if len(values) > most:
        values = values[np.linspace(0, len(values) - 1, most).astype(int)]
    return [
        Event(kind, float(value), swapped)
        for value in values
        for kind in ("equal", "from", "upto")
        for swapped in (False, True)
    ]


def lower_epsilon(one: Floats, other: Floats, *, delta: float = 0.0, confidence: float = CONFIDENCE) -> float:
    """Return a lower bound of epsilon, at least 0, from draws of a statistic on two neighbouring inputs.

    It is too high with probability at most ``1 - confidence``.

    >>> rng = np.random.default_rng(0)
    >>> one, other = rng.laplace(0, 1, 20_000), rng.laplace(1, 1, 20_000)
    >>> 0.7 < lower_epsilon(one, other) <= 1.0
    True
    """
    half, middle = len(one) // 2, len(other) // 2
    best, chosen = 0.0, None
    for event in events_of(one[:half], other[:middle]):
        found = _bound(event, one[:half], other[:middle], delta=delta, confidence=0.95)
        if found > best:
            best, chosen = found, event
    if chosen is None:
        return 0.0
    return max(0.0, _bound(chosen, one[half:], other[middle:], delta=delta, confidence=confidence))


def _bound(event: Event, one: Floats, other: Floats, *, delta: float, confidence: float) -> float:
    if event.swapped:
        one, other = other, one
    tail = (1 - confidence) / 2
    hits, misses = int(event.holds(one).sum()), int(event.holds(other).sum())
    low = float(beta.ppf(tail, hits, len(one) - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, misses + 1, len(other) - misses)) if misses < len(other) else 1.0
    return math.log((low - delta) / high) if low > delta else 0.0


def chi_square(drawn: Ints, probabilities: Floats) -> float:
    """Return the p-value of draws of 0, 1, ... against exact probabilities; cells that expect under 5 are joined."""
    seen = np.bincount(drawn, minlength=len(probabilities)).astype(float)
    expected = np.asarray(probabilities) / np.sum(probabilities) * len(drawn)
    if len(seen) > len(expected):
        return 0.0
    order = np.argsort(expected)
    rare = int(np.searchsorted(np.cumsum(expected[order]), 5.0, side="left")) + 1
    seen = np.concatenate([[seen[order][:rare].sum()], seen[order][rare:]])
    expected = np.concatenate([[expected[order][:rare].sum()], expected[order][rare:]])
    if len(seen) < 2:
        return 1.0
    return float(chi2.sf(((seen - expected) ** 2 / expected).sum(), len(seen) - 1))


def gaussian_law(scale: float) -> Floats:
    """Return the probabilities of the discrete Gaussian at -w..w, w = 12 scales; what lies beyond is below 1e-30."""
    width = math.ceil(12 * scale) + 1
    law = np.exp(-(np.arange(-width, width + 1) ** 2) / (2 * scale * scale))
    return law / law.sum()


def laplace_law(scale: float) -> Floats:
    """Return the probabilities of the discrete Laplace at -w..w, w = 75 scales."""
    width = math.ceil(75 * scale) + 1
    law = np.exp(-np.abs(np.arange(-width, width + 1)) / scale)
    return law / law.sum()
