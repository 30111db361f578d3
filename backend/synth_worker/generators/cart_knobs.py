"""Translate the one privacy knob of sequential trees into what it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Strictness:
    """Hold what a privacy setting means.

    ``leaf_factor`` multiplies the leaf size that held-out likelihood chose. ``least`` is the smallest leaf. ``spread``
    times the square root of the body's size is the half-width, in ranks, over which body values are smoothed.
    ``backoff`` is added to the weight of the parent node. ``bags`` is the number of trees per column.
    """

    leaf_factor: float
    least: int
    spread: float
    backoff: float
    bags: int


TABLE = {
    # privacy: (leaf factor, least leaf, spread, back-off, bags)
    0.00: (0.25, 3, 0.10, 0.0, 1),
    0.25: (1.00, 12, 0.40, 1.0, 1),
    0.50: (2.00, 30, 0.80, 3.0, 1),
    # Up to .875 leaves hardly grow: a heavy parent hides copies at a fraction of what large leaves cost (docs/knob.md).
    0.75: (3.00, 60, 1.60, 100.0, 1),
    0.875: (3.00, 60, 2.80, 1_000.0, 1),
    1.00: (12.00, 150, 4.00, 1_000.0, 1),
}


def strictness(privacy: float) -> Strictness:
    """Interpolate the table at ``privacy`` in [0, 1]; each entry only grows, so the knob is monotone.

    >>> strictness(0.5).leaf_factor
    2.0
    """
    at = np.array(list(TABLE))
    rows = np.array(list(TABLE.values()))
    values = [float(np.interp(privacy, at, rows[:, entry])) for entry in range(rows.shape[1])]
    return Strictness(values[0], round(values[1]), values[2], values[3], round(values[4]))
