"""Turn a numeric or datetime column into states and ranks, and back into values that fit the column.

A value is *missing*, an *atom* (a point mass such as zero, which must keep its share and never be smeared), or part of
the *body*, where it is known by its place among the sorted body values. Between two places values are interpolated, so
that a drawn number is near real ones without being one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from synth_worker.interpolating import interpolate
from synth_worker.schema import Column, Kind
from synth_worker.table import Bools, Floats, Ints

MISSING = -1
BODY = 0
MISSING_SCORE = -1.0
FEW_DISTINCT = 20
"""Up to so many distinct values, each repeated value is an atom."""

SHARED = 5
"""A value that so many rows share names nobody."""

RANKS_PER_STEP = 0.5
"""Times the square root of the number of values: the ranks between two points of the quantile curve."""

TAIL_SHARE = 0.3
"""Of its distance to the nearer end, in ranks, the most that a step may be."""

DAY = 86_400.0


@dataclass(frozen=True, eq=False)
class NumberCodec:
    """Hold the empirical distribution of one column.

    ``knots`` are the distinct values in ascending order, shape (k,); ``counts`` how often each occurs; ``atom`` which
    of them are point masses. ``unit`` is the grid all values lie on (0: none), ``decimals`` the places they round to.

    >>> column = Column("x", Kind.NUMERIC, decimals=0, low=0, high=9)
    >>> codec = fit_numbers(np.array([0.0] * 50 + [3.0, 5.0, 9.0, np.nan]), column)
    >>> codec.atoms
    array([0.])
    >>> codec.states(np.array([0.0, 5.0, np.nan]))
    array([ 1,  0, -1])
    >>> codec.values(np.array([1, 0, -1]), np.array([0.0, 1.5, 0.0]))
    array([ 0.,  5., nan])
    """

    knots: Floats
    counts: Ints
    atom: Bools
    unit: float
    decimals: int | None
    low: float
    high: float

    @cached_property
    def atoms(self) -> Floats:
        """Return the values of the point masses, shape (atoms,); state i + 1 is atom i."""
        return self.knots[self.atom]

    @cached_property
    def body(self) -> Floats:
        """Return the sorted values that are no atoms, repeats included, shape (size,)."""
        return np.repeat(self.knots[~self.atom], self.counts[~self.atom])

    @cached_property
    def _curve(self) -> tuple[Floats, Floats]:
        """Return positions and values between which the body is interpolated.

        Values that five or more rows share keep their runs. Between them only every so many ranks is kept: through
        every rank, a drawn number on a grid (a day, a tenth) would be a real one far more often than a fresh row's is,
        and so give away who was learnt from.
        """
        counts = self.counts[~self.atom]
        values = self.knots[~self.atom]
        if not len(values):
            return np.zeros(1), np.zeros(1)
        ends = np.cumsum(counts)
        widest = RANKS_PER_STEP * float(np.sqrt(self.size))
        positions: list[float] = [0.0]
        found: list[float] = [float(values[0])]
        for value, count, end in zip(values.tolist(), counts.tolist(), ends.tolist(), strict=True):
            start = end - count
            if count >= SHARED:
                marks = [start, end - 1]
            elif end == self.size:
                marks = [end - 1]
            else:
                middle = (start + end - 1) / 2
                # A long tail in one straight piece would be another distribution: the steps shorten toward the ends.
                # With a handful of values every one stays a point: two ranks would be a large part of them.
                least = min(2.0, max(1.0, widest))
                step = max(least, min(widest, TAIL_SHARE * min(middle, self.size - 1 - middle)))
                marks = [middle] if middle - positions[-1] >= step and self.size - 1 - middle >= step else []
            for mark in marks:
                if mark > positions[-1]:
                    positions.append(float(mark))
                    found.append(value)
        return np.asarray(positions), np.asarray(found)

    @property
    def size(self) -> int:
        """Return how many training values the body has."""
        return len(self.body)

    @property
    def state_count(self) -> int:
        """Return the number of states other than missing."""
        return 1 + len(self.atoms)

    @cached_property
    def _ends(self) -> Ints:
        return np.cumsum(self.counts)

    @property
    def _total(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def scores(self, values: Floats) -> Floats:
        """Return mid-ranks in [0, 1], interpolated between knots; missing is -1."""
        if not len(self.knots):
            return np.full(len(values), MISSING_SCORE)
        middles = (self._ends - self.counts / 2) / self._total
        found = interpolate(values, self.knots, middles)
        return np.where(np.isnan(values), MISSING_SCORE, found)

    def states(self, values: Floats) -> Ints:
        """Return -1 for missing, 0 for the body, i + 1 for atom i, shape (rows,)."""
        states = np.zeros(len(values), dtype=np.int64)
        if len(self.atoms):
            at = np.minimum(np.searchsorted(self.atoms, values), len(self.atoms) - 1)
            states = np.where(self.atoms[at] == values, at + 1, BODY)
        return np.where(np.isnan(values), MISSING, states)

    def places(self, values: Floats, rng: np.random.Generator) -> Floats:
        """Return places in [0, size) among the body, uniform within a run of equal values; missing and atoms get 0."""
        left = np.searchsorted(self.body, values, side="left")
        right = np.searchsorted(self.body, values, side="right")
        found = left + rng.random(len(values)) * np.maximum(right - left, 0)
        return np.where(self.states(values) == BODY, np.minimum(found, max(self.size - 1e-6, 0.0)), 0.0)

    def values(self, states: Ints, places: Floats) -> Floats:
        """Return values for states and places: atoms as they are, the body interpolated, on the grid, in bounds."""
        out = np.full(len(states), np.nan)
        inside = states == BODY
        if inside.any():
            # A position in [0, size) is stretched over the size - 1 gaps: neither extreme has a mass of its own.
            at = places[inside] * max(self.size - 1, 0) / max(self.size, 1)
            out[inside] = self._fit(interpolate(at, *self._curve))
        atom = states > BODY
        out[atom] = self.atoms[states[atom] - 1]
        return out

    def intervals(self, values: Floats) -> tuple[Floats, Floats]:
        """Return the slice of [0, 1] that each value takes in the distribution function, empty for a new value."""
        total = max(self._total, 1)
        ends = np.concatenate([[0], self._ends])
        low = ends[np.searchsorted(self.knots, values, side="left")] / total
        high = ends[np.searchsorted(self.knots, values, side="right")] / total
        return low, high

    def quantiles(self, levels: Floats) -> Floats:
        """Return values at levels in [0, 1]: atoms keep their share exactly, the body is interpolated."""
        if not self._total:
            return np.full(len(levels), np.nan)
        at = levels * self._total
        knot = np.minimum(np.searchsorted(self._ends, at, side="right"), len(self.knots) - 1)
        before = np.concatenate([[0], np.cumsum(np.where(self.atom, self.counts, 0))])[knot]
        states = np.where(self.atom[knot], np.cumsum(self.atom)[knot], BODY)
        places = np.clip(at - before, 0, max(self.size - 1e-6, 0))
        return self.values(states, places)

    def _fit(self, values: Floats) -> Floats:
        if self.unit > 0:
            values = np.rint(values / self.unit) * self.unit
        if self.decimals is not None:
            values = np.round(values, self.decimals)
        return np.clip(values, self.low, self.high) + 0.0


def fit_numbers(values: Floats, column: Column) -> NumberCodec:
    """Learn the distribution of a column, shape (rows,), missing as NaN; a column without a value is allowed."""
    knots, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    decimals = 0 if column.dtype == "int64" and column.decimals is None else column.decimals
    if column.kind is Kind.DATETIME:
        decimals = None
    seen = (float(knots[0]), float(knots[-1])) if len(knots) else (0.0, 0.0)
    return NumberCodec(
        knots,
        counts.astype(np.int64),
        _spikes(counts),
        _grid(knots, column, decimals),
        decimals,
        seen[0] if column.low is None else column.low,
        seen[1] if column.high is None else column.high,
    )


def _spikes(counts: Ints) -> Bools:
    """Find the values that stand out from their neighbours: a dense grid such as years of age has none."""
    total = counts.sum()
    if len(counts) <= FEW_DISTINCT:
        return (counts >= 5) | (len(counts) == 1)
    reach = 3
    padded = np.pad(counts.astype(np.float64), reach)
    filled = np.pad(np.ones(len(counts)), reach)
    window = np.ones(2 * reach + 1)
    around = np.convolve(padded, window, mode="valid") - counts
    neighbours = np.convolve(filled, window, mode="valid") - 1
    return (counts >= max(10, 0.01 * total)) & (counts > 4 * around / np.maximum(neighbours, 1))


def _grid(knots: Floats, column: Column, decimals: int | None) -> float:
    """Find the coarsest usual step that all values are multiples of: whole days, hundreds, halves."""
    if len(knots) < 2:
        return 0.0
    if column.kind is Kind.DATETIME:
        steps = [DAY, 3600.0, 60.0, 1.0]
        if column.dtype == "date":
            return DAY
    elif decimals is not None:
        unit = 10.0**-decimals
        steps = [unit * times for times in (1000, 500, 100, 50, 10, 5, 2)]
    else:
        return 0.0
    for step in steps:
        if np.allclose(knots / step, np.rint(knots / step), rtol=0, atol=1e-6):
            return step
    return 0.0
