"""Keep the books of one request: what the trail may know of it, what it is charged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from synth_worker.database.audit import charge_of
from synth_worker.database.connection import Database
from synth_worker.errors import BudgetExceeded, UnknownName
from synth_worker.privacy.entries import Pool, Receipt, Request
from synth_worker.privacy.ledger import Ledger
from synth_worker.privacy.opening import open_by_policy
from synth_worker.private_run import EPSILONS
from synth_worker.query.config import QueryConfig
from synth_worker.query.modes import Mode
from synth_worker.query.planning import Plan
from synth_worker.query.telling import unbounded_words
from synth_worker.settings import Settings

Event = Mapping[str, object]


class AuditTrail(Protocol):
    """Keep what was asked, refusals included, before it is done."""

    def record(self, event: Event) -> None:
        """Write an event down; where it cannot be, nothing is asked."""
        ...


def open_own(
    ledger: Ledger, population: str, *, database: Database, settings: Settings, event: Callable[[Event], None]
) -> bool:
    """Open a database's own population by the policy; tell whether it was opened now.

    Only that one opens by itself: else each name that is thought up would be a new budget. Raises UnknownName for
    another that its owner has not opened.
    """
    own_name = population == f"db:{database.name}" and not database.renamed
    opened = own_name and open_by_policy(ledger, population, settings=settings, event=event)
    if population not in ledger.pools():
        raise UnknownName(
            f"the population {population!r} is not open, and is not called as the database is",
            hint=f"its owner opens it: gesalp ledger open {population} --epsilon 3 --delta 1e-6",
        )
    return opened


@dataclass(eq=False)
class Books:
    """Hold where one request is charged and where it is kept that it was made; ``about`` is what the trail may know."""

    ledger: Ledger
    trail: AuditTrail
    about: Event
    charged: bool = False

    def note(self, event: Event) -> None:
        """Write an event of this request down."""
        self.trail.record({**event, **self.about})

    def charge(self, request: Request, plan: Plan) -> Receipt | None:
        """Charge a request, and note what goes out without bound; return the receipt that waits for its answer.

        Raises BudgetExceeded, LedgerUnusable. When this returns, no row has been counted yet.
        """
        receipt = None
        if plan.mode is not Mode.RAW:
            try:
                receipt = self.ledger.spend(request, plan.cost, again=True)
            except BudgetExceeded as error:
                pool = self.ledger.pools()[request.population]
                raise BudgetExceeded(error.message, hint=f"{error.hint}{_way_out(plan, pool)}") from None
            self.paid(receipt)
        if plan.mode in (Mode.RAW, Mode.ATTRIBUTE):
            self.paid(self.ledger.note_unbounded(request, what=unbounded_words(plan.config, plan.mode)))
        return receipt

    def paid(self, receipt: Receipt) -> None:
        """Write down that this request was charged."""
        self.charged = True
        self.note(charge_of(receipt))


def _way_out(plan: Plan, pool: Pool) -> str:
    """Say which epsilons of the usual ones would still fit."""
    fitting = [epsilon for epsilon in EPSILONS if _fits(plan.asking(epsilon), pool)]
    return f"; epsilon {', '.join(f'{one:g}' for one in fitting)} would fit" if fitting else ""


def _fits(plan: Plan, pool: Pool) -> bool:
    try:
        pool.check(plan.cost, principal=plan.config.principal)
    except BudgetExceeded:
        return False
    return True


def about(config: QueryConfig, ledger: Ledger, *, population: str, database: str) -> dict[str, object]:
    """Return what the trail may hold of a request: names and figures, the filter as a keyed hash."""
    asked = {"where": config.where_clause or "", "filters": [repr(one) for one in config.filters]}
    return {
        "actor": config.principal,
        "purpose": config.purpose,
        "population": population,
        "data_set": f"{database}/{config.table_name}",
        "columns": list(config.columns),
        "filter": ledger.fingerprint(f"filter {json.dumps(asked)}".encode()) if config.filtered else "",
        "mode": config.mode,
        "epsilon": config.dp_epsilon,
        "limit": config.limit,
    }
