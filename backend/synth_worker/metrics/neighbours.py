"""Measure distances to nearest neighbours: float32 blocks of |b|^2 - 2ab, whatever the number of threads.

Every matrix product runs on one BLAS thread and on blocks of one fixed shape, and the blocks are dealt to a thread
pool: sums, and so results, do not depend on the number of threads. Of many points a block sees so many at a time that
memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from synth_worker.errors import BadInput
from synth_worker.metrics.attack_space import Points
from synth_worker.table import Bools, Floats, Ints

State = TypeVar("State")

BLOCK = 256
CHUNK = 65_536
"""Points that a block of queries is compared with at a time. Up to so many there is one product; more points take
turns, and coordinates that are mostly zero (the corners of labels) are added where they are not."""

FIRST = 4_096
"""Points of the first turn: what the others have to beat."""

SPARSE = 0.04
"""A coordinate with a smaller share of values other than zero is cheaper to add than to multiply."""

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
    queries: Points,
    points: Points,
    *,
    count: int = 1,
    threads: int = 1,
    leave_one_out: bool = False,
    chunk: int = CHUNK,
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

    def least_of(seen: Points | None, start: int, first: int, offsets: Points) -> Points:
        if leave_one_out:
            own = start + np.arange(len(offsets)) - first
            here = np.flatnonzero((own >= 0) & (own < offsets.shape[1]))
            offsets[here, own[here]] = np.inf
        if seen is not None:
            return _merged(seen, offsets)
        if kept == 1:
            return offsets.min(axis=1, keepdims=True)
        offsets.partition(kept - 1, axis=1)
        return np.sort(offsets[:, :kept], axis=1)

    least = np.concatenate(_each_block(queries, points, least_of, threads=threads, chunk=chunk)).astype(np.float64)
    squared = np.maximum(least + _norms(queries)[:, None], 0.0)
    squared = np.rint(squared / tie) * tie
    return np.concatenate([squared, np.repeat(squared[:, -1:], count - kept, axis=1)], axis=1)


def _merged(seen: Points, offsets: Points) -> Points:
    """Return the least offsets so far, ascending, after those of further points."""
    kept = seen.shape[1]
    if kept == 1:
        return np.minimum(seen, offsets.min(axis=1, keepdims=True))
    query, point = _where(offsets < seen[:, -1:])
    if not len(query):
        return seen
    starts = np.searchsorted(query, np.arange(len(seen)))
    nearer = np.full((len(seen), int(np.bincount(query).max())), np.inf, dtype=np.float32)
    nearer[query, np.arange(len(query)) - starts[query]] = offsets[query, point]
    return np.sort(np.concatenate([seen, nearer], axis=1), axis=1)[:, :kept]


def nearest_index(queries: Points, points: Points, *, threads: int = 1, chunk: int = CHUNK) -> Ints:
    """Return the position of the nearest point, shape (queries,). Raises BadInput where there is no point."""
    if len(points) == 0:
        raise BadInput("there is no row to be nearest to")

    def nearer(seen: tuple[Points, Ints] | None, _start: int, first: int, offsets: Points) -> tuple[Points, Ints]:
        place = offsets.argmin(axis=1)
        least = offsets[np.arange(len(place)), place]
        if seen is None:
            return least, place + first
        closer = least < seen[0]
        return np.where(closer, least, seen[0]), np.where(closer, place + first, seen[1])

    found = _each_block(queries, points, nearer, threads=threads, chunk=chunk)
    return np.concatenate([places for _, places in found]).astype(np.int64)


def credit(queries: Points, points: Points, *, threads: int = 1, chunk: int = CHUNK) -> Floats:
    """Return how many queries each point is the nearest of, shape (points,); ties share their query equally.

    >>> points = np.array([[0.0], [1.0]], dtype=np.float32)
    >>> credit(np.array([[0.1], [0.5]], dtype=np.float32), points)
    array([1.5, 0.5])
    """
    if len(points) == 0:
        raise BadInput("there is no row to be nearest to")
    tie = np.float32(tie_of(queries, points))

    def tied(seen: _Tied | None, _start: int, first: int, offsets: Points) -> _Tied:
        least = offsets.min(axis=1)
        if seen is not None:
            least = np.minimum(least, seen.least)
        query, point = _where(offsets <= least[:, None] + tie)
        return _Tied(least, [*([] if seen is None else seen.near), (query, point + first, offsets[query, point])])

    total = np.zeros(len(points))
    for one in _each_block(queries, points, tied, threads=threads, chunk=chunk):
        query, point, offset = (np.concatenate(part) for part in zip(*one.near, strict=True))
        kept = offset <= one.least[query] + tie
        query, point = query[kept], point[kept]
        shares = 1.0 / np.bincount(query, minlength=len(one.least))
        total += np.bincount(point, weights=shares[query], minlength=len(points)).astype(np.float64)
    return total


@dataclass(frozen=True, eq=False)
class _Tied:
    """Hold the least offset of each query of a block, and the (query, point, offset) that tied when it was seen."""

    least: Points
    near: list[tuple[Ints, Ints, Points]]


def _where(found: Bools) -> tuple[Ints, Ints]:
    """Return the rows and columns that are true; far quicker than ``np.nonzero`` where few are."""
    query, point = np.divmod(np.flatnonzero(found), found.shape[1])
    return query, point


def _norms(points: Points) -> Points:
    return np.einsum("ij,ij->i", points, points)


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Hold some points, turned for products: ``dense`` axes and the squared norms, shape (dense + 1, points).

    ``sparse`` axes are kept by axis: ``points[start[k]:start[k + 1]]`` are those where axis ``sparse[k]`` is not zero,
    ``values`` what it is there.
    """

    dense: Ints
    right: Points
    sparse: Ints
    start: Ints
    points: Ints
    values: Points

    @classmethod
    def of(cls, points: Points, *, split: bool) -> _Chunk:
        """Turn points; without ``split`` all axes are dense."""
        filled = np.count_nonzero(points, axis=0) if split else np.full(points.shape[1], len(points))
        thin = filled < SPARSE * len(points) if split else np.zeros(points.shape[1], dtype=np.bool_)
        dense, sparse = np.flatnonzero(~thin), np.flatnonzero(thin)
        own = points[:, dense] if len(sparse) else points
        right = np.ascontiguousarray(np.append(own, _norms(points)[:, None], axis=1), dtype=np.float32).T
        point, axis = np.nonzero(points[:, sparse])
        order = np.argsort(axis, kind="stable")
        point, axis = point[order], axis[order]
        start = np.searchsorted(axis, np.arange(len(sparse) + 1))
        return cls(dense, right, sparse, start, point, points[point, sparse[axis]])

    def offsets(self, left: Points) -> Points:
        """Return |b|^2 - 2ab, shape (queries, points); ``left`` holds -2a and a column of ones."""
        if not len(self.sparse):
            return left @ self.right
        out = np.ascontiguousarray(left[:, np.append(self.dense, left.shape[1] - 1)]) @ self.right
        query, axis = np.nonzero(left[:, self.sparse])
        weights = left[query, self.sparse[axis]]
        for one, start, stop, weight in zip(query, self.start[axis], self.start[axis + 1], weights, strict=True):
            out[one, self.points[start:stop]] += weight * self.values[start:stop]
        return out


def _each_block(
    queries: Points,
    points: Points,
    fold: Callable[[State | None, int, int, Points], State],
    *,
    threads: int,
    chunk: int,
) -> list[State]:
    """Fold ``fold(state, start, first, |b|^2 - 2ab)`` over the chunks of points for each block of queries.

    ``start`` and ``first`` are the first query of the block and the first point of the chunk; the state is None at the
    first chunk. |a|^2 is the same for a whole row.
    """
    left = np.ascontiguousarray(np.append(-2.0 * queries, np.ones((len(queries), 1)), axis=1), dtype=np.float32)
    starts = range(0, len(queries), BLOCK)
    states: list[State | None] = [None] * len(starts)
    firsts = [0]
    if len(points) > chunk:
        firsts += range(min(FIRST, chunk), len(points), chunk)

    def one(turn: _Chunk, first: int, start: int, state: State | None) -> State:
        return fold(state, start, first, turn.offsets(left[start : start + BLOCK]))

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        for first, stop in zip(firsts, [*firsts[1:], len(points)], strict=True):
            work = partial(one, _Chunk.of(points[first:stop], split=len(points) > chunk), first)
            states = list(map(work, starts, states) if threads <= 1 else pool.map(work, starts, states))
    return [state for state in states if state is not None]
