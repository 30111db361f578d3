"""Spell one SQL for every engine: values as text, as numbers and as keyed hashes, which come out alike everywhere.

All expressions are total: no value that a column can hold makes one fail, since an error would be a channel.

Canonical text: whole numbers without a point, ``true`` and ``false``, ``NaN``, ``Infinity``, dates as
``2020-01-31``, times as ``2020-01-31 10:00:00.5`` (trailing zeros cut), instants in UTC with ``+00`` behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum

NUMBER = r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,3})?"
"""What counts as a number in a column of text: spelled so that every engine's regular expressions read it."""

LONGEST_NUMBER = 300
"""Longer texts are no numbers, so that no conversion overflows."""

PLACED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\?""")


class Family(StrEnum):
    """What a declared type holds, whatever the engine calls it."""

    TEXT = "text"
    WHOLE = "whole"
    EXACT = "exact"
    REAL = "real"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INSTANT = "instant"
    TIME = "time"
    OTHER = "other"


FAMILIES: dict[str, Family] = {
    **dict.fromkeys(
        ("TEXT", "VARCHAR", "CHARACTER VARYING", "CHARACTER", "CHAR", "BPCHAR", "NAME", "CITEXT"), Family.TEXT
    ),
    **dict.fromkeys(("STRING", "NVARCHAR", "NCHAR", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "CLOB"), Family.TEXT),
    **dict.fromkeys(
        ("INTEGER", "INT", "BIGINT", "SMALLINT", "TINYINT", "MEDIUMINT", "HUGEINT", "UHUGEINT"), Family.WHOLE
    ),
    **dict.fromkeys(("UBIGINT", "UINTEGER", "USMALLINT", "UTINYINT", "INT2", "INT4", "INT8", "YEAR"), Family.WHOLE),
    **dict.fromkeys(("DECIMAL", "NUMERIC", "DEC", "BIGNUM"), Family.EXACT),
    **dict.fromkeys(("DOUBLE PRECISION", "DOUBLE", "REAL", "FLOAT", "FLOAT4", "FLOAT8"), Family.REAL),
    **dict.fromkeys(("BOOLEAN", "BOOL"), Family.BOOLEAN),
    "DATE": Family.DATE,
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMP WITHOUT TIME ZONE"), Family.TIMESTAMP),
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), Family.TIMESTAMP),
    **dict.fromkeys(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"), Family.INSTANT),
    **dict.fromkeys(("TIME", "TIME WITHOUT TIME ZONE"), Family.TIME),
}


def family_of(declared: str) -> Family:
    """Return what a declared type holds; what is not known is ``OTHER``, a text like any other.

    >>> [family_of(one).value for one in ("numeric(10,2)", "timestamp(3) with time zone", "integer[]", "interval")]
    ['exact', 'instant', 'other', 'other']
    """
    upper = declared.upper()
    if upper.startswith("ENUM("):
        return Family.TEXT
    if upper == "TINYINT(1)":
        return Family.BOOLEAN
    plain = re.sub(r"\s*\([^)]*\)", "", upper).replace("UNSIGNED", "").replace("ZEROFILL", "")
    return FAMILIES.get(" ".join(plain.split()), Family.OTHER)


def quoted(name: str) -> str:
    """Return a name as SQL quotes it.

    >>> quoted('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL quotes it where backslashes mean nothing, as our sessions are set.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def moment_text(moment: date | datetime | time) -> str:
    """Return a date, an instant or a time as canonical text; an instant with a zone in UTC.

    >>> moment_text(datetime(2020, 1, 31, 10, 0, 0, 500000))
    '2020-01-31 10:00:00.5'
    """
    if not isinstance(moment, datetime):
        plain = moment.isoformat()
        return plain.rstrip("0") if "." in plain else plain
    local = moment.replace(tzinfo=None) if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    plain = local.isoformat(sep=" ")
    return (plain.rstrip("0") if "." in plain else plain) + ("" if moment.tzinfo is None else "+00")


def placed(sql: str, spelled: Callable[[int], str]) -> str:
    """Return SQL with each ``?`` that stands outside quotes replaced by ``spelled(its place, from 0)``.

    >>> placed("SELECT '?', \\"?\\" WHERE a = ? AND b = ?", lambda place: f"${place + 1}")
    'SELECT \\'?\\', "?" WHERE a = $1 AND b = $2'
    """
    count = iter(range(len(sql)))
    return PLACED.sub(lambda found: spelled(next(count)) if found[0] == "?" else found[0], sql)


@dataclass(frozen=True, eq=False)
class Dialect:
    """Spell SQL for one engine. ``value``, ``text`` and ``key`` are SQL expressions; ``declared`` is a column's type.

    name: what sqlglot calls the engine. grouping_sets: whether it knows them; else several SELECTs are joined.
    text(value, declared): the canonical text, NULL where NULL; compares byte by byte, case and blanks matter.
    number(value, declared): a double, instants as seconds since 1970 (UTC where no zone is given), truth as 1 and 0;
    NULL where the value is missing, NaN or no number.
    comparable(value, declared): what a filter compares with a parameter: of the column's own type where that is total.
    hashed(text, key): the hexadecimal SHA-256 of the key, a bar and the text, which orders byte by byte.
    uniform(text, key): a double in [0, 1), from the first 52 bits of ``hashed``.
    unnests: whether counting is best done by unnesting an array of keys: PostgreSQL sorts for each grouping set.
    fence: what ends a subquery whose expressions are to be evaluated once, and not wherever they are used.
    """

    name: str
    grouping_sets: bool
    text: Callable[[str, str], str]
    number: Callable[[str, str], str]
    comparable: Callable[[str, str], str]
    hashed: Callable[[str, str], str]
    uniform: Callable[[str, str], str]
    unnests: bool = False
    fence: str = ""

    def quoted(self, name: str) -> str:
        """Return a name as the engine's sessions quote it; they are all set to the standard's way."""
        return quoted(name)

    def row_number(self, partition: Sequence[str], order: Sequence[str]) -> str:
        """Return the place of a row, from 1, among those that share ``partition``.

        >>> from synth_worker.database.duckdb_files import DIALECT
        >>> DIALECT.row_number(['"person"'], ["h"])
        'row_number() OVER (PARTITION BY "person" ORDER BY h)'
        """
        within = f"PARTITION BY {', '.join(partition)} " if partition else ""
        return f"row_number() OVER ({within}ORDER BY {', '.join(order)})"
