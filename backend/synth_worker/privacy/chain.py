"""Keep account on a chain of entries, wherever it is kept: what a request may cost, what is charged, what is replayed.

A store subclasses ``Chain`` and says how entries are read and appended, one writer at a time.
"""

from __future__ import annotations

import hmac
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, cast

from synth_worker.errors import BadInput, LedgerUnusable
from synth_worker.privacy import entries
from synth_worker.privacy.budget import NOTHING, Budget, Cost
from synth_worker.privacy.entries import RESTORE, Pool, Receipt, Request, State
from synth_worker.whole import write_text_whole


def utc_now() -> str:
    """Return the present instant as text."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Chain(ABC):
    """Keep account; a store gives it entries. Use it as a context, or ``close`` it. See ``Ledger``.

    ``place`` names the store in messages, ``site`` the machine where more than one shares it; ``anchor`` is the file
    that says how far the chain is known to reach.
    """

    def __init__(self, *, place: str, site: str, anchor: Path, now: Callable[[], str]) -> None:
        self._place = place
        self._site = site
        self._anchor = anchor
        self._now = now
        self._state = State()
        self._secret = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Let go of the store."""

    @abstractmethod
    def knows(self, *, sequence: int, mark: str) -> bool:
        """Tell whether an entry is held. See ``Ledger.knows``."""

    @abstractmethod
    def verify(self) -> int:
        """Check every entry from the first on. See ``Ledger.verify``."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Callable[[str], None]]:
        """Read what others wrote, let one entry be written, commit it, move the anchor; only then return."""

    @abstractmethod
    def _fresh(self) -> State:
        """Return the state with what others wrote."""

    @abstractmethod
    def _read_on(self, state: State) -> None:
        """Follow the entries after those that the state holds. Raises LedgerUnusable where there is none at all."""

    def _caught_up(self) -> int:
        """Follow the entries of other processes, check that none of ours is gone; return the last number."""
        last = self._state
        if last.sequence and not self.knows(sequence=last.sequence, mark=last.mark):
            raise LedgerUnusable(f"entry {last.sequence} of the ledger is gone or was changed", hint=RESTORE)
        self._read_on(self._state)
        self._check_anchor(self._state)
        return self._state.sequence

    def open(self, population: str, budget: Budget, *, quotas: Mapping[str, Cost] | None = None) -> Pool:
        """Register a population, or change its quotas (None leaves them). See ``Ledger.open``."""
        if not population or not population.isprintable():
            raise BadInput(f"the population is called {population!r}", hint="give it a name that can be printed")
        with self._writing() as write:
            held = self._state.pools.get(population)
            if held is not None and held.budget != budget:
                raise BadInput(
                    f"the population {population!r} has epsilon {held.budget.epsilon:g} at delta "
                    f"{held.budget.delta:g}, not {budget.epsilon:g} at {budget.delta:g}",
                    hint="a budget is fixed once it is opened",
                )
            if held is None or (quotas is not None and dict(quotas) != dict(held.quotas)):
                write(entries.open_body(population, budget, quotas=quotas or {}, at=self._now()))
            return self._state.pool(population)

    def pools(self) -> Mapping[str, Pool]:
        """Return all populations. See ``Ledger.pools``."""
        return dict(self._fresh().pools)

    def answer(self, request: Request) -> str:
        """Return where an answer is kept. See ``Ledger.answer``."""
        state = self._fresh()
        state.pool(request.population).check_principal(request.principal)
        return state.answers.get(request.key(self._secret), "")

    def spend(self, request: Request, cost: Cost, *, again: bool = False) -> Receipt:
        """Charge a request, durably, or replay it. See ``Ledger.spend``."""
        if cost == NOTHING:
            raise BadInput("a request that costs nothing touches nothing", hint="state what the mechanism costs")
        with self._writing() as write:
            state, secret = self._state, self._secret
            pool = state.pool(request.population)
            pool.check_principal(request.principal)
            reference = "" if again else state.answers.get(request.key(secret), "")
            if reference:
                write(entries.replay_body(request, secret=secret, at=self._now()))
                return Receipt(state.sequence, state.mark, NOTHING, reference)
            pool.check(cost, principal=request.principal)
            write(entries.spend_body(request, cost, secret=secret, at=self._now()))
            return Receipt(state.sequence, state.mark, cost)

    def note_unbounded(self, request: Request, *, what: str) -> Receipt:
        """Note what no budget bounds. See ``Ledger.note_unbounded``."""
        if not what or not what.isprintable():
            raise BadInput(f"what is handed out is called {what!r}", hint="say it in words that can be printed")
        with self._writing() as write:
            self._state.pool(request.population).check_principal(request.principal)
            write(entries.unbounded_body(request, what, secret=self._secret, at=self._now()))
            return Receipt(self._state.sequence, self._state.mark, NOTHING)

    def settle(self, receipt: Receipt, *, reference: str) -> None:
        """Note where an answer is. See ``Ledger.settle``."""
        if not reference:
            raise BadInput("an answer without a place cannot be found again", hint="say where it is kept")
        with self._writing() as write:
            if receipt.sequence not in self._state.open_spends:
                raise BadInput(f"entry {receipt.sequence} is no spend that waits for its answer")
            write(entries.settle_body(receipt.sequence, reference, at=self._now()))

    def settled(self, receipt: Receipt) -> bool:
        """Tell whether a spend needs no answer any more. See ``Ledger.settled``."""
        return receipt.sequence not in self._fresh().open_spends

    def fingerprint(self, digest: bytes) -> str:
        """Return the keyed name of a content. See ``Ledger.fingerprint``."""
        return hmac.digest(self._secret, b"data " + digest, "sha256").hex()

    def audit_log(self) -> str:
        """Return the name of the audit log that is kept here. See ``Ledger.audit_log``."""
        return self._fresh().audit_logs.get(self._site, "")

    def note_audit_log(self, name: str) -> None:
        """Note the audit log that is kept here. See ``Ledger.note_audit_log``."""
        with self._writing() as write:
            held = self._state.audit_logs.get(self._site, "")
            if held and held != name:
                raise BadInput(f"the ledger knows another audit log, {held}")
            if not held:
                write(entries.audit_body(self._site, name, at=self._now()))

    def _check_anchor(self, state: State) -> None:
        try:
            row = cast("dict[str, object]", json.loads(self._anchor.read_text(encoding="utf-8")))
            ledger, sequence, mark = str(row["ledger"]), cast("int", row["sequence"]), str(row["mark"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerUnusable(f"the anchor {self._anchor} of the ledger cannot be read", hint=RESTORE) from error
        if ledger != state.ledger:
            raise LedgerUnusable(f"{self._place} is not the one that its anchor knows", hint=RESTORE)
        if not self.knows(sequence=sequence, mark=mark):
            raise LedgerUnusable(
                f"the ledger ends at entry {state.sequence}; it is known to have had entry {sequence}, or that entry "
                "was another",
                hint=RESTORE,
            )

    def _write_anchor(self) -> None:
        state = self._state
        text = json.dumps({"ledger": state.ledger, "sequence": state.sequence, "mark": state.mark})
        write_text_whole(self._anchor, text)
