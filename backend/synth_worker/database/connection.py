"""Describe what every engine offers: columns, health, and one read-only snapshot that answers SELECTs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Protocol

import pyarrow as pa

from synth_worker.database.dialect import Dialect, quoted
from synth_worker.errors import BadInput

Value = str | int | float | bool | Decimal | date | datetime | time | None
"""What a parameter may be."""


@dataclass(frozen=True)
class TableName:
    """Name a table or view, in a schema or in the first one of the search path.

    Raises BadInput for a name that is empty, longer than 200 characters or holds a control character.

    >>> TableName.parse("clinic.patients").to_sql()
    '"clinic"."patients"'
    """

    schema: str | None
    name: str

    def __post_init__(self) -> None:
        for one in (self.name, *([] if self.schema is None else [self.schema])):
            if not 0 < len(one) <= 200 or not one.isprintable():
                raise BadInput(
                    f"{one[:40]!r} names no table", hint="give the name as the database lists it, without quotes"
                )

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read ``table`` or ``schema.table``; a name with a point in it must be built from its parts."""
        schema, point, name = text.partition(".")
        return cls(schema, name) if point else cls(None, text)

    def to_sql(self) -> str:
        """Return the name as SQL quotes it."""
        return quoted(self.name) if self.schema is None else f"{quoted(self.schema)}.{quoted(self.name)}"

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Statement:
    """Hold one SELECT and what stands for its question marks, in their order; question marks in quotes are text."""

    sql: str
    parameters: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Limits:
    """Bound what one snapshot may take: seconds of a statement, of waiting for a lock, of idling, rows of an answer."""

    statement_seconds: float = 600.0
    lock_seconds: float = 5.0
    idle_seconds: float = 600.0
    rows: int = 10_000_000


@dataclass(frozen=True)
class Health:
    """Say what a connection is: who serves it, how it is protected, and what its role could do.

    ``encryption`` is the protocol and cipher ("" for a file or plaintext); ``writes`` and ``owns`` name tables or
    rights, the first 20; ``role`` is "" where an engine has none. ``read_only``: writing is shut off for us here.
    """

    engine: str
    server: str
    role: str = ""
    encryption: str = ""
    local: bool = False
    superuser: bool = False
    writes: tuple[str, ...] = ()
    owns: tuple[str, ...] = ()
    read_only: bool = True
    warnings: tuple[str, ...] = field(default=())

    @property
    def harmless(self) -> bool:
        """Tell whether the role itself, whatever our session sets, can only read."""
        return not (self.superuser or self.writes or self.owns)


class Snapshot(Protocol):
    """Answer SELECTs from one read-only transaction: nothing that others do meanwhile is seen."""

    def rows(self, statement: Statement) -> list[tuple[object, ...]]:
        """Return all rows. Raises QueryFailed, which quotes no value."""
        ...

    def arrow(self, statement: Statement) -> pa.Table:
        """Return all rows as columns. Raises QueryFailed, which quotes no value."""
        ...


class Database(Protocol):
    """Be one database of one engine."""

    @property
    def dialect(self) -> Dialect:
        """Return how SQL is spelled here."""
        ...

    @property
    def name(self) -> str:
        """Return the database's name: the population behind it is ``db:<name>`` unless told otherwise."""
        ...

    @property
    def renamed(self) -> bool:
        """Tell whether the name is one that was given with the credentials, and not the database's own."""
        ...

    def health(self) -> Health:
        """Return what the connection is and what its role may do."""
        ...

    def columns(self, table: TableName) -> Mapping[str, str]:
        """Return the declared type of each column, in order. Raises UnknownName where absent or not readable."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open one read-only transaction in which nothing changes, with time limits."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...
