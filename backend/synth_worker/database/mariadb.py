"""Read from MariaDB over TLS that verifies the server: the proof that another engine is a dialect and a connection."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, cast

import pymysql
from pymysql.connections import Connection

from synth_worker.database.asking import as_columns, asked, check_rows
from synth_worker.database.connection import Health, Limits, Statement, TableName, Value
from synth_worker.database.dialect import LONGEST_NUMBER, NUMBER, PLACED, Dialect, Family, family_of, placed
from synth_worker.errors import DatabaseRefused, UnknownName, listed

if TYPE_CHECKING:
    import pyarrow as pa

    from synth_worker.database.credentials import Credentials

NEEDED = ("host", "database", "user")
KNOWN = ("port", "password", "sslrootcert", "allow_unsafe_role")
CONNECT_SECONDS = 10
CONNECT = cast("Callable[..., Connection]", pymysql.connect)

MODES = "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES"
"""Names and texts quoted as in the standard, ``||`` joins, a backslash is a backslash."""

SELECT = re.compile(r"(SELECT|WITH)\b", re.IGNORECASE)
INTO = re.compile(r"\bINTO\b", re.IGNORECASE)

HARMLESS = frozenset({"USAGE", "SELECT", "SHOW VIEW"})


def _text(value: str, declared: str) -> str:
    match family_of(declared):
        case Family.BOOLEAN:
            plain = f"CASE WHEN {value} THEN 'true' WHEN NOT {value} THEN 'false' END"
        case Family.REAL:
            whole = f"abs({value}) < 1e18 AND {value} = truncate({value}, 0)"
            plain = f"CASE WHEN {whole} THEN CAST(CAST({value} AS SIGNED) AS CHAR) ELSE CAST({value} AS CHAR) END"
        case Family.TIMESTAMP:
            plain = f"trim(TRAILING '.' FROM trim(TRAILING '0' FROM date_format({value}, '%Y-%m-%d %H:%i:%s.%f')))"
        case _:
            plain = f"CAST({value} AS CHAR)"
    # This collation compares byte by byte and pads nothing.
    return f"(CONVERT({plain} USING utf8mb4) COLLATE utf8mb4_nopad_bin)"


def _number(value: str, declared: str) -> str:
    match family_of(declared):
        case Family.REAL | Family.WHOLE | Family.EXACT | Family.BOOLEAN:
            return f"CAST({value} AS DOUBLE)"
        case Family.DATE | Family.TIMESTAMP:
            return f"(timestampdiff(MICROSECOND, '1970-01-01', {value}) / 1000000e0)"
        case Family.TIME:
            return f"(time_to_sec({value}) + microsecond({value}) / 1000000e0)"
        case _:
            text = _text(value, "text")
            number = f"char_length({text}) <= {LONGEST_NUMBER} AND {text} REGEXP '^({NUMBER})$'"
            return f"CASE WHEN {number} THEN CAST({text} AS DOUBLE) END"


def _comparable(value: str, declared: str) -> str:
    match family_of(declared):
        case Family.TEXT | Family.OTHER:
            return _text(value, declared)
        case _:
            return value


def _hashed(text: str, key: str) -> str:
    return f"(CONVERT(sha2(concat({key}, '|', {text}), 256) USING utf8mb4) COLLATE utf8mb4_nopad_bin)"


def _uniform(text: str, key: str) -> str:
    return f"(CAST(conv(left({_hashed(text, key)}, 13), 16, 10) AS DOUBLE) / 4503599627370496e0)"


DIALECT = Dialect("mysql", False, _text, _number, _comparable, _hashed, _uniform)  # noqa: FBT003 - named in the class


def _bound(value: Value) -> object:
    return str(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True, eq=False)
class MariadbSnapshot:
    """Answer from one read-only transaction with a consistent snapshot."""

    connection: Connection = field(repr=False)
    limits: Limits = field(default_factory=Limits)

    def rows(self, statement: Statement) -> list[tuple[object, ...]]:
        """Return all rows. Raises QueryFailed."""
        return self._answered(statement)[1]

    def arrow(self, statement: Statement) -> pa.Table:
        """Return all rows as columns. Raises QueryFailed."""
        return as_columns(*self._answered(statement))

    def _answered(self, statement: Statement) -> tuple[list[str], list[tuple[object, ...]]]:
        names, found = asked(lambda: self._answer(statement), failures=(pymysql.Error,))
        check_rows(len(found), most=self.limits.rows)
        return names, found

    def _answer(self, statement: Statement) -> tuple[list[str], list[tuple[object, ...]]]:
        with self.connection.cursor() as cursor:
            text = placed(statement.sql.strip().replace("%", "%%"), lambda _: "%s")
            # A role with the right FILE could write one even in a read-only transaction.
            if not SELECT.match(text) or INTO.search(PLACED.sub("''", text)):
                raise pymysql.ProgrammingError("not one SELECT")
            cursor.execute(text, [_bound(one) for one in statement.parameters])
            names = [str(one[0]) for one in cursor.description]
            return names, cast("list[tuple[object, ...]]", list(cursor.fetchmany(self.limits.rows + 1)))


@dataclass(frozen=True, eq=False)
class Mariadb:
    """Be one MariaDB database; each snapshot has a connection of its own."""

    credentials: Credentials
    limits: Limits = field(default_factory=Limits)
    dialect: Dialect = DIALECT
    renamed: bool = False

    @property
    def name(self) -> str:
        """Return the database's name."""
        return self.credentials.text("database")

    def health(self) -> Health:
        """Return the version, the cipher, and the rights that are more than reading."""
        with self.snapshot() as snapshot:
            [(version, role)] = snapshot.rows(Statement("SELECT version(), current_user()"))
            [(cipher,)] = snapshot.rows(
                Statement(
                    "SELECT max(CASE WHEN variable_name = 'SSL_CIPHER' THEN variable_value END) "
                    "FROM information_schema.session_status"
                )
            )
            rights = snapshot.rows(
                Statement(
                    "SELECT privilege_type FROM information_schema.user_privileges UNION "
                    "SELECT concat(privilege_type, ' on ', table_schema) FROM information_schema.schema_privileges "
                    "WHERE privilege_type NOT IN ('SELECT', 'SHOW VIEW') UNION "
                    "SELECT concat(privilege_type, ' on ', table_schema, '.', table_name) "
                    "FROM information_schema.table_privileges WHERE privilege_type NOT IN ('SELECT', 'SHOW VIEW')"
                )
            )
        writes = tuple(str(row[0]) for row in rights if row[0] not in HARMLESS)
        warnings = (f"the role {role!r} could change: {listed(writes)}",) if writes else ()
        return Health(
            "mariadb", str(version), role=str(role), encryption=str(cipher or ""), superuser="SUPER" in writes,
            writes=writes[:20], warnings=warnings,
        )  # fmt: skip

    def columns(self, table: TableName) -> Mapping[str, str]:
        """Return the declared type of each column that may be read. Raises UnknownName.

        A schema is a database here, whose persons have a budget of their own: no other than this one is read.
        """
        schema = table.schema or self.name
        if schema != self.name:
            raise UnknownName.of("schema", schema, (self.name,))
        with self.snapshot() as snapshot:
            found = snapshot.rows(
                Statement(
                    "SELECT column_name, column_type FROM information_schema.columns WHERE table_schema = ? AND "
                    "BINARY table_name = ? AND table_schema NOT IN ('mysql', 'information_schema', 'sys', "
                    "'performance_schema') AND find_in_set('select', privileges) ORDER BY ordinal_position",
                    (schema, table.name),
                )
            )
            if not found:
                tables = snapshot.rows(
                    Statement("SELECT table_name FROM information_schema.tables WHERE table_schema = ?", (schema,))
                )
                raise UnknownName.of("table", str(table), [row[0] for row in tables])
        return {str(row[0]): str(row[1]) for row in found}

    @contextmanager
    def snapshot(self) -> Generator[MariadbSnapshot]:
        """Open one read-only transaction on a connection of its own. Raises DatabaseRefused."""
        connection = self._connected()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION sql_mode = %s, SESSION time_zone = '+00:00'", [MODES])
                cursor.execute("SET SESSION max_statement_time = %s", [self.limits.statement_seconds])
                cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [max(1, int(self.limits.lock_seconds))])
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            yield MariadbSnapshot(connection, self.limits)
        finally:
            connection.close()

    def close(self) -> None:
        """Do nothing: each snapshot closes its connection."""

    def _connected(self) -> Connection:
        authorities = self.credentials.text("sslrootcert") or None
        host, port = self.credentials.text("host"), int(self.credentials.text("port", "3306"))
        try:
            context = ssl.create_default_context(cafile=authorities)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            return CONNECT(
                host=host, port=port, database=self.name, user=self.credentials.text("user"), ssl=context,
                charset="utf8mb4", connect_timeout=CONNECT_SECONDS, local_infile=False, **_secret(self.credentials),
            )  # fmt: skip
        except ssl.SSLError:
            reason = "the server's certificate is not valid, or TLS failed"
        except OSError as error:
            reason = f"it cannot be reached ({type(error).__name__})"
        except pymysql.Error as error:
            words = str(error)
            reason = "TLS was refused or failed" if "SSL" in words or "certificate" in words else "it let nobody in"
        raise DatabaseRefused(
            f"{host}:{port}: {reason}", hint="only verified TLS is used; check host, CA, user, password"
        )


def _secret(credentials: Credentials) -> dict[str, bytes]:
    """Return the password as the server reads it: PyMySQL's failure at a letter beyond Latin-1 shows it."""
    return {"password": str(credentials["password"]).encode()} if credentials.get("password") else {}


def open_database(credentials: Credentials) -> Mariadb:
    """Open a MariaDB database whose server proves who it is and whose role can only read.

    Raises BadInput for credentials that lack something, DatabaseRefused for a server that is not proved, or a role that
    could do more than read unless ``allow_unsafe_role`` is set.
    """
    credentials.check("mariadb", known=KNOWN, needed=NEEDED)
    allowed = credentials.flag("allow_unsafe_role")
    found = Mariadb(credentials)
    with found.snapshot() as snapshot:
        [(name,)] = snapshot.rows(Statement("SELECT database()"))
    if name != found.name:
        # Where letter case is looked past, each spelling would open a budget of its own.
        raise DatabaseRefused(f"the database {found.name!r} is called {name!r}", hint="name it as the server does")
    health = found.health()
    if not health.harmless and not allowed:
        raise DatabaseRefused(
            "; ".join(health.warnings), hint="use a role that can only read, or set allow_unsafe_role"
        )
    return found
