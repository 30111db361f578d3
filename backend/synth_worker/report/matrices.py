"""Decide which association matrices to draw: real, synthetic, and the columns in which they differ most."""

from __future__ import annotations

import numpy as np

from synth_worker.report.parts import Associations
from synth_worker.schema import Kind
from synth_worker.table import Floats, Ints, Table

DRAWN = 20
"""So many columns are drawn; with more, a cell is too small to be seen on a telephone."""

WEIGHED = 120
"""Beyond so many columns the pairs are no longer computed for the report."""


def associations(real: Table, synthetic: Table) -> Associations | None:
    """Return both matrices over the columns that differ most, None where fewer than two columns have values."""
    names = [one.name for one in real.schema][:WEIGHED]
    if len(names) < 2 or not real.rows or not synthetic.rows:
        return None
    left, right = matrix(real, names), matrix(synthetic, names)
    gap = np.abs(left - right)
    if len(names) > DRAWN:
        chosen = np.sort(np.argsort(-np.sort(gap, axis=1)[:, ::-1][:, :3].mean(axis=1), kind="stable")[:DRAWN])
    else:
        chosen = np.arange(len(names))
    return Associations(
        names=tuple(names[place] for place in chosen),
        real=_rows(left[np.ix_(chosen, chosen)]),
        synthetic=_rows(right[np.ix_(chosen, chosen)]),
        total=len(real.schema),
    )


def matrix(table: Table, names: list[str]) -> Floats:
    """Return the association matrix of these columns, shape (columns, columns), 0 where a pair has no values."""
    count = len(names)
    found = np.eye(count)
    numbers = {name: table.numbers(name) for name in names if table.schema[name].continuous}
    codes = {name: table.codes(name) for name in names if table.schema[name].kind is Kind.CATEGORICAL}
    for row, one in enumerate(names):
        for place in range(row + 1, count):
            other = names[place]
            if one in numbers and other in numbers:
                value = _pearson(numbers[one], numbers[other])
            elif one in codes and other in codes:
                value = _cramer(codes[one], codes[other])
            else:
                pair = (one, other) if one in codes else (other, one)
                value = _correlation_ratio(codes[pair[0]], numbers[pair[1]])
            found[row, place] = found[place, row] = value
    return found


def _pearson(left: Floats, right: Floats) -> float:
    both = ~(np.isnan(left) | np.isnan(right))
    left, right = left[both], right[both]
    if len(left) < 2 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])


def _cramer(left: Ints, right: Ints) -> float:
    both = (left >= 0) & (right >= 0)
    if not both.any():
        return 0.0
    wide = int(right.max()) + 1
    counts = np.bincount(left[both] * wide + right[both], minlength=(int(left.max()) + 1) * wide).reshape(-1, wide)
    counts = counts[counts.any(axis=1)][:, counts.any(axis=0)].astype(np.float64)
    least = min(counts.shape) - 1
    if least < 1:
        return 0.0
    total = counts.sum()
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / total
    return float(np.sqrt(((counts - expected) ** 2 / expected).sum() / (total * least)))


def _correlation_ratio(codes: Ints, values: Floats) -> float:
    both = (codes >= 0) & ~np.isnan(values)
    codes, values = codes[both], values[both]
    if len(values) < 2 or np.ptp(values) == 0:
        return 0.0
    sizes = np.bincount(codes)
    means = np.bincount(codes, weights=values)[sizes > 0] / sizes[sizes > 0]
    between = (sizes[sizes > 0] * (means - values.mean()) ** 2).sum()
    return float(np.sqrt(between / ((values - values.mean()) ** 2).sum()))


def _rows(matrix: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in np.clip(matrix, -1, 1))
