"""Check a table before it is learnt, and assemble a drawn one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from synth_worker.errors import BadInput
from synth_worker.schema import Schema
from synth_worker.table import Floats, Table

LEAST_ROWS = 2


def check_train(train: Table) -> None:
    """Refuse a table that no generator can learn: columns that are not modelled, none at all, too few rows.

    Raises BadInput.
    """
    foreign = [column.name for column in train.schema if not column.modelled]
    if foreign:
        raise BadInput(f"columns {foreign[:5]} cannot be modelled", hint="fit on table.modelled()")
    if not len(train.schema):
        raise BadInput("the table has no column to learn", hint="check the schema: no column is modelled")
    if train.rows < LEAST_ROWS:
        raise BadInput(f"the table has {train.rows} rows; at least {LEAST_ROWS} are needed")


def assemble(schema: Schema, columns: Sequence[Floats]) -> Table:
    """Build a table from one array per column of the schema: numbers, or codes of labels (missing -1) as floats."""
    frame: dict[str, object] = {}
    for column, values in zip(schema, columns, strict=True):
        if column.continuous:
            frame[column.name] = values
        else:
            dtype = pd.CategoricalDtype(list(column.categories))
            frame[column.name] = pd.Categorical.from_codes(values.astype(np.int64), dtype=dtype)
    return Table(schema, pd.DataFrame(frame, columns=list(schema.names)))
