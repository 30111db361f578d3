"""Read CSV files by their first line alone: what a later line holds changes no type, no name and no other row."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from synth_worker.database.dialect import Family, family_of, literal, quoted
from synth_worker.errors import BadInput, UnknownName

DELIMITERS = (",", ";", "\t", "|")
LONGEST_LINE = 64_000_000
TYPES = ("BIGINT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR")
"""What a column of a CSV file may be said to be; what does not fit is missing."""


def csv_select(path: Path, types: Mapping[str, str]) -> str:
    """Return the SELECT of a CSV file: text, but where ``types`` says what a column is. It fails for no content.

    Types that are found by looking at all lines would tell whether one line has another. Raises BadInput for a first
    line that is none, or a type that there is none of.
    """
    names, delimiter = _first_line(path)
    for name, kind in types.items():
        if kind.upper() not in TYPES:
            raise UnknownName.of(f"type of column {name!r}", kind, TYPES)
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    options = (
        f"auto_detect = false, header = true, delim = {literal(delimiter)}, quote = '\"', escape = '\"', "
        f"null_padding = true, strict_mode = false, ignore_errors = true, max_line_size = {LONGEST_LINE}, "
        f"parallel = false, columns = {{{columns}}}"
    )
    values = ", ".join(_value(name, types.get(name, "VARCHAR")) for name in names)
    return f"SELECT {values} FROM read_csv({literal(str(path))}, {options})"  # noqa: S608 - all of it is quoted


def _value(name: str, kind: str) -> str:
    own = quoted(name)
    # A cast of the bare column would move into the reader, which leaves out rows instead of values.
    return own if family_of(kind) is Family.TEXT else f"TRY_CAST(substr({own}, 1, 300) AS {kind.upper()}) AS {own}"


def _first_line(path: Path) -> tuple[list[str], str]:
    try:
        with path.open("rb") as file:
            line = file.readline(1_000_000).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        line = ""
    delimiter = max(DELIMITERS, key=line.count)
    names = next(csv.reader([line], delimiter=delimiter), [])
    if not all(names) or not names or len({one.lower() for one in names}) < len(names):
        raise BadInput(f"the first line of {path} does not name its columns, each by another name")
    return names, delimiter
