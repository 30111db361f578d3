"""Sample a database so that what comes back is private by proof: one request in, a data frame and its metadata out.

    audit -> refuse or choose the mode -> the same request as before? -> snapshot -> charge -> ask -> keep

The budget is charged before any row is counted and is never refunded; the answer is kept under the home folder, so
that the same request costs nothing and adds nothing to what is known, until it is made with ``fresh``.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Self

import pandas as pd

from synth_worker.database.audit import open_audit
from synth_worker.database.connection import Database, Snapshot
from synth_worker.database.credentials import Credentials
from synth_worker.database.ledgers import open_ledger
from synth_worker.database.registry import open_database
from synth_worker.database.source import DatabaseSource
from synth_worker.errors import GesalpError, TrainingFailed
from synth_worker.generators.dp_domain import is_public
from synth_worker.privacy.entries import Request
from synth_worker.privacy.ledger import Ledger
from synth_worker.privacy.noise import NoiseSource, opendp_noise
from synth_worker.privacy.opening import principal_of_process
from synth_worker.query.answers import keep, kept
from synth_worker.query.books import AuditTrail, Books, Event, about, open_own
from synth_worker.query.columns import frame_of, typed
from synth_worker.query.config import QueryConfig
from synth_worker.query.modes import Mode, Policy
from synth_worker.query.planning import Plan, plan_of
from synth_worker.query.randomising import part_of, randomise
from synth_worker.query.synthesising import synthesise
from synth_worker.query.telling import Answered, caller_of, tell
from synth_worker.settings import Settings

LOG = logging.getLogger(__name__)

ANY_ROWS = "whatever the rows are"
"""What an answer is kept for. Whether the rows have changed since is nothing that anybody may learn by asking again."""


def log_event(event: Event) -> None:
    """Pass what happened on to the log."""
    LOG.warning("%s", event.get("what", ""))


class SecureQuerySampler:
    """Answer requests to one database, of whose persons one budget is kept.

    ``population`` names these persons, "" for ``db:`` and the database's name; one that is not called by the database's
    own name the owner has opened before. ``ledger`` is where they are charged;
    None opens the one of the settings for each request. ``audit`` is told of every request before it is asked; None is
    the log of the settings, and where that cannot be written nothing is asked.
    ``noise`` is exact unless a test scripts it, and then nothing is released.
    """

    def __init__(
        self,
        database: Database,
        *,
        population: str = "",
        ledger: Ledger | None = None,
        settings: Settings | None = None,
        audit: AuditTrail | None = None,
        noise: NoiseSource | None = None,
        event: Callable[[Event], None] = log_event,
    ) -> None:
        self.population = population or f"db:{database.name}"
        self._database = database
        self._given_ledger = ledger
        self._settings = settings or Settings()
        self._audit = audit
        self._noise = noise
        self._event = event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def sample(self, config: QueryConfig) -> pd.DataFrame:
        """Return the answer alone. See ``sample_with_metadata``."""
        return self.sample_with_metadata(config)[0]

    def sample_with_metadata(
        self, config: QueryConfig, caller: Mapping[str, object] | None = None
    ) -> tuple[pd.DataFrame, dict[str, object]]:
        """Return the answer to a request and what it guarantees; ``caller`` is the caller's own note, kept beside it.

        Raises QueryRefused, BadInput, UnknownName before anything is charged, BudgetExceeded, LedgerUnusable instead,
        QueryFailed and TrainingFailed after: what was charged then is lost.
        """
        config = replace(config, principal=config.principal or principal_of_process())
        with self._ledger() as ledger:
            told = about(config, ledger, population=self.population, database=self._database.name)
            books = Books(ledger, self._trail(ledger), told)
            books.note({"event": "asked"})
            ended: Event = {"event": "broken off"}
            try:
                note = caller_of(caller)
                plan = plan_of(config, self._database, Policy.of(self._settings))
                frame, metadata = self._answer(plan, books)
                ended = {"event": "replayed" if metadata["replayed"] else "answered", "rows": len(frame)}
            except GesalpError as error:
                ended = {"event": "failed" if books.charged else "refused", "outcome": type(error).__name__}
                raise
            finally:
                books.note(ended)
        own = {"purpose": config.purpose, "principal": config.principal, "caller": note}
        return frame, {**note, **metadata, **own}

    def _answer(self, plan: Plan, books: Books) -> tuple[pd.DataFrame, dict[str, object]]:
        ledger = books.ledger
        opened = open_own(ledger, self.population, database=self._database, settings=self._settings, event=self._event)
        request = Request(self.population, plan.config.principal, plan.normal, ANY_ROWS)
        if plan.mode is not Mode.RAW and not plan.config.fresh:
            reference = ledger.answer(request)
            earlier = kept(reference) if reference else None
            if earlier is not None:
                ledger.spend(request, plan.cost)  # costs nothing: it is on record
                return typed(earlier[0], plan.declared), {**earlier[1], "replayed": True}
        with self._database.snapshot() as snapshot:
            receipt = books.charge(request, plan)
            pool = ledger.pools()[self.population]
            # Each charge draws anew: two answers that draw alike would show which rows changed in between.
            seed = f"raw {plan.config.table_name}" if receipt is None else f"draw {receipt.sequence} {receipt.mark}"
            own = plan.keyed(ledger.fingerprint(f"rows of {self.population} {seed}".encode()))
            frame, measured = self._ask(snapshot, own)
        answered = Answered(
            config=plan.config,
            mode=plan.mode,
            declared=plan.declared,
            learnt=plan.schema,
            filter_columns=plan.filter_columns,
            engine=self._database.dialect.name,
            database=self._database.name,
            principal=plan.config.principal,
            pool=pool,
            charged=plan.cost,
            opened=opened,
            rows=len(frame),
            parts=plan.parts,
            unit_set_by=plan.unit_set_by,
            measured=measured,
        )
        metadata = tell(answered)
        if receipt is not None:
            ledger.settle(receipt, reference=keep(self._settings.folder, frame, metadata))
        return frame, metadata

    def _ask(self, snapshot: Snapshot, plan: Plan) -> tuple[pd.DataFrame, tuple[tuple[str, float], ...]]:
        config, selection = plan.config, plan.selection
        if plan.mode is Mode.SYNTHESIS:
            searched = tuple(one.name for one in plan.schema if not one.continuous and not is_public(one))
            source = DatabaseSource(snapshot, selection, searched)
            made = synthesise(source, config, plan.schema, noise=self._noise)
            return frame_of(made.table, plan.declared), made.measured
        exact = {name: kind for name, kind in plan.declared.items() if name not in plan.schema}
        if plan.mode is Mode.RAW:
            values = {f"v{at}": selection.raw(name) for at, name in enumerate(exact)}
            found = snapshot.arrow(selection.statement(", ".join(values), values, ordered=True, limit=config.limit))
            return typed(found.rename_columns(list(exact)).to_pandas(integer_object_nulls=True), plan.declared), ()
        noise = self._noise or opendp_noise()
        if not noise.private:
            raise TrainingFailed("the noise was scripted: such an answer gives no guarantee and is not released")
        frame = randomise(
            snapshot,
            selection,
            plan.schema,
            exact=exact,
            each=part_of(float(config.dp_epsilon or 0), parts=plan.parts),
            limit=config.limit,
            noise=noise,
        )
        return typed(frame[list(plan.declared)], plan.declared), ()

    def _trail(self, ledger: Ledger) -> AuditTrail:
        if self._audit is None:
            self._audit = open_audit(self._settings, ledger)
        return self._audit

    @contextlib.contextmanager
    def _ledger(self) -> Generator[Ledger]:
        if self._given_ledger is not None:
            yield self._given_ledger
            return
        with open_ledger(self._settings, create=True) as ledger:
            yield ledger


def create_hospital_sampler(
    *,
    db_type: str,
    credentials: Mapping[str, object],
    population: str = "",
    ledger: Ledger | None = None,
    settings: Settings | None = None,
    audit: AuditTrail | None = None,
) -> SecureQuerySampler:
    """Open a database and return what samples it. See ``SecureQuerySampler``.

    Raises UnknownName for an engine that does not exist, DatabaseRefused for a database that is not proved safe.
    """
    # Bound anew at once: a traceback that shows locals would show the mapping that was given.
    credentials = Credentials(credentials)
    database = open_database(db_type, credentials)
    return SecureQuerySampler(database, population=population, ledger=ledger, settings=settings, audit=audit)


__all__ = ["AuditTrail", "QueryConfig", "SecureQuerySampler", "create_hospital_sampler"]
