"""Hand a canonical table to another process of the same run: npz and JSON in a private folder, never pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from synth_worker.schema import Kind, Schema
from synth_worker.table import Table


def save_table(table: Table, folder: Path) -> None:
    """Write a table into ``folder`` (made if missing, mode 0700: it holds real rows)."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    arrays: dict[str, np.ndarray] = {}
    for place, column in enumerate(table.schema):
        if column.continuous:
            arrays[f"c{place}"] = table.numbers(column.name)
        elif column.kind is Kind.CATEGORICAL:
            arrays[f"c{place}"] = table.codes(column.name)
        else:
            values = table.frame[column.name]
            arrays[f"m{place}"] = values.isna().to_numpy(dtype=np.bool_)
            arrays[f"c{place}"] = values.fillna("").astype(str).to_numpy(dtype=np.str_)
    if table.units is not None:
        arrays["units"] = table.units
    (folder / "schema.json").write_text(table.schema.to_json(), encoding="utf-8")
    with (folder / "table.npz").open("wb") as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]


def load_table(folder: Path) -> Table:
    """Read a table that ``save_table`` wrote."""
    schema = Schema.from_json((folder / "schema.json").read_text(encoding="utf-8"))
    with np.load(folder / "table.npz", allow_pickle=False) as arrays:
        columns: dict[str, object] = {}
        for place, column in enumerate(schema):
            values = arrays[f"c{place}"]
            if column.continuous:
                columns[column.name] = values
            elif column.kind is Kind.CATEGORICAL:
                columns[column.name] = pd.Categorical.from_codes(
                    values, dtype=pd.CategoricalDtype(list(column.categories))
                )
            else:
                texts = values.astype(object)
                texts[arrays[f"m{place}"]] = None
                columns[column.name] = pd.Series(texts, dtype=object)
        units = arrays["units"] if "units" in arrays.files else None
    return Table(schema, pd.DataFrame(columns, columns=list(schema.names)), units)
