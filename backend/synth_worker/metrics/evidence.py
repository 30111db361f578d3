"""Test against "no leak": rank sums, tails and matches by exchanging who was a member and who was not.

Under no leak, members and non-members are exchangeable: every test here is the distribution of its figure over all
ways to hand out the two names, within each fold where there are several.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import hypergeom, rankdata

from synth_worker.metrics.confidence import auc, wilson
from synth_worker.table import Bools, Floats


@dataclass(frozen=True)
class RankSum:
    """Hold an AUC's distance from one half and its variance under no leak (Mann-Whitney, tie-corrected)."""

    excess: float
    variance: float


def rank_sum(members: Floats, nonmembers: Floats) -> RankSum:
    """Return the Mann-Whitney excess of an AUC; the variance is 0 where all scores are tied (Lehmann 1975, 1.4)."""
    m, n = len(members), len(nonmembers)
    total = m + n
    _, ties = np.unique(np.concatenate([members, nonmembers]), return_counts=True)
    cubes = float((ties.astype(np.float64) ** 3 - ties).sum())
    variance = (total + 1 - cubes / (total * (total - 1))) / (12 * m * n) if total > 1 else 0.0
    return RankSum(auc(members, nonmembers) - 0.5, max(variance, 0.0))


def rank_sum_z(folds: Sequence[RankSum]) -> float:
    """Return the z of the averaged AUC; 0 where nothing varies."""
    variance = sum(fold.variance for fold in folds)
    return sum(fold.excess for fold in folds) / math.sqrt(variance) if variance > 0 else 0.0


def upper_tail(z: float) -> float:
    """Return the probability of a standard normal value at or above ``z``."""
    return float(ndtr(-z))


@dataclass(frozen=True)
class Draw:
    """Hold one fold of a draw: of ``total`` records ``marked`` are marked, ``drawn`` were drawn, ``hits`` are both."""

    total: int
    marked: int
    drawn: int
    hits: float


def draw_p_value(folds: Sequence[Draw]) -> float:
    """Return how often as many hits or more come by chance: hypergeometric, summed over folds by convolution.

    With one fold this is Fisher's one-sided exact test. Fractional hits (ties) are rounded down, against the finding.

    >>> round(draw_p_value([Draw(total=10, marked=5, drawn=2, hits=2)]), 4)  # 5/10 x 4/9
    0.2222
    """
    chances = np.ones(1)
    least = 0
    for fold in folds:
        low = max(0, fold.drawn + fold.marked - fold.total)
        high = min(fold.drawn, fold.marked)
        law = hypergeom.pmf(np.arange(low, high + 1), fold.total, fold.marked, fold.drawn)
        chances = np.convolve(chances, np.asarray(law, dtype=np.float64))
        least += low
    wanted = math.floor(sum(fold.hits for fold in folds) + 1e-9) - least
    return float(min(max(chances[max(wanted, 0) :].sum(), 0.0), 1.0))


def top_draw(scores: Floats, member: Bools, *, share: float) -> Draw:
    """Return the draw of the records with the top ``share`` of scores; marked are the members.

    Where the cut falls among equal scores, each of them counts by its chance to be taken.
    """
    total, drawn = len(scores), max(round(share * len(scores)), 1)
    cut = np.partition(scores, total - drawn)[total - drawn]
    above, tied = scores > cut, scores == cut
    hits = float(member[above].sum()) + (drawn - int(above.sum())) * float(member[tied].mean())
    return Draw(total, int(member.sum()), drawn, hits)


def tpr_at(members: Floats, nonmembers: Floats, *, fpr: float) -> float:
    """Return the share of members found at a false alarm rate, the ROC curve interpolated through ties.

    >>> tpr_at(np.array([2.0, 0.0]), np.array([0.0, 0.0]), fpr=0.5)  # half of the members, then a tie
    0.75
    """
    values, place = np.unique(np.concatenate([members, nonmembers]), return_inverse=True)
    found = np.bincount(place[: len(members)], minlength=len(values))[::-1]
    false = np.bincount(place[len(members) :], minlength=len(values))[::-1]
    y = np.append(0.0, np.cumsum(found) / len(members))
    x = np.append(0.0, np.cumsum(false) / len(nonmembers))
    right = int(np.searchsorted(x, fpr - 1e-12))
    if right == 0 or x[right] - fpr <= 1e-12:
        return float(y[right])
    left = right - 1
    return float(y[left] + (y[right] - y[left]) * (fpr - x[left]) / (x[right] - x[left]))


def percent_ranks(scores: Floats) -> Floats:
    """Return the share of scores below each score, in [0, 1): comparable between folds.

    Ties stand at their lower end: nearly all records tie at "no match", and at the middle of their tie they would
    carry the fold's number of matches, which says which fold a record is from, and so whether it is a member.
    """
    return (rankdata(scores, method="min") - 1.0) / len(scores)


@dataclass(frozen=True)
class Difference:
    """Hold the difference of two shares with its two-sided 95 % interval and one-sided upper bound."""

    value: float
    low: float
    high: float
    upper: float


def share_difference(one: float, one_rows: float, other: float, other_rows: float, *, alpha: float) -> Difference:
    """Return ``one`` - ``other``, two shares, with the hybrid score interval (Newcombe 1998, method 10).

    >>> difference = share_difference(0.0, 5000, 0.0, 5000, alpha=0.05)
    >>> difference.value, round(difference.upper, 5)
    (0.0, 0.00054)
    """
    value = one - other

    def reach(level: float) -> tuple[float, float]:
        low_one, high_one = wilson(one * one_rows, one_rows, level)
        low_other, high_other = wilson(other * other_rows, other_rows, level)
        down = math.hypot(one - low_one, high_other - other)
        up = math.hypot(high_one - one, other - low_other)
        return value - down, value + up

    low, high = reach(0.95)
    return Difference(value, low, high, reach(1 - 2 * alpha)[1])
