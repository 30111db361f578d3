"""Promise: whatever is done in whatever order, the ledger agrees with a twin that counts on its fingers."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from synth_worker.errors import BudgetExceeded
from synth_worker.privacy.budget import Budget, Cost
from synth_worker.privacy.entries import Receipt, Request
from synth_worker.privacy.ledger_file import FileLedger

POPULATIONS = {"a": Budget(0.5, 1e-6), "b": Budget(1.0, 1e-6, 5e-7)}
PRINCIPALS = ("ada", "bob", "eve")
QUOTAS = {"ada": Cost(10_000_000, 10**11), "bob": Cost(40_000_000, 10**11)}
COSTS = st.builds(Cost, st.integers(1, 12_000_000), st.sampled_from([0, 0, 10**11, 2 * 10**11]))


class Spending(RuleBasedStateMachine):
    """Spend, settle, replay, close and open again, beside a list of what was charged."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="gesalp-ledger-"))
        self.ledger = FileLedger(self.home, create=True)
        self.charged: list[tuple[str, str, Cost]] = []
        self.answers: dict[tuple[str, str, str], str] = {}
        self.waiting: list[tuple[Receipt, Request]] = []
        self.entries = 1
        self.quotas = False

    @initialize()
    def begin(self) -> None:
        for name, budget in POPULATIONS.items():
            self.ledger.open(name, budget)
            self.entries += 1

    def total(self, population: str, principal: str | None = None) -> tuple[int, int]:
        held = [cost for one, who, cost in self.charged if one == population and principal in (None, who)]
        return sum(cost.rho_nano for cost in held), sum(cost.delta_atto for cost in held)

    def fits(self, population: str, principal: str, cost: Cost) -> bool:
        rho, delta = self.total(population)
        limit = POPULATIONS[population].limit
        if rho + cost.rho_nano > limit.rho_nano or delta + cost.delta_atto > limit.delta_atto:
            return False
        if not (self.quotas and population == "b"):
            return True
        if principal not in QUOTAS:
            return False
        rho, delta = self.total(population, principal)
        quota = QUOTAS[principal]
        return rho + cost.rho_nano <= quota.rho_nano and delta + cost.delta_atto <= quota.delta_atto

    @rule(
        population=st.sampled_from(sorted(POPULATIONS)),
        principal=st.sampled_from(PRINCIPALS),
        what=st.sampled_from([("x", "1"), ("x", "2"), ("y", "1"), ("y", "2")]),
        cost=COSTS,
    )
    def spend(self, *, population: str, principal: str, what: tuple[str, str], cost: Cost) -> None:
        asked, data = what
        request = Request(population, principal, asked, data)
        shut_out = self.quotas and population == "b" and principal not in QUOTAS
        held = self.answers.get((population, asked, data))
        if shut_out or (held is None and not self.fits(population, principal, cost)):
            with pytest.raises(BudgetExceeded):
                self.ledger.spend(request, cost)
            return
        receipt = self.ledger.spend(request, cost)
        self.entries += 1
        assert receipt.sequence == self.entries
        assert receipt.reference == (held or "")
        if held is None:
            self.charged.append((population, principal, cost))
            self.waiting.append((receipt, request))

    @rule(last=st.booleans())
    def settle(self, *, last: bool) -> None:
        if self.waiting:
            receipt, request = self.waiting.pop(-1 if last else 0)
            reference = f"answers/{receipt.sequence}"
            self.ledger.settle(receipt, reference=reference)
            self.answers[request.population, request.asked, request.data] = reference
            self.entries += 1

    @rule()
    def give_quotas(self) -> None:
        self.ledger.open("b", POPULATIONS["b"], quotas=QUOTAS)
        self.entries += not self.quotas
        self.quotas = True

    @rule()
    def close_and_open(self) -> None:
        self.ledger.close()
        self.ledger = FileLedger(self.home)

    @invariant()
    def agrees(self) -> None:
        for name, pool in self.ledger.pools().items():
            rho, delta = self.total(name)
            assert pool.spent == Cost(rho, delta)
            assert pool.spent.within(POPULATIONS[name].limit)
            for principal in PRINCIPALS:
                assert pool.by.get(principal, Cost()) == Cost(*self.total(name, principal))

    def teardown(self) -> None:
        assert self.ledger.verify() == self.entries
        self.ledger.close()
        shutil.rmtree(self.home)


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
