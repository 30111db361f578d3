"""Find the leading direction of a mixed table, by which labels without an order of their own can be ordered."""

from __future__ import annotations

import numpy as np

from synth_worker.table import Floats, Table

MOST_LEVELS = 12
MOST_ROWS = 20_000


def principal_direction(table: Table, *, skip: str = "") -> Floats:
    """Return one number per row, shape (rows,), mean 0 and variance 1: the first principal component.

    Numbers enter as standardised ranks, categories as indicator columns over the square root of their share (multiple
    correspondence analysis: Greenacre 2017, chapter 18), each column with the same total variance; missing is 0 or a
    level of its own. ``skip`` leaves one column out.
    """
    blocks: list[Floats] = []
    for column in table.schema:
        if column.name == skip:
            continue
        if column.continuous:
            blocks.append(_ranks(table.numbers(column.name))[:, None])
        elif column.modelled:
            blocks.append(_indicators(table.codes(column.name)))
    wide = np.concatenate([np.empty((table.rows, 0)), *blocks], axis=1)
    if not wide.shape[1] or table.rows < 2:
        return np.zeros(table.rows)
    step = max(1, table.rows // MOST_ROWS)
    # eigh of the small side: columns by columns.
    _, vectors = np.linalg.eigh(wide[::step].T @ wide[::step])
    axis = vectors[:, -1]
    found = wide @ (axis * np.sign(axis[np.argmax(np.abs(axis))]))
    spread = float(found.std())
    return (found - found.mean()) / spread if spread > 0 else np.zeros(table.rows)


def _ranks(values: Floats) -> Floats:
    seen = ~np.isnan(values)
    out = np.zeros(len(values))
    if seen.any():
        _, inverse, counts = np.unique(values[seen], return_inverse=True, return_counts=True)
        middle = (np.cumsum(counts) - counts / 2)[inverse]
        spread = float(middle.std())
        out[seen] = (middle - middle.mean()) / spread if spread > 0 else 0.0
    return out


def _indicators(codes: Floats | np.ndarray) -> Floats:
    shifted = np.asarray(codes, dtype=np.int64) + 1
    counts = np.bincount(shifted)
    top = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    top = top[counts[top] > 0]
    if len(top) < 2:
        return np.empty((len(codes), 0))
    share = counts[top] / max(len(codes), 1)
    return ((shifted[:, None] == top) - share) / np.sqrt(share * (len(top) - 1))
