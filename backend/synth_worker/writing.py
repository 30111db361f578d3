"""Write tables as files and data frames in the form that the input had: types, decimals, dates, missing tokens."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pafeather
import pyarrow.parquet as paparquet

from synth_worker.errors import BadInput
from synth_worker.parsing import format_dates, is_number
from synth_worker.schema import Column, Kind
from synth_worker.table import Floats, Table

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins like this for a formula (OWASP, CSV injection)."""

GUARD = "'"


def to_frame(table: Table) -> pd.DataFrame:
    """Return a data frame with the dtypes that the input had (for files: the ones its columns have by nature).

    Whole numbers with missing values become ``Int64``, booleans with missing values ``boolean``.
    """
    return pd.DataFrame({column.name: _series(table, column) for column in table.schema})


def write_table(table: Table, path: Path, *, guard: bool = True) -> None:
    """Write a table whole or not at all; the suffix says how (.csv .tsv .parquet .feather .arrow .xlsx).

    ``guard`` puts a ' before text cells that a spreadsheet would run as a formula; ``read_like`` takes it off again.
    The same table gives the same bytes (Excel files apart, which hold a time).
    """
    writers: dict[str, Callable[[Table, Path, bool], None]] = {
        ".csv": _write_csv,
        ".tsv": _write_csv,
        ".txt": _write_csv,
        ".parquet": _write_parquet,
        ".feather": _write_feather,
        ".arrow": _write_feather,
        ".xlsx": _write_excel,
    }
    suffix = path.suffix.lower()
    if suffix not in writers:
        raise BadInput(f"cannot write a {suffix or 'suffix-less'} file", hint=f"one of {', '.join(writers)}")
    part = path.with_name(f".{path.stem}.part{suffix}")
    writers[suffix](table, part, guard)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def texts(table: Table, column: Column, *, guard: bool = False) -> np.ndarray:
    """Return a column as it stands in a text file, object array of shape (rows,)."""
    if column.continuous:
        codes, distinct = pd.factorize(table.numbers(column.name))
        written = _numbers_as_text(np.asarray(distinct, dtype=np.float64), column)
    elif column.kind is Kind.CATEGORICAL:
        codes, written = table.codes(column.name), [_guarded(one, guard=guard) for one in column.categories]
    else:
        codes, distinct = pd.factorize(table.frame[column.name].to_numpy(dtype=object))
        written = [_guarded(str(one), guard=guard) for one in distinct]
    return np.append(np.asarray(written, dtype=object), column.missing_token)[codes]


def _numbers_as_text(values: Floats, column: Column) -> list[str]:
    if column.kind is Kind.DATETIME:
        return format_dates(values, pattern=column.format or "%Y-%m-%d")
    if column.dtype == "int64":
        return [str(int(one)) for one in np.round(values)]
    if column.decimals is not None:
        values = np.round(values, column.decimals) + 0.0
    if column.fixed_decimals and column.decimals is not None:
        written = [f"{one:.{column.decimals}f}" for one in values]
    else:
        written = [repr(float(one)) for one in values]
    return [one.replace(".", ",") for one in written] if column.decimal_comma else written


def _guarded(text: str, *, guard: bool) -> str:
    if guard and text.startswith(FORMULA) and len(text) > 1 and not is_number(text):
        return GUARD + text
    return text


def _write_csv(table: Table, path: Path, guard: bool) -> None:  # noqa: FBT001
    comma = any(column.decimal_comma for column in table.schema)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ";" if comma else ","
    columns = [texts(table, column, guard=guard) for column in table.schema]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow([_guarded(name, guard=guard) for name in table.schema.names])
        writer.writerows(zip(*columns, strict=True))


def _write_parquet(table: Table, path: Path, _guard: bool) -> None:  # noqa: FBT001
    paparquet.write_table(pa.Table.from_pandas(to_frame(table), preserve_index=False), path)


def _write_feather(table: Table, path: Path, _guard: bool) -> None:  # noqa: FBT001
    pafeather.write_feather(pa.Table.from_pandas(to_frame(table), preserve_index=False), path, compression="zstd")


def _write_excel(table: Table, path: Path, guard: bool) -> None:  # noqa: FBT001
    frame = to_frame(table)
    for column in table.schema:
        if column.kind is Kind.CATEGORICAL and column.dtype == "string":
            frame[column.name] = texts(table, column, guard=guard)
    frame.to_excel(path, index=False)


def _series(table: Table, column: Column) -> pd.Series:
    if column.continuous:
        return _number_series(table.numbers(column.name), column)
    if column.kind is Kind.CATEGORICAL:
        labels = np.array([*column.categories, None], dtype=object)[table.codes(column.name)]
    else:
        labels = table.frame[column.name].to_numpy(dtype=object)
    return _label_series(labels, column)


def _number_series(values: Floats, column: Column) -> pd.Series:
    missing = np.isnan(values)
    if column.kind is Kind.DATETIME:
        stamps = pd.Series(pd.to_datetime(np.round(values, 6), unit="s"))
        if "," in column.source:  # datetime64[ns, Europe/Berlin]
            zone = column.source.partition(",")[2].strip(" ]")
            return _cast(stamps.dt.tz_localize("UTC").dt.tz_convert(zone), column.source)
        if column.source in ("object", "str"):
            dates = [None if gone else one for one, gone in zip(stamps, missing, strict=True)]
            return pd.Series([one if one is None else one.date() for one in dates], dtype=object)
        return _cast(stamps, column.source or "datetime64[us]")
    if column.decimals is not None:
        values = np.round(values, column.decimals) + 0.0
    if column.dtype == "int64":
        if column.source and not column.source.startswith(("object", "str", "category")):
            return _cast(pd.Series(values), column.source)
        return _cast(pd.Series(values), "Int64" if missing.any() else "int64")
    return _cast(pd.Series(values), _or(column.source, "float64"))


def _label_series(labels: np.ndarray, column: Column) -> pd.Series:
    series = pd.Series(labels, dtype=object)
    missing = bool(series.isna().any())
    if column.source == "category":
        return _cast(series, "category")
    if column.dtype == "bool":
        truth = series.map(lambda one: None if one is None else str(one).lower() == "true")
        return _cast(truth, _or(column.source, "boolean" if missing else "bool"))
    if column.dtype in ("int64", "float64"):
        numbers = pd.to_numeric(series)
        usual = "float64" if column.dtype == "float64" else "Int64" if missing else "int64"
        return _cast(numbers, _or(column.source, usual))
    if column.kind is Kind.CONSTANT and column.source.startswith("datetime"):
        return _cast(pd.to_datetime(series), column.source)
    return _cast(series, _or(column.source, "str"))


def _or(source: str, usual: str) -> str:
    """Return the input's own dtype where it is known."""
    return source or usual


def _cast(series: pd.Series, dtype: str) -> pd.Series:
    """Return the series in a dtype that is known only by its name."""
    return series.astype(dtype)  # pyright: ignore[reportCallIssue, reportArgumentType]
