"""Interpolate on a curve, also between points whose distance a float cannot divide by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def interpolate(values: Floats, knots: Floats, heights: Floats) -> Floats:
    """Return the heights at ``values``, shape (values,), NaN where a value is; flat beyond the ends.

    ``np.interp`` divides by the distance of two knots, which is no number where that is subnormal or overflows; there
    the share of the way is taken instead.

    >>> knots = np.array([0.0, 3e-313, 1.7e308])
    >>> interpolate(np.array([1.5e-313, 0.85e308]), knots, np.array([0.0, 1.0, 2.0])).round(3).tolist()
    [0.5, 1.5]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.interp(values, knots, heights)
    wrong = np.flatnonzero(~np.isfinite(found) & ~np.isnan(values))
    if len(wrong):
        after = np.clip(np.searchsorted(knots, values[wrong]), 1, len(knots) - 1)
        low, high, own = knots[after - 1], knots[after], values[wrong]
        # Halves of large numbers do not overflow; halves of subnormal ones would lose their last digit.
        by = np.where(np.maximum(np.abs(low), np.abs(high)) > 1.0, 0.5, 1.0)
        way = np.clip((own * by - low * by) / (high * by - low * by), 0.0, 1.0)
        found[wrong] = heights[after - 1] * (1 - way) + heights[after] * way
    return found
