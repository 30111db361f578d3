"""Read a table for a private method: every row fits what the schema declares, whatever it holds, and nothing refuses.

A message that depends on a value would tell of it. Numbers beyond public bounds are moved to the bound, labels beyond
public categories become missing; columns without public bounds or categories keep their own, which a private method
must not believe.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from synth_worker.errors import BadInput, BadSchema, UnknownName
from synth_worker.parsing import MISSING
from synth_worker.reading import Cells, read_cells, read_like
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Ints, Table


def read_private(source: str | Path | pd.DataFrame, schema: Schema, *, unit: str = "") -> Table:
    """Return the modelled columns of ``source`` as ``schema`` declares them; ``unit`` names the column of persons.

    ``units`` numbers the persons; rows without one have -1. Raises BadSchema where a column is absent or none is
    modelled, UnknownName for a unit that there is none of, BadInput for constraints, which cost nothing to state and
    are not kept by a private method.
    """
    modelled = Schema(tuple(column for column in schema if column.modelled and column.name != unit))
    if not len(modelled):
        raise BadSchema("no column of the schema is modelled", hint="give columns a kind of numeric, categorical, ...")
    if schema.constraints:
        raise BadInput(
            "the schema states constraints, and a private method does not keep them",
            hint="take them out of the schema",
        )
    found, _broken = read_like(source, modelled)
    frame = found.frame.copy(deep=False)
    columns: list[Column] = []
    for read in found.schema:
        column, values = _within(modelled[read.name], read, found)
        columns.append(column)
        frame[column.name] = values
    units = _units(read_cells(source), unit) if unit else None
    return Table(Schema(tuple(columns)), frame, units)


def _within(given: Column, read: Column, table: Table) -> tuple[Column, pd.Series]:
    """Return a column as declared, and its values brought within that."""
    if given.public and given.continuous and given.low is not None and given.high is not None:
        return given, pd.Series(np.clip(table.numbers(given.name), given.low, given.high))
    if given.public and given.kind is Kind.CATEGORICAL and given.categories:
        return given, table.frame[given.name].cat.set_categories(list(given.categories))
    return replace(read, public=False), table.frame[given.name]


def _units(cells: Cells, name: str) -> Ints:
    raw = next((one for one in cells.columns if one.name.strip() == name), None)
    if raw is None:
        raise UnknownName.of("column of persons", name, [one.name for one in cells.columns])
    numbers: dict[str, int] = {}
    of_text = [-1 if text.strip() in MISSING else numbers.setdefault(text.strip(), len(numbers)) for text in raw.texts]
    return np.asarray([*of_text, -1], dtype=np.int64)[raw.codes]
