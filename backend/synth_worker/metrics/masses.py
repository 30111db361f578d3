"""Compare what averages hide: point masses of numeric columns, and rare categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.confidence import design_effect, ks_error, normal_bounds, wilson_bounds
from synth_worker.metrics.floors import equal_draws, with_floor
from synth_worker.parsing import rounded
from synth_worker.schema import Column, Kind
from synth_worker.table import Bools, Floats, Ints, Table

MASS = 0.05
"""A value that this share of a numeric column holds is a point mass."""

RARE = 0.05
EXPECTED = 5
"""A rare category counts where so many of its rows are expected: the chance of missing it is then below 1 %."""


def spike_score(comparison: Comparison) -> Score:
    """Return the largest difference, over all point masses, between the shares of train and synthetic.

    A point mass is a value that at least ``MASS`` of the present values of a column have, in train or in synthetic:
    a mass that the synthetic table invents counts as much as one that it smears.
    """
    synthetic = comparison.synthetic
    columns = [column for column in comparison.train.schema if column.continuous]
    if not columns:
        return Score.not_applicable("the table has no numeric or datetime column")
    draws = equal_draws(comparison)
    tables = [
        synthetic,
        *(comparison.holdout.take(rows) for rows in draws.holdout),
        *(synthetic.take(rows) for rows in draws.synthetic),
    ]
    best: dict[str, tuple[float, float]] = {}
    sized = np.zeros((0, len(tables)))
    for column in columns:
        for hits, shares, units in _masses(column, comparison.train, tables):
            gaps = np.abs(shares[1:] - shares[0])
            sized = np.vstack([sized, gaps])
            rows = len(hits) / design_effect(hits, units)
            pooled = float((shares[0] + shares[1]) / 2)
            error = ks_error(pooled, rows=rows, others=max(synthetic.rows, 1))
            if float(gaps[0]) >= best.get(column.name, (-1.0, 0.0))[0]:
                best[column.name] = float(gaps[0]), error
    if not best:
        return Score.not_applicable(f"no value of a numeric column is held by {MASS:.0%} of its rows")
    value, error = max(best.values())
    bounds = normal_bounds(value, error, alpha=comparison.alpha)
    score = Score(
        value,
        bounds.low,
        bounds.high,
        bounds.upper,
        rows=comparison.train.rows,
        detail={f"column:{name}": gap for name, (gap, _) in best.items()},
    )
    if draws.size == 0:
        return score
    worst = sized.max(axis=0)
    ends = 1 + len(draws.holdout)
    return with_floor(
        score, floor=float(worst[1:ends].mean()), at_floor_size=float(worst[ends:].mean()), size=draws.size
    )


def _masses(column: Column, train: Table, tables: Sequence[Table]) -> list[tuple[Floats, Floats, Ints | None]]:
    """Return for each point mass: where train has it, its share in train and in each table, the units of train."""
    real = _rounded(train.numbers(column.name), column)
    present = ~np.isnan(real)
    others = [_rounded(table.numbers(column.name), column) for table in tables]
    found: set[float] = set()
    for values in (real, others[0]):
        seen = values[~np.isnan(values)]
        own, counts = np.unique(seen, return_counts=True)
        # One value among 20 rows is not a repeated value.
        found |= set(own[(counts >= MASS * len(seen)) & (counts >= EXPECTED)].tolist())
    units = None if train.units is None else train.units[present]
    masses: list[tuple[Floats, Floats, Ints | None]] = []
    if not present.any():
        return masses
    for value in sorted(found):
        hits = (real[present] == value).astype(np.float64)
        masses.append((hits, np.array([hits.mean(), *(_share(one, value) for one in others)]), units))
    return masses


def _share(values: Floats, value: float) -> float:
    seen = np.count_nonzero(~np.isnan(values))
    return float(np.count_nonzero(values == value) / seen) if seen else 0.0


def _rounded(values: Floats, column: Column) -> Floats:
    return values if column.decimals is None else rounded(values, column.decimals) + 0.0


def rare_score(comparison: Comparison) -> Score:
    """Return the share of the rare categories that the synthetic table keeps.

    Rare: below ``RARE`` of a column's training rows, yet so frequent that ``EXPECTED`` rows are expected in train and
    in a table as large as the synthetic one. The floor is measured on the categories that are frequent enough for the
    held-out size.
    """
    train, synthetic = comparison.train, comparison.synthetic
    names = train.schema.only(Kind.CATEGORICAL)
    if not names:
        return Score.not_applicable("the table has no categorical column")
    if synthetic.rows == 0:
        return Score.unmeasured("the synthetic table has no rows")
    rare = {name: _rare(train, name, synthetic.rows) for name in names}
    total = sum(int(one.sum()) for one in rare.values())
    if total == 0:
        return Score.not_applicable(
            "no category is both rare and frequent enough to be expected in the synthetic table"
        )
    kept = {name: int(_present(synthetic, name)[one].sum()) for name, one in rare.items()}
    count = sum(kept.values())
    bounds = wilson_bounds(count, total, alpha=comparison.alpha)
    detail = {f"column:{name}": kept[name] / int(one.sum()) for name, one in rare.items() if one.any()}
    score = Score(
        count / total,
        bounds.low,
        bounds.high,
        bounds.upper,
        rows=train.rows,
        detail={"categories": float(total), **detail},
    )
    draws = equal_draws(comparison)
    sized = {name: _rare(train, name, draws.size) for name in names}
    if sum(int(one.sum()) for one in sized.values()) == 0:
        return score
    real = [_kept(comparison.holdout.take(rows), sized) for rows in draws.holdout]
    made = [_kept(synthetic.take(rows), sized) for rows in draws.synthetic]
    return with_floor(score, floor=float(np.mean(real)), at_floor_size=float(np.mean(made)), size=draws.size)


def _rare(train: Table, name: str, rows: int) -> Bools:
    """Tell which categories are rare in train and to be expected in a table of ``rows`` rows, shape (categories,)."""
    counts = np.bincount(train.codes(name) + 1, minlength=len(train.schema[name].categories) + 1)[1:]
    shares = counts / max(train.rows, 1)
    return (shares < RARE) & (counts >= EXPECTED) & (shares * rows >= EXPECTED)


def _present(table: Table, name: str) -> Bools:
    return np.bincount(table.codes(name) + 1, minlength=len(table.schema[name].categories) + 1)[1:] > 0


def _kept(table: Table, rare: dict[str, Bools]) -> float:
    kept = sum(int(_present(table, name)[one].sum()) for name, one in rare.items())
    return kept / sum(int(one.sum()) for one in rare.values())


def _compute(comparison: Comparison) -> Scores:
    return {"spike_delta": spike_score(comparison), "rare_coverage": rare_score(comparison)}


FAMILY = Family(
    "masses",
    (
        Metric("spike_delta", Better.LOWER, "largest difference in the share of a repeated value of a numeric column"),
        Metric("rare_coverage", Better.HIGHER, "share of the categories below 5 % that the synthetic table keeps"),
    ),
    _compute,
)
FAMILIES = (FAMILY,)
