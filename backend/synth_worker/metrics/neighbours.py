"""Measure distances to nearest neighbours: float32 blocks of |b|^2 - 2ab, whatever the number of threads.

Every matrix product runs on one BLAS thread and on blocks of one fixed shape, and the blocks are dealt to a thread
pool: sums, and so results, do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from synth_worker.errors import BadInput
from synth_worker.metrics.attack_space import Points
from synth_worker.table import Floats, Ints

Part = TypeVar("Part")

BLOCK = 256
TIE = 1e-4
"""Squared distances closer than this are equal. Narrow tables, whose rows lie dense, get as fine a one as float32
allows: see ``tie_of``."""

ROUNDING = 16 * float(np.finfo(np.float32).eps)


def tie_of(*clouds: Points) -> float:
    """Return below which difference two squared distances between such points count as equal.

    The error of |a|^2 + |b|^2 - 2ab grows with the squared norms; the tolerance covers it and is never above ``TIE``.
    """
    most = max((float(_norms(cloud).max(initial=0.0)) for cloud in clouds), default=0.0)
    return min(TIE, max(ROUNDING * most, 1e-7))


def nearest(
    queries: Points, points: Points, *, count: int = 1, threads: int = 1, leave_one_out: bool = False
) -> Floats:
    """Return the squared distances to the ``count`` nearest points, ascending, shape (queries, count).

    ``leave_one_out``: the queries are the points, and each is no neighbour of itself. Distances are rounded to the
    tie tolerance, so that equal rows are at 0 and equal distances compare equal. With fewer points than ``count``
    the farthest stands in for those that lack. Raises BadInput where there is no point.
    """
    available = len(points) - int(leave_one_out)
    if available < 1:
        raise BadInput(f"{len(points)} rows are too few to have a nearest one")
    kept = min(count, available)
    tie = tie_of(queries, points)

    def block(start: int, offsets: Points) -> NDArray[np.float32]:
        if leave_one_out:
            own = np.arange(len(offsets))
            offsets[own, start + own] = np.inf
        if kept == 1:
            return offsets.min(axis=1, keepdims=True)
        offsets.partition(kept - 1, axis=1)
        return np.sort(offsets[:, :kept], axis=1)

    least = np.concatenate(_each_block(queries, points, block, threads)).astype(np.float64)
    squared = np.maximum(least + _norms(queries)[:, None], 0.0)
    squared = np.rint(squared / tie) * tie
    return np.concatenate([squared, np.repeat(squared[:, -1:], count - kept, axis=1)], axis=1)


def nearest_index(queries: Points, points: Points, *, threads: int = 1) -> Ints:
    """Return the position of the nearest point, shape (queries,). Raises BadInput where there is no point."""
    if len(points) == 0:
        raise BadInput("there is no row to be nearest to")
    return np.concatenate(_each_block(queries, points, lambda _start, offsets: offsets.argmin(axis=1), threads)).astype(
        np.int64
    )


def credit(queries: Points, points: Points, *, threads: int = 1) -> Floats:
    """Return how many queries each point is the nearest of, shape (points,); ties share their query equally.

    >>> points = np.array([[0.0], [1.0]], dtype=np.float32)
    >>> credit(np.array([[0.1], [0.5]], dtype=np.float32), points)
    array([1.5, 0.5])
    """
    if len(points) == 0:
        raise BadInput("there is no row to be nearest to")
    tie = np.float32(tie_of(queries, points))

    def block(_start: int, offsets: Points) -> Floats:
        tied = offsets <= offsets.min(axis=1, keepdims=True) + tie
        query, point = np.nonzero(tied)
        shares = 1.0 / tied.sum(axis=1)
        return np.bincount(point, weights=shares[query], minlength=len(points)).astype(np.float64)

    total = np.zeros(len(points))
    for part in _each_block(queries, points, block, threads):
        total += part
    return total


def _norms(points: Points) -> Points:
    return np.einsum("ij,ij->i", points, points)


def _each_block(queries: Points, points: Points, work: Callable[[int, Points], Part], threads: int) -> list[Part]:
    """Call ``work(start, |b|^2 - 2ab)`` for each block of queries; |a|^2 is the same for a whole row."""
    left = np.ascontiguousarray(np.append(-2.0 * queries, np.ones((len(queries), 1)), axis=1), dtype=np.float32)
    right = np.ascontiguousarray(np.append(points, _norms(points)[:, None], axis=1), dtype=np.float32).T

    def one(start: int) -> Part:
        return work(start, left[start : start + BLOCK] @ right)

    starts = range(0, len(queries), BLOCK)
    with threadpool_limits(limits=1, user_api="blas"):
        if threads <= 1:
            return [one(start) for start in starts]
        with ThreadPoolExecutor(max_workers=threads) as pool:
            return list(pool.map(one, starts))
