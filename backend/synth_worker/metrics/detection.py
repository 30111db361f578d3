"""Ask boosted trees to tell synthetic rows from held-out real ones (a classifier two-sample test).

Source: Lopez-Paz & Oquab, Revisiting Classifier Two-Sample Tests, 2017. Logistic regression is no substitute: it is
saturated by tables of independent columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.confidence import auc, deal_groups, delong_variance, normal_bounds
from synth_worker.metrics.trees import Effort, Features, classify, side_by_side
from synth_worker.seeds import Streams
from synth_worker.table import Bools, Floats, Ints, Table

FOLDS = 5
REPEATS = 3
FULL = Effort(iterations=100)
QUICK = Effort(iterations=40, rate=0.2, leaves=15)
QUICK_ROWS = 2_500
"""Rows of either class in the loop's quick set."""

FULL_ROWS = 20_000
"""Rows of either class in the full set, at most; the interval is that of so many rows, and ``rows`` says how many."""

FEWEST_ROWS = 20
COPIES_BELOW = 0.47
"""Trees do worse than chance where synthetic rows repeat real ones: each row's twin carries the other label."""

CELLS = 100
WORST_COLUMNS = 20


def rank_c2st(value: float) -> float:
    """Return the figure to rank by: nothing below 0.5 is better than 0.5.

    >>> rank_c2st(0.31), rank_c2st(0.8)
    (0.5, 0.8)
    """
    return max(0.5, value)


def detect(
    real: Table, other: Table, *, streams: Streams, repeats: int, effort: Effort, threads: int
) -> tuple[float, float]:
    """Return how well trees tell the rows of ``other`` from those of ``real``: the AUC and its standard error.

    Out-of-fold scores are pooled within a repeat, AUCs are averaged over repeats, and so are the (clustered) DeLong
    variances: repeats share their rows, so that averaging takes away little. Units stay within a fold.
    """
    features = Features.of(real)
    sides = features.matrix(real), features.matrix(other)
    rows = np.concatenate(sides)
    classes = np.repeat([0, 1], [real.rows, other.rows])
    folds = [_folds(real, other, streams.child(repeat)) for repeat in range(repeats)]
    jobs = [
        partial(_held_out_scores, rows, classes, fold == one, features.native, effort, streams.integer(repeat, one))
        for repeat, fold in enumerate(folds)
        for one in range(FOLDS)
    ]
    found = side_by_side(jobs, threads=threads)
    values: list[float] = []
    variances: list[float] = []
    for repeat, fold in enumerate(folds):
        scores = np.empty(len(rows))
        for one in range(FOLDS):
            scores[fold == one] = found[repeat * FOLDS + one]
        value, variance = delong_variance(
            scores[real.rows :], scores[: real.rows], pos_units=other.units, neg_units=real.units
        )
        values.append(value)
        variances.append(variance)
    return float(np.mean(values)), math.sqrt(float(np.mean(variances)))


def column_aucs(real: Table, other: Table, *, streams: Streams) -> dict[str, float]:
    """Return how well each column alone gives ``other`` away: the AUC of the cross-fitted share of its cell.

    Cells are categories, distinct numbers, or ``CELLS`` quantile bins; missing is one of them.
    """
    fold = _folds(real, other, streams)
    classes = np.repeat([0, 1], [real.rows, other.rows])
    found: dict[str, float] = {}
    for column in real.schema:
        if column.continuous:
            values = np.concatenate([real.numbers(column.name), other.numbers(column.name)])
            cells = _cells(values)
        else:
            cells = np.concatenate([real.codes(column.name), other.codes(column.name)]) + 1
        size = int(cells.max(initial=0)) + 1
        by_fold = np.bincount(fold * size + cells, minlength=FOLDS * size).reshape(FOLDS, size)
        own = np.bincount(fold * size + cells, weights=classes, minlength=FOLDS * size).reshape(FOLDS, size)
        shares = (own.sum(axis=0) - own + 1) / (by_fold.sum(axis=0) - by_fold + 2)
        scores = shares[fold, cells]
        found[f"column:{column.name}"] = auc(scores[real.rows :], scores[: real.rows])
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:WORST_COLUMNS])


def _cells(values: Floats) -> Ints:
    """Return the cell of each number: distinct values where they are few, else quantile bins; missing is 0."""
    present = ~np.isnan(values)
    own = np.unique(values[present])
    if len(own) > CELLS:
        own = np.unique(np.quantile(values[present], np.linspace(0, 1, CELLS + 1), method="lower"))
    return np.where(present, np.searchsorted(own, values, side="right"), 0).astype(np.int64)


def _folds(real: Table, other: Table, streams: Streams) -> Ints:
    """Deal the rows of either class to folds, shape (rows of both,)."""
    return np.concatenate(
        [
            deal_groups(table.rows, rng=streams.rng("folds", side), units=table.units, groups=FOLDS)
            for side, table in (("real", real), ("other", other))
        ]
    )


def _held_out_scores(  # noqa: PLR0917  (called through partial)
    rows: Floats, classes: Ints, held: Bools, native: Bools, effort: Effort, seed: int
) -> Floats:
    model = classify(rows[~held], classes[~held], native=native, effort=effort, seed=seed)
    return model.predict_proba(rows[held])[:, 1]


def _sized(tables: Sequence[Table], size: int, streams: Streams) -> list[Table]:
    """Draw each table down to ``size`` rows."""
    found: list[Table] = []
    for place, table in enumerate(tables):
        if table.rows == size:
            found.append(table)
        else:
            rows = streams.rng("rows", place).choice(table.rows, size=size, replace=False)
            found.append(table.take(np.sort(rows)))
    return found


def _compute(comparison: Comparison) -> Scores:
    holdout, synthetic, streams = comparison.holdout, comparison.synthetic, comparison.streams.child("c2st")
    if not holdout.schema.names:
        return {"c2st_auc": Score.not_applicable("the table has no modelled column")}
    size = min(holdout.rows, synthetic.rows, QUICK_ROWS if comparison.quick else FULL_ROWS)
    if size < FEWEST_ROWS:
        return {"c2st_auc": Score.unmeasured(f"{size} rows of either kind; trees need at least {FEWEST_ROWS}")}
    real, made = _sized([holdout, synthetic], size, streams)
    effort, repeats = (QUICK, 1) if comparison.quick else (FULL, REPEATS)
    value, error = detect(real, made, streams=streams, repeats=repeats, effort=effort, threads=comparison.threads)
    bounds = normal_bounds(value, error, alpha=comparison.alpha)
    reason = ""
    if value < COPIES_BELOW:
        reason = f"below {COPIES_BELOW}: a sign of copies; rows with a twin of the other kind are told apart wrongly"
    detail = {"rows": float(size), "at_floor_size": value, **column_aucs(real, made, streams=streams)}
    score = Score(value, bounds.low, bounds.high, bounds.upper, reason=reason, rows=size, detail=detail)
    if not comparison.quick:
        score = replace(score, floor=_floor(comparison, size, effort))
    return {"c2st_auc": score}


def _floor(comparison: Comparison, size: int, effort: Effort) -> float | None:
    """Return the same figure for fresh real rows (one repeat), None where there are too few."""
    fresh = comparison.train if comparison.reference is None else comparison.reference
    size = min(size, fresh.rows)
    if size < FEWEST_ROWS:
        return None
    streams = comparison.streams.child("c2st", "floor")
    real, other = _sized([comparison.holdout, fresh], size, streams)
    return detect(real, other, streams=streams, repeats=1, effort=effort, threads=comparison.threads)[0]


FAMILY = Family(
    "detection",
    (Metric("c2st_auc", Better.HALF, "how well boosted trees tell synthetic rows from held-out real ones (AUC)"),),
    _compute,
)
FAMILIES = (FAMILY,)
