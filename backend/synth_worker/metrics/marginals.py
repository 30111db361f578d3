"""Compare columns one at a time: distance of distributions, missing shares, broken types, values out of range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, ndtri
from scipy.stats import poisson

from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.confidence import (
    TWO_SIDED,
    clustered_variance,
    design_effect,
    ks_error,
    normal_bounds,
    null_p_value,
    sequential_p_value,
    wilson_bounds,
)
from synth_worker.metrics.floors import EqualDraws, Null, equal_draws, null_of, with_floor
from synth_worker.parsing import rounded
from synth_worker.schema import Column, Kind
from synth_worker.table import Floats, Ints, Table

ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Margin:
    """Hold one column of all three tables as codes into its sorted ``levels`` values; missing is -1.

    ``ordered`` columns (numbers, instants) are compared by KS, the others by total variation.
    """

    name: str
    ordered: bool
    levels: int
    train: Ints
    holdout: Ints
    synthetic: Ints

    @classmethod
    def of(cls, column: Column, comparison: Comparison) -> Margin:
        """Code one column; numbers by the rank of their value among all three tables."""
        tables = (comparison.train, comparison.holdout, comparison.synthetic)
        if not column.continuous:
            codes = [table.codes(column.name) for table in tables]
            return cls(
                column.name,
                ordered=False,
                levels=len(column.categories),
                train=codes[0],
                holdout=codes[1],
                synthetic=codes[2],
            )
        values = np.concatenate([table.numbers(column.name) for table in tables])
        present = ~np.isnan(values)
        levels, inverse = np.unique(values[present], return_inverse=True)
        places = np.full(len(values), -1, dtype=np.int64)
        places[present] = inverse
        ends = np.cumsum([table.rows for table in tables])
        train, holdout, synthetic = np.split(places, ends[:-1])
        return cls(column.name, ordered=True, levels=len(levels), train=train, holdout=holdout, synthetic=synthetic)

    def shares(self, codes: Ints) -> Floats | None:
        """Return the share of each level among the present values, shape (levels,); None where all are missing."""
        seen = codes[codes >= 0]
        return np.bincount(seen, minlength=self.levels) / len(seen) if len(seen) else None

    def distance(self, one: Floats | None, other: Floats | None) -> float:
        """Return KS or total variation of two share vectors; a column without any value is as far as can be."""
        if one is None or other is None:
            return 1.0
        return float(_distances((one - other)[None, :], ordered=self.ordered)[0])

    def influence(self, one: Floats, other: Floats) -> tuple[Floats, Floats]:
        """Return what each training and each synthetic row adds to the distance, about 0, shapes (rows,) each.

        Where KS has its supremum it is a difference of two shares, and total variation is linear in the shares as long
        as no difference changes its sign: to first order either distance is a sum over rows.
        """
        if self.ordered:
            below = np.cumsum(one - other)
            # Without any distance the middle of the distribution has the largest error.
            at = int(np.argmax(np.abs(below) if below.any() else np.cumsum(one) >= 0.5))
            side = np.where(np.arange(self.levels) <= at, np.sign(below[at]) or 1.0, 0.0)
        else:
            side = np.sign(one - other) / 2
        parts: list[Floats] = []
        for codes in (self.train, self.synthetic):
            present = codes >= 0
            own = np.where(present, side[codes], 0.0)
            count = np.count_nonzero(present)
            parts.append(np.where(present, own - own.sum() / count, 0.0) / count)
        return parts[0], parts[1]


def distance_score(margins: Sequence[Margin], comparison: Comparison, *, null: Null | None, empty: str) -> Score:
    """Return the mean distance of the margins, its bounds and its floor.

    The standard error is that of a sum over rows (units), so columns that move together and columns that do not are
    both counted as they are. A column without a value in ``train`` is left out: nothing is known of it.
    """
    known = [(margin, margin.shares(margin.train)) for margin in margins]
    usable = [(margin, shares) for margin, shares in known if shares is not None]
    if not usable or comparison.synthetic.rows == 0:
        return Score.unmeasured("the synthetic table has no rows") if usable else Score.not_applicable(empty)
    values: dict[str, float] = {}
    parts = (np.zeros(comparison.train.rows), np.zeros(comparison.synthetic.rows))
    for margin, shares in usable:
        other = margin.shares(margin.synthetic)
        values[f"column:{margin.name}"] = margin.distance(shares, other)
        if other is not None:
            own = margin.influence(shares, other)
            parts = (parts[0] + own[0] / len(usable), parts[1] + own[1] / len(usable))
    value = float(np.mean(list(values.values())))
    spread = [clustered_variance(parts[0], comparison.train.units), clustered_variance(parts[1])]
    # One row (or unit) says nothing of the spread: then the largest that shares can have.
    error = math.sqrt(sum(0.25 if math.isnan(one) else one for one in spread))
    bounds = normal_bounds(value, error, alpha=comparison.alpha)
    p_value = None
    if null is not None:
        columns = [_NullMargin.of(margin, null) for margin, _ in usable]

        def figures(part: slice) -> Floats:
            return np.mean([column.distances(null, part) for column in columns], axis=0)

        p_value = sequential_p_value(value, figures, draws=len(null.train))
    score = Score(value, bounds.low, bounds.high, bounds.upper, p_value, rows=comparison.train.rows, detail=values)
    return _distance_floor(score, usable, equal_draws(comparison))


def _distance_floor(score: Score, usable: Sequence[tuple[Margin, Floats]], draws: EqualDraws) -> Score:
    if draws.size == 0:
        return score
    real = [m.distance(s, m.shares(m.holdout[rows])) for m, s in usable for rows in draws.holdout]
    made = [m.distance(s, m.shares(m.synthetic[rows])) for m, s in usable for rows in draws.synthetic]
    return with_floor(score, floor=float(np.mean(real)), at_floor_size=float(np.mean(made)), size=draws.size)


def _distances(gaps: Floats, *, ordered: bool) -> Floats:
    """Return the distance of each row of share differences, shape (draws,)."""
    if ordered:
        return np.abs(np.cumsum(gaps, axis=1)).max(axis=1, initial=0.0)
    return np.abs(gaps).sum(axis=1) / 2


@dataclass(frozen=True, eq=False)
class _NullMargin:
    """Hold a column's pooled rows sorted by code: ``order`` (present rows,) and where each level starts in it."""

    order: Ints
    starts: Ints
    ordered: bool

    @classmethod
    def of(cls, margin: Margin, null: Null) -> _NullMargin:
        codes = null.pooled(margin.train, margin.holdout, margin.synthetic)
        order = np.argsort(codes, kind="stable")
        order = order[np.count_nonzero(codes < 0) :]
        return cls(order, np.flatnonzero(np.diff(codes[order], prepend=-1)), margin.ordered)

    def distances(self, null: Null, part: slice) -> Floats:
        """Return the distance under the null for some draws, shape (draws,)."""
        sides: list[Floats] = []
        for weights in (null.train, null.synthetic):
            counts = np.add.reduceat(weights[part][:, self.order], self.starts, axis=1)
            sides.append(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
        return _distances(sides[0] - sides[1], ordered=self.ordered)


def missing_score(comparison: Comparison, *, null: Null | None) -> Score:
    """Return the largest difference of a column's missing share between train and synthetic, with its bounds.

    The upper bound is the largest of the columns' upper bounds.
    """
    train, synthetic, names = comparison.train, comparison.synthetic, comparison.train.schema.names
    if not names:
        return Score.not_applicable("the table has no modelled column")
    if synthetic.rows == 0:
        return Score.unmeasured("the synthetic table has no rows")
    flags = [_flags(table) for table in (train, comparison.holdout, synthetic)]
    shares = [one.mean(axis=0) if len(one) else np.zeros(len(names)) for one in flags]
    gaps = np.abs(shares[0] - shares[2])
    errors = np.zeros(len(names))
    for place in range(len(names)):
        pooled = (shares[0][place] * train.rows + shares[2][place] * synthetic.rows) / (train.rows + synthetic.rows)
        rows = train.rows / design_effect(flags[0][:, place], train.units)
        errors[place] = ks_error(float(pooled), rows=rows, others=synthetic.rows)
    at = int(np.argmax(gaps))
    p_value = None
    if null is not None:
        pool = null.pooled(*flags)
        sides = [side @ pool / side.sum(axis=1, keepdims=True) for side in (null.train, null.synthetic)]
        p_value = null_p_value(float(gaps[at]), np.abs(sides[0] - sides[1]).max(axis=1))
    score = Score(
        float(gaps[at]),
        max(float(gaps[at] - TWO_SIDED * errors[at]), 0.0),
        min(float((gaps + TWO_SIDED * errors).max()), 1.0),
        min(float((gaps + float(ndtri(1 - comparison.alpha)) * errors).max()), 1.0),
        p_value,
        rows=train.rows,
        detail={f"column:{name}": float(gap) for name, gap in zip(names, gaps, strict=True) if gap > 0},
    )
    draws = equal_draws(comparison)
    if draws.size == 0:
        return score
    real = [np.abs(shares[0] - flags[1][rows].mean(axis=0)).max() for rows in draws.holdout]
    made = [np.abs(shares[0] - flags[2][rows].mean(axis=0)).max() for rows in draws.synthetic]
    return with_floor(score, floor=float(np.mean(real)), at_floor_size=float(np.mean(made)), size=draws.size)


def _flags(table: Table) -> Floats:
    return np.column_stack([table.missing(name) for name in table.schema.names]).astype(np.float64)


CHANCE_OF_NEW = 0.001
"""How often, at most, fresh real rows may be said to break the label set of any of a table's columns."""

FEW_FINER = 0.01


def wrong_dtype_score(broken: Mapping[str, str], comparison: Comparison) -> Score:
    """Count the columns whose form the synthetic table breaks; ``detail`` has the share of wrong values of each.

    ``broken`` names columns that the reader of the delivered file could not read as the schema says, with the reason
    (they count as wholly wrong). Seen in the table itself: values with more decimals than the column has, and labels
    that no real row holds (save declared, public ones). Fresh real rows hold new labels too, so ``detail`` names them
    always, but they count only where they are more than exchanging real and synthetic rows explains.
    """
    real = (comparison.train, comparison.holdout) + (() if comparison.reference is None else (comparison.reference,))
    found = {name: Wrong(1.0, reason) for name, reason in broken.items()}
    for column in comparison.synthetic.schema:
        found.setdefault(column.name, _wrong(column, comparison.synthetic, real))
    counted = [f"{name}: {one.reason}" for name, one in found.items() if one.counts]
    floor = sum(_wrong(column, comparison.holdout, real).counts for column in comparison.holdout.schema)
    reason = "; ".join(counted[:5]) + (f"; and {len(counted) - 5} more" if len(counted) > 5 else "")
    count = float(len(counted))
    detail = {f"column:{name}": one.share for name, one in found.items() if one.share > 0}
    return Score(
        count, count, count, count, floor=float(floor), reason=reason, rows=comparison.synthetic.rows, detail=detail
    )


@dataclass(frozen=True)
class Wrong:
    """Hold the share of a column's values that break its form, how, and whether they count against the table."""

    share: float = 0.0
    reason: str = ""
    counts: bool = True


RIGHT = Wrong(counts=False)


def _wrong(column: Column, table: Table, real: Sequence[Table]) -> Wrong:
    """Look for values of a column that break its form."""
    if table.rows == 0:
        return RIGHT
    if column.kind is Kind.CATEGORICAL and not column.public:
        columns = sum(one.kind is Kind.CATEGORICAL for one in table.schema)
        return new_labels(_counts(column, real), _counts(column, (table,)), rows=table.rows, columns=columns)
    if column.kind is Kind.NUMERIC and column.decimals is not None:
        values = table.numbers(column.name)
        off = np.abs(values - rounded(values, column.decimals)) > ROUNDING * np.maximum(np.abs(values), 1)
        share = float(np.mean(off))
        # A few fresh real values may be written finer than any training value is.
        return Wrong(share, f"more than {column.decimals} decimals") if share > FEW_FINER else RIGHT
    return RIGHT


def _counts(column: Column, tables: Sequence[Table]) -> Ints:
    """Return how often each label occurs in all tables together, shape (labels,)."""
    codes = np.concatenate([table.codes(column.name) for table in tables])
    return np.bincount(codes + 1, minlength=len(column.categories) + 1)[1:].astype(np.int64)


def new_labels(real: Ints, own: Ints, *, rows: int, columns: int) -> Wrong:
    """Look for labels that no real row holds; counts by label of the real rows and of a table of ``rows`` rows.

    ``columns``: how many columns of labels the table has, each with its part of the chance to be wrong by accident.
    """
    foreign = int(own[real == 0].sum())
    if foreign == 0:
        return RIGHT
    proven = new_labels_p_value(real, own) < CHANCE_OF_NEW / columns
    return Wrong(foreign / rows, "categories that no real row holds", proven)


def new_labels_p_value(real: Ints, synthetic: Ints) -> float:
    """Return how often labels would be synthetic only, were real and synthetic rows exchanged at random.

    ``real``, ``synthetic``: how often each label occurs, shape (labels,). Twice the smaller of two chances: that a
    label as frequent as the most frequent new one has no real row (summed over labels), and that so many labels have
    none (Poisson, whose tail is above that of the exact sum of rare events).

    >>> round(new_labels_p_value(np.array([50, 50, 0]), np.array([49, 50, 1])), 2)  # one new label in one row
    0.79
    >>> new_labels_p_value(np.array([50, 50, 0]), np.array([40, 40, 20])) < 1e-6
    True
    """
    both = real + synthetic
    rows, drawn = int(both.sum()), int(synthetic.sum())
    kept = both[(both > 0) & (both <= drawn)]
    log_chance = gammaln(drawn + 1) - gammaln(drawn - kept + 1) - gammaln(rows + 1) + gammaln(rows - kept + 1)
    chance = np.exp(log_chance)
    new = synthetic[(real == 0) & (synthetic > 0)]
    if len(new) == 0:
        return 1.0
    frequent = float(chance[kept >= new.max()].sum())
    many = float(poisson.sf(len(new) - 1, chance.sum()))
    return min(2 * min(frequent, many), 1.0)


def range_score(comparison: Comparison) -> Score:
    """Return the share of synthetic numbers and instants outside the range of the training rows."""
    names = comparison.train.schema.only(Kind.NUMERIC, Kind.DATETIME)
    if not names:
        return Score.not_applicable("the table has no numeric or datetime column")
    outside, seen, columns = _outside(comparison, comparison.synthetic, names)
    if seen == 0:
        return Score.unmeasured("the synthetic table has no number")
    real, total, _ = _outside(comparison, comparison.holdout, names)
    bounds = wilson_bounds(outside, seen, alpha=comparison.alpha)
    return Score(
        outside / seen,
        bounds.low,
        bounds.high,
        bounds.upper,
        floor=real / total if total else None,
        rows=comparison.synthetic.rows,
        detail={"count": float(outside), **columns},
    )


def _outside(comparison: Comparison, table: Table, names: Sequence[str]) -> tuple[int, int, dict[str, float]]:
    """Count values outside the training range and values at all; with the share of each column that has some."""
    outside = seen = 0
    columns: dict[str, float] = {}
    for name in names:
        real, values = comparison.train.numbers(name), table.numbers(name)
        real, values = real[~np.isnan(real)], values[~np.isnan(values)]
        if len(real) == 0 or len(values) == 0:
            continue
        count = int(np.count_nonzero((values < real.min()) | (values > real.max())))
        outside, seen = outside + count, seen + len(values)
        if count:
            columns[f"column:{name}"] = count / len(values)
    return outside, seen, columns


def _margins(comparison: Comparison) -> Scores:
    null = null_of(comparison)
    margins = [Margin.of(column, comparison) for column in comparison.train.schema]
    numbers = [margin for margin in margins if margin.ordered]
    labels = [margin for margin in margins if not margin.ordered]
    no_number = "the table has no numeric or datetime column with a value"
    return {
        "ks_mean": distance_score(numbers, comparison, null=null, empty=no_number),
        "tvd_mean": distance_score(
            labels, comparison, null=null, empty="the table has no categorical column with a value"
        ),
        "missing_delta": missing_score(comparison, null=null),
    }


def _domain(comparison: Comparison) -> Scores:
    return {"wrong_dtype": wrong_dtype_score({}, comparison), "out_of_range": range_score(comparison)}


MARGINS = Family(
    "margins",
    (
        Metric("ks_mean", Better.LOWER, "mean Kolmogorov-Smirnov distance of the numeric and datetime columns"),
        Metric("tvd_mean", Better.LOWER, "mean total variation distance of the categorical columns"),
        Metric("missing_delta", Better.LOWER, "largest difference of a column's share of missing values"),
    ),
    _margins,
)
DOMAIN = Family(
    "domain",
    (
        Metric("wrong_dtype", Better.LOWER, "columns whose type, decimals or set of categories are broken"),
        Metric("out_of_range", Better.LOWER, "share of numbers outside the range of the real rows"),
    ),
    _domain,
)
FAMILIES = (MARGINS, DOMAIN)
