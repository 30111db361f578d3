"""Draw codes column by column from a small network that knows any subset of the columns and tells the rest.

Uria, Murray & Larochelle 2014, "A deep and tractable density estimator" (order-agnostic training): one hidden layer
over the one-hot codes of the columns that are known and a mark for each that is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from synth_worker.errors import BadModel
from synth_worker.generators.clique_tree import draw_rows
from synth_worker.table import Floats, Ints

BATCH = 128
"""Rows that are drawn at once, in one order of the columns: each order errs its own way, and many orders even out."""


@dataclass(frozen=True, eq=False)
class OrderFree:
    """Hold the weights: ``inner`` (inputs, width), ``outer`` (width + 1, codes), ``sizes`` the codes of each column.

    An input row is the one-hot codes of the known columns, a mark for each unknown one, and a one. The last row of
    ``outer`` is added to every output. Raises BadModel where the shapes do not fit or a weight is no number.
    """

    sizes: tuple[int, ...]
    inner: Floats
    outer: Floats

    def __post_init__(self) -> None:
        inputs, codes = sum(self.sizes) + len(self.sizes) + 1, sum(self.sizes)
        if self.inner.ndim != 2 or self.outer.shape != (self.inner.shape[1] + 1, codes):
            raise BadModel("the weights of the model do not fit each other", hint="fit it again")
        if len(self.inner) != inputs or not (np.isfinite(self.inner).all() and np.isfinite(self.outer).all()):
            raise BadModel("the weights of the model do not fit its columns", hint="fit it again")

    @property
    def starts(self) -> Ints:
        """Return where the codes of each column begin, and where the last ones end."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    def moved(self, step: Floats) -> OrderFree:
        """Return the network with all weights, in one line, moved by ``step``."""
        cut = self.inner.size
        return replace(
            self,
            inner=self.inner + step[:cut].reshape(self.inner.shape),
            outer=self.outer + step[cut:].reshape(self.outer.shape),
        )

    @property
    def weights(self) -> Floats:
        """Return all weights in one line."""
        return np.concatenate([self.inner.ravel(), self.outer.ravel()])

    def inputs(self, codes: Ints, known: np.ndarray) -> Floats:
        """Return the input rows, shape (rows, inputs); ``codes`` and ``known`` have the shape (rows, columns)."""
        rows, columns = codes.shape
        found = np.zeros((rows, len(self.inner)))
        at, column = np.nonzero(known)
        found[at, self.starts[column] + codes[at, column]] = 1.0
        found[:, -columns - 1 : -1] = ~known
        found[:, -1] = 1.0
        return found

    def shares(self, hidden: Floats, column: int) -> Floats:
        """Return the shares of a column's codes, shape (rows, codes), given the hidden layer."""
        own = slice(int(self.starts[column]), int(self.starts[column + 1]))
        return softmax(hidden @ self.outer[:-1, own] + self.outer[-1, own])

    def sample(self, rows: int, *, rng: np.random.Generator, fixed: Mapping[int, int]) -> dict[int, Ints]:
        """Draw the codes of each column, shape (rows,), given those of some: each batch in an order of its own."""
        parts = [self._batch(min(BATCH, rows - at), rng=rng, fixed=fixed) for at in range(0, rows, BATCH)]
        drawn = np.concatenate(parts) if parts else np.zeros((0, len(self.sizes)), dtype=np.int64)
        return {column: drawn[:, column].astype(np.int64) for column in range(len(self.sizes)) if column not in fixed}

    def _batch(self, rows: int, *, rng: np.random.Generator, fixed: Mapping[int, int]) -> Ints:
        columns = len(self.sizes)
        codes = np.zeros((rows, columns), dtype=np.int64)
        known = np.zeros((rows, columns), dtype=bool)
        for column, code in fixed.items():
            codes[:, column], known[:, column] = code, True
        free = np.array([column for column in range(columns) if column not in fixed], dtype=np.int64)
        sums = self.inputs(codes, known) @ self.inner
        for column in rng.permutation(free):
            codes[:, column] = _drawn(self.shares(np.tanh(sums), int(column)), rng=rng)
            # The column's mark goes, its code comes: the rest of the sums is as it was.
            sums += self.inner[self.starts[column] + codes[:, column]] - self.inner[-columns - 1 + column]
        return codes


def softmax(values: Floats) -> Floats:
    """Return shares along the last axis.

    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _drawn(shares: Floats, *, rng: np.random.Generator) -> Ints:
    return draw_rows(shares, np.arange(len(shares), dtype=np.int64), rng=rng)
