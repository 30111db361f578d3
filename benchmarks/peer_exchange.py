"""Hand a table to another program as a CSV file and read what it drew, in its favour.

Columns are handed over as what Gesalp took them for: labels as texts, all else as numbers. A program that refuses
empty cells gets the table filled as is usual: a missing label becomes a label of its own; a missing number becomes the
median, and a further column of labels marks the rows, so that what was drawn can be emptied again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from synth_worker.reading import read_like
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table

ABSENT, PRESENT = "absent", "present"
MARK = "{} is absent"
FILLED = "numbers: the median, and a column that marks them; labels: a label of their own"


class Drawn(NamedTuple):
    """Hold what a program drew, and how many columns did not have the form of the training rows."""

    table: Table
    wrong_dtype: int


def plain(table: Table) -> pd.DataFrame:
    """Return numbers as numbers (whole ones as such where none is missing) and labels as texts, missing as None.

    Raises ValueError for dates, which no table of this benchmark has.
    """
    if dates := table.schema.only(Kind.DATETIME):
        raise ValueError(f"column {dates[0]!r} holds dates: other programs are given numbers and labels only")
    columns: dict[str, object] = {}
    for column in table.schema:
        if column.kind is Kind.CATEGORICAL:
            labels = np.array([*column.categories, None], dtype=object)
            columns[column.name] = labels[table.codes(column.name)]
        else:
            values = table.numbers(column.name)
            whole = column.dtype == "int64" and not np.isnan(values).any()
            columns[column.name] = values.astype(np.int64) if whole else values
    return pd.DataFrame(columns)


def filled(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return the frame without empty cells."""
    full = frame.copy()
    for column in schema:
        gone = frame[column.name].isna()
        if not gone.any():
            continue
        if column.continuous:
            full[column.name] = frame[column.name].fillna(_median(frame[column.name], column))
            full[MARK.format(column.name)] = np.where(gone, ABSENT, PRESENT)
        else:
            full[column.name] = frame[column.name].where(~gone, ABSENT)
    return full


def emptied(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a frame of texts with the cells empty that ``filled`` would have filled; its marks are taken out."""
    bare = frame.copy()
    for column in schema:
        mark = MARK.format(column.name)
        if column.continuous and mark in frame:
            bare[column.name] = frame[column.name].where(frame[mark] != ABSENT, "")
        elif not column.continuous and ABSENT not in column.categories:
            bare[column.name] = frame[column.name].where(frame[column.name] != ABSENT, "")
    return bare[list(schema.names)]


def hand_over(
    train: Table,
    folder: Path,
    *,
    program: str,
    seed: int,
    rows: int,
    takes_missing: bool,
    more: Mapping[str, object] | None = None,
) -> str:
    """Write the job of ``peer_driver`` and its training rows; return what was done to missing values ("": nothing).

    ``more`` is what the program needs to be told beyond that.
    """
    frame = plain(train)
    lacking = bool(frame.isna().to_numpy().any())
    if lacking and not takes_missing:
        frame = filled(frame, train.schema)
    numbers = {column.name for column in train.schema if column.continuous}
    labels = [name for name in frame.columns if name not in numbers]
    job = {"program": program, "seed": seed, "rows": rows, "labels": labels, **(more or {})}
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    frame.to_csv(folder / "train.csv", index=False)
    return FILLED if lacking and not takes_missing else ""


def read_drawn(path: Path, schema: Schema) -> Drawn:
    """Read a synthetic table with the schema of the training rows.

    In the program's favour numbers are rounded to the decimals of the column (whole ones to whole numbers). Nothing is
    clipped; what cannot be read as the column's kind counts as missing. Raises BadSchema where a column is absent.
    """
    texts = emptied(pd.read_csv(path, dtype=str, keep_default_na=False), schema)
    read, broken = read_like(texts, schema)
    frame = read.frame.copy(deep=False)
    columns: list[Column] = []
    for column in read.schema:
        if column.continuous:
            places = 0 if column.dtype == "int64" else column.decimals
            if places is not None:
                frame[column.name] = np.round(read.numbers(column.name), places) + 0.0
            columns.append(replace(column, low=None, high=None))  # rounding may leave the bounds of what was read
        else:
            columns.append(column)
    return Drawn(Table(Schema(tuple(columns)), frame).narrowed(), len(broken))


def _median(values: pd.Series, column: Column) -> float:
    """Return the median as the column writes it: between two whole numbers the lower one."""
    median = float(values.quantile(0.5, interpolation="lower"))
    return median if column.decimals is None else round(median, column.decimals)
