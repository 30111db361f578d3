"""Read where a database is from a url: ``postgresql://user@host:port/database?sslrootcert=ca.pem``, ``duckdb:path``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from synth_worker.errors import BadInput, UnknownName

SERVERS: Mapping[str, str] = {"postgresql": "postgresql", "postgres": "postgresql", "mariadb": "mariadb"}
FILES = ("duckdb", "sqlite")
SWITCHES = ("allow_unsafe_role", "plaintext_on_loopback")
OTHERS = ("sslrootcert", "sslcert", "sslkey", "schema", "statement_seconds", *SWITCHES)
PASSWORDS: Mapping[str, str] = {"mariadb": "MYSQL_PWD"}
"""Where an engine's password comes from, if not from its own client's places: PGPASSWORD and ~/.pgpass are libpq's."""


@dataclass(frozen=True)
class Located:
    """Hold the engine of a database and what opens it; shown, it names the engine alone."""

    db_type: str
    credentials: Mapping[str, object] = field(repr=False)

    @property
    def name(self) -> str:
        """Return the database's name."""
        path = self.credentials.get("path")
        return Path(str(path)).stem if path is not None else str(self.credentials.get("database", ""))


def located(text: str) -> Located | None:
    """Return the database that a url names; None for the path of a file. Raises BadInput, UnknownName.

    >>> found = located("postgresql://reader@db.example.org/patient_data?sslrootcert=ca.pem")
    >>> found.db_type, found.credentials["user"], found.name
    ('postgresql', 'reader', 'patient_data')
    >>> located("duckdb:patient_data").credentials, located("patients.csv")
    ({'path': 'patient_data'}, None)
    """
    scheme, colon, rest = text.partition(":")
    if not colon or len(scheme) < 2 or not scheme.isalpha() or Path(text).exists():
        return None
    if scheme in FILES:
        path = rest.removeprefix("//")
        if not path:
            raise BadInput(f"{text} names no file", hint=f"as in {scheme}:patient_data")
        return Located(scheme, {"path": path})
    if scheme not in SERVERS:
        raise UnknownName.of("kind of database", scheme, (*SERVERS, *FILES))
    return _server(text, SERVERS[scheme])


def place_of(place: Located | None, *, table: str | None, epsilon: float | None = 1.0) -> Located | None:
    """Return a database that can be used as one table; None for a file. Raises BadInput for what does not fit."""
    if place is None:
        if table is not None:
            raise BadInput(
                f"--table is {table!r}, and TABLE is a file", hint="name a database, as in duckdb:path, to use --table"
            )
        return None
    if table is None:
        raise BadInput(f"{place.db_type} holds tables, and --table names none", hint="add --table NAME")
    if epsilon is None:
        raise BadInput(
            "a database is read under an epsilon only: rows never leave it",
            hint="add --epsilon 1 (smaller is more private); it is charged to a budget, see gesalp ledger show",
        )
    return place


def _server(text: str, db_type: str) -> Located:
    parts = urlsplit(text)
    if parts.password is not None:
        raise BadInput(
            "the url holds a password, which a list of processes and a shell's history show",
            hint="leave it out: PGPASSWORD, ~/.pgpass or the variable that a query file names is read",
        )
    try:
        port = parts.port
    except ValueError:
        raise BadInput("the port of the url is no number", hint="as in postgresql://user@host:5432/database") from None
    database = unquote(parts.path.removeprefix("/"))
    if not parts.hostname or not database or "/" in database:
        raise BadInput("the url names no host or no database", hint="as in postgresql://user@host/database")
    given: dict[str, object] = {"host": parts.hostname, "database": database}
    if parts.username:
        given["user"] = unquote(parts.username)
    if port is not None:
        given["port"] = port
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in OTHERS:
            raise UnknownName.of("option of a database's url", name, OTHERS)
        given[name] = option_of(name, value)
    return Located(db_type, {**given, **password_of(db_type)})


def option_of(name: str, value: str) -> object:
    """Return the value of a url's option: a switch, a number of seconds, or text. Raises BadInput."""
    if name in SWITCHES:
        if value not in ("true", "false", "1", "0"):
            raise BadInput(f"{name} is {value!r} in the url", hint="true or false")
        return value in ("true", "1")
    if name == "statement_seconds":
        try:
            return float(value)
        except ValueError:
            raise BadInput(f"{name} is {value!r} in the url; it is a number of seconds") from None
    return value


def password_of(db_type: str, *, variable: str = "") -> dict[str, object]:
    """Return the password that a named variable of the environment holds, else that of the engine's own; may be none.

    Raises BadInput for a variable that was named and is not set.
    """
    if variable:
        if not os.environ.get(variable):
            raise BadInput(f"the variable {variable} is to hold the password, and is not set", hint="export it first")
        return {"password": os.environ[variable]}
    own = os.environ.get(PASSWORDS.get(db_type, ""), "")
    return {"password": own} if own else {}
