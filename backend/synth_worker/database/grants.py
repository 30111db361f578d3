"""Write the script by which an administrator makes a role that can read what it was given, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from synth_worker.database.connection import TableName
from synth_worker.database.dialect import literal, quoted
from synth_worker.errors import BadInput

MOST_CONNECTIONS = 20


def grant_script(role: str, tables: Mapping[TableName, Sequence[str]], *, database: str) -> str:
    """Return SQL for psql: a role without any right but SELECT on the tables, or on the columns that are listed.

    It holds no password. Raises BadInput without a table, or for a name that is none.

    >>> script = grant_script("gesalp_reader", {TableName("public", "patients"): ["age", "sex"]}, database="clinic")
    >>> [line for line in script.splitlines() if line.startswith("GRANT SELECT")]
    ['GRANT SELECT ("age", "sex") ON "public"."patients" TO "gesalp_reader";']
    """
    if not tables:
        raise BadInput("no table was named", hint="name each table that the role may read")
    for name in (role, database, *(column for columns in tables.values() for column in columns)):
        if not 0 < len(name) <= 63 or not name.isprintable():
            raise BadInput(f"{name[:40]!r} is no name in PostgreSQL", hint="from 1 to 63 printable characters")
    who = quoted(role)
    schemas = list(dict.fromkeys(table.schema or "public" for table in tables))
    settings = {
        "default_transaction_read_only": "on",
        "default_transaction_isolation": "repeatable read",
        "statement_timeout": "15min",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "15min",
        "search_path": "pg_catalog",
    }
    lines = [
        "-- Run as an administrator, with psql, in the database that is read.",
        "\\set ON_ERROR_STOP on",
        "BEGIN;",
        f"CREATE ROLE {who} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS "
        f"CONNECTION LIMIT {MOST_CONNECTIONS};",
        *(f"ALTER ROLE {who} SET {name} = {literal(value)};" for name, value in settings.items()),
        f"GRANT CONNECT ON DATABASE {quoted(database)} TO {who};",
        "-- Before PostgreSQL 15 everybody may create tables in public; a role that may is refused.",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        *(f"GRANT USAGE ON SCHEMA {quoted(one)} TO {who};" for one in schemas),
        *(_select(table, columns, who) for table, columns in tables.items()),
        "COMMIT;",
        "-- Then give it a password, which psql sends as a proof only:",
        f"-- \\password {who}",
        "-- and let it in over TLS alone, by a line of pg_hba.conf:",
        f"-- hostssl {quoted(database)} {who} <address of this client>/32 scram-sha-256",
    ]
    return "\n".join(lines) + "\n"


def _select(table: TableName, columns: Sequence[str], who: str) -> str:
    own = f" ({', '.join(quoted(one) for one in columns)})" if columns else ""
    return f"GRANT SELECT{own} ON {TableName(table.schema or 'public', table.name).to_sql()} TO {who};"
