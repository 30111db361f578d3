"""Draw from a joint distribution that is given by the tables of cliques that form a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synth_worker.errors import BadModel
from synth_worker.table import Floats, Ints


@dataclass(frozen=True, eq=False)
class CliqueTree:
    """Hold the tables of cliques, a clique's parent before it; neighbours agree on the columns that they share.

    ``cliques[i]`` names columns by number, ``parents[i]`` an earlier clique (-1: it shares nothing with the earlier
    ones), ``tables[i]`` has one axis per column. Columns that a clique shares with any earlier one are in its parent
    (the running intersection property). Raises BadModel where that does not hold.
    """

    cliques: tuple[tuple[int, ...], ...]
    parents: tuple[int, ...]
    tables: tuple[Floats, ...]

    def __post_init__(self) -> None:
        seen: set[int] = set()
        for at, (clique, parent, table) in enumerate(zip(self.cliques, self.parents, self.tables, strict=True)):
            shared = seen & set(clique)
            held = set(self.cliques[parent]) if 0 <= parent < at else set()
            if table.ndim != len(clique) or len(set(clique)) != len(clique) or not shared <= held:
                raise BadModel(f"clique {at} of the model does not fit the ones before it", hint="fit it again")
            if not (np.isfinite(table).all() and (table >= 0).all() and table.sum() > 0):
                raise BadModel(f"the table of clique {at} holds no shares", hint="fit it again")
            seen |= set(clique)

    def sample(self, rows: int, *, rng: np.random.Generator, fixed: Mapping[int, int]) -> dict[int, Ints]:
        """Draw the codes of each column, shape (rows,), given those of some; exact under the model.

        Within rows that agree so far, shares are kept to one row (stratified draws): less noise than independent ones.
        """
        tables = self._given(fixed)
        drawn: dict[int, Ints] = {}
        for clique, table in zip(self.cliques, tables, strict=True):
            known = [axis for axis, column in enumerate(clique) if column in drawn]
            fresh = [axis for axis in range(len(clique)) if axis not in known]
            if not fresh:
                continue
            moved = np.transpose(table, [*known, *fresh])
            shape = [table.shape[axis] for axis in known]
            flat = moved.reshape(int(np.prod(shape)), -1)
            if known:
                at = np.ravel_multi_index(tuple(drawn[clique[axis]] for axis in known), tuple(shape))
            else:
                at = np.zeros(rows, dtype=np.int64)
            found = draw_rows(flat, at, rng=rng)
            parts = np.unravel_index(found, [table.shape[axis] for axis in fresh])
            for axis, codes in zip(fresh, parts, strict=True):
                drawn[clique[axis]] = codes.astype(np.int64)
        return drawn

    def _given(self, fixed: Mapping[int, int]) -> list[Floats]:
        """Return the tables given the fixed codes, up to a factor for each row of a parent's table."""
        tables = [table.copy() for table in self.tables]
        if not fixed:
            return tables
        for clique, table in zip(self.cliques, tables, strict=True):
            for axis, column in enumerate(clique):
                if column in fixed:
                    gone = np.arange(table.shape[axis]) != fixed[column]
                    table[(*[slice(None)] * axis, gone)] = 0.0
        for at in range(len(tables) - 1, 0, -1):
            parent = self.parents[at]
            if parent < 0:
                continue
            shared = [column for column in self.cliques[at] if column in self.cliques[parent]]
            now, before = (margin_of(one, self.cliques[at], shared) for one in (tables[at], self.tables[at]))
            ratio = np.divide(now, before, out=np.zeros_like(now), where=before > 0)
            order = [self.cliques[parent].index(column) for column in shared]
            tables[parent] = tables[parent] * spread_over(ratio, order, tables[parent].ndim)
        return tables


def margin_of(table: Floats, clique: Sequence[int], kept: Sequence[int]) -> Floats:
    """Return the sums over all other columns, axes in the order of ``kept``."""
    axes = [clique.index(column) for column in kept]
    gone = tuple(axis for axis in range(table.ndim) if axis not in axes)
    rest = [axis for axis in range(table.ndim) if axis in axes]
    return np.transpose(table.sum(axis=gone), [rest.index(axis) for axis in axes])


def spread_over(table: Floats, axes: Sequence[int], ndim: int) -> Floats:
    """Return a table whose axes become these axes of ``ndim``."""
    moved = np.transpose(table, np.argsort(axes))
    shape = [1] * ndim
    for axis, size in zip(sorted(axes), moved.shape, strict=True):
        shape[axis] = size
    return moved.reshape(shape)


def draw_rows(shares: Floats, at: Ints, *, rng: np.random.Generator) -> Ints:
    """Draw one place from the row ``at[i]`` of ``shares`` for each i, stratified among those of one row.

    Rows without any share are drawn from evenly.

    >>> sorted(draw_rows(np.array([[1.0, 3.0]]), np.zeros(4, np.int64), rng=np.random.default_rng(0)).tolist())
    [0, 1, 1, 1]
    """
    total = shares.sum(axis=1, keepdims=True)
    even = np.where(total > 0, shares, 1.0)
    ends = np.cumsum(even / even.sum(axis=1, keepdims=True), axis=1)
    levels = stratified(at, rng=rng)
    # One sorted line for all rows: row r covers (r, r + 1).
    line = (ends + np.arange(len(shares))[:, None]).ravel()
    width = shares.shape[1]
    found = np.searchsorted(line, at + levels, side="right") - at * width
    last = width - 1 - (even[:, ::-1] > 0).argmax(axis=1)
    return np.clip(found, 0, last[at]).astype(np.int64)


def stratified(at: Ints, *, rng: np.random.Generator) -> Floats:
    """Return a level in [0, 1) for each row, evenly spread among the rows of the same ``at``, in random order."""
    order = rng.permutation(len(at))
    order = order[np.argsort(at[order], kind="stable")]
    sizes = np.bincount(at[order]) if len(at) else np.zeros(1, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    levels = np.empty(len(at))
    offsets = rng.random(len(sizes))
    levels[order] = (np.arange(len(at)) - starts[at[order]] + offsets[at[order]]) / np.maximum(sizes[at[order]], 1)
    return levels
