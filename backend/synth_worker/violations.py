"""Find the rows that break a constraint, and refuse constraints that the real table itself does not keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from synth_worker.constraints import BREAKS, Constraint, Rule
from synth_worker.errors import BadSchema
from synth_worker.schema import Kind
from synth_worker.table import Bools, Floats, Ints, Table

ROWS_EACH = 5
"""Fixed combinations must be shared by so many rows on average: fewer would hand out single records."""

MOST_NUMBERS = 100
"""A number or date with more different values is a quantity, and no part of a fixed combination."""

ROUNDING = 1e-12
"""What floating-point addition may lose of a sum, as a share of what is added."""


def floats(table: Table, name: str) -> Floats:
    """Return numbers, seconds, or the codes of labels, shape (rows,); missing is NaN."""
    if table.schema[name].kind is Kind.CATEGORICAL:
        codes = table.codes(name).astype(np.float64)
        return np.where(codes < 0, np.nan, codes)
    return table.numbers(name)


def broken_rows(constraint: Constraint, table: Table, *, known: Sequence[Table] = ()) -> Bools:
    """Return which rows break a constraint, shape (rows,).

    ``known`` are the tables (of one domain) in which allowed combinations occur. Of rows that repeat a unique value
    the first does not count as broken.
    """
    columns = np.stack([floats(table, name) for name in constraint.columns], axis=1)
    if constraint.rule is Rule.COMBINATIONS:
        real = [np.stack([floats(one, name) for name in constraint.columns], axis=1) for one in known]
        return unknown_rows(columns, np.concatenate(real)) if real else np.zeros(table.rows, dtype=np.bool_)
    if constraint.rule is Rule.UNIQUE:
        return repeated_rows(columns)
    broken = falling_rows(columns, strict=constraint.strict) if constraint.rule is Rule.ORDER else unequal_rows(columns)
    absent = np.isnan(columns).any(axis=1)
    return broken | absent if constraint.missing == BREAKS else broken


def falling_rows(columns: Floats, *, strict: bool) -> Bools:
    """Return the rows of (rows, columns) whose values do not rise from left to right, absent ones left out."""
    broken = np.zeros(len(columns), dtype=np.bool_)
    highest = columns[:, 0]
    for place in range(1, columns.shape[1]):
        own = columns[:, place]
        broken |= own <= highest if strict else own < highest
        highest = np.fmax(highest, own)
    return broken


def unequal_rows(columns: Floats) -> Bools:
    """Return the rows of (rows, columns) whose first value is not the sum of the others; absent ones: none."""
    parts = columns[:, 1:].sum(axis=1)
    size = 1.0 + np.abs(columns).sum(axis=1)
    return np.abs(columns[:, 0] - parts) > ROUNDING * size


def unknown_rows(columns: Floats, real: Floats) -> Bools:
    """Return the rows of (rows, columns) that do not stand among the real ones; an absent value is a value."""
    own = row_numbers(np.concatenate([real, columns]))
    return ~np.isin(own[len(real) :], own[: len(real)])


def repeated_rows(columns: Floats) -> Bools:
    """Return the rows of (rows, columns) that equal an earlier one; rows with an absent value equal none."""
    found = np.ones(len(columns), dtype=np.bool_)
    found[np.unique(row_numbers(columns), return_index=True)[1]] = False
    return found & ~np.isnan(columns).any(axis=1)


def row_numbers(columns: Floats) -> Ints:
    """Number the distinct rows of (rows, columns) from 0, shape (rows,)."""
    found = np.zeros(len(columns), dtype=np.int64)
    for place in range(columns.shape[1]):
        own = np.unique(columns[:, place], return_inverse=True)[1].astype(np.int64)
        both = found * (int(own.max(initial=0)) + 1) + own
        found = np.unique(both, return_inverse=True)[1].astype(np.int64)
    return found


def check_real(table: Table, *, where: Callable[[int], str]) -> None:
    """Refuse a table that breaks a constraint of its own schema; ``where`` names the place of a row.

    Raises BadSchema with the number of rows and the first of them.
    """
    for constraint in table.schema.constraints:
        broken = np.flatnonzero(broken_rows(constraint, table))
        if len(broken):
            absent = " (absent values break it)" if constraint.missing == BREAKS else ""
            raise BadSchema(
                f"constraint '{constraint.words}' is broken in {len(broken):,} of {table.rows:,} rows{absent}, first "
                f"in {where(int(broken[0]))}",
                hint="correct those rows, or delete the constraint",
            )
        if constraint.rule is Rule.COMBINATIONS:
            _check_combinations(constraint, table)


def _check_combinations(constraint: Constraint, table: Table) -> None:
    """Refuse combinations that would name records: of quantities, or nearly as many as rows."""
    columns = np.stack([floats(table, name) for name in constraint.columns], axis=1)
    for place, name in enumerate(constraint.columns):
        distinct = len(np.unique(columns[:, place]))
        if table.schema[name].continuous and distinct > MOST_NUMBERS:
            raise BadSchema(
                f"constraint '{constraint.words}': {name!r} has {distinct:,} different values; a number or date in a "
                f"fixed combination has at most {MOST_NUMBERS}",
                hint="leave the column out",
            )
    count = int(row_numbers(columns).max()) + 1
    if count * ROWS_EACH > table.rows:
        raise BadSchema(
            f"constraint '{constraint.words}': {count:,} combinations in {table.rows:,} rows, fewer than {ROWS_EACH} "
            "rows for each; keeping them would hand out single records",
            hint="leave a column out, or delete the constraint",
        )
