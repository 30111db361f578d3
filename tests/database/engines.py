"""Hold one table of nasty values in every engine, so that one contract is tested over all of them."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pymysql
import pytest

from synth_worker.database.connection import Database, TableName
from synth_worker.database.registry import open_database
from tests.database.mariadb_server import running_mariadb
from tests.database.server import Server

TABLE = TableName(None, "nasty")

COLUMNS: Mapping[str, str] = {
    "place": "integer",
    "whole": "bigint",
    "exact": "decimal(20,3)",
    "real_": "double precision",
    "told": "text",
    "truth": "boolean",
    "day": "date",
    "moment": "timestamp",
    "instant": "timestamptz",
    'What\'s "this" ?': "text",
}

NAN, INF = float("nan"), float("inf")

Row = tuple[int, int | None, str | None, float | None, str | None, bool | None, str | None, str | None, str | None, str]

ROWS: tuple[Row, ...] = (
    (0, None, None, None, None, None, None, None, None, "a ? b"),
    (1, 0, "0.000", 0.0, "", True, "1970-01-01", "1970-01-01 00:00:00", "1970-01-01 00:00:00+00:00", "?"),
    (2, 2**63 - 1, "99999999999999999.999", 1.7e308, "it's \"quoted\" ; -- \\", False, "9999-12-31",
     "9999-12-31 23:59:59.999999", "2020-06-01 12:00:00.5+02:00", "'"),
    (3, -(2**63), "-0.001", 5e-324, "ünï😀\u202e%_", True, "0001-01-01", "0001-01-01 00:00:00",
     "2020-01-01 00:00:00+00:00", '"'),
    (4, 12, "12.500", NAN, "12", None, "2020-02-29", "2020-02-29 10:00:00.25", None, "%"),
    (5, -5, "-1.000", INF, " 12", True, None, None, "2038-01-19 03:14:07+00:00", "_"),
    (6, 7, None, -INF, "1e999", False, "2023-01-01", "2023-01-01 00:00:00", "1999-12-31 23:59:59.123456+00:00", "\\"),
    (7, 10**15, "0.100", 0.1, "-1.5e3", True, "1900-01-01", "1899-12-31 23:00:00", None, "!"),
    (8, 1, "1.000", -0.0, "NaN", None, None, None, None, "a\tb\nc"),
    (9, 2, "2.000", 1e15, "1_000", None, None, None, None, "\r\n"),
    (10, 3, "3.000", 1e22, "x" * 5000, None, None, None, None, "é"),
    (11, 4, "4.000", 123456.789, ".5", None, None, None, None, "e\u0301"),
    (12, 5, "5.000", 1e-5, "+5.", None, None, None, None, "A"),
    (13, 6, "6.000", -1e300, "1" * 301, None, None, None, None, "a"),
    (14, None, None, None, "a", None, None, None, None, "e"),
    (15, None, None, None, "A", None, None, None, None, "f"),
)  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """Be one engine under test. ``change`` makes another commit a row while we read; False where nobody can.

    ``unheld``: the cells (row, column) that the engine cannot hold; ``unwritten``: of which it makes another text.
    """

    name: str
    database: Database
    change: Callable[[], bool]
    unheld: frozenset[tuple[int, str]] = frozenset()
    unwritten: frozenset[tuple[int, str]] = frozenset()


def _cell(value: object) -> str:
    """Return a value as an SQL literal of PostgreSQL and DuckDB."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE PRECISION)"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def _definition(types: Mapping[str, str]) -> str:
    return ", ".join('"' + name.replace('"', '""') + f'" {declared}' for name, declared in types.items())


def _values() -> str:
    return ", ".join("(" + ", ".join(_cell(one) for one in row) + ")" for row in ROWS)


def postgres(server: Server) -> Engine:
    """Fill the server's database."""
    server.run(
        "DROP TABLE IF EXISTS nasty, secret",  # of another module that the same server was filled for
        f"CREATE TABLE nasty ({_definition(COLUMNS)})",
        "SET standard_conforming_strings = on",
        f"INSERT INTO nasty VALUES {_values()}",
        "GRANT SELECT ON nasty TO reader",
        "CREATE TABLE secret (a integer)",
        "INSERT INTO secret VALUES (42)",
    )

    def change() -> bool:
        server.run("INSERT INTO nasty (place) VALUES (99)")
        return True

    return Engine("postgresql", open_database("postgresql", server.credentials()), change)


def duck_file(folder: Path) -> Engine:
    """Write a DuckDB file."""
    path = folder / "nasty.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(f"CREATE TABLE nasty ({_definition(COLUMNS)})")
        con.execute(f"INSERT INTO nasty VALUES {_values()}")

    def change() -> bool:
        try:
            with duckdb.connect(str(path)) as con:
                con.execute("INSERT INTO nasty (place) VALUES (99)")
        except duckdb.Error:
            return False
        return True

    return Engine("duckdb", open_database("duckdb", {"path": str(path)}), change)


def parquet(folder: Path) -> Engine:
    """Write a Parquet file."""
    inside = folder / "parquet"
    inside.mkdir()
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE nasty ({_definition(COLUMNS)})")
        con.execute(f"INSERT INTO nasty VALUES {_values()}")
        con.execute(f"COPY nasty TO '{inside / 'nasty.parquet'}'")
    return Engine("parquet", open_database("duckdb", {"path": str(inside)}), lambda: False)


def sqlite(folder: Path) -> Engine:
    """Write an SQLite file whose log lets others write while we read. SQLite has neither NaN nor exact decimals."""
    path = folder / "nasty.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"CREATE TABLE nasty ({_definition(COLUMNS)})")
    connection.execute("CREATE TABLE secret (a integer)")
    connection.executemany(f"INSERT INTO nasty VALUES ({', '.join('?' for _ in COLUMNS)})", ROWS)

    def change() -> bool:
        connection.execute("INSERT INTO nasty (place) VALUES (99)")
        return True

    exact = frozenset((row[0], "exact") for row in ROWS)
    return Engine("sqlite", open_database("sqlite", {"path": str(path)}), change, frozenset({(4, "real_")}), exact)


MARIADB_TYPES = {
    "double precision": "double",
    "text": "longtext",
    "timestamp": "datetime(6)",
    "timestamptz": "datetime(6)",
}


def mariadb(credentials: dict[str, object], admin: pymysql.Connection) -> Engine:
    """Fill a MariaDB, which has no infinite doubles and no zones of time, and exponents of its own."""
    types = {name: MARIADB_TYPES.get(declared, declared) for name, declared in COLUMNS.items()}
    values = [list(row) for row in ROWS]
    for held in values:
        if isinstance(held[3], float) and not abs(held[3]) < INF:
            held[3] = None
        if held[8] is not None:
            held[8] = datetime.fromisoformat(str(held[8])).astimezone(UTC).replace(tzinfo=None)
    infinite = {(row[0], "real_") for row, held in zip(ROWS, values, strict=True) if row[3] is not held[3]}
    # The text 1e999 is read as the largest double.
    unheld = frozenset(infinite | {(6, "told")})
    large = [row for row in ROWS if row[3] is not None and ("e" in repr(row[3]) or abs(row[3]) > 1e17)]
    unwritten = frozenset({(row[0], "real_") for row in large} | {(row[0], "instant") for row in ROWS})

    with admin.cursor() as cursor:
        cursor.execute(
            "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES', time_zone = '+00:00'"
        )
        cursor.execute("USE patient_data")
        cursor.execute(f"CREATE TABLE nasty ({_definition(types)}) DEFAULT CHARSET utf8mb4")
        cursor.execute("CREATE TABLE secret (a integer)")
        cursor.executemany(f"INSERT INTO nasty VALUES ({', '.join('%s' for _ in types)})", values)
        cursor.execute("GRANT SELECT ON patient_data.nasty TO reader@'%'")

    def change() -> bool:
        with admin.cursor() as cursor:
            cursor.execute("INSERT INTO nasty (place) VALUES (99)")
        return True

    return Engine("mariadb", open_database("mariadb", credentials), change, unheld, unwritten)


@contextlib.contextmanager
def filled(name: str, request: pytest.FixtureRequest, folder: Path) -> Generator[Engine]:
    """Fill an engine by its name, on the suite's server or in a folder, and let go of it at the end."""
    if name == "mariadb":
        with running_mariadb() as (credentials, admin):
            yield mariadb(credentials, admin)
        return
    made: dict[str, Callable[[], Engine]] = {
        "postgresql": lambda: postgres(request.getfixturevalue("server")),
        "duckdb": lambda: duck_file(folder),
        "parquet": lambda: parquet(folder),
        "sqlite": lambda: sqlite(folder),
    }
    found = made[name]()
    yield found
    found.database.close()
