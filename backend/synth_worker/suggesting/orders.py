"""Find columns of which one is never above the other, though their ranges overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synth_worker.constraints import Constraint, Rule
from synth_worker.schema import Column, Kind
from synth_worker.suggesting.evidence import EXPECTED, LEAST_ROWS
from synth_worker.table import Bools, Floats, Table

LEAST_SHARE = 0.05
"""Under independence so many of the rows would be the wrong way round: else the ranges hardly overlap."""

SCALE = 4.0
"""Columns of one unit have ranges (between the 5 % and 95 % points) that differ at most by this factor."""


def find(table: Table, *, sums: Sequence[Constraint] = ()) -> tuple[Constraint, ...]:
    """Return orders of two columns; what follows from two others, or from a sum of positive parts, is left out."""
    found: list[Constraint] = []
    implied = {(part, one.columns[0]) for one in sums for part in one.columns[1:]}
    for kind in (Kind.NUMERIC, Kind.DATETIME):
        columns = [one for one in table.schema if one.kind is kind]
        if len(columns) < 2:
            continue
        values = np.stack([table.numbers(one.name) for one in columns], axis=1)
        for low, high in np.argwhere(_reduced(_never_above(values, columns))).tolist():
            pair = (columns[low].name, columns[high].name)
            seen = ~np.isnan(values[:, [low, high]]).any(axis=1)
            if pair in implied or seen.sum() < LEAST_ROWS:
                continue
            chance = _expected(values[seen, low], values[seen, high])
            if chance >= max(EXPECTED, LEAST_SHARE * seen.sum()):
                note = f"in all {seen.sum():,} rows that have both; by chance {chance:,.0f} would break it"
                found.append(Constraint(Rule.ORDER, pair, note=note))
    return tuple(found)


def _never_above(values: Floats, columns: Sequence[Column]) -> Bools:
    """Return which column (first axis) is never above which one (second) of its scale, shape (columns, columns)."""
    size = values.shape[1]
    found = np.zeros((size, size), dtype=np.bool_)
    seen = [own[~np.isnan(own)] for own in values.T]
    spans = [float(np.subtract(*np.quantile(own, [0.95, 0.05]))) if len(own) else 0.0 for own in seen]
    for low in range(size):
        own = values[:, [low]]
        # Comparisons with an absent value are false, which is what is wanted of "above".
        may = ~(own > values).any(axis=0) & (own < values).any(axis=0)
        for high in np.flatnonzero(may).tolist():
            found[low, high] = _same_scale(spans[low], spans[high], columns[low], columns[high])
    return found


def _same_scale(low: float, high: float, first: Column, second: Column) -> bool:
    if first.kind is Kind.DATETIME:
        return True
    return first.decimals == second.decimals and low > 0 and high > 0 and 1 / SCALE <= low / high <= SCALE


def _expected(low: Floats, high: Floats) -> float:
    """Return how many rows would be the wrong way round if the columns were independent."""
    above = len(low) - np.searchsorted(np.sort(low), high, side="right")
    return float(above.mean())


def _reduced(below: Bools) -> Bools:
    """Leave out the orders that follow from two others."""
    through = (below.astype(np.int64) @ below.astype(np.int64)) > 0
    return below & ~through
