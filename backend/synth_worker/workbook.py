"""Read the first sheet of an Excel workbook as texts, and write one in which no text is run as a formula."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import numpy as np
import openpyxl
import pandas as pd
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.exceptions import IllegalCharacterError, InvalidFileException

from synth_worker.errors import BadInput, UnreadableTable
from synth_worker.frames import cell_text
from synth_worker.textfile import column_names, has_header, made_up_names

_RETURN = "_x000D_"  # how a sheet writes a carriage return, which XML would make a line feed

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384

# What openpyxl lets through for a file that is damaged in one way or another.
_DAMAGES = (
    BadZipFile,
    InvalidFileException,
    ParseError,
    zlib.error,
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
)


def read_workbook(path: Path, *, header: bool | None = None) -> tuple[tuple[str, ...], list[list[str]], bool]:
    """Return the names, the columns of texts, and whether the first row was a header. Raises UnreadableTable."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # styles that openpyxl does not know do not matter here
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            cells = [[_read(cell) for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)]
            book.close()
    except _DAMAGES as error:
        raise UnreadableTable(
            f"{path.name} cannot be read as xlsx", hint="is it damaged, locked by a password, or another kind of file?"
        ) from error
    rows = [row for row in cells if any(cell.strip() for cell in row)]
    if not rows:
        raise UnreadableTable(f"{path.name}: the first sheet is empty", hint="a header and a row per record")
    width = max(max(place for place, cell in enumerate(row) if cell.strip()) for row in rows) + 1
    rows = [[*row[:width], *[""] * (width - len(row))] for row in rows]
    first = [cell.strip() for cell in rows[0]]
    named = has_header([first, *rows[1:200]], decimal_comma=False) if header is None else header
    if named and len(rows) == 1:
        raise UnreadableTable(f"{path.name}: the first sheet holds no rows", hint="a header and a row per record")
    names = column_names(first, path.name) if named else made_up_names(width)
    body = rows[1:] if named else rows
    return names, [[row[place] for row in body] for place in range(width)], named


def _read(cell: object) -> str:
    return cell_text(cell).replace(_RETURN, "\r")


def write_workbook(names: Sequence[str], columns: Sequence[pd.Series], path: Path) -> None:
    """Write a sheet of a header and columns; times lose their zone, which Excel does not know."""
    rows = len(columns[0]) if columns else 0
    if rows >= MOST_ROWS or len(names) > MOST_COLUMNS:
        raise BadInput(
            f"{rows} rows and {len(names)} columns; a sheet holds {MOST_ROWS - 1} and {MOST_COLUMNS}",
            hint="write .csv or .parquet",
        )
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")

    def cell(value: object) -> object:
        value = value.replace("\r", _RETURN) if isinstance(value, str) else value
        if isinstance(value, str) and value.startswith("="):
            text = WriteOnlyCell(sheet, value=value)
            text.data_type = "s"  # else openpyxl makes it a formula
            return text
        return value

    plain = [[_plain(one) for one in column] for column in columns]
    try:
        for row in ([*names], *zip(*plain, strict=True)):
            sheet.append([cell(one) for one in row])
    except IllegalCharacterError as error:
        raise BadInput(
            "a text holds a control character, which Excel refuses", hint="write .csv or .parquet"
        ) from error
    book.save(path)


def _plain(value: object) -> object:
    """Return a value that Excel knows, None for an absent one."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, pd.Timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        # Excel counts days from 1900; earlier ones are texts there too.
        return value.replace(tzinfo=None) if value.year > 1900 else value.isoformat(" ").removesuffix(" 00:00:00")
    return value if isinstance(value, str | bool | int | float) or hasattr(value, "isoformat") else str(value)
