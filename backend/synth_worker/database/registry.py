"""Open a database by the name of its engine: one line here and one file beside it make another engine."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import cast

from synth_worker.database.connection import Database
from synth_worker.database.credentials import Credentials
from synth_worker.errors import DatabaseRefused, UnknownName

ENGINES: dict[str, str] = {
    "postgresql": "synth_worker.database.postgres",
    "duckdb": "synth_worker.database.duckdb_files",
    "sqlite": "synth_worker.database.sqlite",
    "mariadb": "synth_worker.database.mariadb",
}
"""The module of each engine: its ``open_database`` takes credentials. Loaded on use: drivers are optional parts."""

PARTS = {"psycopg": "database", "sqlglot": "database", "pymysql": "mariadb"}


def open_database(db_type: str, credentials: Mapping[str, object]) -> Database:
    """Open a database, proved as its engine can be proved.

    Raises UnknownName for an engine or a credential that does not exist, DatabaseRefused for one that is not safe.

    >>> open_database("oracle", {})
    Traceback (most recent call last):
    synth_worker.errors.UnknownName: unknown engine 'oracle' (known: postgresql, duckdb, sqlite, mariadb)
    """
    # The parameter is bound anew at once: a captured local would show the mapping that was given.
    credentials = Credentials(credentials)
    if db_type not in ENGINES:
        raise UnknownName.of("engine", db_type, ENGINES)
    try:
        module = importlib.import_module(ENGINES[db_type])
    except ModuleNotFoundError as error:
        if error.name not in PARTS:
            raise
        raise DatabaseRefused(
            f"{db_type} needs the package {error.name!r}, which is not installed",
            hint=f"pip install 'gesalp[{PARTS[error.name]}]'",
        ) from None
    return cast("Database", module.open_database(credentials))
