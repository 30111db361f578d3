"""Carry out ``gesalp ledger``: show what is spent, open a population, verify every entry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import typer

from synth_worker.commands.exits import Guard
from synth_worker.database.ledgers import open_ledger
from synth_worker.errors import BadInput
from synth_worker.privacy.budget import Budget, Cost, halved
from synth_worker.privacy.entries import Pool
from synth_worker.settings import Settings


def show_ledger(*, as_json: bool = False, debug: bool = False) -> int:
    """Write each population's budget and what is left of it to standard output."""
    with Guard(as_json=as_json, debug=debug), open_ledger(Settings()) as ledger:
        pools = ledger.pools()
        if as_json:
            typer.echo(json.dumps({name: pool_json(pool) for name, pool in sorted(pools.items())}, indent=1))
        else:
            for _name, pool in sorted(pools.items()):
                typer.echo("\n".join(pool_lines(pool)))
            if not pools:
                typer.echo("no population is open; gesalp ledger open NAME opens one")
    return 0


def open_population(
    population: str,
    *,
    epsilon: float | None,
    delta: float | None,
    additive: float | None,
    quotas: Sequence[str],
    debug: bool = False,
) -> int:
    """Register a population (and begin a ledger where there never was one), or change its quotas."""
    with Guard(debug=debug):
        settings = Settings()
        with open_ledger(settings, create=True) as ledger:
            held = ledger.pools().get(population)
            if held is None:
                asked = halved(
                    settings.ledger_epsilon if epsilon is None else epsilon,
                    settings.ledger_delta if delta is None else delta,
                )
            else:
                asked = replace(held.budget, epsilon=epsilon or held.budget.epsilon, delta=delta or held.budget.delta)
            asked = asked if additive is None else replace(asked, additive=additive)
            pool = ledger.open(population, asked, quotas=quotas_of(quotas, budget=asked) if quotas else None)
        typer.echo("\n".join(pool_lines(pool)))
    return 0


def verify_ledger(*, debug: bool = False) -> int:
    """Check every entry."""
    with Guard(debug=debug), open_ledger(Settings()) as ledger:
        typer.echo(f"{ledger.verify()} entries, each with its right mark and in its place")
    return 0


def quotas_of(texts: Sequence[str], *, budget: Budget) -> dict[str, Cost]:
    """Read ``--quota who=epsilon``, repeated: each the limit of a budget of that epsilon at the population's delta.

    >>> quotas_of(["ada=1"], budget=Budget(3.0, 1e-6)) == {"ada": Budget(1.0, 1e-6).limit}
    True
    """
    found: dict[str, Cost] = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        try:
            epsilon = float(value) if equals and name else None
        except ValueError:
            epsilon = None
        if epsilon is None:
            raise BadInput(f"--quota is {text!r}", hint="allowed: who=epsilon, as in --quota ada=1")
        if name in found:
            raise BadInput(f"--quota names {name!r} twice", hint="give each one value")
        found[name] = Budget(epsilon, budget.delta, budget.additive).limit
    return found


def pool_lines(pool: Pool) -> list[str]:
    """Return a population in words: its budget, what is spent, what is left, the quotas."""
    budget = pool.budget
    aside = f", of which {budget.additive:g} for mechanisms that may fail" if budget.additive else ""
    lines = [
        f"{pool.population}: epsilon {budget.epsilon:g} at delta {budget.delta:g}{aside}",
        f"  spent {pool.spent} (epsilon {budget.epsilon_spent(pool.spent):.3f}), left {pool.left} of {pool.limit}",
    ]
    for name in sorted({*pool.quotas, *pool.by}):
        spent = pool.by.get(name, Cost())
        quota = pool.quotas.get(name)
        lines.append(f"  {name}: spent {spent}" + ("" if quota is None else f" of a quota of {quota}"))
    return lines


def pool_json(pool: Pool) -> Mapping[str, object]:
    """Return a population as plain values."""
    budget = pool.budget
    return {
        "epsilon": budget.epsilon,
        "delta": budget.delta,
        "additive_delta": budget.additive,
        "limit": _cost(pool.limit),
        "spent": _cost(pool.spent),
        "left": _cost(pool.left),
        "epsilon_spent": budget.epsilon_spent(pool.spent),
        "quotas": {name: _cost(cost) for name, cost in sorted(pool.quotas.items())},
        "by": {name: _cost(cost) for name, cost in sorted(pool.by.items())},
    }


def _cost(cost: Cost) -> dict[str, int]:
    return {"rho_nano": cost.rho_nano, "delta_atto": cost.delta_atto}
