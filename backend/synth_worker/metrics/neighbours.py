"""Measure distances to nearest neighbours: float32 blocks of |b|^2 - 2ab, whatever the number of threads.

Every matrix product runs on one BLAS thread, and the blocks are dealt to a thread pool: which blocks there are, and so
sums and results, do not depend on the number of threads. Many points are divided into cells (``cells``), and a query
enters only those that can hold a nearer point than it has found: nothing is left out that could change a result.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from synth_worker.errors import BadInput
from synth_worker.metrics.attack_space import Points
from synth_worker.metrics.cells import Cells
from synth_worker.table import Bools, Floats, Ints

Found = TypeVar("Found")

BLOCK = 256
WHOLE = 65_536
"""Up to so many points are compared with every query, in one product per block of queries; more are divided."""

SECOND = 16
"""A query enters the cell of least bound, then up to so many of the next, then all that its bound still admits."""

QUERIES = 10_240
"""Queries that look for their cells at a time: memory is this times the number of cells."""

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
    whole: int = WHOLE,
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
    search = _Least(np.full((len(queries), kept), np.inf, dtype=np.float32), leave_one_out=leave_one_out)
    _run(search, queries, points, threads=threads, whole=whole)
    squared = np.maximum(search.least.astype(np.float64) + _norms(queries)[:, None], 0.0)
    squared = np.rint(squared / tie) * tie
    return np.concatenate([squared, np.repeat(squared[:, -1:], count - kept, axis=1)], axis=1)


def nearest_index(queries: Points, points: Points, *, threads: int = 1, whole: int = WHOLE) -> Ints:
    """Return the position of the nearest point, shape (queries,). Raises BadInput where there is no point."""
    if len(points) == 0:
        raise BadInput("there is no row to be nearest to")
    search = _First(len(queries))
    _run(search, queries, points, threads=threads, whole=whole)
    return search.place


def credit(queries: Points, points: Points, *, threads: int = 1, whole: int = WHOLE) -> Floats:
    """Return how many queries each point is the nearest of, shape (points,); ties share their query equally.

    >>> points = np.array([[0.0], [1.0]], dtype=np.float32)
    >>> credit(np.array([[0.1], [0.5]], dtype=np.float32), points)
    array([1.5, 0.5])
    """
    if len(points) == 0:
        raise BadInput("there is no row to be nearest to")
    search = _Tied(len(queries), tie=np.float32(tie_of(queries, points)))
    _run(search, queries, points, threads=threads, whole=whole)
    query, point, offset = (np.concatenate(part) for part in zip(*search.near, strict=True))
    kept = offset <= search.least[query] + search.tie
    query, point = query[kept], point[kept]
    shares = 1.0 / np.bincount(query, minlength=len(queries))
    return np.bincount(point, weights=shares[query], minlength=len(points)).astype(np.float64)


class _Search(Protocol[Found]):
    """Look for something among points, some of them at a time; offsets are |b|^2 - 2ab, squared distances but |a|^2."""

    @property
    def limit(self) -> Points:
        """Return up to which offset a point still counts, shape (queries,)."""
        ...

    def look(self, own: Ints, places: Ints, offsets: Points) -> Found:
        """Return what the queries ``own`` find at the points ``places``; nothing is changed, ``offsets`` apart."""
        ...

    def add(self, found: Found) -> None:
        """Keep what was found."""
        ...


class _Least:
    """Look for the least offsets of each query: ``least``, ascending, shape (queries, kept)."""

    def __init__(self, least: Points, *, leave_one_out: bool) -> None:
        self.least = least
        self._leave_one_out = leave_one_out

    @property
    def limit(self) -> Points:
        return self.least[:, -1]

    def look(self, own: Ints, places: Ints, offsets: Points) -> tuple[Ints, Points]:
        if self._leave_one_out:
            offsets[own[:, None] == places] = np.inf
        first, kept = offsets.min(axis=1), self.least.shape[1]
        closer = np.flatnonzero(first < self.limit[own])
        if kept == 1:
            return own[closer], first[closer, None]
        near = offsets if len(closer) == len(offsets) else offsets[closer]
        if near.shape[1] > kept:
            near.partition(kept - 1, axis=1)
        return own[closer], near[:, :kept]

    def add(self, found: tuple[Ints, Points]) -> None:
        own, near = found
        both = np.concatenate([self.least[own], near], axis=1)
        self.least[own] = np.sort(both, axis=1)[:, : self.least.shape[1]]


class _First:
    """Look for the nearest point of each query, of equals the first: ``place``, shape (queries,)."""

    def __init__(self, queries: int) -> None:
        self.limit = np.full(queries, np.inf, dtype=np.float32)
        self.place = np.zeros(queries, dtype=np.int64)

    def look(self, own: Ints, places: Ints, offsets: Points) -> tuple[Ints, Points, Ints]:
        least = offsets.min(axis=1)
        closer = np.flatnonzero(least <= self.limit[own])
        return own[closer], least[closer], places[offsets[closer].argmin(axis=1)]

    def add(self, found: tuple[Ints, Points, Ints]) -> None:
        own, least, place = found
        closer = (least < self.limit[own]) | ((least == self.limit[own]) & (place < self.place[own]))
        self.limit[own[closer]], self.place[own[closer]] = least[closer], place[closer]


class _Tied:
    """Look for the least offset of each query, and for all (query, point, offset) that tied with it when seen."""

    def __init__(self, queries: int, *, tie: np.float32) -> None:
        self.least = np.full(queries, np.inf, dtype=np.float32)
        self.near: list[tuple[Ints, Ints, Points]] = []
        self.tie = tie

    @property
    def limit(self) -> Points:
        return self.least + self.tie

    def look(self, own: Ints, places: Ints, offsets: Points) -> tuple[Ints, Points, tuple[Ints, Ints, Points]]:
        first = offsets.min(axis=1)
        closer = np.flatnonzero(first <= self.limit[own])
        offsets, first, own = offsets[closer], first[closer], own[closer]
        least = np.minimum(first, self.least[own])
        query, point = _where(offsets <= least[:, None] + self.tie)
        return own, least, (own[query], places[point], offsets[query, point])

    def add(self, found: tuple[Ints, Points, tuple[Ints, Ints, Points]]) -> None:
        own, least, near = found
        self.least[own] = np.minimum(self.least[own], least)
        self.near.append(near)


def _where(found: Bools) -> tuple[Ints, Ints]:
    """Return the rows and columns that are true; far quicker than ``np.nonzero`` where few are."""
    query, point = np.divmod(np.flatnonzero(found), found.shape[1])
    return query, point


def _norms(points: Points) -> Points:
    return np.einsum("ij,ij->i", points, points)


def _run(search: _Search[Found], queries: Points, points: Points, *, threads: int, whole: int) -> None:
    """Let all queries search all points: round by round, each by what the rounds before it found."""
    left = np.ascontiguousarray(np.append(-2.0 * queries, np.ones((len(queries), 1)), axis=1), dtype=np.float32)
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
        deal = map if threads <= 1 else pool.map
        if len(points) <= whole:
            everything = np.arange(len(points))
            right = _turned(points)

            def block(start: int) -> Found:
                own = np.arange(start, min(start + BLOCK, len(queries)))
                return search.look(own, everything, left[own] @ right)

            for found in list(deal(block, range(0, len(queries), BLOCK))):
                search.add(found)
            return
        cells = Cells.of(points)
        slack = max(tie_of(queries, points), ROUNDING * float(_norms(queries).max(initial=0.0)))

        def enter(visit: tuple[int, Ints]) -> list[Found]:
            cell, own = visit
            places = cells.inside(cell)
            used = np.flatnonzero((cells.low[cell] != 0) | (cells.high[cell] != 0))
            right, axes = _turned(points[places][:, used]), np.append(used, left.shape[1] - 1)
            blocks = (own[start : start + BLOCK] for start in range(0, len(own), BLOCK))
            return [search.look(some, places, left[np.ix_(some, axes)] @ right) for some in blocks]

        for start in range(0, len(queries), QUERIES):
            group = slice(start, start + QUERIES)
            bounds = cells.bounds(queries[group])
            bounds -= (_norms(queries[group]) + np.float32(slack))[:, None]
            for need in _rounds(bounds, search, group):
                # All of a round see what the rounds before it left, so that threads change nothing.
                for founds in list(deal(enter, _visits(need, start))):
                    for found in founds:
                        search.add(found)


def _rounds(bounds: Points, search: _Search[Found], group: slice) -> Iterator[Bools]:
    """Yield which query of the group enters which cell, shape (queries, cells), round by round."""
    home = np.zeros(bounds.shape, dtype=np.bool_)
    home[np.arange(len(bounds)), bounds.argmin(axis=1)] = True
    yield home
    entered = home
    if bounds.shape[1] > SECOND:
        edge = np.partition(bounds, SECOND, axis=1)[:, SECOND, None]
        # Those at the edge may be many: bounds on labels alone are whole numbers.
        need = (bounds < edge) & (bounds <= search.limit[group, None]) & ~entered
        entered = entered | need
        yield need
    yield (bounds <= search.limit[group, None]) & ~entered


def _visits(need: Bools, start: int) -> Iterator[tuple[int, Ints]]:
    """Yield each cell that is entered, with the queries that enter it, numbered from ``start``."""
    query, cell = _where(need)
    if not len(query):
        return
    order = np.argsort(cell.astype(np.int16), kind="stable")
    query, cell = query[order] + start, cell[order]
    begins = np.flatnonzero(np.diff(cell, prepend=-1))
    for begin, own in zip(begins, np.split(query, begins[1:]), strict=True):
        yield int(cell[begin]), own


def _turned(points: Points) -> Points:
    """Return points turned for products, their squared norms below them, shape (axes + 1, points)."""
    return np.ascontiguousarray(np.append(points, _norms(points)[:, None], axis=1), dtype=np.float32).T
