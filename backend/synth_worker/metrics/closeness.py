"""Ask of each synthetic row which real row lies nearest: one that was learnt from, or one that was not?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from synth_worker.errors import BadInput
from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.challenge import sum_by, synthetic_space, unit_numbers
from synth_worker.metrics.confidence import normal_bounds
from synth_worker.metrics.evidence import upper_tail
from synth_worker.metrics.neighbours import credit
from synth_worker.table import Bools, Floats

MOST = 10_000
MOST_QUICK = 5_000
LEAST_REAL = 10


def dcr_share(comparison: Comparison) -> Score:
    """Return the share of synthetic rows nearer to a training row, on a scale where 0.5 is even.

    All real rows compete, not equally many of each side: dropping training rows drops the originals of copies. At
    most ``MOST`` (quick: ``MOST_QUICK``) synthetic rows ask; held-out rows are the holdout and the reference rows.
    """
    held = [comparison.holdout] if comparison.reference is None else [comparison.holdout, comparison.reference]
    tables = [comparison.train, *held]
    if comparison.synthetic.rows == 0:
        raise BadInput("the synthetic table is empty")
    if min(comparison.train.rows, sum(table.rows for table in held)) < LEAST_REAL:
        return Score.unmeasured(
            f"{comparison.train.rows} training and {sum(table.rows for table in held)} held-out rows; "
            f"at least {LEAST_REAL} of each are needed"
        )
    # Fitted on synthetic rows alone: a space fitted on either side would stand nearer to it.
    space, asking = comparison.once(synthetic_space), comparison.synthetic
    most = MOST_QUICK if comparison.quick else MOST
    if asking.rows > most:
        rng = comparison.streams.rng("dcr")
        asking = asking.take(np.sort(rng.choice(asking.rows, most, replace=False)))
    shares = credit(
        space.encode(asking), np.concatenate([space.encode(table) for table in tables]), threads=comparison.threads
    )
    learnt = np.arange(len(shares)) < comparison.train.rows
    units = unit_numbers(*tables)
    if units is not None:
        # Persons, not rows, were dealt to the two sides. One on both sides counts as learnt from.
        shares, learnt = sum_by(shares, units), sum_by(learnt.astype(np.float64), units) > 0
    return score_credits(shares, learnt, alpha=comparison.alpha)


def score_credits(shares: Floats, learnt: Bools, *, alpha: float) -> Score:
    """Return the score from each real row's credit: how many synthetic rows it is the nearest of (ties shared).

    The standard error is that of the share over all ways to choose which real rows were learnt from.

    >>> score = score_credits(np.array([2.0, 0.0, 1.0, 1.0]), np.array([True, True, False, False]), alpha=0.05)
    >>> score.value
    0.5
    """
    total, count = float(shares.sum()), len(shares)
    expected = float(learnt.mean())
    share = float(shares[learnt].sum()) / total
    spread = float(((shares - shares.mean()) ** 2).sum())
    error = math.sqrt(expected * (1 - expected) * count / (count - 1) * spread) / total
    scale = 1 / (2 * (1 - expected))
    value = 0.5 + scale * (share - expected)
    bounds = normal_bounds(value, scale * error, alpha=alpha, least=min(value, 0.0), most=1.0)
    return Score(
        value,
        low=bounds.low,
        high=bounds.high,
        upper=bounds.upper,
        p_value=upper_tail((share - expected) / error) if error > 0 else 1.0,
        floor=0.5,
        rows=int((~learnt).sum()),
        detail={"nearest_is_learnt": share, "real": expected, "se": scale * error, "synthetic_rows": total},
    )


def pool_shares(folds: Sequence[Score], *, alpha: float) -> Score:
    """Return the mean of the folds' shares, which is the procedure's; each fold's error is its own permutations'.

    A row whose credit is the same in every fold only makes the sum vary less: the error errs to the wide side.
    """
    blank = next((one for one in folds if one.value is None), None)
    if blank is not None or not folds:
        return Score.unmeasured("there is no fold" if blank is None else blank.reason)
    value = math.fsum(one.value for one in folds if one.value is not None) / len(folds)
    error = math.sqrt(math.fsum(one.detail["se"] ** 2 for one in folds)) / len(folds)
    bounds = normal_bounds(value, error, alpha=alpha, least=-math.inf, most=math.inf)
    return Score(
        value,
        low=bounds.low,
        high=bounds.high,
        upper=bounds.upper,
        p_value=upper_tail((value - 0.5) / error) if error > 0 else 1.0,
        floor=0.5,
        rows=sum(one.rows for one in folds),
        detail={"se": error, "folds": float(len(folds))},
    )


def compute(comparison: Comparison) -> Scores:
    """Score the distances to the closest record."""
    return {"dcr_share": dcr_share(comparison)}


METRICS = (
    Metric(
        "dcr_share",
        Better.LOWER,
        "share of synthetic rows whose nearest real row was learnt from, scaled so that 0.5 is even and 1 is all",
        group="privacy",
    ),
)

FAMILY = Family("closeness", METRICS, compute)
