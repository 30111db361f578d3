"""Hold a table whose frame fits its schema, and cut it into rows to learn from and rows to judge by.

The frame is canonical: numeric columns are float64 (missing is NaN), datetime columns are float64 seconds since
1970 (missing is NaN), categorical columns are pandas categoricals whose categories are the schema's labels in the
schema's order, all other columns are object arrays of strings (missing is None).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synth_worker.errors import BadSchema
from synth_worker.schema import Kind, Schema

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HUGE, TINY, TAMED_BITS = 1e30, 1e-30, 83
"""Numbers beyond ``HUGE`` are brought to fewer than 2^83, which leaves room for fourth powers and for 32-bit floats."""


@dataclass(frozen=True, eq=False)
class Table:
    """Pair a schema with a frame that fits it; a table that exists is right.

    ``units`` numbers the person (group key) behind each row; None means that each row is a unit of its own. ``notes``
    are what its reader has to tell the user; tables made from this one have none.

    Raises BadSchema where names, order, dtype, categories or bounds disagree.

    >>> from synth_worker.schema import Column
    >>> schema = Schema((Column("age", Kind.NUMERIC), Column("sex", Kind.CATEGORICAL, categories=("f", "m"))))
    >>> frame = pd.DataFrame({"age": [1.0, 2.0], "sex": pd.Categorical(["m", None], categories=["f", "m"])})
    >>> Table(schema, frame).codes("sex")
    array([ 1, -1])
    """

    schema: Schema
    frame: pd.DataFrame
    units: Ints | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if tuple(self.frame.columns) != self.schema.names:
            raise BadSchema(
                f"the frame has columns {list(self.frame.columns)[:8]}; the schema {list(self.schema.names)[:8]}",
                hint="names and order must agree",
            )
        if self.units is not None and len(self.units) != len(self.frame):
            raise BadSchema(f"{len(self.units)} units for {len(self.frame)} rows")
        for column in self.schema:
            series = self.frame[column.name]
            if column.continuous:
                _check_numbers(column.name, series, column.low, column.high)
            elif column.kind is Kind.CATEGORICAL:
                dtype = series.dtype
                if not isinstance(dtype, pd.CategoricalDtype) or tuple(dtype.categories) != column.categories:
                    raise BadSchema(f"column {column.name!r} does not hold the schema's categories")

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def numbers(self, name: str) -> Floats:
        """Return a numeric or datetime column as float64, shape (rows,), missing as NaN."""
        return self.frame[name].to_numpy(dtype=np.float64)

    def codes(self, name: str) -> Ints:
        """Return a categorical column as indices into the schema's categories, shape (rows,), missing as -1."""
        return np.asarray(self.frame[name].cat.codes, dtype=np.int64)

    def missing(self, name: str) -> Bools:
        """Return which values are absent, shape (rows,)."""
        return self.frame[name].isna().to_numpy(dtype=np.bool_)

    def take(self, rows: Ints | Sequence[int]) -> Table:
        """Return the table of these rows, in this order; the domain stays as it is."""
        index = np.asarray(rows, dtype=np.int64)
        units = None if self.units is None else self.units[index]
        return Table(self.schema, self.frame.iloc[index].reset_index(drop=True), units)

    def modelled(self) -> Table:
        """Return the table of the columns that a generator learns."""
        schema = self.schema.modelled
        return Table(schema, self.frame[list(schema.names)], self.units)

    def narrowed(self) -> Table:
        """Return the same rows under a schema whose bounds and categories come from these rows alone.

        Public bounds and categories (declared by the user) stay. A generator is fitted on a narrowed table, so that
        nothing of the held-out rows reaches it, not even the name of a category.
        """
        columns = []
        frame = self.frame.copy(deep=False)
        for column in self.schema:
            if column.public:
                columns.append(column)
            elif column.continuous:
                values = self.numbers(column.name)
                seen = values[~np.isnan(values)]
                low, high = (float(seen.min()), float(seen.max())) if len(seen) else (None, None)
                columns.append(replace(column, low=low, high=high, nullable=bool(np.isnan(values).any())))
            elif column.kind is Kind.CATEGORICAL:
                codes = self.codes(column.name)
                present = np.unique(codes[codes >= 0])
                labels = tuple(column.categories[one] for one in present)
                frame[column.name] = frame[column.name].cat.set_categories(list(labels))
                columns.append(replace(column, categories=labels, nullable=bool((codes < 0).any())))
            else:
                columns.append(column)
        return Table(self.schema.having(columns), frame, self.units)


@dataclass(frozen=True)
class Split:
    """Hold the three roles a real row can have.

    ``train`` is learnt from, ``validation`` steers, ``certificate`` is looked at once (None below the size at which
    the procedure is cross-fitted instead). The ``*_rows`` are the positions in the table that was split. ``key`` is
    the hash key that ordered the units.
    """

    train: Table
    validation: Table
    certificate: Table | None
    train_rows: Ints
    validation_rows: Ints
    certificate_rows: Ints
    key: str


def unify(tables: Sequence[Table]) -> tuple[Table, ...]:
    """Return the tables under one domain: the union of their categories and of their bounds, so that codes agree.

    Columns and kinds must be the same; everything else is the first table's.
    """
    first = tables[0].schema
    for table in tables[1:]:
        if [(one.name, one.kind) for one in table.schema] != [(one.name, one.kind) for one in first]:
            raise BadSchema(
                "the tables do not have the same columns and kinds",
                hint="read them all with the first one's schema",
            )
    columns = []
    for place, column in enumerate(first):
        own = [table.schema.columns[place] for table in tables]
        labels = dict.fromkeys(label for one in own for label in one.categories)
        lows = [one.low for one in own]
        highs = [one.high for one in own]
        columns.append(
            replace(
                column,
                categories=tuple(labels),
                low=None if any(low is None for low in lows) else min(low for low in lows if low is not None),
                high=None if any(high is None for high in highs) else max(h for h in highs if h is not None),
                nullable=any(one.nullable for one in own),
            )
        )
    schema = first.having(columns)
    return tuple(_recast(table, schema) for table in tables)


def tamed(tables: Sequence[Table]) -> tuple[Table, ...]:
    """Bring numbers of extreme size, in all tables alike, to one whose squares and cubes a float holds.

    The tables share a domain (``unify``). A column beyond 1e30, or within 1e-30 of zero, is multiplied by a power of
    two: exact, and no figure that compares tables depends on the unit. Others stay as they are.

    >>> from synth_worker.schema import Column
    >>> schema = Schema((Column("x", Kind.NUMERIC, low=0.0, high=1e200),))
    >>> (table,) = tamed([Table(schema, pd.DataFrame({"x": [0.0, 1e200]}))])
    >>> bool(1e24 < table.numbers("x")[1] < 1e26)
    True
    """
    schema, frames = tables[0].schema, [table.frame.copy(deep=False) for table in tables]
    for column in schema:
        largest = (
            max((_largest(table.numbers(column.name)) for table in tables), default=0.0) if column.continuous else 0
        )
        if not largest or TINY <= largest <= HUGE:
            continue
        shift = int((TAMED_BITS if largest > HUGE else 0) - np.frexp(largest)[1])
        low, high = (None if end is None else _shifted(end, shift) for end in (column.low, column.high))
        schema = schema.with_column(replace(column, low=low, high=high, decimals=None))
        for frame in frames:
            frame[column.name] = np.ldexp(frame[column.name].to_numpy(), shift)
    if schema is tables[0].schema:
        return tuple(tables)
    return tuple(Table(schema, frame, table.units) for frame, table in zip(frames, tables, strict=True))


def _shifted(end: float, shift: int) -> float:
    """Return a bound times a power of two, at most the largest number: no value of these rows may lie near it.

    >>> _shifted(1e300, 100), _shifted(3.0, 2)
    (1.7976931348623157e+308, 12.0)
    """
    with np.errstate(over="ignore"):
        return float(np.nan_to_num(np.ldexp(end, shift)))


def _largest(values: Floats) -> float:
    """Return the largest absolute value, 0 where there is none."""
    seen = np.abs(values[~np.isnan(values)])
    return float(seen.max()) if len(seen) else 0.0


def row_hashes(table: Table) -> NDArray[np.uint64]:
    """Hash the modelled content of each row, shape (rows,): equal rows of two tables have equal hashes.

    Labels and numbers are hashed, never codes, so that tables with different domains compare.
    """
    total = np.zeros(table.rows, dtype=np.uint64)
    for column in table.schema:
        if column.continuous:
            values = table.numbers(column.name)
            if column.decimals is not None:
                values = np.round(values, column.decimals)
            part = pd.util.hash_array(values + 0.0)
            part[np.isnan(values)] = 1
        elif column.kind is Kind.CATEGORICAL:
            labels = pd.util.hash_array(np.asarray(column.categories, dtype=object))
            part = np.append(labels, np.uint64(1))[table.codes(column.name)]
        else:
            continue
        with np.errstate(over="ignore"):
            total = total * np.uint64(1_000_003) + (part ^ (part >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    return total


def _recast(table: Table, schema: Schema) -> Table:
    frame = table.frame.copy(deep=False)
    for column in schema:
        if column.kind is Kind.CATEGORICAL:
            frame[column.name] = frame[column.name].cat.set_categories(list(column.categories))
    return Table(schema, frame, table.units)


def _check_numbers(name: str, series: pd.Series, low: float | None, high: float | None) -> None:
    if series.dtype != np.float64:
        raise BadSchema(f"column {name!r} is {series.dtype}; the frame of a table holds it as float64")
    values = series.to_numpy()
    if np.isinf(values).any():
        raise BadSchema(f"column {name!r} holds an infinite value", hint="treat it as missing or cap it")
    if len(values) == 0 or np.isnan(values).all():
        return
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    if low is not None and least < low:
        raise BadSchema(f"column {name!r} holds {least:g}, below its low {low:g}")
    if high is not None and most > high:
        raise BadSchema(f"column {name!r} holds {most:g}, above its high {high:g}")
