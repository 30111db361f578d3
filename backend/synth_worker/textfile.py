"""Read delimited text: encoding, delimiter and header are found, and every cell stays the text that it was."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from synth_worker.errors import BadInput, UnreadableTable
from synth_worker.parsing import MISSING, find_date_format, is_number

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_LINES = 200
LONGEST_CELL = 2**31 - 1

_LINE_END = re.compile(r"\r\n|\r|\n")
_OTHER_KINDS = {
    b"PK\x03\x04": "an Excel workbook or another zip archive",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"FEA1": "a Feather file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls); save it as .xlsx",
    b"%PDF": "a PDF",
    b"SQLite format 3": "an SQLite database",
}


@dataclass(frozen=True)
class Dialect:
    """Say how a text file is written; ``header`` tells whether its first line names the columns."""

    encoding: str
    delimiter: str
    header: bool


@dataclass(frozen=True)
class TextTable:
    """Hold the cells of a text file as texts, column by column, and what is needed to name a line again."""

    names: tuple[str, ...]
    columns: tuple[pa.ChunkedArray, ...]
    dialect: Dialect
    text: str

    def line_of(self, row: int) -> int:
        """Return the number of the line (from 1) on which a row (from 0) begins."""
        reader = _reader(self.text, self.dialect.delimiter)
        seen, begin = -1 if self.dialect.header else 0, 1
        for cells in reader:
            if cells or len(self.names) == 1:
                if seen == row:
                    return begin
                seen += 1
            begin = reader.line_num + 1
        return begin


def read_text_table(
    path: Path, *, header: bool | None = None, delimiter: str | None = None, encoding: str | None = None
) -> TextTable:
    """Read a CSV or TSV file (``.gz`` too). Raises UnreadableTable with the line that is wrong."""
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\x00'):
        raise BadInput(f"delimiter {delimiter!r} cannot part cells", hint="one sign such as , or ; or a tab")
    text, found_encoding = _decode(path, encoding)
    # Blank lines at the end are no records, and neither is the Ctrl-Z with which DOS ended files.
    text = (text[:-1] if text.endswith(("\n\x1a", "\r\x1a")) else text).rstrip("\r\n")
    if not text.strip():
        raise UnreadableTable(f"{path.name} is empty", hint="a table needs a line per record")
    place = text.find("\x00")
    if place >= 0:
        raise UnreadableTable(
            f"{path.name}, line {_lines(text, place)}: a NUL byte",
            hint="this is not a text table, or it is damaged, or its encoding is another; export it again",
        )
    own = delimiter or find_delimiter(text)
    if '"' in text:
        _check_quotes(text, path, own)
    rows = [[cell.strip() for cell in row] for row in islice((row for row in _reader(text, own) if row), SAMPLE_LINES)]
    found_header = has_header(rows, decimal_comma=own != ",") if header is None else header
    if found_header and len(rows) == 1:
        raise UnreadableTable(f"{path.name} holds a header and no rows", hint="a table needs a line per record")
    _check_first(rows, path)
    names = column_names(rows[0], path.name) if found_header else made_up_names(len(rows[0]))
    columns = _parse(text, path, delimiter=own, names=names, skip=_header_end(text, own) if found_header else 0)
    return TextTable(names, columns, Dialect(found_encoding, own, found_header), text)


def _decode(path: Path, encoding: str | None) -> tuple[str, str]:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableTable(
            f"{path.name} cannot be read: {error.__class__.__name__}", hint="is it damaged, cut off, or locked?"
        ) from error
    for magic, kind in _OTHER_KINDS.items():
        if data.startswith(magic):
            raise UnreadableTable(f"{path.name} is {kind}, not a text table", hint="give it the suffix of its kind")
    if encoding is not None:
        tries: tuple[str, ...] = (encoding,)
    elif data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        tries = ("utf-16",)
    else:
        tries = ("utf-8-sig", "cp1252", "latin-1")
    where = ""
    for one in tries:
        try:
            text = data.decode(one).removeprefix("\ufeff")
            text.encode()  # some encodings yield halves of signs, which no text can hold
        except UnicodeDecodeError as error:
            where = "" if "16" in one else f", line {len((data[: error.start] + b'.').splitlines())}"
            continue
        except UnicodeError:
            continue
        except (LookupError, ValueError) as error:
            raise UnreadableTable(f"encoding {one!r} is not known", hint="e.g. utf-8, utf-16, cp1252") from error
        return text, one
    raise UnreadableTable(
        f"{path.name}{where}: this is not text in {tries[0]}", hint="name its encoding, or leave it to be found"
    )


def _reader(text: str, delimiter: str, *, strict: bool = False):
    csv.field_size_limit(LONGEST_CELL)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)


def _lines(text: str, end: int) -> int:
    return sum(1 for _ in _LINE_END.finditer(text, 0, end)) + 1


def find_delimiter(text: str) -> str:
    """Return the sign that cuts the first lines into equally many cells, the more and the cleaner the better.

    >>> find_delimiter("a;b\\n1,5;2,5\\n3,5;4,5\\n")
    ';'
    """
    lines = [line.group() for line in islice(re.finditer(r"[^\r\n]+", text), SAMPLE_LINES)]
    best, most = "", (0.0, 0)
    for delimiter in DELIMITERS:
        rows = list(csv.reader(lines, delimiter=delimiter))
        cells, often = Counter(len(row) for row in rows).most_common(1)[0]
        if cells < 2 or often < 0.9 * len(rows) or len(rows[0]) != cells:
            continue
        clean = [_is_clean(cell) for row in rows for cell in row]
        score = (round(sum(clean) / len(clean), 1), cells)
        if score > most:
            best, most = delimiter, score
    if best:
        return best
    # The lines do not agree: what parts the first of them is the best guess, and the error will name the line.
    widths = {one: len(next(csv.reader(lines[:1], delimiter=one))) for one in DELIMITERS}
    widest = max(DELIMITERS, key=lambda one: widths[one])
    if widths[widest] > 1:
        return widest
    return next((one for one in DELIMITERS if one not in text), ",")


def _is_clean(cell: str) -> bool:
    return re.search(r"\S[,;|\t]\S", cell) is None or is_number(cell.strip(), decimal_comma=True)


def _check_quotes(text: str, path: Path, delimiter: str) -> None:
    reader, begin = _reader(text, delimiter, strict=True), 1
    try:
        for _ in reader:
            begin = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableTable(
            f"{path.name}, line {begin}: a quote is opened and not closed, or stands in the middle of a quoted value",
            hint='write "" for a quote inside a quoted value, or look for a wrong delimiter',
        ) from error


def _check_first(rows: Sequence[Sequence[str]], path: Path) -> None:
    """Refuse a first line that all the others disagree with, instead of naming one of them."""
    widths = {len(row) for row in rows[1:]}
    if len(rows) > 2 and len(widths) == 1 and len(rows[0]) not in widths:
        raise UnreadableTable(
            f"{path.name}, first line: {len(rows[0])} cells, where the next have {widths.pop()}",
            hint="name every column, or remove lines above the header",
        )


def has_header(rows: Sequence[Sequence[str]], *, decimal_comma: bool) -> bool:
    """Tell whether the first row names columns: it is unlike what stands below it.

    >>> has_header([["age", "sex"], ["31", "f"], ["40", "m"]], decimal_comma=False)
    True
    """
    first, below = rows[0], rows[1:]
    if tuple(first) == made_up_names(len(first)):
        return True
    if not below:
        return not any(_is_value(cell, decimal_comma=decimal_comma) for cell in first)
    against = False
    for place, cell in enumerate(first):
        column = [row[place] for row in below if place < len(row) and row[place] not in MISSING]
        if not column:
            continue
        values = sum(_is_value(one, decimal_comma=decimal_comma) for one in column) >= 0.9 * len(column)
        if values and cell not in MISSING and not _is_value(cell, decimal_comma=decimal_comma):
            return True
        against = against or (values and cell not in MISSING)
    if against:
        return False
    recurs = any(cell in {row[place] for row in below if place < len(row)} for place, cell in enumerate(first))
    return all(first) and len(set(first)) == len(first) and not recurs


def _is_value(text: str, *, decimal_comma: bool) -> bool:
    return (
        is_number(text)
        or (decimal_comma and is_number(text, decimal_comma=True))
        or (text.isascii() and text.isdigit())
        or find_date_format([text]) is not None
    )


def made_up_names(count: int) -> tuple[str, ...]:
    """Return the names that columns get where a file has none."""
    return tuple(f"column_{place + 1}" for place in range(count))


def column_names(cells: Sequence[str], what: str) -> tuple[str, ...]:
    """Return the names of a header, made up where a cell is empty. Raises UnreadableTable for a name that recurs.

    A name of nothing but spaces is none: no file keeps it apart from an empty one. Nor does a file keep a byte order
    mark before its first name.

    >>> column_names(["\ufeffage", " "], "a.csv")
    ('age', 'column_2')
    """
    own = [cell.lstrip("\ufeff") if place == 0 else cell for place, cell in enumerate(cells)]
    names = tuple(cell if cell.strip() else f"column_{place + 1}" for place, cell in enumerate(own))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UnreadableTable(
            f"{what}: the column name {twice[0]!r} stands {names.count(twice[0])} times",
            hint="rename one of them; if these are no names, say that there is no header",
        )
    return names


def _header_end(text: str, delimiter: str) -> int:
    """Return where the first record ends; a name may hold a line end."""
    reader = _reader(text, delimiter)
    next(row for row in reader if row)
    ends = islice(_LINE_END.finditer(text), reader.line_num - 1, None)
    return next(ends).end()


def _parse(text: str, path: Path, *, delimiter: str, names: Sequence[str], skip: int) -> tuple[pa.ChunkedArray, ...]:
    data = text[skip:].encode()
    if data.startswith(codecs.BOM_UTF8):
        data = codecs.BOM_UTF8 + data  # the first cell's own; the reader takes one away
    try:
        table = pacsv.read_csv(
            io.BytesIO(data),
            read_options=pacsv.ReadOptions(
                column_names=list(names), use_threads=False, block_size=min(max(len(data) + 1, 1 << 20), 1 << 30)
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                # In a table of one column an empty line is an absent value.
                ignore_empty_lines=len(names) > 1,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise _explain(text, path, delimiter=delimiter, columns=len(names)) from error
    return tuple(table.columns)


def _explain(text: str, path: Path, *, delimiter: str, columns: int) -> UnreadableTable:
    """Name the line without repeating what stands on it: errors reach logs, and rows are personal data."""
    reader, begin = _reader(text, delimiter), 1
    for row in reader:
        if row and len(row) != columns:
            return UnreadableTable(
                f"{path.name}, line {begin}: {len(row)} cells where {columns} were expected",
                hint="look for a delimiter inside a value; values may be quoted",
            )
        begin = reader.line_num + 1
    return UnreadableTable(
        f"{path.name} cannot be cut into rows", hint="look for unbalanced quotes or a wrong delimiter"
    )
