"""Load the tables of the blind comparison, as ``tables.toml`` names them."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from benchmarks.rows import DATA
from synth_worker.reading import read_table
from synth_worker.table import Ints, Table

NAMED = cast(
    "Mapping[str, Mapping[str, Any]]", tomllib.loads(Path(__file__).with_name("tables.toml").read_text("utf-8"))
)


def present(name: str) -> bool:
    """Tell whether a table can be loaded on this machine."""
    source = NAMED[name]["source"]
    if source == "shared":
        return (DATA / f"{name}.csv").exists()
    return source in ("sklearn", "made") or importlib.util.find_spec("statsmodels") is not None


def whole(name: str) -> Table:
    """Return the modelled columns of all rows of a table."""
    asked = NAMED[name]
    if asked["source"] == "shared":
        return read_table(DATA / f"{name}.csv").modelled()
    if asked["source"] == "made":
        return made_of_labels(int(asked["seed"]))
    frame = _sklearn(name) if asked["source"] == "sklearn" else _statsmodels(name)
    return read_table(frame).modelled()


def made_of_labels(seed: int, *, rows: int = 6_000, columns: int = 10) -> Table:
    """Return a table of labels alone, two to five a column, each drawn beside one or two columns before it."""
    rng = np.random.default_rng(seed)
    found: list[Ints] = []
    for place in range(columns):
        levels = int(rng.integers(2, 6))
        key = np.zeros(rows, dtype=np.int64)
        for at, one in enumerate(rng.permutation(place)[:2]):
            key += 5**at * found[one]
        ends = np.cumsum(rng.dirichlet(np.full(levels, 0.6), size=int(key.max()) + 1), axis=1)
        found.append((rng.random((rows, 1)) > ends[key, :-1]).sum(axis=1).astype(np.int64))
    named = {f"c{place}": [f"v{one}" for one in own] for place, own in enumerate(found)}
    return read_table(pd.DataFrame(named)).modelled()


def load(name: str) -> Table:
    """Return a table's modelled columns, at most so many rows as it is named with."""
    table = whole(name)
    rows = int(NAMED[name].get("rows", table.rows))
    return table.take(np.sort(np.random.default_rng(0).permutation(table.rows)[:rows]))


def _sklearn(name: str) -> pd.DataFrame:
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")(as_frame=True)
    return cast("pd.DataFrame", found.frame)


def _statsmodels(name: str) -> pd.DataFrame:
    from statsmodels import datasets

    module = getattr(datasets, name)
    return cast("pd.DataFrame", module.load_pandas().data)
