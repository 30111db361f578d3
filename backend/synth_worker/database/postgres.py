"""Read from PostgreSQL over TLS that verifies the server, in read-only snapshots with time limits."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.pq import ExecStatus

from synth_worker.database import postgres_rights as rights
from synth_worker.database.asking import asked, check_rows
from synth_worker.database.connection import Health, Limits, Statement, TableName
from synth_worker.database.dialect import Dialect, placed
from synth_worker.database.postgres_dialect import DIALECT
from synth_worker.database.postgres_opening import connected
from synth_worker.database.postgres_tls import KNOWN, NEEDED, is_plaintext
from synth_worker.errors import DatabaseRefused, UnknownName, listed

if TYPE_CHECKING:
    import pyarrow as pa

    from synth_worker.database.credentials import Credentials

LOG = logging.getLogger(__name__)

PINNED = {
    "default_transaction_read_only": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "row_security": "on",
}
"""What a session is set to, so that no default of a role or a database changes what an expression means."""


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))


@dataclass(frozen=True, eq=False)
class PostgresSnapshot:
    """Answer from one transaction: read-only, repeatable read, with time limits."""

    connection: psycopg.Connection[tuple[object, ...]] = field(repr=False)
    limits: Limits = field(default_factory=Limits)

    def rows(self, statement: Statement) -> list[tuple[object, ...]]:
        """Return all rows. Raises QueryFailed."""
        found = asked(lambda: self._rows(statement), failures=(psycopg.Error,))
        check_rows(len(found), most=self.limits.rows)
        return found

    def arrow(self, statement: Statement) -> pa.Table:
        """Return all rows as columns, by COPY; decimals come as doubles. Raises QueryFailed."""
        found = asked(lambda: self._arrow(statement), failures=(psycopg.Error,))
        check_rows(found.num_rows, most=self.limits.rows)
        return found

    def _rows(self, statement: Statement) -> list[tuple[object, ...]]:
        with psycopg.RawCursor(self.connection) as cursor:
            # A prepared statement is one statement: the server refuses a second behind a semicolon.
            text = placed(statement.sql, lambda place: f"${place + 1}")
            cursor.execute(text.encode(), statement.parameters, prepare=True)
            return cursor.fetchmany(self.limits.rows + 1)

    def _arrow(self, statement: Statement) -> pa.Table:
        from synth_worker.database.postgres_copy import parsed  # noqa: PLC0415 - heavy, only for columns

        # COPY takes no parameters, so libpq's quoting writes them; preparing shows that it is one SELECT.
        written = [sql.Literal(one).as_string(self.connection) for one in statement.parameters]
        text = placed(statement.sql, lambda place: written[place]).encode()
        names, oids = self._described(text)
        with self.connection.cursor() as cursor, cursor.copy(b"COPY (" + text + b"\n) TO STDOUT (FORMAT csv)") as copy:
            return parsed(copy, names, oids)

    def _described(self, text: bytes) -> tuple[list[str], list[int]]:
        pgconn = self.connection.pgconn
        prepared = pgconn.prepare(b"", text)
        found = pgconn.describe_prepared(b"") if prepared.status == ExecStatus.COMMAND_OK else prepared
        if found.status != ExecStatus.COMMAND_OK or found.nfields == 0:
            raise psycopg.ProgrammingError("not one SELECT")
        fields = range(found.nfields)
        return [(found.fname(at) or b"").decode() for at in fields], [found.ftype(at) for at in fields]


@dataclass(frozen=True, eq=False)
class Postgres:
    """Be one PostgreSQL database; each snapshot has a connection of its own, so that threads may share this."""

    credentials: Credentials
    schema: str = "public"
    limits: Limits = field(default_factory=Limits)
    dialect: Dialect = DIALECT
    renamed: bool = False

    @property
    def name(self) -> str:
        """Return the database's name."""
        return self.credentials.text("database")

    def health(self) -> Health:
        """Return the server's version, the protocol and cipher, and all that the role could do beyond reading."""
        with self.snapshot() as snapshot:
            [(version, role, encrypted, protocol, cipher, superuser, read_only)] = snapshot.rows(
                Statement(rights.SESSION)
            )
            writes = tuple(str(row[0]) for row in snapshot.rows(Statement(rights.WRITES)))
            owns = tuple(str(row[0]) for row in snapshot.rows(Statement(rights.OWNS)))
        found = Health(
            engine="postgresql",
            server=f"PostgreSQL {version}",
            role=str(role),
            encryption=f"{protocol} {cipher}" if encrypted else "",
            local=is_plaintext(self.credentials),
            superuser=bool(superuser),
            writes=writes,
            owns=owns,
            read_only=bool(read_only),
        )
        return replace(found, warnings=_warnings(found))

    def columns(self, table: TableName) -> Mapping[str, str]:
        """Return the declared type of each column that may be read, of a domain its base. Raises UnknownName."""
        schema = table.schema or self.schema
        with self.snapshot() as snapshot:
            found = snapshot.rows(Statement(rights.COLUMNS, (schema, table.name)))
            if not found:
                tables = snapshot.rows(Statement(rights.TABLES, (schema,)))
                raise UnknownName.of("table", str(table), [row[0] for row in tables], whole=f"schema {schema!r}")
        return {str(row[0]): str(row[1]) for row in found}

    @contextmanager
    def snapshot(self) -> Generator[PostgresSnapshot]:
        """Open one transaction on a connection of its own. Raises DatabaseRefused."""
        connection = connected(self.credentials)
        try:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            found = PostgresSnapshot(connection, self.limits)
            # The first statement takes the snapshot, so what is set is also what holds from now on.
            found.rows(self._settings())
            yield found
        finally:
            connection.close()

    def close(self) -> None:
        """Do nothing: each snapshot closes its connection."""

    def _settings(self) -> Statement:
        limits = {
            "statement_timeout": _milliseconds(self.limits.statement_seconds),
            "lock_timeout": _milliseconds(self.limits.lock_seconds),
            "idle_in_transaction_session_timeout": _milliseconds(self.limits.idle_seconds),
            "search_path": f"pg_catalog, {self.dialect.quoted(self.schema)}, pg_temp",
        }
        pairs = [*PINNED.items(), *limits.items()]
        calls = ", ".join("set_config(?, ?, false)" for _ in pairs)
        return Statement(f"SELECT {calls}", tuple(one for pair in pairs for one in pair))


def _warnings(health: Health) -> tuple[str, ...]:
    found: list[str] = []
    if health.superuser:
        found.append(f"the role {health.role!r} is a superuser")
    if health.writes:
        found.append(f"the role {health.role!r} could change: {listed(health.writes)}")
    if health.owns:
        found.append(f"the role {health.role!r} owns: {listed(health.owns)}")
    if not health.encryption:
        found.append("the connection is plaintext on the loopback")
    return tuple(found)


def open_database(credentials: Credentials) -> Postgres:
    """Open a PostgreSQL database whose server proves who it is and whose role can only read.

    Raises BadInput for credentials that lack something, DatabaseRefused for a server that is not proved, or a role that
    could do more than read unless ``allow_unsafe_role`` is set, which is logged.
    """
    credentials.check("postgresql", known=KNOWN, needed=NEEDED)
    seconds = credentials.get("statement_seconds", Limits().statement_seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 86_400:
        raise DatabaseRefused("credentials['statement_seconds'] is no number of seconds from 0 to 86400")
    limits = replace(Limits(), statement_seconds=float(seconds))
    allowed = credentials.flag("allow_unsafe_role")
    found = Postgres(credentials, credentials.text("schema", "public"), limits)
    health = found.health()
    for one in health.warnings:
        LOG.warning("%s", one)
    if not health.harmless and not allowed:
        raise DatabaseRefused(
            "; ".join(one for one in health.warnings if health.role in one),
            hint="use a role that can only read (gesalp's GRANT script makes one), or set allow_unsafe_role",
        )
    return found
