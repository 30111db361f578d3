"""Write tables as files and data frames in the form that the input had: types, decimals, dates, missing tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pafeather
import pyarrow.parquet as paparquet

from synth_worker.errors import BadInput
from synth_worker.filling import guarded
from synth_worker.frames import INSTANTS, from_codes, from_numbers, from_seconds, from_texts
from synth_worker.parsing import SHORT, format_dates, rounded, to_number
from synth_worker.schema import Column, Kind
from synth_worker.table import Floats, Table
from synth_worker.whole import sync
from synth_worker.workbook import write_workbook

ARROW_TYPES = {
    "bool": pa.bool_(),
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
}
"""The types of columns of which no cell says what they are."""


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
    try:
        writers[suffix](table, part, guard)
        sync(part)
        part.replace(path)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path} cannot be written: {error}", hint="is there such a folder, and room in it?") from error
    finally:
        part.unlink(missing_ok=True)


def texts(table: Table, column: Column, *, guard: bool = False) -> np.ndarray:
    """Return a column as it stands in a text file, object array of shape (rows,)."""

    def safe(text: str) -> str:
        return guarded(text, decimal_comma=column.decimal_comma) if guard else text

    if column.continuous:
        codes, distinct = pd.factorize(table.numbers(column.name))
        written = _as_text(np.asarray(distinct, dtype=np.float64), column)
    elif column.kind is Kind.CATEGORICAL:
        codes, written = table.codes(column.name), [safe(one) for one in column.categories]
    else:
        codes, distinct = pd.factorize(table.frame[column.name].to_numpy(dtype=object))
        written = [safe(str(one)) for one in distinct]
    return np.array([*written, safe(column.missing_token)], dtype=object)[codes]


def _as_text(values: Floats, column: Column) -> list[str]:
    if column.kind is Kind.DATETIME:
        return format_dates(values, pattern=column.format or "%Y-%m-%d")
    if column.dtype == "int64":
        return [str(int(one)) for one in np.round(values)]
    values = (values if column.decimals is None else rounded(values, column.decimals)) + 0.0
    if column.fixed_decimals and column.decimals is not None:
        written = [f"{one:.{column.decimals}f}" for one in values]
    else:
        written = [repr(float(one)) for one in values]
    if column.format == SHORT:
        written = [one.removesuffix(".0") for one in written]
    return [one.replace(".", ",") for one in written] if column.decimal_comma else written


def _write_csv(table: Table, path: Path, guard: bool) -> None:  # noqa: FBT001
    comma = any(column.decimal_comma for column in table.schema)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ";" if comma else ","
    names = [guarded(name) if guard else name for name in table.schema.names]
    columns = [_quoted(texts(table, column, guard=guard), delimiter) for column in table.schema]
    if len(columns) == 1:
        # An empty line might be no record for other readers.
        columns[0][columns[0] == ""] = '""'
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(delimiter.join(_quoted(np.array(names, dtype=object), delimiter)) + "\n")
        file.writelines(delimiter.join(row) + "\n" for row in zip(*columns, strict=True))


def _quoted(cells: np.ndarray, delimiter: str) -> np.ndarray:
    """Return cells with quotes where a reader needs them: the csv module forgets carriage returns before 3.13."""
    codes, distinct = pd.factorize(cells)
    special = {delimiter, '"', "\n", "\r"}
    written = ['"' + one.replace('"', '""') + '"' if special & set(one) else one for one in map(str, distinct)]
    return np.array(written, dtype=object)[codes]


def _write_parquet(table: Table, path: Path, _guard: bool) -> None:  # noqa: FBT001
    paparquet.write_table(_arrow(table), path)


def _write_feather(table: Table, path: Path, _guard: bool) -> None:  # noqa: FBT001
    pafeather.write_feather(_arrow(table), path, compression="zstd")


def _arrow(table: Table) -> pa.Table:
    """Return the table with types; a column of objects that are all missing would have none."""
    made = pa.Table.from_pandas(to_frame(table), preserve_index=False)
    for place, (field, column) in enumerate(zip(made.schema, table.schema, strict=True)):
        if pa.types.is_null(field.type) and column.dtype in ARROW_TYPES and column.kind is not Kind.CONSTANT:
            typed = field.with_type(ARROW_TYPES[column.dtype])
            made = made.set_column(place, typed, made.column(place).cast(typed.type))
    return made


def _write_excel(table: Table, path: Path, guard: bool) -> None:  # noqa: FBT001
    names = [guarded(name) if guard else name for name in table.schema.names]
    columns: list[pd.Series] = []
    for column in table.schema:
        series = _series(table, column)
        if not pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_datetime64_any_dtype(series):
            series = series.astype(object).map(lambda one: guarded(one) if guard and isinstance(one, str) else one)
        if pd.api.types.is_float_dtype(series) and column.kind is Kind.NUMERIC:
            # A sheet holds 64-bit floats: the 0.1 of a narrower one would get a tail.
            series = _number_series(table, replace(column, source="float64"))
        if column.missing_token and column.kind is Kind.CATEGORICAL:
            series = series.astype(object).where(series.notna(), column.missing_token)
        columns.append(series)
    write_workbook(names, columns, path)


def _series(table: Table, column: Column) -> pd.Series:
    source = column.source
    if column.kind is Kind.NUMERIC:
        return _number_series(table, column)
    if column.kind is Kind.DATETIME:
        seconds = table.numbers(column.name)
        dated = "%Y" in column.format or "%y" in column.format or not column.format
        if source.startswith(INSTANTS) or (dated and not source):
            return from_seconds(seconds, source)
        return from_texts(_or_none(table, column), source)
    if column.kind is Kind.CATEGORICAL:
        natural = source or _natural(column, column.categories)
        return from_codes(table.codes(column.name), column.categories, natural)
    labels = np.array([None if pd.isna(one) else str(one) for one in table.frame[column.name]], dtype=object)
    return from_texts(labels, source or _natural(column, [one for one in pd.unique(labels) if one is not None]))


def _number_series(table: Table, column: Column) -> pd.Series:
    values = table.numbers(column.name)
    if column.source in ("object", "str", "string") or column.source.startswith(("category", "object of Decimal")):
        return from_texts(_or_none(table, column), column.source)
    if column.decimals is not None:
        values = rounded(values, column.decimals) + 0.0
    return from_numbers(values, column.source or column.dtype)


def _or_none(table: Table, column: Column) -> np.ndarray:
    """Return a column's texts with None for what is missing."""
    written = texts(table, column)
    written[table.missing(column.name)] = None
    return written


def _natural(column: Column, labels: Sequence[str]) -> str:
    """Return the dtype that labels of a file have by nature."""
    if column.dtype == "bool" and all(label.lower() in ("true", "false", "1", "0") for label in labels):
        return "bool"
    if column.dtype in ("int64", "float64") and all(to_number(label) is not None for label in labels):
        return column.dtype
    return "str"
