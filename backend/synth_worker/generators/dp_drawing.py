"""Turn drawn codes back into values: a cell within the code, a value within the cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from synth_worker.generators.assembly import assemble
from synth_worker.generators.base import Value
from synth_worker.generators.clique_tree import CliqueTree, draw_rows, stratified
from synth_worker.generators.conditions import resolve
from synth_worker.generators.dp_margin import Margin, step_of
from synth_worker.generators.order_free import OrderFree
from synth_worker.schema import Schema
from synth_worker.table import Floats, Ints, Table

Joint = CliqueTree | OrderFree
"""A joint distribution over the codes of all columns."""


@dataclass(frozen=True, eq=False)
class MarginalModel:
    """Hold all that a marginal method has learnt, every part computed from noised answers or public.

    ``schema`` is the one it hands out, ``margins`` and ``groups`` (the code of each cell) are in its order, ``tree``
    is over the codes. ``rows`` is the noised number of rows, ``spent`` what was paid in zCDP and for what, ``delta``
    what was paid beside it, ``private`` False where the noise was scripted.
    """

    schema: Schema
    margins: tuple[Margin, ...]
    groups: tuple[Ints, ...]
    tree: Joint
    rows: int
    spent: tuple[tuple[str, float], ...]
    delta: float
    private: bool


def draw(model: MarginalModel, rows: int, *, rng: np.random.Generator, given: Mapping[str, Value] | None) -> Table:
    """Draw a table in the model's schema. Raises UnknownName, BadInput for what cannot be given."""
    fixed = resolve(given, model.schema)
    cells = {
        at: _cell_of(margin, fixed[margin.column.name])
        for at, margin in enumerate(model.margins)
        if margin.column.name in fixed
    }
    codes = model.tree.sample(rows, rng=rng, fixed={at: int(model.groups[at][cell]) for at, cell in cells.items()})
    columns: list[Floats] = []
    for at, (column, margin, groups) in enumerate(zip(model.schema, model.margins, model.groups, strict=True)):
        if column.name in fixed:
            columns.append(np.full(rows, fixed[column.name]))
            continue
        shares = np.where(groups[None, :] == np.arange(int(groups.max()) + 1)[:, None], margin.counts[None, :], 0.0)
        columns.append(_values(margin, draw_rows(shares, codes[at], rng=rng), rng=rng))
    return assemble(model.schema, columns)


def _cell_of(margin: Margin, value: float) -> int:
    """Return the cell of a given number or code of a label."""
    if margin.cells.numeric:
        return int(margin.cells.codes_of_numbers(np.array([value]))[0])
    return int(value)


def _values(margin: Margin, cells: Ints, *, rng: np.random.Generator) -> Floats:
    """Return a value within each cell, evenly: multiples of the column's step, within its bounds."""
    null = margin.cells.null
    if not margin.cells.numeric:
        return np.where(cells >= len(margin.cells.labels), -1.0, cells.astype(np.float64))
    edges = np.array(margin.cells.edges)
    at = np.minimum(cells, null - 1)
    low, high = edges[at], edges[at + 1]
    levels = stratified(at, rng=rng)
    step = step_of(margin.column)
    if step:
        count = np.maximum(np.round((high - low) / step), 1)
        values = (np.round(low / step + 0.5) + np.floor(levels * count)) * step
        if step < 1:
            values = np.round(values, margin.column.decimals or 0)
    else:
        values = low + levels * (high - low)
    values = np.clip(values, margin.column.low, margin.column.high)
    return np.where(cells == null, np.nan, values)


def released(columns: Sequence[Margin], schema: Schema) -> Schema:
    """Return the schema that goes out: names, order, kinds and dtypes as stated, bounds and labels as learnt."""
    return schema.having([margin.column for margin in columns])
