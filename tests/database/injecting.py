"""Send attacks through the public door of each engine and judge what arrived behind it."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa

from synth_worker.database.connection import Database, Health, Snapshot, Statement, TableName
from synth_worker.database.dialect import Dialect
from synth_worker.database.registry import open_database
from synth_worker.errors import GesalpError, QueryFailed
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.query.config import QueryConfig
from synth_worker.secure_query import SecureQuerySampler
from synth_worker.settings import Settings
from tests.database.attacks import CANARY, COLUMNS, TABLE, Attack, attack
from tests.database.made import Trail
from tests.database.server import Server
from tests.database.watching_statements import is_ours, logged_statements, wrong_with

DEFINITION = ", ".join(f"{name} {declared}" for name, declared in COLUMNS.items())
ROWS = [
    (1, "a", "2020-01-01", "2020-01-01 10:00:00", 70.5, True),
    (2, "F", "1999-12-31", "2021-05-05 00:00:00", -1.0, False),
    (3, "it's", None, None, None, None),
    (50, "", "2023-06-01", "2023-01-01 00:00:00", 1e3, True),
]


@dataclass(eq=False)
class Watched:
    """Be a database whose statements are written down; one snapshot serves many requests, so that they are quick."""

    inner: Database
    statements: list[str] = field(default_factory=list)
    _known: Mapping[str, str] | None = None
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _snapshot: Snapshot | None = None

    @property
    def dialect(self) -> Dialect:
        """Return the engine's own."""
        return self.inner.dialect

    @property
    def name(self) -> str:
        """Return the engine's own."""
        return self.inner.name

    @property
    def renamed(self) -> bool:
        """Return the engine's own."""
        return self.inner.renamed

    def health(self) -> Health:
        """Return the engine's own."""
        return self.inner.health()

    def columns(self, table: TableName) -> Mapping[str, str]:
        """Return the engine's own, asked once for the table that is there."""
        if table == TableName(None, TABLE):
            self._known = self._known or self.inner.columns(table)
            return self._known
        return self.inner.columns(table)

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        """Give the snapshot that is open; a failure ends it."""
        if self._snapshot is None:
            self._snapshot = self._open.enter_context(self.inner.snapshot())
        try:
            yield cast("Snapshot", self)
        except QueryFailed:
            self.close()
            raise

    def rows(self, statement: Statement) -> list[tuple[object, ...]]:
        """Write the statement down and ask."""
        self.statements.append(statement.sql)
        return cast("Snapshot", self._snapshot).rows(statement)

    def arrow(self, statement: Statement) -> pa.Table:
        """Write the statement down and ask."""
        self.statements.append(statement.sql)
        return cast("Snapshot", self._snapshot).arrow(statement)

    def close(self) -> None:
        """End the snapshot."""
        self._open.close()
        self._snapshot = None


@dataclass(frozen=True)
class Found:
    """Hold what became of the attacks; ``wrong`` must be empty."""

    outcomes: Counter[str]
    statements: int
    wrong: tuple[str, ...]

    @property
    def answered(self) -> int:
        """Return how many were harmless and answered."""
        return self.outcomes["answered"]


def sent(database: Watched, home: Path, *, count: int, seed: int, first: int = 0) -> Found:
    """Send so many attacks as requests for raw rows: the mode in which the most of a request reaches the database.

    ``first`` numbers the attacks: the known ones have the lowest numbers.
    """
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    settings = Settings(home=home, query_allow_raw=True)
    ledger = FileLedger(home, create=True)
    sampler = SecureQuerySampler(database, settings=settings, event=lambda _: None, ledger=ledger, audit=Trail())
    for place in range(count):
        one = attack(rng, first + place)
        before = len(database.statements)
        try:
            frame = sampler.sample(
                QueryConfig(
                    one.table,
                    one.columns,
                    one.where,
                    one.limit,
                    mode="raw",
                    purpose="test",
                    principal="tester",  # type: ignore[arg-type]
                )
            )
            outcomes["answered"] += 1
            wrong += _wrong_answer(one, list(frame.columns), str(frame.to_dict("list")), len(frame))
        except GesalpError as error:
            outcomes[type(error).__name__] += 1
            if isinstance(error, QueryFailed):
                wrong.append(f"reached the database and failed there: {one}")
            if CANARY in str(error):
                wrong.append(f"the canary is in a message: {one}")
        wrong += [f"{what} of {one}" for sql in database.statements[before:] if (what := wrong_with(sql))]
    database.close()
    ledger.close()
    return Found(outcomes, len(database.statements), tuple(wrong))


def _wrong_answer(one: Attack, columns: list[str], text: str, rows: int) -> list[str]:
    found: list[str] = []
    if columns != list(one.columns) or not set(columns) <= set(COLUMNS):
        found.append(f"other columns than were asked for: {one}")
    if CANARY in text or rows > len(ROWS):
        found.append(f"rows of elsewhere: {one}")
    return found


def wrong_in_log(server: Server, since: int, *, more: frozenset[str] = frozenset()) -> tuple[int, list[str]]:
    """Return how many statements the server logged since then, and what is wrong with them."""
    every = list(logged_statements(server.logged()[since:]))
    return len(every), [
        f"{what}: {sql[:200]}" for sql in every if not is_ours(sql) and (what := wrong_with(sql, more=more))
    ]


def _filled(con: duckdb.DuckDBPyConnection | sqlite3.Connection) -> None:
    con.execute(f"CREATE TABLE {TABLE} ({DEFINITION})")
    con.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?)", ROWS)
    con.execute("CREATE TABLE secret (told text)")
    con.execute("INSERT INTO secret VALUES (?)", [CANARY])


def duck(folder: Path) -> Watched:
    """Make a DuckDB file with a secret table beside the one that is asked for."""
    with duckdb.connect(str(folder / "injected.duckdb")) as con:
        _filled(con)
    return Watched(open_database("duckdb", {"path": str(folder / "injected.duckdb")}))


def sqlite(folder: Path) -> Watched:
    """Make an SQLite file with a secret table beside the one that is asked for."""
    with contextlib.closing(sqlite3.connect(folder / "injected.sqlite", isolation_level=None)) as con:
        _filled(con)
    return Watched(open_database("sqlite", {"path": str(folder / "injected.sqlite")}))


@contextmanager
def postgres(server: Server) -> Iterator[Watched]:
    """Fill a server, whose role may read the secret table too: nothing but we keeps a request from it."""
    values = ", ".join(
        "(" + ", ".join("NULL" if one is None else "'" + str(one).replace("'", "''") + "'" for one in row) + ")"
        for row in ROWS
    )
    server.run("DROP DATABASE IF EXISTS injected WITH (FORCE)", database="postgres")
    server.run("CREATE DATABASE injected", database="postgres")
    server.run(
        f"CREATE TABLE {TABLE} ({DEFINITION})",
        f"INSERT INTO {TABLE} VALUES {values}",
        "CREATE TABLE secret (told text)",
        f"INSERT INTO secret VALUES ('{CANARY}')",
        f"GRANT SELECT ON {TABLE}, secret TO reader",
        database="injected",
    )
    database = Watched(open_database("postgresql", server.credentials(database="injected")))
    try:
        yield database
    finally:
        # A snapshot that a failure left open would keep the tables from being dropped for ever.
        database.close()
        server.run("DROP DATABASE injected WITH (FORCE)", database="postgres")
