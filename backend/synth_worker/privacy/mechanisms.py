"""Answer under differential privacy: counts with noise, a noisy choice, a histogram of unknown labels, random answers.

Sensitivity is an argument and never computed from data: how much one unit (a person with at most so many rows, or a
row), added or removed, can change what is asked. Everything takes *counts over public cells*, so that rows may stay in
a database.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from synth_worker.errors import BadInput
from synth_worker.privacy.accounting import exponential_rho, gaussian_scale, pure_rho
from synth_worker.privacy.noise import NoiseSource
from synth_worker.table import Floats, Ints


def gaussian_counts(counts: Ints, *, rho: float, sensitivity: float, noise: NoiseSource) -> Ints:
    """Return counts with discrete Gaussian noise, of the same shape: rho-zCDP.

    ``sensitivity`` is in L2: one unit with at most m rows changes one table of counts by at most m. Raises BadInput for
    counts that are no whole numbers, or a rho or sensitivity not above 0.

    >>> from synth_worker.privacy.noise import ScriptedNoise
    >>> gaussian_counts(np.array([3, 0]), rho=0.5, sensitivity=1.0, noise=ScriptedNoise(still=True)).tolist()
    [3, 0]
    """
    own = _whole(counts)
    scale = gaussian_scale(sensitivity=sensitivity, rho=rho)
    return own + noise.discrete_gaussian(own.size, scale=scale).reshape(own.shape)


def laplace_counts(counts: Ints, *, epsilon: float, sensitivity: float, noise: NoiseSource) -> Ints:
    """Return counts with discrete Laplace noise, of the same shape: epsilon-DP, epsilon^2 / 2 in zCDP.

    ``sensitivity`` is in L1 (Ghosh, Roughgarden and Sundararajan 2009).
    """
    own = _whole(counts)
    return own + noise.discrete_laplace(own.size, scale=laplace_scale(sensitivity, epsilon=epsilon)).reshape(own.shape)


def laplace_scale(sensitivity: float, *, epsilon: float) -> float:
    """Return the scale of Laplace noise for epsilon-DP, rounded up.

    >>> laplace_scale(1.0, epsilon=0.5)
    2.0
    """
    pure_rho(epsilon)
    if not (math.isfinite(sensitivity) and sensitivity > 0):
        raise BadInput(f"sensitivity is {sensitivity:g}; it must be above 0 and finite")
    scale = sensitivity / epsilon
    while math.isfinite(scale) and Fraction(scale) * Fraction(epsilon) < Fraction(sensitivity):
        scale = math.nextafter(scale, math.inf)
    return scale


def noisy_max(scores: Floats, *, epsilon: float, sensitivity: float, noise: NoiseSource) -> int:
    """Return the place of a score that is large: the exponential mechanism (McSherry and Talwar 2007), by Gumbel noise.

    epsilon-DP, and epsilon^2 / 8 in zCDP. ``sensitivity`` is the most that one unit changes any one score.

    >>> from synth_worker.privacy.noise import ScriptedNoise
    >>> noisy_max(np.array([1.0, 5.0]), epsilon=1.0, sensitivity=1.0, noise=ScriptedNoise(still=True))
    1
    """
    exponential_rho(epsilon)
    scale = laplace_scale(2.0 * sensitivity, epsilon=epsilon)
    return noise.noisy_max(np.asarray(scores, dtype=np.float64), scale=scale)


def truth_of(epsilon: float, *, categories: int) -> float:
    """Return how often k-ary randomised response may tell the truth: e^epsilon / (e^epsilon + k - 1), rounded down.

    >>> round(truth_of(1.0, categories=2), 3)
    0.731
    """
    pure_rho(epsilon)
    if epsilon < 1e-12:
        raise BadInput(f"epsilon is {epsilon:g}; random answers need at least 1e-12", hint="a usual value is 1")
    if categories < 2:
        raise BadInput(f"{categories} category leaves nothing to randomise; at least 2 are needed")
    truth = 1.0 / (1.0 + (categories - 1) * math.exp(-epsilon))
    return truth * (1 - 1e-15)


def randomised_response(codes: Ints, *, categories: int, epsilon: float, noise: NoiseSource) -> Ints:
    """Return each code or, at random, another one: epsilon-local DP of each value (Warner 1965; Kairouz et al. 2016).

    Neighbouring here means that one value is replaced by any other.
    """
    truth = truth_of(epsilon, categories=categories)
    return noise.randomise(np.asarray(codes, dtype=np.int64), categories=categories, truth=truth)


def threshold_of(rho: float, *, delta: float, most_rows: int) -> int:
    """Return from which noisy count on a label may be named by ``stable_histogram``.

    A label that only one unit holds must stay unnamed but with probability delta. A unit's rows, at most m, lie in k
    labels with counts c_1 ... c_k >= 1 that add up to m; a label is named with probability P(Z >= t - c). A discrete
    Gaussian has P(Z >= j) <= P(N >= j - 1) (Canonne, Kamath and Steinke 2020, proposition 25), and the tail of the
    normal is convex beyond 0, so in c where t > m: for each k the sum is largest at (m - k + 1, 1, ..., 1), and that is
    convex in k, so that k = 1 or k = m is worst.

    >>> threshold_of(0.5, delta=1e-6, most_rows=1)
    7
    """
    if not 0 < delta < 1:
        raise BadInput(f"delta is {delta:g}; it lies between 0 and 1", hint="a usual value is 1e-6, below 1 / rows")
    if most_rows < 1:
        raise BadInput(f"a unit has at most {most_rows} rows; at least 1 is needed")
    scale = gaussian_scale(sensitivity=float(most_rows), rho=rho)

    def failing(threshold: int) -> float:
        one = _normal_tail((threshold - most_rows - 1) / scale)
        many = most_rows * _normal_tail((threshold - 2) / scale)
        return max(one, many) * (1 + 1e-9)

    low = most_rows
    high = most_rows + 1
    while failing(high) > delta:
        low, high = high, most_rows + 2 * (high - most_rows)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if failing(middle) > delta else (low, middle)
    return high


def _normal_tail(at: float) -> float:
    return 0.5 * math.erfc(at / math.sqrt(2.0))


def stable_histogram(
    counts: Mapping[str, int], *, rho: float, delta: float, most_rows: int, noise: NoiseSource
) -> dict[str, int]:
    """Return the labels that are frequent, with noisy counts, in the order of the labels: rho-zCDP but for delta.

    For labels that are not known in advance (Korolova et al. 2009; Vadhan 2017, theorem 3.5), here with Gaussian noise.
    ``most_rows`` is the most rows of a unit. Unless a label is named that only one unit holds, which happens with
    probability delta, the answer is that of Gaussian noise on the others' labels: delta-approximate rho-zCDP (Bun and
    Steinke 2016, definition 8.1).
    """
    threshold = threshold_of(rho, delta=delta, most_rows=most_rows)
    labels = sorted(label for label, count in counts.items() if count > 0)
    own = np.array([counts[label] for label in labels], dtype=np.int64)
    noisy = gaussian_counts(own, rho=rho, sensitivity=float(most_rows), noise=noise)
    return {label: int(count) for label, count in zip(labels, noisy, strict=True) if count >= threshold}


def dp_range(
    counts: Ints, *, rho: float, sensitivity: float, noise: NoiseSource, chance: float = 1e-3
) -> tuple[int, int] | None:
    """Return the first and the last public cell that surely hold something, None where none does: rho-zCDP.

    ``counts`` are over an ordered public grid. A cell counts from where noise alone would put any of the cells with
    probability ``chance``: what is looked at is noisy, so that the rule costs nothing.
    """
    noisy = gaussian_counts(counts, rho=rho, sensitivity=sensitivity, noise=noise)
    scale = gaussian_scale(sensitivity=sensitivity, rho=rho)
    sure = np.flatnonzero(noisy > scale * math.sqrt(2 * math.log(max(noisy.size, 1) / chance)))
    return (int(sure[0]), int(sure[-1])) if len(sure) else None


def dp_quantiles(counts: Ints, levels: Sequence[float], *, rho: float, sensitivity: float, noise: NoiseSource) -> Ints:
    """Return the public cells in which the quantiles lie, shape (levels,): rho-zCDP.

    ``counts`` are over an ordered public grid.
    """
    noisy = np.maximum(gaussian_counts(counts, rho=rho, sensitivity=sensitivity, noise=noise), 0)
    total = max(int(noisy.sum()), 1)
    found = np.searchsorted(np.cumsum(noisy), np.asarray(levels) * total)
    return np.clip(found, 0, len(noisy) - 1).astype(np.int64)


def _whole(counts: Ints) -> Ints:
    own = np.asarray(counts)
    if own.dtype.kind not in "iu":
        raise BadInput(f"counts of dtype {own.dtype} are no whole numbers")
    return own.astype(np.int64)
