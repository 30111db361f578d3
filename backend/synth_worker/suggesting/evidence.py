"""Hold what all suggestions share: how much evidence is enough, and numbers as whole steps of a grid."""

from __future__ import annotations

import numpy as np

from synth_worker.schema import Column, Kind
from synth_worker.table import Floats, Ints, Table

LEAST_ROWS = 50
"""In fewer rows nothing is suggested."""

EXPECTED = 20.0
"""So many rows (or pairs of rows) would break a rule by chance; that none does then has a chance of about e^-20."""

LARGEST = 2.0**53


def steps(values: Floats, decimals: int) -> Ints:
    """Return numbers as whole steps of 10^-decimals, shape (rows,); missing is 0."""
    return np.rint(np.nan_to_num(values) * 10.0**decimals).astype(np.int64)


def gridded(table: Table) -> tuple[list[Column], int]:
    """Return the numeric columns on a grid of decimals and the finest of these grids."""
    own = [one for one in table.schema if one.kind is Kind.NUMERIC and _decimals(one) is not None]
    finest = max((_decimals(one) or 0 for one in own), default=0)
    fits = [one for one in own if max(abs(one.low or 0.0), abs(one.high or 0.0)) * 10.0**finest < LARGEST]
    return fits, finest


def _decimals(column: Column) -> int | None:
    return 0 if column.dtype == "int64" and column.decimals is None else column.decimals
