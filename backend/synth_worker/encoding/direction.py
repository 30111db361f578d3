"""Find the leading direction of a mixed table, and the order of labels that says most about the other columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth_worker.table import Floats, Ints, Table

MOST_LEVELS = 12
MOST_ROWS = 20_000
PRIOR_ROWS = 5.0


@dataclass(frozen=True, eq=False)
class WideTable:
    """Hold a table as numbers: ``values`` of shape (rows, width), and for each column its slice of the width.

    Numbers enter as standardised ranks, categories as indicator columns over the square root of their share (multiple
    correspondence analysis: Greenacre 2017, chapter 18), each column with the same total variance; a missing number
    is 0, a missing label a level of its own.
    """

    values: Floats
    parts: dict[str, slice]

    def principal_direction(self) -> Floats:
        """Return the first principal component, shape (rows,), mean 0 and variance 1 (0 where nothing varies)."""
        rows, width = self.values.shape
        if not width or rows < 2:
            return np.zeros(rows)
        part = self.values[:: max(1, rows // MOST_ROWS)]
        axis = _leading(part)
        found = self.values @ (axis * np.sign(axis[np.argmax(np.abs(axis))]))
        spread = float(found.std())
        return (found - found.mean()) / spread if spread > 0 else np.zeros(rows)

    def label_positions(self, name: str, codes: Ints, levels: int) -> Floats:
        """Place the labels of column ``name`` on the line along which the other columns' means differ most.

        ``codes`` in [-1, levels), shape (rows,); returns shape (levels,). Labels of few rows are drawn to the middle.
        """
        part = self.parts[name]
        others = np.delete(self.values, part, axis=1)
        seen = codes >= 0
        if not seen.any() or not others.shape[1]:
            return np.zeros(levels)
        order = np.argsort(codes[seen], kind="stable")
        present, first, counts = np.unique(codes[seen][order], return_index=True, return_counts=True)
        sums = np.add.reduceat(others[seen][order], first, axis=0)
        means = sums / (counts + PRIOR_ROWS)[:, None]
        axis = _leading(means * np.sqrt(counts)[:, None])
        found = np.zeros(levels)
        found[present] = means @ (axis * np.sign(axis[np.argmax(np.abs(axis))]))
        return found


def widen(table: Table) -> WideTable:
    """Bring the modelled columns of a table into one matrix."""
    blocks: list[Floats] = [np.empty((table.rows, 0))]
    parts: dict[str, slice] = {}
    width = 0
    for column in table.schema.modelled:
        if column.continuous:
            block = _ranks(table.numbers(column.name))[:, None]
        else:
            block = _indicators(table.codes(column.name))
        parts[column.name] = slice(width, width + block.shape[1])
        width += block.shape[1]
        blocks.append(block)
    return WideTable(np.concatenate(blocks, axis=1), parts)


def _leading(matrix: Floats) -> Floats:
    """Return the first right singular vector of a matrix, shape (width,), from the smaller of its two Gram matrices.

    Two labels over 300 columns are a problem of size 2, not of size 300.
    """
    rows, width = matrix.shape
    if rows >= width:
        return np.linalg.eigh(matrix.T @ matrix)[1][:, -1]
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    if values[-1] <= 0:
        return np.eye(1, width)[0]
    return matrix.T @ vectors[:, -1] / np.sqrt(values[-1])


def _ranks(values: Floats) -> Floats:
    seen = ~np.isnan(values)
    out = np.zeros(len(values))
    if seen.any():
        _, inverse, counts = np.unique(values[seen], return_inverse=True, return_counts=True)
        middle = (np.cumsum(counts) - counts / 2)[inverse]
        spread = float(middle.std())
        out[seen] = (middle - middle.mean()) / spread if spread > 0 else 0.0
    return out


def _indicators(codes: Ints) -> Floats:
    shifted = codes + 1
    counts = np.bincount(shifted)
    top = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    top = top[counts[top] > 0]
    if len(top) < 2:
        return np.empty((len(codes), 0))
    share = counts[top] / max(len(codes), 1)
    return ((shifted[:, None] == top) - share) / np.sqrt(share * (len(top) - 1))
