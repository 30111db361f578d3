"""Find rows that cannot be: pairs of values that the training rows exclude with confidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.confidence import wilson_bounds
from synth_worker.metrics.floors import equal_draws, with_floor, worst_pairs
from synth_worker.schema import Column, Kind
from synth_worker.table import Bools, Floats, Ints, Table

MOST_VALUES = 100
"""A whole-number column with at most so many distinct values counts as discrete."""

SUPPORT = 20
PURITY = 0.999
EXPECTED = 10
"""A pair never seen is excluded where so many rows would be expected of independent columns: chance e^-10."""


@dataclass(frozen=True, eq=False)
class Rule:
    """Hold the excluded pairs of values of two columns, shape (levels of first, levels of second)."""

    first: str
    second: str
    excluded: Bools


@dataclass(frozen=True, eq=False)
class Rules:
    """Hold what the training rows exclude: the levels of each discrete column and the excluded pairs."""

    levels: dict[str, Floats]
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, train: Table) -> Rules:
        """Learn the rules from real rows.

        A pair is excluded where it does not occur though ``EXPECTED`` rows would have it if the columns were
        independent; or where the one value (``SUPPORT`` rows or more) goes with one value of the other column in at
        least ``PURITY`` of its rows, ``EXPECTED`` exceptions being expected of independent columns, and the pair is
        an exception.
        """
        levels: dict[str, Floats] = {}
        for column in train.schema:
            own = _levels(column, train)
            if own is not None and len(own) > 1:
                levels[column.name] = own
        names = list(levels)
        codes = {name: _codes(train, name, levels[name]) for name in names}
        rules: list[Rule] = []
        for place, first in enumerate(names):
            for second in names[place + 1 :]:
                size = len(levels[first]), len(levels[second])
                both = np.bincount(codes[first] * size[1] + codes[second], minlength=size[0] * size[1])
                excluded = _excluded(both.reshape(size).astype(np.float64))
                if excluded.any():
                    rules.append(Rule(first, second, excluded))
        return cls(levels, tuple(rules))

    def broken(self, table: Table) -> tuple[Bools, dict[str, float]]:
        """Return which rows break a rule, shape (rows,), and the share of rows that break each pair's rules.

        A value that the training rows do not have breaks nothing here: it is out of range, or of a wrong type.
        """
        codes = {name: _codes(table, name, levels) for name, levels in self.levels.items()}
        rows = np.zeros(table.rows, dtype=np.bool_)
        pairs: dict[str, float] = {}
        for rule in self.rules:
            # The last row and column catch unknown values.
            allowed = np.pad(rule.excluded, ((0, 1), (0, 1)))
            hit = allowed[codes[rule.first], codes[rule.second]]
            if hit.any():
                rows |= hit
                pairs[f"pair:{rule.first}|{rule.second}"] = float(hit.mean())
        return rows, pairs


def _levels(column: Column, train: Table) -> Floats | None:
    """Return the distinct values of a discrete column (codes or whole numbers; NaN is missing), else None."""
    values = _values(train, column.name)
    own = np.unique(values)
    if column.kind is Kind.CATEGORICAL:
        return own
    seen = own[~np.isnan(own)]
    discrete = column.kind is Kind.NUMERIC and len(seen) <= MOST_VALUES and bool((seen == np.round(seen)).all())
    return own if discrete else None


def _values(table: Table, name: str) -> Floats:
    if table.schema[name].kind is Kind.CATEGORICAL:
        codes = table.codes(name).astype(np.float64)
        return np.where(codes < 0, np.nan, codes)
    return table.numbers(name)


def _codes(table: Table, name: str, levels: Floats) -> Ints:
    """Return the place of each value among the levels; unknown values come last, at ``len(levels)``."""
    values = _values(table, name)
    place = np.minimum(np.searchsorted(levels, values), len(levels) - 1)
    same = (levels[place] == values) | (np.isnan(levels[place]) & np.isnan(values))
    return np.where(same, place, len(levels)).astype(np.int64)


def _excluded(both: Floats) -> Bools:
    """Return the excluded pairs of a contingency table."""
    rows, columns, total = both.sum(axis=1), both.sum(axis=0), both.sum()
    excluded = (np.outer(rows, columns) / total >= EXPECTED) & (both == 0)
    excluded |= _exceptions(both, rows, columns / total)
    return excluded | _exceptions(both.T, columns, rows / total).T


def _exceptions(both: Floats, rows: Floats, shares: Floats) -> Bools:
    """Return the pairs that break a functional dependency of the columns on the rows of a contingency table."""
    main = both.argmax(axis=1)
    pure = both[np.arange(len(both)), main] >= PURITY * rows
    sure = (rows >= SUPPORT) & (rows * (1 - shares[main]) >= EXPECTED)
    broken = np.repeat((pure & sure)[:, None], both.shape[1], axis=1)
    broken[np.arange(len(both)), main] = False
    return broken


def _compute(comparison: Comparison) -> Scores:
    train, synthetic = comparison.train, comparison.synthetic
    rules = Rules.of(train)
    if not rules.rules:
        return {"broken_pairs": Score.not_applicable("the training rows exclude no pair of values with confidence")}
    if synthetic.rows == 0:
        return {"broken_pairs": Score.unmeasured("the synthetic table has no rows")}
    rows, pairs = rules.broken(synthetic)
    count = int(np.count_nonzero(rows))
    bounds = wilson_bounds(count, synthetic.rows, alpha=comparison.alpha)
    score = Score(
        count / synthetic.rows,
        bounds.low,
        bounds.high,
        bounds.upper,
        rows=synthetic.rows,
        detail={"rules": float(sum(int(rule.excluded.sum()) for rule in rules.rules)), **worst_pairs(pairs)},
    )
    draws = equal_draws(comparison)
    if draws.size:
        real = rules.broken(comparison.holdout)[0]
        floor = float(np.mean([real[draw].mean() for draw in draws.holdout]))
        at_size = float(np.mean([rows[draw].mean() for draw in draws.synthetic]))
        score = with_floor(score, floor=floor, at_floor_size=at_size, size=draws.size)
    return {"broken_pairs": score}


FAMILY = Family(
    "broken_pairs",
    (Metric("broken_pairs", Better.LOWER, "share of rows with a pair of values that the real rows exclude"),),
    _compute,
)
FAMILIES = (FAMILY,)
