"""Say what a ledger is: who may still spend how much of whose privacy, decided before the work is done.

    pool      one global filter per population of persons, opened by the owner, quotas of principals inside it
    spend     committed before the data is touched, never refunded; refused where it does not fit
    settle    says where the answer is kept, so that the same request of the same data costs nothing the next time

A request that was charged and whose answer was lost is charged again when it is made again: one charge, one draw of
noise. ``ledger_file`` keeps one in SQLite; another store implements the same protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from synth_worker.privacy.budget import Budget, Cost
from synth_worker.privacy.entries import Pool, Receipt, Request


class Ledger(Protocol):
    """Keep account of what is spent."""

    def open(self, population: str, budget: Budget, *, quotas: Mapping[str, Cost] | None = None) -> Pool:
        """Register a population with its budget, or give one that has this budget other quotas.

        Raises BadInput for a population that is registered with another budget: a budget is fixed.
        """
        ...

    def pools(self) -> Mapping[str, Pool]:
        """Return all populations as they stand now."""
        ...

    def answer(self, request: Request) -> str:
        """Return where the answer to a request is kept; empty where there is none. Nothing is charged or written."""
        ...

    def spend(self, request: Request, cost: Cost, *, again: bool = False) -> Receipt:
        """Charge a request and return once that can no longer be lost; an answered one is replayed at no cost.

        ``again`` charges also where an answer is kept (but no longer found). Raises BudgetExceeded (nothing is
        charged), UnknownName (population), LedgerUnusable.
        """
        ...

    def note_unbounded(self, request: Request, *, what: str) -> Receipt:
        """Note, before it happens, that something is handed out which no budget bounds; nothing is charged.

        Every later release names it (``Pool.unbounded``). Raises UnknownName (population), BudgetExceeded for a
        principal without a quota where quotas are given, BadInput where ``what`` says nothing.
        """
        ...

    def settle(self, receipt: Receipt, *, reference: str) -> None:
        """Note where the answer to a spend is kept, once it is there whole."""
        ...

    def settled(self, receipt: Receipt) -> bool:
        """Tell whether a spend needs no answer any more."""
        ...

    def fingerprint(self, digest: bytes) -> str:
        """Return the keyed name of a content, 64 hex digits: without the key nobody can test a guess of the data."""
        ...

    def knows(self, *, sequence: int, mark: str) -> bool:
        """Tell whether the ledger holds this entry; a record of it elsewhere shows a ledger that was set back."""
        ...

    def audit_log(self) -> str:
        """Return the name of the audit log that is kept here; empty where there never was one."""
        ...

    def note_audit_log(self, name: str) -> None:
        """Note that an audit log is kept here from now on. Raises BadInput where there is one already."""
        ...

    def verify(self) -> int:
        """Check every entry and return their number. Raises LedgerUnusable, naming the first that is wrong."""
        ...
