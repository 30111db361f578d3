"""Put a number on how far a figure can be trusted: intervals, clustered variances, jackknife, bootstrap nulls."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from synth_worker.table import Floats, Ints

TWO_SIDED = float(ndtri(0.975))


@dataclass(frozen=True)
class Bounds:
    """Hold the two-sided 95 % interval and the one-sided upper bound of a figure."""

    low: float
    high: float
    upper: float


def normal_bounds(value: float, error: float, *, alpha: float, least: float = 0.0, most: float = 1.0) -> Bounds:
    """Return normal bounds around ``value`` with standard error ``error``, cut to the figure's own range.

    ``alpha`` is the one-sided level of the upper bound; the interval is always the two-sided 95 % one. A standard
    error of NaN (too few units) gives NaN bounds, which no gate passes.

    >>> round(normal_bounds(0.5, 0.1, alpha=0.05).upper, 3)
    0.664
    """
    if math.isnan(error):
        return Bounds(math.nan, math.nan, math.nan)
    return Bounds(
        max(value - TWO_SIDED * error, least),
        min(value + TWO_SIDED * error, most),
        min(value + float(ndtri(1 - alpha)) * error, most),
    )


def wilson(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return the two-sided Wilson interval of ``k`` successes in ``n`` trials (Wilson 1927).

    No trial at all gives (0, 1). A one-sided bound at alpha is the end of the interval at level 1 - 2 alpha.

    >>> low, high = wilson(0, 100, 0.95)
    >>> low, round(high, 3)
    (0.0, 0.037)
    """
    if n <= 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + level / 2))
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if k == 0 else max(centre - half, 0.0)
    high = 1.0 if k == n else min(centre + half, 1.0)
    return low, high


def wilson_bounds(k: float, n: float, *, alpha: float) -> Bounds:
    """Return the Wilson interval of ``k`` in ``n`` with its one-sided upper bound."""
    low, high = wilson(k, n)
    return Bounds(low, high, wilson(k, n, 1 - 2 * alpha)[1])


def clustered_variance(influence: Floats, units: Ints | None = None) -> float:
    """Return the variance of a sum of independent parts: what each row, or each unit's rows, add to a figure.

    ``influence`` (rows,) is centred (it sums to about 0). With the usual I / (I - 1) correction; NaN below two units.

    >>> values = np.array([1.0, 2.0, 4.0])
    >>> clustered_variance((values - values.mean()) / 3) == values.var(ddof=1) / 3
    np.True_
    """
    parts = influence if units is None else _by_unit(influence, units)
    count = len(parts)
    if count < 2:
        return math.nan
    return float(parts @ parts) * count / (count - 1)


def design_effect(hits: Floats, units: Ints | None) -> float:
    """Return by how much units inflate the variance of the mean of ``hits`` (rows,), at least 1."""
    plain = float(hits.var())
    if units is None or plain == 0:
        return 1.0
    clustered = clustered_variance((hits - hits.mean()) / len(hits), units)
    return max(clustered * len(hits) / plain, 1.0)


def ks_error(share: float, *, rows: float, others: float) -> float:
    """Return the standard error of a two-sample KS statistic taken where the pooled distribution is ``share``.

    ``rows`` and ``others`` are the (effective) sizes. At its supremum D is a difference of two shares.

    >>> round(ks_error(0.5, rows=5000, others=5000), 3)
    0.01
    """
    return math.sqrt(share * (1 - share) * (1 / rows + 1 / others))


def placements(pos: Floats, neg: Floats) -> tuple[Floats, Floats]:
    """Return for each positive the share of negatives below it, and for each negative the share of positives above.

    Ties count one half. By midranks, O(n log n) (Sun & Xu 2014). Raises ValueError where a class is empty.
    """
    m, n = len(pos), len(neg)
    if m == 0 or n == 0:
        raise ValueError(f"an AUC needs both classes; there are {m} positives and {n} negatives")
    ranks = rankdata(np.concatenate([pos, neg]))
    above = (ranks[:m] - rankdata(pos)) / n
    below = 1 - (ranks[m:] - rankdata(neg)) / m
    return above, below


def auc(pos: Floats, neg: Floats) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative, ties one half.

    >>> auc(np.array([1.0, 2.0]), np.array([0.0, 1.0]))
    0.875
    """
    return float(placements(pos, neg)[0].mean())


def delong_variance(
    pos: Floats, neg: Floats, *, pos_units: Ints | None = None, neg_units: Ints | None = None
) -> tuple[float, float]:
    """Return an AUC and its variance (DeLong et al. 1988), clustered by unit where units are given (Obuchowski 1997).

    ``pos``, ``neg``: scores of either class, shapes (m,) and (n,), higher meaning positive. Units that occur on both
    sides are one unit: their covariance is counted. The variance is NaN where a class has fewer than two units; it is
    0 where the classes are fully apart. Raises ValueError where a class is empty.

    >>> delong_variance(np.array([3.0, 2.0, 0.5]), np.array([1.0, 0.0]))[0]
    0.8333333333333334
    """
    above, below = placements(pos, neg)
    value = float(above.mean())
    left, right = (above - value) / len(pos), (below - value) / len(neg)
    variance = clustered_variance(left, pos_units) + clustered_variance(right, neg_units)
    if pos_units is not None and neg_units is not None:
        shared, at_pos, at_neg = np.intersect1d(np.unique(pos_units), np.unique(neg_units), return_indices=True)
        if len(shared):
            both = len(np.union1d(pos_units, neg_units))
            cross = _by_unit(left, pos_units)[at_pos] @ _by_unit(right, neg_units)[at_neg]
            variance += 2 * float(cross) * both / max(both - 1, 1)
    return value, max(variance, 0.0) if not math.isnan(variance) else variance


def deal_groups(rows: int, *, rng: np.random.Generator, units: Ints | None = None, groups: int = 20) -> Ints:
    """Deal rows into jackknife groups of almost equal size, shape (rows,); the rows of one unit stay together."""
    if units is None:
        return rng.permutation(rows) % groups
    _, own = np.unique(units, return_inverse=True)
    return (rng.permutation(int(own.max(initial=-1)) + 1) % groups)[own]


def jackknife_error(replicates: Floats) -> float:
    """Return the standard error from the figures with one group left out at a time, shape (groups,).

    >>> values = np.array([1.0, 2.0, 4.0])
    >>> bool(np.isclose(jackknife_error((values.sum() - values) / 2), values.std(ddof=1) / np.sqrt(3)))
    True
    """
    count = len(replicates)
    if count < 2:
        return math.nan
    return float(np.sqrt((count - 1) / count * ((replicates - replicates.mean()) ** 2).sum()))


def null_p_value(value: float, null: Floats) -> float:
    """Return the share of draws under the null, the value itself counted among them, at or above the value.

    >>> null_p_value(3.0, np.array([1.0, 2.0, 3.0]))
    0.5
    """
    return float((1 + np.count_nonzero(null >= value)) / (1 + len(null)))


ENOUGH = 20
STEP = 50


def sequential_p_value(value: float, figures: Callable[[slice], Floats], *, draws: int) -> float:
    """Return ``null_p_value`` of ``value``, stopping once ``ENOUGH`` draws were at or above it (Besag & Clifford 1991).

    ``figures`` returns the figure under the null for a slice of the draws. What stops early has a p-value of 0.03 at
    least: more draws would only say more exactly how little evidence there is.

    >>> sequential_p_value(0.0, lambda part: np.ones(part.stop - part.start), draws=600)
    1.0
    """
    found = np.zeros(0)
    while len(found) < draws and np.count_nonzero(found >= value) < ENOUGH:
        found = np.append(found, figures(slice(len(found), min(len(found) + STEP, draws))))
    return null_p_value(value, found)


def bootstrap_weights(pool: int, size: int, *, draws: int, rng: np.random.Generator) -> Floats:
    """Draw how often each of ``pool`` things occurs in ``draws`` samples of ``size`` with replacement.

    Returns shape (draws, pool), each row summing to ``size``.
    """
    picks = rng.integers(pool, size=(draws, size)) + np.arange(draws)[:, None] * pool
    return np.bincount(picks.ravel(), minlength=draws * pool).reshape(draws, pool).astype(np.float64)


def _by_unit(values: Floats, units: Ints) -> Floats:
    """Sum values by unit, in the order of the sorted units."""
    own, place = np.unique(units, return_inverse=True)
    return np.bincount(place, weights=values, minlength=len(own)).astype(np.float64)
