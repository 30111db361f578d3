"""Read an SQLite file by the standard library: opened read-only, and nothing but SELECT is authorised."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from synth_worker.database.asking import as_columns, asked, check_rows
from synth_worker.database.connection import Health, Limits, Statement, TableName, Value
from synth_worker.database.dialect import Dialect, family_of, moment_text
from synth_worker.database.sqlite_functions import FUNCTIONS, TOLD, readable
from synth_worker.errors import DatabaseRefused, UnknownName

if TYPE_CHECKING:
    import pyarrow as pa

    from synth_worker.database.credentials import Credentials

READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
OPCODES_BETWEEN_LOOKS = 10_000


def _with_family(function: str, value: str, declared: str) -> str:
    # SQLite keeps any bytes as text, and a call fails at those that are no UTF-8: texts are handed over as bytes.
    told = f"typeof({value}) = 'text'"
    given = f"CASE WHEN {told} THEN CAST({value} AS BLOB) ELSE {value} END"
    family = family_of(declared)
    return f"{function}({given}, CASE WHEN {told} THEN '{TOLD}{family}' ELSE '{family}' END)"


def _with_key(function: str, text: str, key: str) -> str:
    return f"{function}({text}, {key})"


DIALECT = Dialect(
    name="sqlite",
    grouping_sets=False,
    text=partial(_with_family, "gesalp_text"),
    number=partial(_with_family, "gesalp_number"),
    comparable=partial(_with_family, "gesalp_comparable"),
    hashed=partial(_with_key, "gesalp_hashed"),
    uniform=partial(_with_key, "gesalp_uniform"),
)


def _bound(value: Value) -> str | int | float | None:
    """Return a parameter as SQLite holds it: dates as canonical text, decimals as doubles."""
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, str | int | float) else moment_text(value)


@dataclass(frozen=True, eq=False)
class SqliteSnapshot:
    """Answer from one read transaction."""

    connection: sqlite3.Connection
    limits: Limits

    def rows(self, statement: Statement) -> list[tuple[object, ...]]:
        """Return all rows. Raises QueryFailed."""
        return self._answered(statement)[1]

    def arrow(self, statement: Statement) -> pa.Table:
        """Return all rows as columns; a column that mixes types comes as text. Raises QueryFailed."""
        return as_columns(*self._answered(statement))

    def _answered(self, statement: Statement) -> tuple[list[str], list[tuple[object, ...]]]:
        failures = (sqlite3.Error, sqlite3.Warning, OverflowError)
        names, found = asked(lambda: self._answer(statement), failures=failures)
        check_rows(len(found), most=self.limits.rows)
        return names, found

    def _answer(self, statement: Statement) -> tuple[list[str], list[tuple[object, ...]]]:
        until = time.monotonic() + self.limits.statement_seconds
        self.connection.set_progress_handler(lambda: int(time.monotonic() > until), OPCODES_BETWEEN_LOOKS)
        try:
            cursor = self.connection.execute(statement.sql, [_bound(one) for one in statement.parameters])
            if cursor.description is None:
                raise sqlite3.ProgrammingError("not one SELECT")
            names = [str(one[0]) for one in cursor.description]
            return names, cast("list[tuple[object, ...]]", cursor.fetchmany(self.limits.rows + 1))
        finally:
            self.connection.set_progress_handler(None, 0)


@dataclass(frozen=True, eq=False)
class Sqlite:
    """Be one SQLite file."""

    name: str
    path: Path
    limits: Limits = field(default_factory=Limits)
    dialect: Dialect = DIALECT
    renamed: bool = False

    def health(self) -> Health:
        """Return the version; there is neither a server nor a role."""
        return Health("sqlite", f"SQLite {sqlite3.sqlite_version}", local=True)

    def columns(self, table: TableName) -> Mapping[str, str]:
        """Return the declared type of each column. Raises UnknownName."""
        with self._connected() as connection:
            found = connection.execute(
                "SELECT c.name, c.type FROM sqlite_schema AS s, pragma_table_info(s.name, 'main') AS c "
                "WHERE s.type IN ('table', 'view') AND s.name = ? AND s.name NOT LIKE 'sqlite_%' AND ? = 'main' "
                "ORDER BY c.cid",
                [table.name, table.schema or "main"],
            ).fetchall()
            if found:
                return {str(row[0]): str(row[1]) for row in found}
            tables = connection.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY 1")
            raise UnknownName.of("table", str(table), [row[0] for row in tables.fetchall()])

    @contextmanager
    def snapshot(self) -> Generator[SqliteSnapshot]:
        """Open a read transaction: others may write, what is read here stays as it was."""
        with self._connected() as connection:
            connection.execute("BEGIN")
            # SQLite takes its snapshot at the first look, not at BEGIN.
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            connection.set_authorizer(
                lambda action, *_: sqlite3.SQLITE_OK if action in READING else sqlite3.SQLITE_DENY
            )
            yield SqliteSnapshot(connection, self.limits)

    def close(self) -> None:
        """Do nothing: each snapshot has a connection of its own."""

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        address = f"{self.path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=self.limits.lock_seconds)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA case_sensitive_like = ON")
            connection.text_factory = readable
            if connection.execute("PRAGMA encoding").fetchone() != ("UTF-8",):
                raise sqlite3.NotSupportedError("texts are handed over as the bytes of UTF-8")
            for name, function in FUNCTIONS.items():
                connection.create_function(name, 2, function, deterministic=True)
            yield connection
        finally:
            connection.close()


def open_database(credentials: Credentials) -> Sqlite:
    """Open ``credentials["path"]``; ``credentials["name"]`` names it, else the file does. Raises DatabaseRefused."""
    credentials.check("sqlite", known=("name",), needed=("path",))
    path = Path(credentials.text("path"))
    if not path.is_file():
        raise DatabaseRefused(f"{path} does not exist", hint="give the path of an SQLite file")
    name = credentials.text("name") or path.stem
    database = Sqlite(name, path, renamed=name != path.stem)
    try:
        with database.snapshot():
            return database
    except sqlite3.Error as error:
        kind = type(error).__name__
    raise DatabaseRefused(f"{path} cannot be read as an SQLite file ({kind})")
