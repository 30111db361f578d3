"""Divide many points into cells that most queries need not enter: no point of a cell lies nearer than its bound.

A cell is cut at the axis that sets most of its points apart (Bentley 1975, with the axis chosen as Friedman, Bentley &
Finkel 1977 do, by spread). Labels are far better to cut at than numbers: two labels are 1 apart, two halves of a rank
mostly touch.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from synth_worker.metrics.attack_space import Points
from synth_worker.table import Bools, Floats, Ints

MOST_CELLS = 2_048
POINTS_EACH = 400
"""Points per cell on the average: fewer leave out more of them, but make more cells to tell the bounds of. Measured."""

FEWEST_POINTS = 64
LOOKED_AT = 256
"""Points of a cell, and 32 times as many of all, that tell where to cut: what is chosen costs time, never truth."""

CORNER_WORTH = 8.0
"""How much a unit of variance on a corner's axis is worth beside one of a rank: measured, of 1, 2, 4 and 8 the best."""

BLOCK = 64
"""Queries whose bounds are made at a time, small enough for a cache."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Hold a division of points: cell k has those at ``order[starts[k]:starts[k + 1]]``, ascending.

    ``low``, ``high``: the ends of each cell on each axis, shape (cells, axes). ``corners``: the axes that hold 0 or one
    other value, like those of labels; ``least``: the least squared norm on these, shape (cells,).
    """

    order: Ints
    starts: Ints
    low: Points
    high: Points
    corners: Bools
    least: Points

    @classmethod
    def of(cls, points: Points) -> Cells:
        """Divide points, always the cell with the largest spread first, a cell for each ``POINTS_EACH``."""
        some = points[:: max(len(points) // (32 * LOOKED_AT), 1)]
        corners = ((some == 0) | (some == some.max(axis=0))).all(axis=0)
        worth = np.where(corners, CORNER_WORTH, 1.0)
        parts = _divided(points, worth)
        low, high = (np.empty((len(parts), points.shape[1]), dtype=np.float32) for _ in range(2))
        least = np.empty(len(parts), dtype=np.float32)
        for place, own in enumerate(parts):
            inside = points[own]
            inside.min(axis=0, out=low[place])
            inside.max(axis=0, out=high[place])
            labels = inside[:, corners]
            least[place] = np.einsum("ij,ij->i", labels, labels).min()
        starts = np.cumsum([0, *(len(own) for own in parts)])
        return cls(np.concatenate(parts), starts, low, high, corners, least)

    @property
    def count(self) -> int:
        """Return the number of cells."""
        return len(self.least)

    def inside(self, cell: int) -> Ints:
        """Return the positions of a cell's points, ascending."""
        return self.order[self.starts[cell] : self.starts[cell + 1]]

    def bounds(self, queries: Points) -> Points:
        """Return below which squared distance no point of a cell lies from a query, shape (queries, cells).

        On ranks that is the distance to the cell's box. On corners it is |a|^2 + |b|^2 - 2ab with the least that |b|^2
        and the most that ab can be: 1 for each column whose label the cell lacks, where a box would say one half.
        Rounding may raise a bound by as much as it changes a distance.
        """
        ranks = ~self.corners
        low, high = (np.ascontiguousarray(one[:, ranks].T) for one in (self.low, self.high))
        least, most = (np.ascontiguousarray(one[:, self.corners].T) for one in (self.low, self.high))
        out = np.empty((len(queries), self.count), dtype=np.float32)
        for start in range(0, len(queries), BLOCK):
            part = queries[start : start + BLOCK]
            own = part[:, self.corners]
            reach = np.maximum(own, 0.0) @ most
            if (own < 0).any():
                reach += np.minimum(own, 0.0) @ least
            norms = np.einsum("ij,ij->i", own, own)[:, None]
            bound = np.maximum(self.least + norms - 2.0 * reach, 0.0)
            for values, bottom, top in zip(part[:, ranks].T, low, high, strict=True):
                gap = values[:, None] - np.clip(values[:, None], bottom, top)
                bound += np.square(gap, out=gap)
            out[start : start + BLOCK] = bound
        return out


def _divided(points: Points, worth: Floats) -> list[Ints]:
    """Return the positions of the points of each cell."""

    def cut(own: Ints) -> tuple[float, int, float]:
        """Return minus what a cut is worth, its axis and where: at the mean of some of the points."""
        if len(own) < 2 * FEWEST_POINTS:
            return 0.0, 0, 0.0
        some = points[own[:: max(len(own) // LOOKED_AT, 1)]]
        means = some.mean(axis=0)
        spread = (np.einsum("ij,ij->j", some, some) / len(some) - means * means) * worth
        axis = int(spread.argmax())
        return -len(own) * float(spread[axis]), axis, float(means[axis])

    everything = np.arange(len(points))
    heap = [(cut(everything), 0, everything)]
    made, most = 1, min(len(points) // POINTS_EACH, MOST_CELLS)
    while len(heap) < most and heap[0][0][0] < 0:
        (_worth, axis, mean), _, own = heapq.heappop(heap)
        lower = points[own, axis] <= mean
        parts = own[lower], own[~lower]
        if not all(len(part) for part in parts):  # the points looked at are equal, save for rounding
            heapq.heappush(heap, ((0.0, axis, mean), made, own))
            made += 1
            continue
        for part in parts:
            heapq.heappush(heap, (cut(part), made, part))
            made += 1
    return [own for _, _, own in heap]
