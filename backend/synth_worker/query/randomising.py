"""Randomise rows value by value: local differential privacy, of all columns or of the sensitive ones.

Labels by k-ary randomised response over the public categories and "missing". Numbers as places on a public grid: half
of a column's epsilon for whether the value is missing (randomised response), half for the place, to which discrete
Laplace noise for the whole width of the grid is added before it is cut to the grid. A missing value takes a random
place first. Whatever a column really holds, its neighbour under the definition may hold any other value.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd

from synth_worker.database.connection import Snapshot
from synth_worker.database.selecting import Selection
from synth_worker.errors import QueryRefused
from synth_worker.generators.dp_domain import is_public
from synth_worker.generators.dp_margin import step_of
from synth_worker.privacy.cells import Cells
from synth_worker.privacy.mechanisms import laplace_counts, randomised_response
from synth_worker.privacy.noise import NoiseSource
from synth_worker.query.columns import frame_of
from synth_worker.schema import Column, Schema
from synth_worker.table import Floats, Ints, Table

MOST_STEPS = 2**16
"""Steps of the grid of a column whose values are multiples of nothing, or of too little."""


@dataclass(frozen=True)
class Grid:
    """Hold the public places that a number may take: low, low + step, ... up to ``steps`` steps."""

    low: float
    step: float
    steps: int

    @classmethod
    def of(cls, column: Column) -> Grid:
        """Return the grid between a column's public bounds.

        >>> from synth_worker.schema import Kind
        >>> Grid.of(Column("age", Kind.NUMERIC, dtype="int64", low=-0.5, high=120, public=True))
        Grid(low=0.0, step=1.0, steps=120)
        """
        low, high, step = float(column.low or 0), float(column.high or 0), step_of(column)
        if step and (high - low) / step < 2**40:
            first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
            return cls(first * step, step, max(last - first, 1))
        return cls(low, (high - low) / MOST_STEPS, MOST_STEPS)

    def places(self, values: Floats) -> Ints:
        """Return the place of each number, those beyond the grid at its ends; values are not NaN."""
        return np.clip(np.rint((values - self.low) / self.step), 0, self.steps).astype(np.int64)

    def values(self, places: Ints) -> Floats:
        """Return the number at each place."""
        return np.asarray(self.low + places * self.step, dtype=np.float64)


def part_of(epsilon: float, *, parts: int) -> float:
    """Return the epsilon of one of several parts, rounded down: together they are at most all of it.

    >>> part_of(1.0, parts=4)
    0.25
    """
    each = epsilon / parts
    while Fraction(each) * parts > Fraction(epsilon):
        each = math.nextafter(each, 0.0)
    return each


def check_public(schema: Schema) -> None:
    """Refuse columns without public bounds or categories: there is no budget to estimate them. Raises QueryRefused."""
    for column in schema:
        if not is_public(column):
            what = "bounds" if column.continuous else "categories"
            raise QueryRefused(
                f"column {column.name!r} has no public {what}, over which its values would be randomised",
                hint=f'give {what}={{"{column.name}": [...]}} from general knowledge, not from the data',
            )


def randomise(
    snapshot: Snapshot,
    selection: Selection,
    schema: Schema,
    *,
    exact: Mapping[str, str],
    each: float,
    limit: int | None,
    noise: NoiseSource,
) -> pd.DataFrame:
    """Return the rows of a selection, the columns of ``schema`` randomised, each with epsilon ``each``.

    ``exact`` maps columns that stay as they are to their declared types. The order of the rows is random.
    """
    cells = {one.name: _cells(one) for one in schema if not one.continuous}
    values: dict[str, str] = {}
    for at, column in enumerate(schema):
        if column.continuous:
            values[f"v{at}"] = selection.number(column.name)
        else:
            values[f"v{at}"] = cells[column.name].to_sql(selection.text(column.name), "")
    for at, name in enumerate(exact, start=len(schema)):
        values[f"v{at}"] = selection.raw(name)
    found = snapshot.arrow(selection.statement(", ".join(values), values, ordered=True, limit=limit))
    order = np.random.default_rng(secrets.randbits(128)).permutation(found.num_rows)
    drawn: dict[str, object] = {}
    for at, column in enumerate(schema):
        raw = np.asarray(found.column(at).to_pandas().to_numpy(), dtype=np.float64)[order]
        if column.continuous:
            drawn[column.name] = _number(column, raw, epsilon=each, noise=noise)
        else:
            own = cells[column.name]
            codes = randomised_response(raw.astype(np.int64), categories=own.size, epsilon=each, noise=noise)
            codes[codes == own.size - 1] = -1
            drawn[column.name] = pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(list(column.categories)))
    table = Table(schema, pd.DataFrame(drawn, columns=list(schema.names)))
    frame = frame_of(table, {column.name: selection.type_of(column.name) for column in schema})
    for at, name in enumerate(exact, start=len(schema)):
        frame[name] = found.column(at).to_pandas(integer_object_nulls=True).to_numpy()[order]
    return frame


def _cells(column: Column) -> Cells:
    """Return the labels of a column, any other label and NULL together as the last code."""
    labels = column.categories
    return Cells(column.name, labels=labels, groups=(*range(len(labels)), len(labels), len(labels)))


def _number(column: Column, raw: Floats, *, epsilon: float, noise: NoiseSource) -> Floats:
    grid, half = Grid.of(column), part_of(epsilon, parts=2)
    absent = np.isnan(raw)
    places = np.random.default_rng(secrets.randbits(128)).integers(0, grid.steps + 1, len(raw))
    places[~absent] = grid.places(raw[~absent])
    noised = laplace_counts(places, epsilon=half, sensitivity=float(grid.steps), noise=noise)
    shown = randomised_response(absent.astype(np.int64), categories=2, epsilon=half, noise=noise)
    values = np.clip(grid.values(np.clip(noised, 0, grid.steps)), column.low, column.high)
    return np.where(shown == 1, np.nan, values)
