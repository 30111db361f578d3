"""Measure how each two columns of a table hang together, all pairs at once, from one Gram matrix.

Pearson's r for two numeric (or datetime) columns, pairwise complete; Cramer's V for two categorical ones, missing
being a level; the correlation ratio eta for a mixed pair. Everything is a sum over rows of products of two entries
of [present, x, x^2, one-hot], so that a weight per row or a group left out costs one more matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from synth_worker.table import Floats, Ints, Table

LEVELS = 50
"""One-hot levels per categorical column: the most common of the real rows; all others share one more."""

ALL_LEVELS = 1_000
"""One-hot levels of all columns together; on wide tables each column gets fewer (at least 4)."""

BLOCK = 100_000
"""Rows whose matrix is held at once; the sums of a longer table are taken block by block, from sparse matrices."""

ROUNDING = 1e-10
"""A sum of squares this small beside the raw one is rounding: the column is constant, its associations are 0."""


FARTHEST = 1e9
"""So many standard deviations from the mean a number counts at most: the fourth power of more is no 32-bit float."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Say how a table becomes a matrix, fitted on real rows: centres, scales, and the place of each level.

    ``places``: for each categorical column, the one-hot column of each code, missing (code -1) last.
    ``starts``: the first one-hot column of each categorical column, counted from the first one-hot column.
    ``order`` puts [numeric, categorical] associations back into the order of the schema.
    """

    names: tuple[str, ...]
    numbers: tuple[str, ...]
    labels: tuple[str, ...]
    centres: Floats
    scales: Floats
    places: tuple[Ints, ...]
    starts: Ints
    hot: int
    order: Ints

    @classmethod
    def of(cls, real: Table) -> Layout:
        """Fit the layout on real rows."""
        schema = real.schema
        numbers = tuple(column.name for column in schema if column.continuous)
        labels = tuple(column.name for column in schema if not column.continuous)
        centres, scales = np.zeros(len(numbers)), np.ones(len(numbers))
        for place, name in enumerate(numbers):
            values = real.numbers(name)
            values = values[~np.isnan(values)]
            if len(values):
                centres[place] = values.mean()
                scales[place] = values.std() or 1.0
        counted = [np.bincount(real.codes(name) + 1, minlength=len(schema[name].categories) + 1)[1:] for name in labels]
        places, starts, hot = label_places(counted)
        order = np.argsort([schema.names.index(name) for name in numbers + labels])
        return cls(schema.names, numbers, labels, centres, scales, places, starts, hot, order)

    def matrix(self, table: Table) -> Floats:
        """Return [present, x, x^2, one-hot] of a table, shape (rows, 3 * numbers + hot)."""
        out = np.zeros((table.rows, 3 * len(self.numbers) + self.hot))
        self._fill_numbers(table, out)
        rows = np.arange(table.rows)
        for places, name in zip(self.places, self.labels, strict=True):
            out[rows, 3 * len(self.numbers) + places[table.codes(name)]] = 1.0
        return out

    def number_matrix(self, table: Table) -> Floats:
        """Return [present, x, x^2] alone, shape (rows, 3 * numbers)."""
        out = np.zeros((table.rows, 3 * len(self.numbers)))
        self._fill_numbers(table, out)
        return out

    def _fill_numbers(self, table: Table, out: Floats) -> None:
        p = len(self.numbers)
        for place, name in enumerate(self.numbers):
            values = (table.numbers(name) - self.centres[place]) / self.scales[place]
            values = np.clip(values, -FARTHEST, FARTHEST)
            present = ~np.isnan(values)
            values = np.where(present, values, 0.0)
            out[:, place] = present
            out[:, p + place] = values
            out[:, 2 * p + place] = values * values

    def sparse_gram(self, table: Table) -> Floats:
        """Return ``gram_of(matrix(table))``, up to rounding, with the one-hot part kept sparse."""
        left = self.number_matrix(table)
        p, q = left.shape[1], len(self.labels)
        out = np.zeros((p + self.hot, p + self.hot))
        out[:p, :p] = left.T @ left
        if q:
            places = np.stack(
                [own[table.codes(name)] for own, name in zip(self.places, self.labels, strict=True)], axis=1
            )
            ends = np.arange(table.rows + 1) * q
            hot = sparse.csr_array((np.ones(places.size), places.ravel(), ends), shape=(table.rows, self.hot))
            out[p:, :p] = np.asarray(hot.T @ left)
            out[:p, p:] = out[p:, :p].T
            out[p:, p:] = (hot.T @ hot).toarray()
        return out

    def associations(self, gram: Floats) -> Floats:
        """Return the associations of all columns from a Gram matrix, shape (columns, columns), in schema order.

        Pearson's r is signed; V and eta lie in [0, 1]. A constant or empty column has association 0; the diagonal
        is meaningless.
        """
        p, q = len(self.numbers), len(self.labels)
        out = np.zeros((p + q, p + q))
        if p:
            out[:p, :p] = _pearson(gram, p)
        if q:
            ends = np.asarray(self.starts)
            out[p:, p:] = _cramer(gram[3 * p :, 3 * p :], ends)
            if p:
                out[p:, :p] = _eta(gram[3 * p :], p, ends)
                out[:p, p:] = out[p:, :p].T
        return out[np.ix_(self.order, self.order)]

    def numeric_associations(self, gram: Floats) -> Floats:
        """Return Pearson's r of the numeric columns alone, shape (numbers, numbers), from their part of the Gram."""
        return _pearson(gram, len(self.numbers))


@dataclass(frozen=True, eq=False)
class Design:
    """Hold a table and how it becomes a matrix; ``matrix`` is None where the table has more than ``BLOCK`` rows."""

    layout: Layout
    table: Table
    matrix: Floats | None

    @classmethod
    def of(cls, layout: Layout, table: Table, *, block: int = BLOCK) -> Design:
        """Make the matrix of a table of at most ``block`` rows; of a longer one only its blocks are ever made."""
        return cls(layout, table, layout.matrix(table) if table.rows <= block else None)

    def gram(self, rows: Ints | None = None) -> Floats:
        """Return the sums over the rows at these positions (None: all) of all products of two entries."""
        if self.matrix is not None:
            return gram_of(self.matrix if rows is None else self.matrix[rows])
        count = self.table.rows if rows is None else len(rows)
        total = np.zeros((3 * len(self.layout.numbers) + self.layout.hot,) * 2)
        for start in range(0, count, BLOCK):
            stop = min(start + BLOCK, count)
            total += self.layout.sparse_gram(
                self.table.take(np.arange(start, stop) if rows is None else rows[start:stop])
            )
        return total


def gram_of(matrix: Floats) -> Floats:
    """Return the sums over rows of all products of two entries, shape (entries, entries)."""
    return np.asarray(matrix.T @ matrix, dtype=np.float64)


def weighted_gram(matrix: NDArray[np.float32], weights: Floats) -> Floats:
    """Return the same with each row counted ``weights`` times, in single precision: good enough for a null."""
    kept = np.flatnonzero(weights)
    # One matrix times its own transpose: BLAS then computes only one triangle.
    scaled = matrix[kept] * np.sqrt(weights[kept]).astype(np.float32)[:, None]
    return np.asarray(scaled.T @ scaled, dtype=np.float64)


def pairs_of(columns: int) -> tuple[Ints, Ints]:
    """Return the positions of all pairs of columns, first before second."""
    first, second = np.triu_indices(columns, 1)
    return first.astype(np.int64), second.astype(np.int64)


def label_places(counted: Sequence[Ints]) -> tuple[tuple[Ints, ...], Ints, int]:
    """Return ``places``, ``starts`` and ``hot`` of a layout from how often each label of each column occurs."""
    keep = max(min(LEVELS, ALL_LEVELS // max(len(counted), 1)), 4)
    places: list[Ints] = []
    starts: list[int] = []
    hot = 0
    for counts in counted:
        own, used = _levels(counts, keep)
        places.append(own + hot)
        starts.append(hot)
        hot += used
    return tuple(places), np.array(starts, dtype=np.int64), hot


def _levels(counts: Ints, keep: int) -> tuple[Ints, int]:
    """Return the level of each code (missing last), and how many levels there are: common ones, others, missing."""
    categories = len(counts)
    ranks = np.empty(categories, dtype=np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(categories)
    common = min(categories, keep + 1)
    return np.append(np.minimum(ranks, keep), common), common + 1


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """Divide, giving 0 where the denominator is not positive."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _positive(sums: Floats, raw: Floats) -> Floats:
    """Return centred sums of squares, with those that are only rounding set to 0."""
    return np.where(sums > ROUNDING * raw, sums, 0.0)


def _pearson(gram: Floats, p: int) -> Floats:
    count, sums, squares = gram[:p, :p], gram[p : 2 * p, :p], gram[2 * p : 3 * p, :p]
    spread = _positive(squares - _ratio(sums * sums, count), squares)
    product = gram[p : 2 * p, p : 2 * p] - _ratio(sums * sums.T, count)
    return np.clip(_ratio(product, np.sqrt(spread) * np.sqrt(spread.T)), -1.0, 1.0)


def _eta(hot: Floats, p: int, starts: Ints) -> Floats:
    count, sums, squares = hot[:, :p], hot[:, p : 2 * p], hot[:, 2 * p : 3 * p]
    middle = _ratio(np.add.reduceat(sums, starts) ** 2, np.add.reduceat(count, starts))
    raw = np.add.reduceat(squares, starts)
    between = np.add.reduceat(_ratio(sums * sums, count), starts) - middle
    return np.sqrt(np.clip(_ratio(between, _positive(raw - middle, raw)), 0.0, 1.0))


def _cramer(table: Floats, starts: Ints) -> Floats:
    margin = np.diag(table)
    cells = _ratio(table * table, np.outer(margin, margin))
    inner = np.add.reduceat(np.add.reduceat(cells, starts, axis=0), starts, axis=1) - 1
    levels = np.add.reduceat((margin > 0).astype(np.float64), starts)
    free = np.minimum.outer(levels, levels) - 1
    return np.sqrt(np.clip(_ratio(inner, free), 0.0, 1.0))
