"""Compare pairs of columns by their joint distribution: SDMetrics' column-pair trends with bins common to both tables.

NOTE[DIFF]: SDMetrics bins a numeric column of a mixed pair at equal widths, on each table's own edges, so that a table
of shuffled columns can outscore a good one; here both tables share the real column's deciles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from synth_worker.metrics.association import Layout, gram_of, pairs_of
from synth_worker.metrics.base import Better, Comparison, Family, Metric, Score, Scores
from synth_worker.metrics.confidence import deal_groups, jackknife_error, normal_bounds
from synth_worker.metrics.floors import equal_draws, with_floor, worst_pairs
from synth_worker.table import Floats, Ints, Table

BINS = 10
GROUPS = 20
MOST_PAIRS = 1_000
"""Of a wide table this many pairs are drawn."""


@dataclass(frozen=True, eq=False)
class Bins:
    """Say into which cell each value of each column falls, fitted on real rows; missing is a cell of its own."""

    layout: Layout
    edges: dict[str, Floats]
    cells: tuple[int, ...]

    @classmethod
    def of(cls, real: Table) -> Bins:
        """Fit deciles of numbers; categories are their own cells."""
        edges: dict[str, Floats] = {}
        cells: list[int] = []
        for column in real.schema:
            if column.continuous:
                values = real.numbers(column.name)
                values = values[~np.isnan(values)]
                inner = np.linspace(0, 1, BINS + 1)[1:-1]
                edges[column.name] = np.unique(np.quantile(values, inner)) if len(values) else np.zeros(0)
                cells.append(len(edges[column.name]) + 2)
            else:
                cells.append(len(column.categories) + 1)
        return cls(Layout.of(real), edges, tuple(cells))

    def codes(self, table: Table) -> list[Ints]:
        """Return the cell of each value, one array (rows,) per column."""
        found: list[Ints] = []
        for place, column in enumerate(table.schema):
            last = self.cells[place] - 1
            if column.continuous:
                values = table.numbers(column.name)
                own = np.searchsorted(self.edges[column.name], values, side="left")
                found.append(np.where(np.isnan(values), last, own).astype(np.int64))
            else:
                codes = table.codes(column.name)
                found.append(np.where(codes < 0, last, codes))
        return found


@dataclass(frozen=True, eq=False)
class Side:
    """Hold one table cut into groups: its cells, its Gram matrices by group, the group of each row."""

    codes: list[Ints]
    grams: Floats
    groups: Ints
    count: int

    @classmethod
    def of(cls, table: Table, bins: Bins, groups: Ints, *, count: int) -> Side:
        """Code a table and sum its products by group; the numeric columns only."""
        matrix = bins.layout.number_matrix(table)
        grams = np.stack([gram_of(matrix[groups == group]) for group in range(count)])
        return cls(bins.codes(table), grams, groups, count)

    def joint(self, first: int, second: int, cells: tuple[int, ...]) -> Floats:
        """Return how often each pair of cells occurs in each group, shape (groups, cells of both)."""
        both = cells[first] * cells[second]
        code = (self.groups * cells[first] + self.codes[first]) * cells[second] + self.codes[second]
        return np.bincount(code, minlength=self.count * both).reshape(self.count, both).astype(np.float64)


class Sums(Protocol):
    """Give what a table cut into groups adds up to, as ``Side`` does."""

    @property
    def grams(self) -> Floats:
        """Return the Gram matrices of the numeric columns, shape (groups, entries, entries)."""
        ...

    @property
    def count(self) -> int:
        """Return the number of groups."""
        ...

    def joint(self, first: int, second: int, cells: tuple[int, ...]) -> Floats:
        """Return how often each pair of cells occurs in each group, shape (groups, cells of both)."""
        ...


def pair_errors(one: Sums, other: Sums, bins: Bins, pairs: tuple[Ints, Ints]) -> Floats:
    """Return the error of each pair with all rows and with each group left out, shape (1 + groups, pairs).

    Numeric pairs: half the difference of Pearson's r; others: total variation distance of the joint cells.
    """
    keep = 1 + (one.count if one.count > 1 else 0)
    names, numbers = bins.layout.names, set(bins.layout.numbers)
    place = {name: at for at, name in enumerate(bins.layout.numbers)}
    r = [np.stack([bins.layout.numeric_associations(gram) for gram in _left_out(side.grams)]) for side in (one, other)]
    errors = np.empty((keep, len(pairs[0])))
    for at, (first, second) in enumerate(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True)):
        if names[first] in numbers and names[second] in numbers:
            a, b = place[names[first]], place[names[second]]
            errors[:, at] = np.abs(r[0][:, a, b] - r[1][:, a, b]) / 2
            continue
        shares = [_left_out(side.joint(first, second, bins.cells)) for side in (one, other)]
        shares = [share / np.maximum(share.sum(axis=1, keepdims=True), 1) for share in shares]
        errors[:, at] = np.abs(shares[0] - shares[1]).sum(axis=1) / 2
    return errors


def _left_out(groups: Floats) -> Floats:
    """Return the sum over groups, then (if there are several) the sum without each group."""
    total = groups.sum(axis=0)[None]
    return total if len(groups) == 1 else np.concatenate([total, total - groups])


def _compute(comparison: Comparison) -> Scores:
    train, synthetic = comparison.train, comparison.synthetic
    if len(train.schema) < 2:
        return {"trend": Score.not_applicable("a table of one column has no pair of columns")}
    if synthetic.rows == 0:
        return {"trend": Score.unmeasured("the synthetic table has no rows")}
    rng = comparison.streams.rng("trend")
    bins = Bins.of(train)
    pairs = pairs_of(len(train.schema))
    if len(pairs[0]) > MOST_PAIRS:
        drawn = np.sort(rng.choice(len(pairs[0]), size=MOST_PAIRS, replace=False))
        pairs = pairs[0][drawn], pairs[1][drawn]
    real = Side.of(train, bins, deal_groups(train.rows, rng=rng, units=train.units, groups=GROUPS), count=GROUPS)
    made = Side.of(synthetic, bins, deal_groups(synthetic.rows, rng=rng, groups=GROUPS), count=GROUPS)
    errors = pair_errors(real, made, bins, pairs)
    value = float(errors[0].mean())
    bounds = normal_bounds(value, jackknife_error(errors[1:].mean(axis=1)), alpha=comparison.alpha)
    names = [f"pair:{bins.layout.names[a]}|{bins.layout.names[b]}" for a, b in zip(*pairs, strict=True)]
    detail = worst_pairs(dict(zip(names, errors[0].tolist(), strict=True)))
    score = Score(value, bounds.low, bounds.high, bounds.upper, rows=train.rows, detail=detail)
    draws = equal_draws(comparison)
    if draws.size:
        whole = Side(real.codes, real.grams.sum(axis=0)[None], np.zeros_like(real.groups), 1)

        def mean_error(table: Table, draw: Ints) -> float:
            side = Side.of(table.take(draw), bins, np.zeros(len(draw), dtype=np.int64), count=1)
            return float(pair_errors(whole, side, bins, pairs).mean())

        floor = float(np.mean([mean_error(comparison.holdout, draw) for draw in draws.holdout]))
        at_size = float(np.mean([mean_error(synthetic, draw) for draw in draws.synthetic]))
        score = with_floor(score, floor=floor, at_floor_size=at_size, size=draws.size)
    return {"trend": score}


FAMILY = Family(
    "trend", (Metric("trend", Better.LOWER, "mean error of the joint distribution of two columns"),), _compute
)
FAMILIES = (FAMILY,)
