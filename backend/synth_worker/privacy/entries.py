"""Say what stands in a ledger: a chain of entries, and the state that follows from them and nothing else.

Every entry is a line of JSON; its mark is a keyed hash (HMAC-SHA256) of the mark before it, its number and its text.
So an entry that is edited, deleted, put elsewhere or made up without the key is found, and every total is recomputed
from the entries: there is no sum beside them that could be changed alone. Storage is another module's business.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from synth_worker.errors import BadInput, BudgetExceeded, LedgerUnusable, UnknownName
from synth_worker.privacy.budget import NOTHING, Budget, Cost

NO_MARK = "0" * 64
VERSION = 1


@dataclass(frozen=True)
class Request:
    """Hold who asks for what, of whose data.

    ``population`` names the persons that the budget protects, ``principal`` who asks, ``asked`` the normalised request
    (see ``normalised``), ``data`` the keyed fingerprint of the data's present content. The same ``asked`` of the same
    ``data`` is the same request, whoever asks.
    """

    population: str
    principal: str
    asked: str
    data: str

    def key(self, secret: bytes) -> str:
        """Return the keyed hash under which the ledger remembers the request."""
        text = json.dumps([self.population, self.asked, self.data])
        return hmac.digest(secret, b"request " + text.encode(), "sha256").hex()


def normalised(asked: Mapping[str, object]) -> str:
    """Return a request in the one form in which it is compared: JSON, keys in order, what is None left out.

    >>> normalised({"method": "mst", "epsilon": 1.0, "rows": None})
    '{"epsilon":1.0,"method":"mst"}'
    """
    held = {name: value for name, value in asked.items() if value is not None}
    return json.dumps(held, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class Receipt:
    """Tell what asking has led to.

    ``sequence`` and ``mark`` are the entry that the ledger now ends with. ``charged`` is what this request cost now;
    for a request that was answered before it is nothing, and ``reference`` says where the answer is.
    """

    sequence: int
    mark: str
    charged: Cost
    reference: str = ""

    @property
    def replayed(self) -> bool:
        """Tell whether the answer was there already."""
        return bool(self.reference)


@dataclass(frozen=True)
class Pool:
    """Hold the budget of one population: its limit, what is spent, the quotas inside it, what each principal spent.

    A pool without quotas serves every principal; one with quotas only those named. ``unbounded`` names, in order, what
    was handed out that no budget bounds: whoever tells of a guarantee tells of these too.
    """

    population: str
    budget: Budget
    limit: Cost
    spent: Cost = NOTHING
    quotas: Mapping[str, Cost] = field(default_factory=dict[str, Cost])
    by: Mapping[str, Cost] = field(default_factory=dict[str, Cost])
    unbounded: tuple[str, ...] = ()

    @property
    def left(self) -> Cost:
        """Return what may still be spent in all."""
        return self.spent.left_of(self.limit)

    def check_principal(self, principal: str) -> None:
        """Refuse a principal who has no quota where quotas are given. Raises BudgetExceeded."""
        if self.quotas and principal not in self.quotas:
            raise BudgetExceeded(
                f"{principal!r} has no quota of the population {self.population!r}",
                hint="its owner grants one with gesalp ledger open --quota",
            )

    def check(self, cost: Cost, *, principal: str) -> None:
        """Refuse what does not fit. Raises BudgetExceeded, naming the cost and what is left."""
        self.check_principal(principal)
        if principal in self.quotas:
            spent = self.by.get(principal, NOTHING)
            if not (spent + cost).within(self.quotas[principal]):
                left = _beside(spent.left_of(self.quotas[principal]), cost)
                raise BudgetExceeded(
                    f"costs {cost}; {left} left of the quota of {principal!r} in the population {self.population!r}",
                    hint="nothing was charged; ask for less",
                )
        if not (self.spent + cost).within(self.limit):
            raise BudgetExceeded(
                f"costs {cost}; {_beside(self.left, cost)} left of the population {self.population!r}",
                hint=f"nothing was charged; its budget of epsilon {self.budget.epsilon:g} at delta "
                f"{self.budget.delta:g} is fixed, ask for less",
            )

    def charged(self, cost: Cost, *, principal: str) -> Pool:
        """Return the pool after a spend."""
        by = {**self.by, principal: self.by.get(principal, NOTHING) + cost}
        return replace(self, spent=self.spent + cost, by=by)


Body = Mapping[str, object]


@dataclass
class State:
    """Follow a chain entry by entry.

    ``pools`` are the populations, ``answers`` the spends whose answer is kept (by request), ``open_spends`` those that
    are charged and have none (yet), ``audit_logs`` the name of the audit log of each site.
    """

    ledger: str = ""
    sequence: int = 0
    mark: str = NO_MARK
    pools: dict[str, Pool] = field(default_factory=dict[str, Pool])
    answers: dict[str, str] = field(default_factory=dict[str, str])
    open_spends: dict[int, str] = field(default_factory=dict[int, str])
    audit_logs: dict[str, str] = field(default_factory=dict[str, str])

    def pool(self, population: str) -> Pool:
        """Return a population's pool. Raises UnknownName."""
        if population not in self.pools:
            raise UnknownName.of("population", population, sorted(self.pools), whole="the ledger")
        return self.pools[population]

    def follow(self, sequence: int, body: str, mark: str, *, secret: bytes) -> None:
        """Take the next entry in. Raises LedgerUnusable where it cannot be the next one."""
        if sequence != self.sequence + 1:
            raise LedgerUnusable(
                f"the ledger lacks entry {self.sequence + 1}: entry {sequence} follows {self.sequence}", hint=RESTORE
            )
        if not hmac.compare_digest(mark_of(sequence, body, self.mark, secret=secret), mark):
            raise LedgerUnusable(
                f"entry {sequence} of the ledger was changed, moved or made with another key", hint=RESTORE
            )
        try:
            self._apply(sequence, cast("Body", json.loads(body)))
        except (KeyError, TypeError, ValueError, BadInput, BudgetExceeded) as error:
            raise LedgerUnusable(f"entry {sequence} of the ledger cannot stand there: {error}", hint=RESTORE) from error
        self.sequence, self.mark = sequence, mark

    def _apply(self, sequence: int, row: Body) -> None:
        kind = row["kind"]
        if kind == "begin":
            if row["version"] != VERSION:
                raise ValueError(f"its version is {row['version']}; this program reads {VERSION}")
            self.ledger = str(row["ledger"])
        elif kind == "open":
            self._open(row)
        elif kind == "spend":
            cost = Cost(cast("int", row["rho_nano"]), cast("int", row["delta_atto"]))
            pool, principal = self.pools[str(row["population"])], str(row["principal"])
            pool.check(cost, principal=principal)
            self.pools[pool.population] = pool.charged(cost, principal=principal)
            self.open_spends[sequence] = str(row["request"])
        elif kind == "unbounded":
            pool = self.pools[str(row["population"])]
            self.pools[pool.population] = replace(pool, unbounded=(*pool.unbounded, str(row["what"])))
        elif kind == "settle":
            self.answers[self.open_spends.pop(cast("int", row["spend"]))] = str(row["reference"])
        elif kind == "audit":
            self.audit_logs[str(row["site"])] = str(row["log"])
        elif kind != "replay":
            raise ValueError(f"its kind is {kind!r}")

    def _open(self, row: Body) -> None:
        name = str(row["population"])
        quotas = {one: Cost(*units) for one, units in cast("dict[str, list[int]]", row["quotas"]).items()}
        held = self.pools.get(name)
        if held is not None:
            self.pools[name] = replace(held, quotas=quotas)
            return
        figures = cast("dict[str, float]", row["budget"])
        budget = Budget(figures["epsilon"], figures["delta"], figures["additive"])
        limit = Cost(*cast("list[int]", row["limit"]))
        self.pools[name] = Pool(name, budget, limit, quotas=quotas)


RESTORE = "nothing more may be spent from it; gesalp ledger verify says what is wrong"


def mark_of(sequence: int, body: str, before: str, *, secret: bytes) -> str:
    """Return the mark of an entry: HMAC-SHA256 over the mark before it, its number and its text, as 64 hex digits.

    >>> mark_of(1, "{}", NO_MARK, secret=b"k") == mark_of(2, "{}", NO_MARK, secret=b"k")
    False
    """
    return hmac.digest(secret, f"entry {before} {sequence} {body}".encode(), "sha256").hex()


def begin_body(ledger: str, *, at: str) -> str:
    """Return the text of the first entry."""
    return _text({"kind": "begin", "version": VERSION, "ledger": ledger, "at": at})


def open_body(population: str, budget: Budget, *, quotas: Mapping[str, Cost], at: str) -> str:
    """Return the text of an entry that registers a population; the limit is kept as it was computed then."""
    return _text(
        {
            "kind": "open",
            "population": population,
            "budget": {"epsilon": budget.epsilon, "delta": budget.delta, "additive": budget.additive},
            "limit": _units(budget.limit),
            "quotas": {name: _units(cost) for name, cost in sorted(quotas.items())},
            "at": at,
        }
    )


def spend_body(request: Request, cost: Cost, *, secret: bytes, at: str) -> str:
    """Return the text of a spend; of the request only its keyed hash is kept."""
    return _text(
        {
            "kind": "spend",
            "population": request.population,
            "principal": request.principal,
            "request": request.key(secret),
            "data": request.data,
            "rho_nano": cost.rho_nano,
            "delta_atto": cost.delta_atto,
            "at": at,
        }
    )


def settle_body(spend: int, reference: str, *, at: str) -> str:
    """Return the text of an entry that says where the answer to a spend is kept."""
    return _text({"kind": "settle", "spend": spend, "reference": reference, "at": at})


def unbounded_body(request: Request, what: str, *, secret: bytes, at: str) -> str:
    """Return the text of an entry that something was handed out which no budget bounds."""
    return _text(
        {
            "kind": "unbounded",
            "population": request.population,
            "principal": request.principal,
            "request": request.key(secret),
            "what": what,
            "at": at,
        }
    )


def replay_body(request: Request, *, secret: bytes, at: str) -> str:
    """Return the text of an entry that an answer was handed out again."""
    return _text(
        {
            "kind": "replay",
            "population": request.population,
            "principal": request.principal,
            "request": request.key(secret),
            "at": at,
        }
    )


def audit_body(site: str, log: str, *, at: str) -> str:
    """Return the text of an entry that says which audit log is kept at a site."""
    return _text({"kind": "audit", "site": site, "log": log, "at": at})


def _beside(left: Cost, cost: Cost) -> str:
    """Return what is left in words, with its delta where the cost has one."""
    return f"{left} and delta 0" if cost.delta_atto and not left.delta_atto else str(left)


def _units(cost: Cost) -> list[int]:
    return [cost.rho_nano, cost.delta_atto]


def _text(body: Body) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
