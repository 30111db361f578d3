"""Say how many rows decide: for a figure as it stands, and for each gate on tables that leak nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping

from scipy.special import ndtri

from synth_worker.metrics.base import Score

Z_UPPER = 1.645
"""How many standard errors an upper bound lies above its estimate (one-sided 95 %)."""

MOST_ROWS = 1e7
"""Beyond this no number of rows is a practical answer."""

DECIDED_FROM: Mapping[str, int] = {
    "ks_mean": 1_000,
    "corr_delta": 1_000,
    "tvd_mean": 1_000,
    "missing_delta": 1_000,
    "wrong_dtype": 300,
    "mia_auc": 300,
    "mia_tpr": 5_000,
    "dup_rate": 300,
    "copy_excess": 1_000,
    "dcr_share": 300,
}
"""From how many rows of the table on a gate was green for fresh real rows in at least nine of ten trials, on every
calibration table (``python -m benchmarks.ladder`` prints it from the records; a test holds the two together)."""


def rows_to_pass(score: Score, *, upper_limit: float) -> int | None:
    """Return how many records bring the upper bound within its limit: its distance shrinks with the square root.

    >>> rows_to_pass(Score(0.55, upper=0.70, rows=100), upper_limit=0.65)
    230
    """
    if score.value is None or score.upper is None or score.rows == 0 or score.value >= upper_limit:
        return None
    ratio = (score.upper - score.value) / (upper_limit - score.value)
    return _rounded(score.rows * ratio * ratio)


def rows_to_prove(score: Score, *, alpha: float) -> int | None:
    """Return how many records would make an excess of this size over fresh real rows evident, if it is there."""
    if score.value is None or score.upper is None or score.floor is None or score.rows == 0:
        return None
    above = score.value - score.floor
    error = (score.upper - score.value) / Z_UPPER
    if above <= 0 or error <= 0:
        return None
    return _rounded(score.rows * (-float(ndtri(alpha)) * error / above) ** 2)


def _rounded(rows: float) -> int | None:
    """Round up to two figures."""
    if not math.isfinite(rows) or rows > MOST_ROWS:
        return None
    step = 10 ** max(len(str(math.ceil(rows))) - 2, 0)
    return int(math.ceil(rows / step) * step)
