"""Find columns, or pairs of columns, in which no value stands twice although chance would repeat some."""

from __future__ import annotations

import numpy as np

from synth_worker.constraints import Constraint, Rule
from synth_worker.distinct import count_distinct
from synth_worker.schema import Column, Kind
from synth_worker.suggesting.evidence import EXPECTED
from synth_worker.table import Floats, Ints, Table
from synth_worker.violations import floats

WINDOW = 5
FEW = 100
DAY = 86_400.0


def find(table: Table) -> tuple[Constraint, ...]:
    """Return unique columns, and pairs of columns that are unique together while neither is alone."""
    found: list[Constraint] = []
    alike: dict[str, float] = {}
    codes: dict[str, Ints] = {}
    for column in table.schema:
        values = floats(table, column.name)
        if np.isnan(values).any():
            continue
        _, numbers, counts = np.unique(values, return_inverse=True, return_counts=True)
        if counts.max() > 1:
            codes[column.name] = numbers.astype(np.int64)
            alike[column.name] = float((counts * (counts - 1.0)).sum()) / (len(values) * (len(values) - 1.0))
        elif column.continuous and _expected_pairs(values, column) >= EXPECTED:
            note = f"all different; by chance {_expected_pairs(values, column):,.0f} pairs of rows would be alike"
            found.append(Constraint(Rule.UNIQUE, (column.name,), note=note))
    pairs = table.rows * (table.rows - 1) / 2
    names = list(codes)
    if len(names) < 2:
        return tuple(found)
    few = np.stack([codes[name][:FEW] for name in names])
    for place, first in enumerate(names):
        # Most pairs repeat among a few rows already.
        both = np.sort(few[place] * table.rows + few[place + 1 :], axis=1)
        single = (np.diff(both, axis=1) != 0).all(axis=1)
        for second in (names[place + 1 + at] for at in np.flatnonzero(single).tolist()):
            expected = pairs * alike[first] * alike[second]
            if expected < EXPECTED or count_distinct(codes[first] * table.rows + codes[second]) < table.rows:
                continue
            note = f"no two rows alike in both; by chance {expected:,.0f} pairs of rows would be"
            found.append(Constraint(Rule.UNIQUE, (first, second), note=note))
    return tuple(found)


def _expected_pairs(values: Floats, column: Column) -> float:
    """Return how many pairs of rows would have one value, were values drawn from as smooth a curve on their grid."""
    unit = _unit(column)
    ordered = np.sort(values)
    if unit == 0 or len(ordered) <= 2 * WINDOW:
        return 0.0
    gaps = np.maximum(ordered[2 * WINDOW :] - ordered[: -2 * WINDOW], unit)
    density = float(np.mean(2 * WINDOW / (len(ordered) * gaps)))
    return len(ordered) ** 2 / 2 * unit * density


def _unit(column: Column) -> float:
    """Return the step between neighbouring values, 0 where there is none."""
    if column.kind is Kind.DATETIME:
        return DAY if column.dtype == "date" else 0.0
    if column.dtype == "int64" and column.decimals is None:
        return 1.0
    return 0.0 if column.decimals is None else 10.0**-column.decimals
