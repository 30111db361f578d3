"""Read files and data frames into tables: what each column means is found, shown, and may be overruled by a schema."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.feather as pafeather
import pyarrow.parquet as paparquet

from synth_worker.errors import BadInput, BadSchema, UnreadableTable
from synth_worker.meaning import Raw, fill, infer
from synth_worker.parsing import MISSING, is_number
from synth_worker.schema import Column, Kind, Schema
from synth_worker.settings import Settings
from synth_worker.table import Ints, Table
from synth_worker.textfile import Dialect, read_text_table

Source = Path | str | pd.DataFrame | pa.Table


@dataclass(frozen=True)
class Cells:
    """Hold what was read before anything is understood: raw columns in order, and where the first row stands."""

    columns: tuple[Raw, ...]
    rows: int
    what: str
    first_line: int = 1
    dialect: Dialect | None = None


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
    if schema is None:
        comma = _uses_decimal_comma(cells)
        filled = [fill(raw, infer(raw, decimal_comma=comma)) for raw in cells.columns]
    else:
        _check_names(cells, schema)
        raws = {raw.name: raw for raw in cells.columns}
        filled = [fill(raws[column.name], _with_source(column, raws[column.name])) for column in schema]
        for raw, one in ((raws[one.column.name], one) for one in filled):
            if one.misfits and not _forgiven(one.column):
                raise _misfit(cells, raw, one.column, one.misfits[0])
    own = Schema(tuple(one.column for one in filled))
    frame = pd.DataFrame({one.column.name: one.values for one in filled}, columns=list(own.names))
    table = Table(own, frame)
    if table.rows < 2:
        raise UnreadableTable(f"{cells.what} holds {table.rows} row; a table needs at least 2")
    return table if group_key is None else _with_units(table, cells, group_key, rows_independent=rows_independent)


def read_like(source: Source, schema: Schema) -> tuple[Table, dict[str, str]]:
    """Read another table of the same kind: kinds as in ``schema``, bounds and categories its own.

    Values that do not fit become missing; the second answer names each column whose form broke, with a sentence.
    Columns that are not modelled may be absent, further columns are ignored. Raises BadSchema for an absent one.
    """
    cells = read_cells(source, header=_header_of(source, schema))
    raws = {raw.name: raw for raw in cells.columns}
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
        one = fill(raws[column.name], replace(column, public=False))
        columns.append(one.column)
        values[column.name] = one.values
        sentence = _broken(one.column, one.misfits, np.asarray(one.values) if column.continuous else None)
        if sentence:
            broken[column.name] = sentence
    return Table(Schema(tuple(columns)), pd.DataFrame(values, columns=[one.name for one in columns])), broken


def read_cells(
    source: Source, *, header: bool | None = None, delimiter: str | None = None, encoding: str | None = None
) -> Cells:
    """Read a source without understanding it. Raises UnreadableTable."""
    if isinstance(source, pd.DataFrame):
        return _cells_of_frame(source, "the data frame")
    if not isinstance(source, str | Path):
        return _cells_of_frame(source.to_pandas(), "the Arrow table")
    path = Path(source)
    if not path.exists():
        raise UnreadableTable(f"there is no file {path}", hint="check the path")
    if path.is_dir():
        raise UnreadableTable(f"{path} is a folder", hint="name one file")
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return _cells_of_frame(paparquet.read_table(path).to_pandas(), path.name)
        if suffix in (".arrow", ".feather"):
            return _cells_of_frame(pafeather.read_feather(path), path.name)
        if suffix in (".xlsx", ".xlsm"):
            return _cells_of_texts(_excel(path), path.name, 2)
    except (pa.ArrowException, BadZipFile, KeyError, OSError) as error:
        raise UnreadableTable(
            f"{path.name} cannot be read as {suffix[1:]}", hint="is it damaged, or another kind of file?"
        ) from error
    found = read_text_table(path, header=header, delimiter=delimiter, encoding=encoding)
    return _cells_of_texts(found.frame, path.name, found.first_line, found.dialect)


def _excel(path: Path) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # styles that openpyxl does not know do not matter here
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    rows = [row for row in book.worksheets[0].iter_rows(values_only=True) if any(cell is not None for cell in row)]
    book.close()
    if len(rows) < 2:
        raise UnreadableTable(f"{path.name}: the first sheet holds no table", hint="a header and a row per record")
    names = [str(cell) if cell is not None else f"column_{place + 1}" for place, cell in enumerate(rows[0])]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UnreadableTable(f"{path.name}: the column name {min(twice)!r} stands more than once", hint="rename one")
    texts = [[_cell_text(cell) for cell in row] for row in rows[1:]]
    return pd.DataFrame(texts, columns=names, dtype=object)


def _cell_text(cell: object) -> str:
    if cell is None:
        return ""
    stamp = getattr(cell, "isoformat", None)
    if stamp is not None:
        return str(stamp(" ") if hasattr(cell, "hour") else stamp()).removesuffix(" 00:00:00")
    return str(cell)


def _cells_of_texts(frame: pd.DataFrame, what: str, first_line: int, dialect: Dialect | None = None) -> Cells:
    _check_size(len(frame.columns))
    columns: list[Raw] = []
    for name in frame.columns:
        codes, texts = pd.factorize(frame[name].to_numpy(dtype=object))
        stripped = [str(text).strip() for text in texts]
        columns.append(_merge(str(name), np.asarray(codes, dtype=np.int64), stripped))
    return Cells(tuple(columns), len(frame), what, first_line, dialect)


def _merge(name: str, codes: Ints, texts: list[str], source: str = "") -> Raw:
    """Return a raw column in which texts that became equal count as one."""
    place = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    if len(place) < len(texts):
        codes = np.append(np.array([place[text] for text in texts], dtype=np.int64), -1)[codes]
    return Raw(name, codes, tuple(place), source)


def _cells_of_frame(frame: pd.DataFrame, what: str) -> Cells:
    _check_size(len(frame.columns))
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        twice = min(name for name in names if names.count(name) > 1)
        raise UnreadableTable(f"{what}: the column name {twice!r} stands more than once", hint="rename one of them")
    if not len(frame) or not names:
        raise UnreadableTable(f"{what} is empty", hint="a table needs columns and a row per record")
    columns: list[Raw] = []
    for place, name in enumerate(names):
        series = frame.iloc[:, place]
        codes, values = pd.factorize(series)
        texts = _texts_of(pd.Series(values))
        columns.append(_merge(name, np.asarray(codes, dtype=np.int64), texts, str(series.dtype)))
    return Cells(tuple(columns), len(frame), what)


def _texts_of(values: pd.Series) -> list[str]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(values):
        if (values == values.dt.normalize()).all():
            return [str(one) for one in values.dt.strftime("%Y-%m-%d")]
        fraction = (values != values.dt.floor("s")).any()
        return [str(one) for one in values.dt.strftime("%Y-%m-%d %H:%M:%S" + (".%f" if fraction else ""))]
    if pd.api.types.is_float_dtype(values):
        return [repr(float(one)) for one in values]
    return [_cell_text(one) for one in values]


def _check_size(columns: int) -> None:
    most = Settings().max_columns
    if columns > most:
        raise UnreadableTable(
            f"{columns} columns; at most {most} are read", hint="GESALP_MAX_COLUMNS raises that, or drop columns"
        )


def _uses_decimal_comma(cells: Cells) -> bool:
    """Tell whether numbers are written 1,5: only where commas do not part the cells, and never beside 1.5."""
    if cells.dialect is None or cells.dialect.delimiter == ",":
        return False
    for raw in cells.columns:
        texts = [text for text in raw.texts if text not in MISSING]
        commas = [text for text in texts if "," in text]
        if commas and all(is_number(text, decimal_comma=True) for text in texts):
            return True
    return False


def _header_of(source: Source, schema: Schema) -> bool | None:
    """Tell that a file without a header has none, where the schema's own names are made up."""
    if isinstance(source, str | Path) and schema.names == tuple(f"column_{one + 1}" for one in range(len(schema))):
        return None
    return True if isinstance(source, str | Path) else None


def _check_names(cells: Cells, schema: Schema) -> None:
    own = {raw.name for raw in cells.columns}
    lacking = [name for name in schema.names if name not in own]
    extra = sorted(own - set(schema.names))
    if lacking or extra:
        what = f"lacks {lacking[0]!r} of the schema" if lacking else f"has {extra[0]!r}, which the schema does not name"
        raise BadSchema(f"{cells.what} {what}", hint="`gesalp schema TABLE` writes one that fits")


def _with_source(column: Column, raw: Raw) -> Column:
    return replace(column, source=raw.source or column.source)


def _forgiven(column: Column) -> bool:
    """Tell whether a few words beside numbers were announced in the column's note."""
    return column.kind is Kind.NUMERIC and "read as missing" in column.note


def _misfit(cells: Cells, raw: Raw, column: Column, text: str) -> UnreadableTable:
    row = int(np.flatnonzero(raw.codes == raw.texts.index(text))[0])
    what = f"{cells.what}, line {row + cells.first_line}" if cells.dialect else f"{cells.what}, row {row + 1}"
    form = "one of its public categories" if column.kind is Kind.CATEGORICAL else f"a {column.kind} value"
    if column.kind is Kind.DATETIME:
        form = f"a date written as {column.format}"
    return UnreadableTable(
        f"{what}: column {column.name!r} holds a text that is not {form}",
        hint="correct the value, or change the column's kind in the schema",
    )


def _broken(column: Column, misfits: tuple[str, ...], values: np.ndarray | None) -> str:
    """Say how a column breaks its form, or nothing."""
    if misfits and not _forgiven(column):
        return f"{len(misfits)} different values are not {column.kind}"
    if values is None or column.kind is not Kind.NUMERIC or column.decimals is None:
        return ""
    seen = values[~np.isnan(values)]
    if not np.allclose(np.round(seen, column.decimals), seen, rtol=0, atol=1e-9):
        form = "whole numbers" if column.decimals == 0 else f"numbers of at most {column.decimals} decimals"
        return f"the values are not {form}"
    return ""


def _with_units(table: Table, cells: Cells, key: str, *, rows_independent: bool) -> Table:
    raws: Mapping[str, Raw] = {raw.name: raw for raw in cells.columns}
    if key not in raws:
        raise BadInput(f"there is no group key column {key!r}", hint=f"columns: {', '.join(list(raws)[:10])}")
    raw = raws[key].without(MISSING)
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
        return Table(schema, frame)
    if not rows_independent:
        raise BadInput(
            f"{table.rows} rows belong to {len(raw.texts)} values of {key!r}: several rows per person, and the privacy "
            "figures would be about rows",
            hint="make one row per person, or say with `--rows independent` that rows are the unit",
        )
    return Table(schema, frame, raw.codes)
