"""Mend noisy counts: what is done here sees noised numbers only and costs no privacy."""

from __future__ import annotations

import numpy as np

from synth_worker.table import Floats, Ints

LOUD = 3.0
"""Standard deviations from which on a difference is taken for one: of 1,000 that are none, 3 are."""


def onto_simplex(values: Floats, total: float) -> Floats:
    """Return the nearest non-negative values, in L2, that sum to ``total`` (Duchi et al. 2008, figure 1).

    >>> onto_simplex(np.array([5.0, 1.0, -2.0]), 4.0).tolist()
    [4.0, 0.0, 0.0]
    """
    flat = values.ravel()
    falling = np.sort(flat)[::-1]
    over = np.cumsum(falling) - total
    places = np.arange(1, len(flat) + 1)
    last = int(np.flatnonzero(falling - over / places > 0)[-1]) if total > 0 else 0
    return np.maximum(values - over[last] / (last + 1), 0.0) if total > 0 else np.zeros_like(values)


def reconcile(fine: Floats, variances: Floats, *, groups: Ints, sums: Floats, variance: float) -> tuple[Floats, Floats]:
    """Return fine counts and variances after the sums of groups of them were measured too, each with ``variance``.

    Each group's surplus is divided in proportion to the variances: generalised least squares with a diagonal.
    """
    own = np.bincount(groups, weights=fine, minlength=len(sums))
    spread = np.bincount(groups, weights=variances, minlength=len(sums))
    gain = spread / (spread + variance)
    share = variances / spread[groups]
    mended = fine + share * (gain * (sums - own))[groups]
    return mended, variances * (1 - share * gain[groups])


def even_out(counts: Floats, variances: Floats, widths: Floats) -> Floats:
    """Return counts along a line in which only differences that stand out of the noise are kept.

    The line is halved and halved again; a half whose count differs from its share of the width by less than ``LOUD``
    standard deviations, and in which nothing stands out either, is taken as even (a Haar transform with hard
    thresholds on slices of any width; Donoho & Johnstone 1994). Sums of what remains divided are kept.

    >>> even_out(np.array([100.0, 2.0, -1.0, 1.0, -2.0, 1.0, -1.0, 2.0]), np.ones(8), np.ones(8)).round(2).tolist()
    [100.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    sums, spread, span = (np.concatenate([[0.0], np.cumsum(one)]) for one in (counts, variances, widths))
    found = np.empty(len(counts))

    def divided(first: int, last: int) -> bool:
        """Fill first..last; tell whether anything stands out in it."""
        total, width = sums[last] - sums[first], span[last] - span[first]
        if last - first == 1:
            found[first] = total
            return False
        cut = min(max(int(np.searchsorted(span, (span[first] + span[last]) / 2)), first + 1), last - 1)
        part = (span[cut] - span[first]) / width
        left, right = sums[cut] - sums[first], sums[last] - sums[cut]
        noise = (1 - part) ** 2 * (spread[cut] - spread[first]) + part**2 * (spread[last] - spread[cut])
        inner = [divided(first, cut), divided(cut, last)]
        if any(inner) or abs(left * (1 - part) - right * part) > LOUD * noise**0.5:
            return True
        found[first:last] = total * widths[first:last] / width
        return False

    divided(0, len(counts))
    return found
