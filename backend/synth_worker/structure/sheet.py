"""Hold columns as floats while they are rebuilt: numbers, seconds, and the codes of labels; missing is NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from synth_worker.schema import Column, Schema
from synth_worker.table import Floats, Ints, Table
from synth_worker.violations import floats

Values = Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class Added:
    """Hold a column that takes part in learning in the place of others: it stands before column ``place``."""

    column: Column
    values: Floats
    place: str


def values_of(table: Table) -> dict[str, Floats]:
    """Return every column as floats, shape (rows,) each."""
    return {name: floats(table, name) for name in table.schema.names}


def table_of(schema: Schema, values: Values, *, units: Ints | None = None) -> Table:
    """Build the table of these values."""
    frame: dict[str, object] = {}
    for column in schema:
        own = values[column.name]
        if column.continuous:
            frame[column.name] = own
        else:
            codes = np.where(np.isnan(own), -1, own).astype(np.int64)
            frame[column.name] = pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(column.categories)))
    return Table(schema, pd.DataFrame(frame, columns=list(schema.names)), units)


def rebuilt(table: Table, *, dropped: Sequence[str], added: Sequence[Added]) -> Table:
    """Return the table with columns dropped and added, and no constraints."""
    columns: list[Column] = []
    values = values_of(table)
    for column in table.schema:
        for one in added:
            if one.place == column.name:
                columns.append(one.column)
                values[one.column.name] = one.values
        if column.name not in dropped:
            columns.append(column)
    return table_of(Schema(tuple(columns)), values, units=table.units)


def bounded(column: Column, values: Floats) -> Column:
    """Return the column with the bounds of its values."""
    seen = values[~np.isnan(values)]
    low, high = (float(seen.min()), float(seen.max())) if len(seen) else (None, None)
    return replace(column, low=low, high=high, nullable=bool(np.isnan(values).any()))


def fresh_name(wanted: str, taken: Sequence[str]) -> str:
    """Return the name, with a sign more for as long as it is taken.

    >>> fresh_name("b - a", ["b - a"])
    'b - a*'
    """
    while wanted in taken:
        wanted += "*"
    return wanted
