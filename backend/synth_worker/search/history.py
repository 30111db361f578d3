"""Keep what won in earlier runs with coarse figures of their tables, and find what won on similar ones.

The store is SQLite in the home folder: figures (``meta``), method, settings, standing, weighed loss on validation rows,
seconds. Neither names nor values of a table are kept, and no score of a certificate: that would make its rows part of
the search. A tenant sees what it stored itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from synth_worker.generators.registry import GENERATORS
from synth_worker.run import Attempt, History, Plan
from synth_worker.search.bayesian import loss_of
from synth_worker.search.meta import Features, distance, features_of
from synth_worker.search.portfolio import Warm, attack_of, best_of, detection_of, rank
from synth_worker.table import Table

FILE = "history.sqlite"

NEAR = 0.35
"""Tables further apart than this are not similar."""

VOTERS = 3
"""So many of the nearest tables have a say in the method: what won on one alone may have been luck."""

ALIKE = 0.02
"""An attempt that is at most this much easier to tell from real rows than the winner is as good."""

FEASIBLE = 1.0
"""A winner stands at least so well with the gates: green, or only rows are lacking."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS winners (tenant TEXT, data TEXT, features TEXT, method TEXT, settings TEXT,"
    " seed INTEGER, standing REAL, loss REAL, seconds REAL, at TEXT, PRIMARY KEY (tenant, data))"
)


@dataclass(frozen=True)
class StoredHistory:
    """Read and write the winners of one tenant in a home folder; it is the ``History`` of ``run``.

    ``data`` is the SHA-256 of the table at hand: what was chosen on that very table is left out, since a certificate by
    cross-fitting would count on rows that had a say in it. Raises OSError and sqlite3.Error where there is no writing.
    """

    home: Path
    tenant: str = ""
    data: str = ""

    def similar(self, features: Features) -> Sequence[Plan]:
        """Return the plan to begin with, none where no table is near.

        The method is the one that won on most of the nearest tables, its settings those of the nearest of these. One
        plan and no more: each that fails costs an attempt.
        """
        if not (self.home / FILE).exists():
            return ()
        with self._open() as store:
            rows = store.execute(
                "SELECT features, method, settings, seed, standing, loss FROM winners WHERE tenant = ? AND data != ?",
                (self.tenant, self.data),
            ).fetchall()
        found: list[tuple[float, float, float, str, Plan]] = []
        for known, method, settings, seed, standing, loss in rows:
            gap = distance(features, cast("Features", json.loads(known)))
            if gap <= NEAR and method in GENERATORS and standing <= FEASIBLE:
                plan = Plan(method, json.loads(settings), int(seed), "won on a similar table")
                found.append((gap, standing, loss, method, plan))
        nearest = [plan for *_, plan in sorted(found, key=lambda one: one[:4])[:VOTERS]]
        votes = Counter(plan.method for plan in nearest)
        return [plan for plan in nearest if votes[plan.method] == max(votes.values())][:1]

    def remember(self, features: Features, attempts: Sequence[Attempt], *, prefer: str = "balanced") -> None:
        """Keep the cheapest attempt that is as good as the best, in place of what this table had.

        The cheapest, so that a later run is never sent to a slow method where a quick one does as well. Nothing is kept
        where the best fails a gate. Only what was measured on validation rows is looked at.
        """
        winner = cheapest(attempts, prefer=prefer)
        if winner is None:
            return
        standing = rank(winner)[0]
        if standing > FEASIBLE or GENERATORS[winner.plan.method].guarantee:
            return
        row = (
            self.tenant,
            self.data,
            json.dumps(dict(features), sort_keys=True),
            winner.plan.method,
            json.dumps(_settings(winner.plan), sort_keys=True),
            winner.plan.seed,
            standing,
            loss_of(winner, prefer=prefer),
            winner.seconds,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._open() as store:
            store.execute("INSERT OR REPLACE INTO winners VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.home / FILE, timeout=30, isolation_level=None)) as store:
            store.execute(_TABLE)
            yield store


def cheapest(attempts: Sequence[Attempt], *, prefer: str = "balanced") -> Attempt | None:
    """Return the cheapest attempt that stands as well as the best and is hardly easier to tell from real rows.

    Who prefers privacy gets none back, either, that an attack tells more of.
    """
    best = best_of(attempts, prefer=prefer)
    if best is None:
        return None
    most = detection_of(best) + ALIKE
    equal = [one for one in attempts if rank(one)[0] <= rank(best)[0] and detection_of(one) <= most]
    if prefer == "privacy":
        worst = attack_of(best) + ALIKE
        equal = [one for one in equal if attack_of(one) <= worst]
    return min(equal, key=lambda one: (GENERATORS[one.plan.method].cost, one.number), default=best)


def recalled(table: Table, history: History) -> tuple[Warm, ...]:
    """Return what a search begins with on a table of modelled columns; nothing where the past cannot be read."""
    try:
        plans = history.similar(features_of(table))
    except (OSError, sqlite3.Error):
        return ()
    return tuple((plan.method, tuple(sorted(plan.hyperparameters.items()))) for plan in plans)


def _settings(plan: Plan) -> dict[str, object]:
    """Return the settings that are numbers or choices of the method: a text may name a column of the table."""
    spec = GENERATORS[plan.method]
    free = {knob.name for knob in spec.knobs if isinstance(knob.default, str) and not knob.choices}
    known = {knob.name for knob in spec.knobs} - free
    return {name: value for name, value in plan.hyperparameters.items() if name in known}
