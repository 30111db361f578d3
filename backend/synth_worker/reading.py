"""Read files and data frames into tables: what each column means is found, shown, and may be overruled by a schema."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pafeather
import pyarrow.parquet as paparquet

from synth_worker.errors import BadInput, BadSchema, UnreadableTable, listed
from synth_worker.filling import Filled, fill, guarded
from synth_worker.frames import raw_column
from synth_worker.meaning import Raw, infer
from synth_worker.parsing import MISSING, rounded
from synth_worker.schema import Column, Kind, Schema
from synth_worker.settings import Settings
from synth_worker.table import Table
from synth_worker.textfile import TextTable, column_names, made_up_names, read_text_table
from synth_worker.violations import check_real
from synth_worker.workbook import read_workbook

FEW_FINER = 0.01
"""A share of values written finer than any of the training table's: fresh real rows hold a few."""

NO_HEADER = (
    "no line was found that names the columns: they are called column_1, column_2, ... by position; to name them, "
    "change each name in the file that gesalp schema writes, and read the table with it"
)

Source = Path | str | pd.DataFrame | pa.Table


@dataclass(frozen=True)
class Cells:
    """Hold what was read before anything is understood: raw columns in order.

    ``guarded`` tells that texts came from a file in which formulas may have been guarded; ``text`` is the text file.
    ``headerless`` tells that no line names the columns.
    """

    columns: tuple[Raw, ...]
    rows: int
    what: str
    guarded: bool = False
    text: TextTable | None = None
    headerless: bool = False

    def named(self, schema: Schema) -> dict[str, Raw]:
        """Return the columns by name; a name that was guarded on writing gets its own name back.

        Where no line names the columns the schema's names go by position. Raises BadSchema for ``column_3`` elsewhere.
        """
        own = {raw.name: raw for raw in self.columns}
        if self.headerless and len(own) == len(schema) and set(own) != set(schema.names):
            return {name: replace(self._placed(place, name), name=name) for place, name in enumerate(schema.names)}
        for name in schema.names:
            if name not in own:
                alike = next((one for one in (guarded(name), name.strip(), guarded(name).strip()) if one in own), None)
                if alike is not None and alike not in schema:
                    own[name] = replace(own.pop(alike), name=name)
        return own

    def _placed(self, place: int, name: str) -> Raw:
        own = self.columns[place].name
        if name != own and any(name == raw.name for raw in self.columns):
            raise BadSchema(
                f"{self.what} has no line that names its columns, so names go by position, and {name!r} stands at "
                f"place {place + 1} of the schema",
                hint="keep the columns of the schema in the order of the table",
            )
        return self.columns[place]

    def where(self, row: int) -> str:
        """Name the place of a row: its line in a text file."""
        return f"{self.what}, line {self.text.line_of(row)}" if self.text else f"{self.what}, row {row + 1}"


def read_table(
    source: Source,
    *,
    schema: Schema | None = None,
    group_key: str | None = None,
    rows_independent: bool = False,
    header: bool | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Table:
    """Read a CSV, TSV, Parquet, Arrow/Feather or Excel file, or a data frame, as a table.

    ``schema`` (edited by the user, or of another table) overrules what the system would find; ``group_key`` names the
    column that numbers persons. Raises UnreadableTable, BadSchema, BadInput; each names the place and the way out.
    """
    cells = read_cells(source, header=header, delimiter=delimiter, encoding=encoding)
    if cells.rows < 2:
        raise UnreadableTable(f"{cells.what} holds {cells.rows} row; a table needs at least 2", hint="is this all?")
    if schema is None:
        comma = cells.text is not None and cells.text.dialect.delimiter == ";"
        raws = [raw.stripped() if cells.guarded else raw for raw in cells.columns]
        filled = [fill(raw, infer(raw, comma_expected=comma)) for raw in raws]
    else:
        filled = _fitted(cells, schema)
    stated = () if schema is None else schema.constraints
    own = Schema(tuple(one.column for one in filled), stated)
    frame = pd.DataFrame({one.column.name: one.values for one in filled}, columns=list(own.names))
    table = Table(own, frame, notes=(NO_HEADER,) if own.names == made_up_names(len(own)) and cells.headerless else ())
    check_real(table, where=cells.where)
    return table if group_key is None else _with_units(table, cells, group_key, rows_independent=rows_independent)


def read_like(source: Source, schema: Schema) -> tuple[Table, dict[str, str]]:
    """Read another table of the same kind: kinds as in ``schema``, bounds and categories its own.

    Values that do not fit become missing; the second answer names each column whose form broke, with a sentence.
    Columns that are not modelled may be absent, further columns are ignored. Raises BadSchema for an absent one.
    """
    cells = _cells_like(source, schema)
    if not cells.rows:
        raise UnreadableTable(f"{cells.what} holds no rows", hint="is this all?")
    raws = cells.named(schema)
    absent = [column.name for column in schema if column.modelled and column.name not in raws]
    if absent:
        raise BadSchema(
            f"{cells.what} lacks the column {absent[0]!r}" + (f" and {len(absent) - 1} more" if absent[1:] else ""),
            hint="the tables need the same column names",
        )
    columns: list[Column] = []
    values: dict[str, object] = {}
    broken: dict[str, str] = {}
    for column in schema:
        if column.name not in raws:
            continue
        one = fill(raws[column.name], replace(column, public=False), keep_guard=not cells.guarded)
        columns.append(one.column)
        values[column.name] = one.values
        sentence = _broken(one)
        if sentence:
            broken[column.name] = sentence
    own = Schema(tuple(columns))
    return Table(own, pd.DataFrame(values, columns=list(own.names))), broken


def read_cells(
    source: Source, *, header: bool | None = None, delimiter: str | None = None, encoding: str | None = None
) -> Cells:
    """Read a source without understanding it. Raises UnreadableTable."""
    if isinstance(source, pd.DataFrame):
        return _cells_of_frame(source, "the data frame")
    if not isinstance(source, str | Path):
        return _cells_of_arrow(source, "the Arrow table")
    path = Path(source)
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise UnreadableTable(f"there is no file {path}", hint="check the path") from error
    if stat.S_ISDIR(kind):
        raise UnreadableTable(f"{path} is a folder", hint="name one file")
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".arrow", ".feather"):
        try:
            table = paparquet.ParquetFile(path).read() if suffix == ".parquet" else pafeather.read_table(path)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UnreadableTable(
                f"{path.name} cannot be read as {suffix[1:]}", hint="is it damaged, or another kind of file?"
            ) from error
        return _cells_of_arrow(table, path.name)
    if suffix in (".xlsx", ".xlsm"):
        names, columns, has_names = read_workbook(path, header=header)
        arrays = [pa.array(column, pa.string()) for column in columns]
        return replace(_cells_of_texts(names, arrays, path.name), headerless=not has_names)
    found = read_text_table(path, header=header, delimiter=delimiter, encoding=encoding)
    cells = _cells_of_texts(found.names, found.columns, path.name)
    return replace(cells, text=found, headerless=not found.dialect.header)


def _cells_like(source: Source, schema: Schema) -> Cells:
    """Read the cells of another table of a schema: a first line of its names is a header, whatever it looks like."""
    cells = read_cells(source)
    if not cells.headerless or not cells.rows:
        return cells
    first = {raw.texts[raw.codes[0]].strip() for raw in cells.columns}
    named = all(first & {column.name, guarded(column.name)} for column in schema if column.modelled)
    return read_cells(source, header=True) if named else cells


def _cells_of_texts(names: Sequence[str], columns: Sequence[pa.Array | pa.ChunkedArray], what: str) -> Cells:
    _check_size(len(names))
    raws: list[Raw] = []
    for name, column in zip(names, columns, strict=True):
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        encoded = whole.dictionary_encode()
        codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
        raws.append(Raw(name, codes, tuple(encoded.dictionary.to_pylist())))
    return Cells(tuple(raws), len(raws[0].codes), what, guarded=True)


def _cells_of_arrow(table: pa.Table, what: str) -> Cells:
    column_names(table.column_names, what)
    try:
        frame = table.to_pandas(types_mapper=_INTEGERS.get)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise UnreadableTable(f"{what}: its values cannot be read", hint="is it damaged?") from error
    if any(name is not None for name in frame.index.names):
        # A named index that pandas stored is a column of the file like the others.
        frame = frame.reset_index()
    for name in frame.columns:
        if str(frame[name].dtype) in _PLAIN and not frame[name].isna().any():
            frame[name] = frame[name].astype(str(frame[name].dtype).lower())
    for field, column in zip(table.schema, table.columns, strict=True):
        if column.null_count == len(column) and field.name in frame.columns and frame[field.name].dtype == object:
            frame[field.name] = _emptied(frame[field.name], field.type)
    return _cells_of_frame(frame, what)


def _emptied(series: pd.Series, kind: pa.DataType) -> pd.Series:
    """Return a column without a value in a dtype that says its type, where pandas finds one again by its name."""
    if pa.types.is_boolean(kind):
        return series.astype("boolean")
    name = str(pd.ArrowDtype(kind))
    try:
        return series.astype(pd.api.types.pandas_dtype(name))
    except (TypeError, NotImplementedError, pa.ArrowException):
        return series


_INTEGERS: dict[object, object] = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
}
"""Whole numbers with missing ones would become floats on the way from Arrow to pandas."""

_PLAIN = frozenset(str(dtype) for dtype in _INTEGERS.values())


def _cells_of_frame(frame: pd.DataFrame, what: str) -> Cells:
    _check_size(len(frame.columns))
    if not len(frame) or not len(frame.columns):
        raise UnreadableTable(f"{what} is empty", hint="a table needs columns and a row per record")
    names = column_names([str(name) for name in frame.columns], what)
    raws = (raw_column(name, frame.iloc[:, place], what) for place, name in enumerate(names))
    return Cells(tuple(raws), len(frame), what)


def _check_size(columns: int) -> None:
    most = Settings().max_columns
    if columns > most:
        raise UnreadableTable(
            f"{columns} columns; at most {most} are read", hint="GESALP_MAX_COLUMNS raises that, or drop columns"
        )


def _fitted(cells: Cells, schema: Schema) -> list[Filled]:
    """Read cells as a schema says. Raises BadSchema for other columns, UnreadableTable for the first misfit."""
    if cells.headerless and len(cells.columns) != len(schema):
        raise BadSchema(
            f"{cells.what} has {len(cells.columns)} columns and no line that names them; the schema has {len(schema)}",
            hint="names go by position; `gesalp schema TABLE` writes one that fits",
        )
    raws = cells.named(schema)
    lacking = [name for name in schema.names if name not in raws]
    extra = sorted(set(raws) - set(schema.names))
    if lacking or extra:
        what = f"lacks {lacking[0]!r} of the schema" if lacking else f"has {extra[0]!r}, which the schema does not name"
        raise BadSchema(f"{cells.what} {what}", hint="`gesalp schema TABLE` writes one that fits")
    filled: list[Filled] = []
    for column in schema:
        raw = raws[column.name]
        one = fill(raw, replace(column, source=raw.source or column.source))
        if one.misfits:
            raise _misfit(cells, raw, one)
        _check_domain(cells, column, one)
        filled.append(one)
    return filled


def _check_domain(cells: Cells, column: Column, one: Filled) -> None:
    """Refuse a value outside the categories or bounds that a schema gives; a schema without any has them found.

    Bounds of dates are left to the table: another ``format`` moves them all.
    """
    values = np.asarray(one.values)
    what, way = "a number outside the schema's low and high", "widen them, or take them out"
    if column.kind is Kind.CATEGORICAL and column.categories:
        outside = np.isin(values, list(set(one.column.categories) - set(column.categories)))
        what, way = "a text that is none of the schema's categories", "add it to categories, or take categories out"
    elif column.kind is Kind.NUMERIC:
        low = -np.inf if column.low is None else column.low
        outside = (values < low) | (values > (np.inf if column.high is None else column.high))
    else:
        return
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise UnreadableTable(
            f"{cells.where(row)}: column {column.name!r} holds {what}",
            hint=f"correct the value, or change the schema: {way} to have them found",
        )


def _misfit(cells: Cells, raw: Raw, one: Filled) -> UnreadableTable:
    column = one.column
    wrong = {place for place, text in enumerate(raw.texts) if text in one.misfits or text.strip() in one.misfits}
    row = int(np.flatnonzero(np.isin(raw.codes, list(wrong)))[0])
    if column.kind is Kind.CATEGORICAL:
        form = "none of its public categories"
    elif column.kind is Kind.DATETIME:
        form = f"no date written as {column.format}"
    else:
        form = "no whole number" if column.dtype == "int64" else "no number"
    if column.public and column.continuous:
        form += " within its public bounds"
    return UnreadableTable(
        f"{cells.where(row)}: column {column.name!r} holds a text that is {form}",
        hint="correct the value, or change the column in the schema",
    )


def _broken(one: Filled) -> str:
    """Say how a column breaks its form, or nothing."""
    column, values = one.column, np.asarray(one.values)
    if column.kind is Kind.NUMERIC:
        seen = values[~np.isnan(values)]
        places = 0 if column.dtype == "int64" else column.decimals
        finer = 0.0 if places is None or not len(seen) else np.mean(np.abs(rounded(seen, places) - seen) > 1e-9)
        if places is not None and finer > FEW_FINER:
            form = "whole numbers" if places == 0 else f"numbers of at most {places} decimals"
            return f"the values are not {form}"
    return f"{len(one.misfits)} different values are not {column.kind}" if one.misfits else ""


def _with_units(table: Table, cells: Cells, key: str, *, rows_independent: bool) -> Table:
    raws: Mapping[str, Raw] = cells.named(table.schema)
    if key not in raws:
        raise BadInput(f"there is no group key column {key!r}", hint=f"columns: {listed(raws)}")
    raw = (raws[key].stripped() if cells.guarded else raws[key]).without(MISSING)
    lost = int((raw.codes < 0).sum())
    if lost:
        raise BadInput(
            f"group key {key!r} is missing in {lost} rows; each row needs its person", hint="fill or drop those rows"
        )
    texts = np.asarray(raw.texts, dtype=object)
    column = replace(table.schema[key], kind=Kind.IDENTIFIER, categories=(), low=None, high=None, note="the group key")
    frame = table.frame.copy(deep=False)
    frame[key] = pd.Series(texts[raw.codes], dtype=object)
    schema = table.schema.with_column(column)
    if len(raw.texts) == table.rows:
        return Table(schema, frame, notes=table.notes)
    if not rows_independent:
        raise BadInput(
            f"{table.rows} rows belong to {len(raw.texts)} values of {key!r}: several rows per person, and the privacy "
            "figures would be about rows",
            hint="make one row per person, or say with `--rows independent` that rows are the unit",
        )
    return Table(schema, frame, raw.codes, table.notes)
