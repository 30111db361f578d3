"""Compare columns one at a time: distance of distributions, missing shares, broken types, values out of range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import poisson

from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.confidence import (
    TWO_SIDED,
    clustered_variance,
    design_effect,
    ks_error,
    normal_bounds,
    null_p_value,
    wilson_bounds,
)
from synth_worker.metrics.floors import EqualDraws, Null, equal_draws, null_of, with_floor
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

    def error(self, train: Table, one: Floats, other: Floats | None) -> float:
        """Return the standard error of the distance of train and synthetic, clustered by the units of ``train``."""
        if other is None:
            return 0.0
        present, drawn = self.train >= 0, self.synthetic[self.synthetic >= 0]
        units = None if train.units is None else train.units[present]
        if self.ordered:
            below, above = np.cumsum(one), np.cumsum(other)
            at = int(np.argmax(np.abs(below - above)))
            rows = np.count_nonzero(present)
            pooled = (below[at] * rows + above[at] * len(drawn)) / (rows + len(drawn))
            hits = (self.train[present] <= at).astype(np.float64)
            share = min(max(float(pooled), 0.0), 1.0)
            return ks_error(share, rows=rows / design_effect(hits, units), others=len(drawn))
        # Total variation is linear in the shares as long as no difference changes its sign.
        side = np.sign(one - other) / 2
        variance = 0.0
        for codes, own in ((self.train[present], units), (drawn, None)):
            parts = side[codes]
            spread = clustered_variance((parts - parts.mean()) / len(parts), own)
            # One row (or unit) says nothing of the spread: then the largest that parts within 1/2 can have.
            variance += 0.25 if math.isnan(spread) else spread
        return math.sqrt(variance)


def distance_score(margins: Sequence[Margin], comparison: Comparison, *, null: Null | None, empty: str) -> Score:
    """Return the mean distance of the margins, its bounds and its floor.

    The standard error of the mean is the mean of the columns' standard errors, which is right for columns that move
    together and too wide for all others. A column without a value in ``train`` is left out: nothing is known of it.
    """
    known = [(margin, margin.shares(margin.train)) for margin in margins]
    usable = [(margin, shares) for margin, shares in known if shares is not None]
    if not usable or comparison.synthetic.rows == 0:
        return Score.unmeasured("the synthetic table has no rows") if usable else Score.not_applicable(empty)
    values: dict[str, float] = {}
    errors: list[float] = []
    for margin, shares in usable:
        other = margin.shares(margin.synthetic)
        values[f"column:{margin.name}"] = margin.distance(shares, other)
        errors.append(margin.error(comparison.train, shares, other))
    value = float(np.mean(list(values.values())))
    bounds = normal_bounds(value, float(np.mean(errors)), alpha=comparison.alpha)
    p_value = None
    if null is not None:
        p_value = null_p_value(value, np.mean([_null_distances(margin, null) for margin, _ in usable], axis=0))
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


def _null_distances(margin: Margin, null: Null) -> Floats:
    """Return the distance under the null, shape (draws,)."""
    codes = np.concatenate([margin.train, margin.holdout])
    order = np.argsort(codes, kind="stable")
    order = order[np.count_nonzero(codes < 0) :]
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    sides: list[Floats] = []
    for weights in (null.train, null.synthetic):
        counts = np.add.reduceat(weights[:, order], starts, axis=1)
        sides.append(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    return _distances(sides[0] - sides[1], ordered=margin.ordered)


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
        pool = np.concatenate(flags[:2])
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


CHANCE_OF_NEW = 0.999
RULE_OF_THREE = 3
RARE = 5
FEW_FINER = 0.01


def wrong_dtype_score(broken: Mapping[str, str], comparison: Comparison) -> Score:
    """Count the columns whose form the synthetic table breaks; ``detail`` has the share of wrong values of each.

    ``broken`` names columns that the reader of the delivered file could not read as the schema says, with the reason
    (they count as wholly wrong). Seen in the table itself: categories that no real row holds (save declared, public
    ones), beyond what fresh real rows would bring, and values with more decimals than the column has.
    """
    real = (comparison.train, comparison.holdout) + (() if comparison.reference is None else (comparison.reference,))
    detail = {f"column:{name}": 1.0 for name in broken}
    reasons = [f"{name}: {reason}" for name, reason in broken.items()]
    for column in comparison.synthetic.schema:
        wrong, why = _wrong_share(column, comparison.synthetic, real)
        if wrong > 0 and column.name not in broken:
            detail[f"column:{column.name}"] = wrong
            reasons.append(f"{column.name}: {why}")
    count = float(len(detail))
    floor = sum(_wrong_share(column, comparison.holdout, real)[0] > 0 for column in comparison.holdout.schema)
    reason = "; ".join(reasons[:5]) + (f"; and {len(reasons) - 5} more" if len(reasons) > 5 else "")
    return Score(
        count, count, count, count, floor=float(floor), reason=reason, rows=comparison.synthetic.rows, detail=detail
    )


def _wrong_share(column: Column, table: Table, real: Sequence[Table]) -> tuple[float, str]:
    """Return the share of values that break a column's form, and how."""
    if table.rows == 0:
        return 0.0, ""
    if column.kind is Kind.CATEGORICAL and not column.public:
        size = len(column.categories) + 1
        counts = sum(np.bincount(one.codes(column.name) + 1, minlength=size)[1:] for one in real)
        own = np.bincount(table.codes(column.name) + 1, minlength=size)[1:]
        return foreign_share(np.asarray(counts), own, rows=table.rows), "categories that no real row holds"
    if column.kind is Kind.NUMERIC and column.decimals is not None:
        values = table.numbers(column.name)
        off = np.abs(values - np.round(values, column.decimals)) > ROUNDING * np.maximum(np.abs(values), 1)
        share = float(np.mean(off))
        # A few fresh real values may be written finer than any training value is.
        return (share if share > FEW_FINER else 0.0), f"more than {column.decimals} decimals"
    return 0.0, ""


def foreign_share(real: Ints, own: Ints, *, rows: int) -> float:
    """Return the share of a table's rows whose label no real row holds; counts by label of the real rows and its own.

    Fresh real rows hold new labels too: about as often as a label stands once among the real rows (Good-Turing; Good
    1953), and by the rule of three where rare labels are about but none stands once. Only more than that breaks the
    set, and counts; a set of frequent labels, such as sex, is broken by a single new one.
    """
    foreign = int(own[real == 0].sum())
    rare = bool(np.any((real > 0) & (real <= RARE)))
    expected = (float(np.sum(real == 1)) + RULE_OF_THREE * rare) / max(float(np.sum(real)), 1.0) * rows
    return 0.0 if rare and foreign <= int(poisson.ppf(CHANCE_OF_NEW, expected)) else foreign / rows


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
