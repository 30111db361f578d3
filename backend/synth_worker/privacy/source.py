"""Answer exact counts of a table to those who will noise them: the only door between data and a private method.

A source bounds what one unit contributes and states it as ``sensitivity``; a method that takes nothing but counts from
it, noises each answer for that sensitivity and accounts for it, is private whatever else it does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np

from synth_worker.errors import BadInput, UnknownName
from synth_worker.privacy.cells import Cells
from synth_worker.table import Ints, Table

Clique = tuple[str, ...]
MOST_CELLS = 2**26
"""Refuse larger tables of counts: the limit depends on the cells asked for, never on data."""


class MarginalSource(Protocol):
    """Answer counts over public cells."""

    @property
    def sensitivity(self) -> int:
        """Return by how much, in L1 as in L2, adding or removing one unit changes the counts of one clique.

        A unit has at most so many rows; all may fall into one cell.
        """
        ...

    def counts(self, cells: Mapping[str, Cells], cliques: Sequence[Clique]) -> list[Ints]:
        """Return the exact counts of each clique, shape (size of each column's cells, in the clique's order)."""
        ...

    def label_counts(self, name: str) -> Mapping[str, int]:
        """Return the exact count of each raw label, NULL left out: only for a stable histogram with a threshold."""
        ...


@runtime_checkable
class ThinSource(MarginalSource, Protocol):
    """Answer counts also over some of the rows, where all would take long."""

    def thinned(self, share: float) -> MarginalSource:
        """Return the source of about this share of the rows, each taken or left whatever the others are.

        Its sensitivity is no larger: adding or removing a unit changes what the unit itself has in the sample.
        """
        ...


@runtime_checkable
class RowSource(MarginalSource, Protocol):
    """Answer also what each row holds: only for a method that bounds and noises whatever it sums over rows."""

    def codes(self, cells: Mapping[str, Cells]) -> Ints:
        """Return the exact codes of all rows that count, shape (rows, columns), in the order of ``cells``."""
        ...


def check_cliques(cells: Mapping[str, Cells], cliques: Sequence[Clique]) -> list[tuple[int, ...]]:
    """Return the shape of each clique's counts. Raises UnknownName without cells, BadInput above ``MOST_CELLS``."""
    shapes: list[tuple[int, ...]] = []
    for clique in cliques:
        for name in clique:
            if name not in cells:
                raise UnknownName.of("column", name, cells)
        shape = tuple(cells[name].size for name in clique)
        if not clique or int(np.prod([float(one) for one in shape])) > MOST_CELLS:
            raise BadInput(
                f"the counts of {clique} would have {shape} cells; the limit is {MOST_CELLS} in all",
                hint="ask for fewer columns at once, or coarser cells",
            )
        shapes.append(shape)
    return shapes


def check_bound(max_rows_per_unit: int) -> None:
    """Refuse a bound that is none. Raises BadInput."""
    if max_rows_per_unit < 1:
        raise BadInput(f"max_rows_per_unit is {max_rows_per_unit}; it is at least 1", hint="1 is the most private")


@dataclass(frozen=True, eq=False)
class TableSource:
    """Count a table in memory. ``table.units`` numbers the person behind each row; a negative number is no person.

    Rows without a person are dropped, and of each person the ``max_rows_per_unit`` rows that come first by a hash keyed
    with ``key``. Without units each row is a unit.

    >>> from tests.tables import adult_like
    >>> source = TableSource(adult_like(100))
    >>> int(source.counts({"sex": Cells("sex", labels=("f", "m"))}, [("sex",)])[0].sum()), source.sensitivity
    (100, 1)
    """

    table: Table
    max_rows_per_unit: int = 1
    key: str = ""
    _coded: dict[Cells, Ints] = field(default_factory=dict[Cells, Ints], repr=False)

    def __post_init__(self) -> None:
        check_bound(self.max_rows_per_unit)

    @property
    def sensitivity(self) -> int:
        """Return the most rows of a unit: 1 without units."""
        return 1 if self.table.units is None else self.max_rows_per_unit

    @cached_property
    def _bounded(self) -> Table:
        units = self.table.units
        if units is None:
            return self.table
        return self.table.take(np.flatnonzero(kept_rows(units, most=self.max_rows_per_unit, key=self.key)))

    def counts(self, cells: Mapping[str, Cells], cliques: Sequence[Clique]) -> list[Ints]:
        """Return the exact counts of each clique."""
        shapes = check_cliques(cells, cliques)
        codes = {name: self._codes(cells[name]) for name in sorted({name for one in cliques for name in one})}
        found: list[Ints] = []
        for clique, shape in zip(cliques, shapes, strict=True):
            flat = np.ravel_multi_index(tuple(codes[name] for name in clique), shape)
            found.append(np.bincount(flat, minlength=int(np.prod(shape))).astype(np.int64).reshape(shape))
        return found

    def codes(self, cells: Mapping[str, Cells]) -> Ints:
        """Return the exact codes of the rows, at most so many of each unit, shape (rows, columns)."""
        return np.stack([self._codes(one) for one in cells.values()], axis=1)

    def label_counts(self, name: str) -> Mapping[str, int]:
        """Return the exact count of each label that occurs."""
        codes = self._bounded.codes(name)
        labels = self._bounded.schema[name].categories
        counts = np.bincount(codes[codes >= 0], minlength=len(labels))
        return {label: int(count) for label, count in zip(labels, counts, strict=True) if count}

    def _codes(self, cells: Cells) -> Ints:
        found = self._coded.get(cells)
        if found is None:
            column = self._bounded.schema[cells.name]
            if column.continuous:
                found = cells.codes_of_numbers(self._bounded.numbers(cells.name))
            else:
                found = cells.codes_of_labels(column.categories, self._bounded.codes(cells.name))
            self._coded[cells] = found
        return found


def kept_rows(units: Ints, *, most: int, key: str) -> np.ndarray:
    """Tell which rows remain, shape (rows,): at most ``most`` of each unit, none of negative units.

    Which of a unit's rows remain depends on the key and on that unit's own rows, on no other unit's: the neighbours of
    a table differ in the rows of one unit only.
    """
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.diff(units[order], prepend=units[order][:1] - 1))
    lengths = np.diff(np.append(starts, len(units)))
    place = np.empty(len(units), dtype=np.int64)
    place[order] = np.arange(len(units)) - np.repeat(starts, lengths)
    kept = units >= 0
    largest = int(lengths.max()) if len(lengths) else 0
    if largest <= most:
        return kept
    hashes = np.array([row_hash(key, str(unit), int(at)) for unit, at in zip(units, place, strict=True)])
    by_hash = np.lexsort((hashes, units))
    rank = np.empty(len(units), dtype=np.int64)
    rank[by_hash] = np.arange(len(units)) - np.repeat(starts, lengths)
    return kept & (rank < most)


def row_hash(key: str, unit: str, place: int) -> str:
    """Return the hash that orders the rows of a unit, the one that stands at ``place`` among them."""
    return hashlib.md5(f"{key}|{unit}|{place}".encode(), usedforsecurity=False).hexdigest()
