"""Run a private job straight from a table of a database: noised counts come out of it, the report and card as ever.

audit -> plan -> snapshot -> the same request of the same data? -> charge -> count -> stage whole -> release
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from synth_worker.database.audit import open_audit
from synth_worker.database.connection import Database, Snapshot, TableName
from synth_worker.database.ledgers import open_ledger
from synth_worker.database.source import DatabaseSource
from synth_worker.errors import BadInput, GesalpError
from synth_worker.generators.dp_domain import is_public
from synth_worker.loop_dp import Counted
from synth_worker.privacy.entries import Receipt
from synth_worker.privacy.ledger import Ledger
from synth_worker.private_run import PrivateAsk
from synth_worker.private_synthesis import Released, synthesize_private
from synth_worker.process import silent
from synth_worker.query.books import Books, Event, about, open_own
from synth_worker.query.columns import schema_of
from synth_worker.query.config import QueryConfig
from synth_worker.query.modes import Policy
from synth_worker.query.planning import Plan, plan_of
from synth_worker.query.units import unit_of
from synth_worker.schema import Schema
from synth_worker.settings import Settings


@dataclass(frozen=True, eq=False)
class DatabaseTable:
    """Be a table of a database within one snapshot, as a private job learns from it. See ``PrivateSource``."""

    snapshot: Snapshot
    plan: Plan
    ledger: Ledger
    fresh: str = ""
    suffix: str = ".csv"

    def named(self, ledger: Ledger) -> str:
        """Return the keyed name of what is asked about: whether its rows have changed since is not for us to tell."""
        return ledger.fingerprint(f"table {self.plan.normal}{self.fresh}".encode())

    def counted(self, schema: Schema, receipt: Receipt) -> Counted:
        """Return counts of the columns that are modelled, of rows that each charge draws anew."""
        searched = tuple(one.name for one in schema if not one.continuous and not is_public(one))
        seed = f"run {receipt.sequence} {receipt.mark}"
        own = self.plan.keyed(self.ledger.fingerprint(f"rows of {self.plan.config.table_name} {seed}".encode()))
        return Counted(DatabaseSource(self.snapshot, own.selection, searched), schema)


def declared_schema(database: Database, table: str, *, unit: str = "") -> Schema:
    """Return what the declared types of a table say of its columns, ``unit`` left out; no row is looked at.

    Raises UnknownName for a table that there is none of.
    """
    columns = database.columns(TableName.parse(table))
    return schema_of(QueryConfig(table, [name for name in columns if name != unit]), columns)


def synthesize_database(
    database: Database,
    table: str,
    ask: PrivateAsk,
    *,
    schema: Schema | None = None,
    out: Path,
    fresh: bool = False,
    ledger: Ledger | None = None,
    settings: Settings | None = None,
    threads: int = 1,
    event: Callable[[Event], None] = silent,
    cancelled: Callable[[], bool] = lambda: False,
) -> Released:
    """Make a table under differential privacy from one in a database, and release it into ``out``.

    ``schema`` says what is public of the columns; None takes kinds from the declared types, which are public, and has
    bounds and categories estimated. What was answered before is handed out again, whatever became of the rows, unless
    ``fresh`` has it charged anew. ``ask.population`` is charged, "" is ``db:`` and the database's name. Every request
    has its lines in the audit log. Raises as ``synthesize_private`` does, and QueryRefused, QueryFailed, AuditUnusable.
    """
    where = settings or Settings()
    ask = replace(ask, population=ask.population or f"db:{database.name}")
    ask = replace(ask, privacy_unit=unit_of(table, ask.privacy_unit, Policy.of(where).privacy_units))
    with contextlib.ExitStack() as held:
        own = ledger or held.enter_context(open_ledger(where, create=True))
        given = _modelled(schema or declared_schema(database, table, unit=ask.privacy_unit), unit=ask.privacy_unit)
        config = _config(table, ask, given)
        told = about(config, own, population=ask.population, database=database.name)
        books = Books(own, open_audit(where, own), {**told, "method": ask.method})
        with _kept(books) as ended:
            plan = plan_of(config, database, Policy.of(where))
            open_own(own, ask.population, database=database, settings=where, event=event)
            with database.snapshot() as snapshot:
                done = synthesize_private(
                    DatabaseTable(snapshot, plan, own, secrets.token_hex(16) if fresh else ""),
                    ask,
                    schema=given,
                    out=out,
                    ledger=own,
                    threads=threads,
                    event=event,
                    cancelled=cancelled,
                    charged=books.paid,
                )
            ended.update({"event": "replayed" if done.replayed else "answered", "rows": _rows(done.card)})
    return done


@contextlib.contextmanager
def _kept(books: Books) -> Generator[dict[str, object]]:
    """Write down that a request is made, and how it ended, whatever happens."""
    books.note({"event": "asked"})
    ended: dict[str, object] = {"event": "broken off"}
    try:
        yield ended
    except GesalpError as error:
        ended.update({"event": "failed" if books.charged else "refused", "outcome": type(error).__name__})
        raise
    finally:
        books.note(ended)


def _rows(card: Mapping[str, object]) -> object:
    table = card.get("table")
    return table.get("rows") if isinstance(table, Mapping) else None


def _modelled(schema: Schema, *, unit: str) -> Schema:
    if schema.constraints:
        raise BadInput(
            "the schema states constraints, and a private method does not keep them",
            hint="take them out of the schema",
        )
    return Schema(tuple(column for column in schema if column.modelled and column.name != unit))


def _config(table: str, ask: PrivateAsk, schema: Schema) -> QueryConfig:
    return QueryConfig(
        table,
        [column.name for column in schema],
        dp_epsilon=ask.epsilon,
        delta=ask.delta,
        privacy_unit=ask.privacy_unit or None,
        max_rows_per_unit=ask.max_rows_per_unit,
        limit=ask.rows,
        principal=ask.principal,
        where_clause=ask.where_clause or None,
        mode="synthesis",
    )
