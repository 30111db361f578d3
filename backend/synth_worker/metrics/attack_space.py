"""Place rows in the one space in which all distance attacks measure: numbers by rank, categories as corners.

A number becomes its rank in [0, 1], a category a one-hot corner over the square root of two (two different labels
are 1 apart, like the two ends of a number), an absent number a flag. The space is fitted on rows that are no
challenge: were it fitted on members, their own values would be its knots and the distances would tell them by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_worker.errors import BadInput
from synth_worker.interpolating import interpolate
from synth_worker.schema import Column
from synth_worker.table import Floats, Ints, Table

Points = NDArray[np.float32]

CORNER = np.float32(np.sqrt(0.5))
MOST_CORNERS = 128
"""Labels beyond this many share corners with others, the most frequent ones last: width is what distances cost."""


@dataclass(frozen=True, eq=False)
class _Ranks:
    """Map a number to its rank: ``knots`` (values, ascending) stand at ``places`` in (0, 1)."""

    knots: Floats
    places: Floats
    width: int = 2

    def place(self, values: Floats) -> Floats:
        """Return ranks about 0, shape (rows,), missing at 0."""
        if len(self.knots) == 0:
            return np.zeros(len(values))
        inside = interpolate(values, self.knots, self.places)
        ranks = np.where(values < self.knots[0], 0.0, np.where(values > self.knots[-1], 1.0, inside)) - 0.5
        return np.where(np.isnan(values), 0.0, ranks)


@dataclass(frozen=True, eq=False)
class _Corners:
    """Map a code to a corner: ``corner`` (categories + 1,) with the missing value last, as code -1 indexes it."""

    corner: Ints
    width: int


@dataclass(frozen=True, eq=False)
class Space:
    """Hold the fitted scales; ``encode`` turns a table of the same domain into points.

    >>> import pandas as pd
    >>> from synth_worker.schema import Kind, Schema
    >>> schema = Schema((Column("x", Kind.NUMERIC), Column("c", Kind.CATEGORICAL, categories=("a", "b"))))
    >>> frame = pd.DataFrame({"x": [1.0, 3.0], "c": pd.Categorical(["a", "b"], categories=["a", "b"])})
    >>> points = Space.fit([Table(schema, frame)]).encode(Table(schema, frame))
    >>> float(((points[0] - points[1]) ** 2).sum().round(3))  # half the ranks apart, and another label
    1.25
    """

    columns: tuple[Column, ...]
    scales: tuple[_Ranks | _Corners, ...]

    @classmethod
    def fit(cls, tables: Sequence[Table]) -> Space:
        """Fit on the rows of ``tables``, all of one domain. Raises BadInput without a modelled column or a row."""
        if not tables or sum(table.rows for table in tables) == 0:
            raise BadInput("the attackers' space needs rows to be fitted on; there are none")
        columns = tuple(column for column in tables[0].schema if column.modelled)
        if not columns:
            raise BadInput("no column of the table is modelled, so rows have no distance")
        scales = tuple(
            _ranks(np.concatenate([table.numbers(column.name) for table in tables]))
            if column.continuous
            else _corners(np.concatenate([table.codes(column.name) for table in tables]), len(column.categories))
            for column in columns
        )
        return cls(columns, scales)

    def encode(self, table: Table) -> Points:
        """Return float32 points, shape (rows, width)."""
        points = np.zeros((table.rows, sum(scale.width for scale in self.scales)), dtype=np.float32)
        start = 0
        rows = np.arange(table.rows)
        for column, scale in zip(self.columns, self.scales, strict=True):
            if isinstance(scale, _Ranks):
                values = table.numbers(column.name)
                points[:, start] = scale.place(values)
                points[:, start + 1] = CORNER * np.isnan(values)
            else:
                points[rows, start + scale.corner[table.codes(column.name)]] = CORNER
            start += scale.width
        return points

    def compact(self, table: Table) -> Points:
        """Return one float32 feature per column for trees, shape (rows, columns): rank or code, missing at -1."""
        features = np.empty((table.rows, len(self.columns)), dtype=np.float32)
        for place, (column, scale) in enumerate(zip(self.columns, self.scales, strict=True)):
            if isinstance(scale, _Ranks):
                values = table.numbers(column.name)
                features[:, place] = np.where(np.isnan(values), -1.0, scale.place(values))
            else:
                features[:, place] = table.codes(column.name)
        return features

    def axes(self, columns: Iterable[int]) -> Ints:
        """Return which coordinates of a point belong to these columns, given by position."""
        widths = [scale.width for scale in self.scales]
        starts = np.cumsum([0, *widths])
        return np.concatenate([np.arange(starts[one], starts[one + 1]) for one in columns]).astype(np.int64)


def on_axes(points: Points, axes: Ints) -> Points:
    """Return the points' coordinates on some axes, row by row in memory: ``points[:, axes]`` lies column by column."""
    return points if len(axes) == points.shape[1] else np.take(points, axes, axis=1)


def _ranks(values: Floats) -> _Ranks:
    knots, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if len(knots) == 0:
        return _Ranks(knots, knots)
    return _Ranks(knots, (np.cumsum(counts) - counts / 2) / counts.sum())


def _corners(codes: Ints, categories: int) -> _Corners:
    counts = np.bincount(np.where(codes < 0, categories, codes), minlength=categories + 1)
    order = np.argsort(-counts, kind="stable")
    corner = np.empty(categories + 1, dtype=np.int64)
    corner[order] = np.arange(categories + 1) % MOST_CORNERS
    return _Corners(corner, min(categories + 1, MOST_CORNERS))
