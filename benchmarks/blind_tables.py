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
from synth_worker.table import Table

NAMED = cast(
    "Mapping[str, Mapping[str, Any]]", tomllib.loads(Path(__file__).with_name("tables.toml").read_text("utf-8"))
)


def present(name: str) -> bool:
    """Tell whether a table can be loaded on this machine."""
    source = NAMED[name]["source"]
    if source == "shared":
        return (DATA / f"{name}.csv").exists()
    return source == "sklearn" or importlib.util.find_spec("statsmodels") is not None


def whole(name: str) -> Table:
    """Return the modelled columns of all rows of a table."""
    asked = NAMED[name]
    if asked["source"] == "shared":
        return read_table(DATA / f"{name}.csv").modelled()
    frame = _sklearn(name) if asked["source"] == "sklearn" else _statsmodels(name)
    return read_table(frame).modelled()


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
