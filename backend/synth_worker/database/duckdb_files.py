"""Read DuckDB, Parquet and CSV files in the process itself: no server, and no access to any other file."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, cast

import duckdb

from synth_worker.database.asking import asked, check_rows
from synth_worker.database.connection import Health, Limits, Statement, TableName
from synth_worker.database.csv_files import csv_select
from synth_worker.database.dialect import LONGEST_NUMBER, NUMBER, Dialect, Family, family_of, literal, quoted
from synth_worker.errors import BadInput, DatabaseRefused, QueryFailed, UnknownName

if TYPE_CHECKING:
    import pyarrow as pa

    from synth_worker.database.credentials import Credentials


READERS = (".parquet", ".csv")
"""The files that become views."""

DATABASES = (".duckdb", ".db", ".ddb")


def _text(value: str, declared: str) -> str:
    plain = f"CAST({value} AS VARCHAR)"
    if family_of(declared) is not Family.REAL:
        return plain
    double = f"CAST({value} AS DOUBLE)"
    return (
        f"CASE WHEN isnan({double}) THEN 'NaN' WHEN isinf({double}) THEN "
        f"CASE WHEN {double} > 0 THEN 'Infinity' ELSE '-Infinity' END "
        f"WHEN abs({double}) < 1e18 AND {double} = trunc({double}) THEN CAST(TRY_CAST({double} AS BIGINT) AS VARCHAR) "
        f"ELSE {plain} END"
    )


def _number(value: str, declared: str) -> str:
    match family_of(declared):
        case Family.REAL:
            return f"CASE WHEN isnan({value}) THEN NULL ELSE CAST({value} AS DOUBLE) END"
        case Family.WHOLE | Family.EXACT | Family.BOOLEAN:
            return f"TRY_CAST({value} AS DOUBLE)"
        case Family.DATE | Family.TIMESTAMP | Family.INSTANT:
            return f"CASE WHEN isfinite({value}) THEN epoch({value}) END"
        case Family.TIME:
            return f"epoch({value})"
        case _:
            text = f"CAST({value} AS VARCHAR)"
            number = f"length({text}) <= {LONGEST_NUMBER} AND regexp_full_match({text}, '{NUMBER}')"
            return f"CASE WHEN {number} THEN TRY_CAST({text} AS DOUBLE) END"


def _comparable(value: str, declared: str) -> str:
    match family_of(declared):
        case Family.REAL | Family.EXACT:
            return _number(value, declared)
        case Family.TEXT | Family.OTHER:
            return _text(value, declared)
        case _:
            return value


def _hashed(text: str, key: str) -> str:
    return f"sha256({key} || '|' || {text})"


def _uniform(text: str, key: str) -> str:
    return f"(CAST('0x' || substr({_hashed(text, key)}, 1, 13) AS UBIGINT) / 4503599627370496)"


DIALECT = Dialect("duckdb", True, _text, _number, _comparable, _hashed, _uniform)  # noqa: FBT003 - named in the class


def _bound(statement: Statement) -> list[object]:
    """Return the parameters; decimals as doubles, since a column as a decimal of another scale may not fit."""
    return [float(one) if isinstance(one, Decimal) else one for one in statement.parameters]


@dataclass(frozen=True, eq=False)
class DuckSnapshot:
    """Answer from one read-only transaction."""

    connection: duckdb.DuckDBPyConnection
    limits: Limits

    def rows(self, statement: Statement) -> list[tuple[object, ...]]:
        """Return all rows. Raises QueryFailed."""
        found = asked(lambda: self._rows(statement), failures=(duckdb.Error,))
        check_rows(len(found), most=self.limits.rows)
        return found

    def arrow(self, statement: Statement) -> pa.Table:
        """Return all rows as columns. Raises QueryFailed."""
        found = asked(lambda: self._arrow(statement), failures=(duckdb.Error,))
        check_rows(found.num_rows, most=self.limits.rows)
        return found

    def _rows(self, statement: Statement) -> list[tuple[object, ...]]:
        with self._timed(statement):
            answer = self.connection.execute(statement.sql, _bound(statement))
            found = cast("list[tuple[object, ...]]", answer.fetchmany(self.limits.rows + 1))
            # An answer that was not read to its end would keep the connection from the next question.
            self.connection.execute("SELECT 1").fetchall()
            return found

    def _arrow(self, statement: Statement) -> pa.Table:
        with self._timed(statement):
            answer = self.connection.sql(statement.sql, params=_bound(statement))
            return cast("pa.Table", answer.to_arrow_table())

    @contextmanager
    def _timed(self, statement: Statement) -> Generator[None]:
        found = self.connection.extract_statements(statement.sql)
        if len(found) != 1 or found[0].type is not duckdb.StatementType.SELECT:
            raise duckdb.ParserException("not one SELECT")
        timer = threading.Timer(self.limits.statement_seconds, self.connection.interrupt)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@dataclass(frozen=True, eq=False)
class DuckFiles:
    """Be one DuckDB file, opened read-only, or Parquet and CSV files as tables of their names."""

    name: str
    connection: duckdb.DuckDBPyConnection = field(repr=False)
    files: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)
    dialect: Dialect = DIALECT
    renamed: bool = False

    def health(self) -> Health:
        """Return the version; there is neither a server nor a role."""
        return Health("duckdb", f"DuckDB {duckdb.__version__}", local=True)

    def columns(self, table: TableName) -> Mapping[str, str]:
        """Return the declared type of each column. Raises UnknownName."""
        # A cursor of its own: threads may share the database.
        cursor = self.connection.cursor()
        found = cursor.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE NOT internal AND table_name = ? "
            "AND schema_name = ? AND database_name = current_database() ORDER BY column_index",
            [table.name, table.schema or "main"],
        ).fetchall()
        if not found:
            tables = cursor.execute(
                "SELECT table_name FROM duckdb_tables() WHERE NOT internal UNION "
                "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
            ).fetchall()
            raise UnknownName.of("table", str(table), [row[0] for row in tables])
        return {str(row[0]): str(row[1]) for row in found}

    @contextmanager
    def snapshot(self) -> Generator[DuckSnapshot]:
        """Open a read-only transaction; files that change before its end raise QueryFailed."""
        before = self._stamps()
        cursor = self.connection.cursor()
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        try:
            yield DuckSnapshot(cursor, self.limits)
        finally:
            cursor.close()
        if self._stamps() != before:
            raise QueryFailed(f"the files of {self.name!r} changed while they were read", hint="ask again")

    def close(self) -> None:
        """Close the files."""
        self.connection.close()

    def _stamps(self) -> list[tuple[int, int, int]]:
        present = [one.stat() for one in self.files if one.exists()]
        return [(found.st_ino, found.st_mtime_ns, found.st_size) for found in present]


def open_database(credentials: Credentials) -> DuckFiles:
    """Open ``credentials["path"]``: a DuckDB file, a Parquet or CSV file, or a folder of such files.

    ``credentials["name"]`` names the database, else it is called as the file is; ``credentials["types"]`` says which
    columns of CSV files are no text. Raises DatabaseRefused.
    """
    credentials.check("duckdb", known=("name", "types"), needed=("path",))
    path = Path(credentials.text("path"))
    if not path.exists():
        raise DatabaseRefused(
            f"{path} does not exist", hint="give a .duckdb, .parquet or .csv file, or a folder of them"
        )
    name = credentials.text("name") or path.stem
    if path.suffix.lower() in DATABASES:
        connection = _connected(path, read_only=True)
        files: tuple[Path, ...] = ()
    else:
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        files = tuple(one for one in found if one.suffix.lower() in READERS)
        if not files:
            raise DatabaseRefused(f"{path} holds neither Parquet nor CSV files")
        connection = _connected(Path(":memory:"), read_only=False)
    allowed = ", ".join(literal(str(one)) for one in files)
    # What does not fit into memory is spilled where only we can read it, and gone with the connection.
    spilled = tempfile.mkdtemp(prefix="gesalp-")
    weakref.finalize(connection, shutil.rmtree, spilled, ignore_errors=True)
    connection.execute(f"SET TimeZone = 'UTC'; SET temp_directory = {literal(spilled)}")
    connection.execute(f"SET allowed_paths = [{allowed}]; SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    types = _types(credentials)
    for one in files:
        _view(connection, one, types)
    return DuckFiles(name, connection, files, renamed=name != path.stem)


def _connected(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(str(path), read_only=read_only)
    except duckdb.Error as error:
        kind = type(error).__name__
    raise DatabaseRefused(
        f"{path} cannot be opened as a DuckDB file ({kind})", hint="is another process writing to it?"
    )


def _types(credentials: Credentials) -> dict[str, str]:
    given = credentials.get("types") or {}
    if not isinstance(given, Mapping):
        raise BadInput("credentials['types'] is no mapping of columns to types", hint='as in {"age": "BIGINT"}')
    return {str(name): str(kind) for name, kind in cast("Mapping[object, object]", given).items()}


def _view(connection: duckdb.DuckDBPyConnection, path: Path, types: Mapping[str, str]) -> None:
    parquet = f"SELECT * FROM read_parquet({literal(str(path))})"  # noqa: S608 - it is quoted
    select = csv_select(path, types) if path.suffix.lower() == ".csv" else parquet
    try:
        connection.execute(f"CREATE VIEW {quoted(path.stem)} AS {select}")
        return
    except duckdb.Error as error:
        kind = type(error).__name__
    raise BadInput(f"{path} cannot be read as {path.suffix[1:]} ({kind})")
