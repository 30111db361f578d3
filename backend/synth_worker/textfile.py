"""Read delimited text: encoding, delimiter and header are found, and every cell stays the text that it was."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from synth_worker.errors import UnreadableTable
from synth_worker.parsing import DATE_FORMATS, MISSING, find_date_format, is_number

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_LINES = 200
SAMPLE_BYTES = 256 * 1024


@dataclass(frozen=True)
class Dialect:
    """Say how a text file is written; ``header`` tells whether its first line names the columns."""

    encoding: str
    delimiter: str
    header: bool


@dataclass(frozen=True)
class TextTable:
    """Hold the cells of a text file as texts, and the number of the line on which the first row stands."""

    frame: pd.DataFrame
    dialect: Dialect
    first_line: int


def read_text_table(
    path: Path, *, header: bool | None = None, delimiter: str | None = None, encoding: str | None = None
) -> TextTable:
    """Read a CSV or TSV file (``.gz`` too). Raises UnreadableTable with the line that is wrong."""
    text, found_encoding = _decode(path, encoding)
    if not text.strip():
        raise UnreadableTable(f"{path.name} is empty", hint="a table needs a line per record")
    place = text.find("\x00")
    if place >= 0:
        raise UnreadableTable(
            f"{path.name}, line {text.count(chr(10), 0, place) + 1}: a NUL byte",
            hint="this is not a text table, or it is damaged; export it again",
        )
    found_delimiter = delimiter or _find_delimiter(text[:SAMPLE_BYTES], path)
    rows = _first_rows(text, found_delimiter, path)
    has_header = _has_header(rows, _comma(found_delimiter)) if header is None else header
    names = _names(rows[0], path) if has_header else [f"column_{place + 1}" for place in range(len(rows[0]))]
    if has_header and len(rows) == 1:
        raise UnreadableTable(f"{path.name} holds a header and no rows", hint="a table needs a line per record")
    frame = _parse(text, path, delimiter=found_delimiter, names=names, skip=1 if has_header else 0)
    dialect = Dialect(found_encoding, found_delimiter, has_header)
    return TextTable(frame, dialect, 2 if has_header else 1)


def _decode(path: Path, encoding: str | None) -> tuple[str, str]:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError) as error:
        raise UnreadableTable(f"{path.name} cannot be read: {error.__class__.__name__}", hint=str(error)) from error
    if encoding is not None:
        tries: tuple[str, ...] = (encoding,)
    elif data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        tries = ("utf-16",)
    else:
        tries = ("utf-8-sig", "cp1252", "latin-1")
    for one in tries:
        try:
            text = data.decode(one)
        except UnicodeDecodeError:
            continue
        except LookupError as error:
            raise UnreadableTable(f"encoding {one!r} is not known", hint="e.g. utf-8, utf-16, cp1252") from error
        # Line ends of all systems become one, so that line numbers mean the same everywhere.
        return text.replace("\r\n", "\n").replace("\r", "\n"), one
    raise UnreadableTable(f"{path.name} is not text in {tries[0]}", hint="name its encoding, or leave it to be found")


def _find_delimiter(sample: str, path: Path) -> str:
    """Return the delimiter that cuts the first lines into equally many cells, and most of them."""
    lines = [line for line in sample.split("\n")[:SAMPLE_LINES] if line.strip()]
    if len(lines) > 1 and len(sample) >= SAMPLE_BYTES:
        lines = lines[:-1]  # the sample may end within a line
    best, most = "", 1
    for delimiter in DELIMITERS:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        cells, often = counts.most_common(1)[0] if counts else (1, 0)
        if cells > most and often >= 0.9 * sum(counts.values()):
            best, most = delimiter, cells
    return best or _ask_duckdb(sample, path) or ","


def _ask_duckdb(sample: str, _path: Path) -> str:
    """Return DuckDB's opinion where the lines do not agree, empty where it has none."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8") as file, duckdb.connect() as connection:
        file.write(sample)
        file.flush()
        try:
            row = connection.execute("SELECT Delimiter FROM sniff_csv(?)", [file.name]).fetchone()
        except duckdb.Error:
            return ""
    return str(row[0]) if row and str(row[0]) in DELIMITERS else ""


def _first_rows(text: str, delimiter: str, path: Path) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text[:SAMPLE_BYTES]), delimiter=delimiter, strict=False):
            if row:
                rows.append([cell.strip() for cell in row])
            if len(rows) >= SAMPLE_LINES:
                break
    except csv.Error as error:
        raise UnreadableTable(f"{path.name}: {error}", hint="look for unbalanced quotes") from error
    return rows


def _comma(delimiter: str) -> bool:
    return delimiter != ","


def _has_header(rows: Sequence[Sequence[str]], decimal_comma: bool) -> bool:  # noqa: FBT001
    """Tell whether the first line names columns: it is unlike what stands below it."""
    first, below = rows[0], rows[1:]
    if not below:
        return not any(_is_value(cell, decimal_comma) for cell in first)
    against = False
    for place, cell in enumerate(first):
        column = [row[place] for row in below if place < len(row) and row[place] not in MISSING]
        if not column:
            continue
        values = sum(_is_value(one, decimal_comma) for one in column) >= 0.9 * len(column)
        if values and cell not in MISSING and not _is_value(cell, decimal_comma):
            return True
        against = against or (values and cell not in MISSING)
    if against:
        return False
    recurs = any(cell in {row[place] for row in below if place < len(row)} for place, cell in enumerate(first))
    return all(first) and len(set(first)) == len(first) and not recurs


def _is_value(text: str, decimal_comma: bool) -> bool:  # noqa: FBT001
    if is_number(text) or (decimal_comma and is_number(text, decimal_comma=True)) or re.fullmatch(r"\d+", text):
        return True
    return bool(DATE_FORMATS) and text[:1].isdigit() and find_date_format([text]) is not None


def _names(cells: Sequence[str], path: Path) -> list[str]:
    names = [cell or f"column_{place + 1}" for place, cell in enumerate(cells)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UnreadableTable(
            f"{path.name}: the column name {twice[0]!r} stands {names.count(twice[0])} times",
            hint="rename one of them in the first line",
        )
    return names


def _parse(text: str, path: Path, *, delimiter: str, names: list[str], skip: int) -> pd.DataFrame:
    try:
        table = pacsv.read_csv(
            io.BytesIO(text.encode()),
            read_options=pacsv.ReadOptions(
                column_names=names, skip_rows=skip, use_threads=False, block_size=max(1 << 20, len(text) // 8)
            ),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise _explain(str(error), path, skip=skip, columns=len(names)) from error
    return table.to_pandas()


def _explain(message: str, path: Path, *, skip: int, columns: int) -> UnreadableTable:
    """Name the line without repeating what stands on it: errors reach logs, and rows are personal data."""
    row = re.search(r"Row #(\d+)", message)
    cells = re.search(r"Expected \d+ columns, got (\d+)", message)
    where = f", line {int(row.group(1))}" if row else ""
    if cells:
        return UnreadableTable(
            f"{path.name}{where}: {cells.group(1)} cells where {columns} were expected",
            hint="look for a delimiter inside a value; values may be quoted",
        )
    return UnreadableTable(
        f"{path.name} cannot be cut into rows{where}", hint="look for unbalanced quotes or a wrong delimiter"
    )
