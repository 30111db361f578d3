"""Find columns that follow from another one: each of its values goes with one of theirs."""

from __future__ import annotations

import numpy as np

from synth_worker.constraints import MOST_COMBINED, Constraint, Rule
from synth_worker.schema import Kind
from synth_worker.suggesting.evidence import EXPECTED
from synth_worker.table import Bools, Ints, Table
from synth_worker.violations import MOST_NUMBERS, floats

LEVELS_MOST = 0.1
"""A column that others follow from has at most so many values, as a share of the rows."""


def find(table: Table) -> tuple[Constraint, ...]:
    """Return fixed combinations: a column and what follows from it, at most ``MOST_COMBINED`` in each."""
    names, codes = _discrete(table)
    if len(names) < 2:
        return ()
    follows = _follows(codes)
    taken: set[int] = set()
    found: list[Constraint] = []
    # A column that follows from another one is described there; of columns that follow from each other, the first.
    for key in range(len(names)):
        if any(follows[other, key] and (not follows[key, other] or other < key) for other in range(len(names))):
            continue
        own = [at for at in np.flatnonzero(follows[key]).tolist() if at not in taken]
        taken |= set(own)
        for start in range(0, len(own), MOST_COMBINED - 1):
            together = [names[at] for at in (key, *own[start : start + MOST_COMBINED - 1])]
            note = f"{' and '.join(together[1:])} follow{'s' if len(together) == 2 else ''} from {together[0]}"
            found.append(Constraint(Rule.COMBINATIONS, tuple(together), note=note))
    return tuple(found)


def _discrete(table: Table) -> tuple[list[str], Ints]:
    """Return the columns of few values (labels, whole numbers) and their codes from 0, shape (columns, rows)."""
    names: list[str] = []
    found: list[Ints] = []
    for column in table.schema:
        if column.kind is Kind.CATEGORICAL:
            codes = table.codes(column.name) + 1
        elif column.kind is Kind.NUMERIC and column.decimals in (0, None) and column.dtype == "int64":
            codes = np.unique(floats(table, column.name), return_inverse=True)[1].astype(np.int64)
            if codes.max() >= MOST_NUMBERS:
                continue
        else:
            continue
        used = np.unique(codes)
        if 2 <= len(used) <= LEVELS_MOST * table.rows:
            names.append(column.name)
            found.append(np.searchsorted(used, codes))
    return names, np.asarray(found, dtype=np.int64).reshape(len(names), table.rows)


def _follows(codes: Ints) -> Bools:
    """Return which column (second axis) follows from which (first) without exception and beyond chance."""
    columns = len(codes)
    found = np.zeros((columns, columns), dtype=np.bool_)
    shares = np.array([np.bincount(one).max() / len(one) for one in codes])
    for key, own in enumerate(codes):
        _, first, counts = np.unique(own, return_index=True, return_counts=True)
        expected = (counts - 1).sum() * (1 - shares)
        # A few rows decide most pairs: the rest is only looked at where they agree.
        few = slice(0, 500)
        may = np.flatnonzero((codes[:, few] == codes[:, first[own[few]]]).all(axis=1) & (expected >= EXPECTED))
        sure = may[(codes[may] == codes[may][:, first[own]]).all(axis=1)]
        found[key, sure] = True
        found[key, key] = False
    return found
