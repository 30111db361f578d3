"""Choose the next plan by the search that was asked for: all are functions of the attempts and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from synth_worker.gates import CROSSFIT_BELOW
from synth_worker.generators.base import LENGTH
from synth_worker.generators.registry import GENERATORS
from synth_worker.run import Attempt, Plan, Run
from synth_worker.search import bayesian, grid, portfolio
from synth_worker.search.portfolio import (
    FIRST,
    Ask,
    affordable,
    best_of,
    expected_seconds,
    good,
    next_network,
    room_of,
    won_plan,
)
from synth_worker.search.space import axes_of, is_new
from synth_worker.search.turning import against

AUTO, BAYESIAN, GRID = SEARCHES = ("auto", "bayesian", "grid")


def next_plan(attempts: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Return what to try next, or None where the search ends.

    ``auto`` is the portfolio, after what won on similar tables. ``bayesian`` and ``grid`` search the settings of one
    method; under method ``auto`` the portfolio chooses the methods first, then they search the best one's.
    """
    if len(attempts) >= ask.attempts:
        return None
    warm = _warm(attempts, ask)
    if warm is not None:
        return warm
    if ask.search == AUTO:
        return portfolio.next_plan(attempts, ask)
    method = ask.method if ask.method != AUTO else _method(attempts, ask)
    if isinstance(method, Plan) or method is None:
        return method
    if ask.search == GRID:
        point = grid.next_plan(attempts, replace(ask, method=method))
        return point if point is not None or ask.method != AUTO else next_network(attempts, ask)
    # So few validation rows prove nothing: there, and on a grid, all attempts are made.
    if ask.rows >= CROSSFIT_BELOW and any(good(one) for one in attempts):
        return None
    return bayesian.next_plan(attempts, replace(ask, method=method))


def ending(run: Run) -> str:
    """Say why a search ended: ``settled`` (nothing more is worth trying), ``attempts`` (all were made) or ``time``."""
    asked = run.options
    made = len(run.attempts)
    more = Ask(
        asked.method,
        asked.seed,
        made + 1,
        run.data.rows,
        asked.prefer,
        seconds=asked.time_budget,
        search=asked.search,
        first=_first(run.attempts),
        learnt=run.split.train,
    )
    if next_plan(run.attempts, more) is None:
        return "settled"
    return "attempts" if made >= asked.attempts else "time"


def _first(attempts: Sequence[Attempt]) -> str:
    """Return the column that was drawn first where a method has an order, or nothing."""
    return next((str(one.plan.hyperparameters[FIRST]) for one in attempts if FIRST in one.plan.hyperparameters), "")


def _warm(attempts: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Return the first winner on a similar table that was not tried, while nothing good was found."""
    if any(good(one) for one in attempts):
        return None
    for method, settings in ask.warm:
        if ask.method not in (AUTO, method) or method not in GENERATORS or GENERATORS[method].guarantee:
            continue
        plan = won_plan(GENERATORS[method], settings, ask)
        if is_new(plan, attempts) and (ask.method != AUTO or _pays(plan, ask)):
            return plan
    return None


def _pays(plan: Plan, ask: Ask) -> bool:
    """Tell whether ``auto`` would train this network on such a table, and so long in such a time."""
    spec = GENERATORS[plan.method]
    if not spec.trained:
        return True
    length = float(plan.hyperparameters[LENGTH])
    return spec in affordable(ask) and expected_seconds(spec, ask.size, length=length) <= room_of(ask)


def _method(attempts: Sequence[Attempt], ask: Ask) -> Plan | str | None:
    """Return the portfolio's plan while it has methods to try; then the best method that has something to set."""
    plan = portfolio.next_plan(attempts, replace(ask, attempts=len(attempts) + 1))
    if plan is not None and all(one.plan.method != plan.method for one in attempts):
        return plan
    # Where a setting holds, the rest of the knob is for the search of settings, and no reason to pass a network over.
    if plan is not None and _holds(plan.method, attempts, ask) and (network := next_network(attempts, ask)):
        return network
    if best_of(attempts, prefer=ask.prefer) is None:
        return plan
    able = [one for one in attempts if axes_of(GENERATORS[one.plan.method], ask.size)]
    tuned = best_of(able, prefer=ask.prefer)
    return None if tuned is None else tuned.plan.method


def _holds(method: str, attempts: Sequence[Attempt], ask: Ask) -> bool:
    """Tell whether nothing of privacy speaks against the last attempt of a method."""
    own = [one for one in attempts if one.plan.method == method]
    return not against(own, GENERATORS[method].tradeoff, rows=ask.rows).leaks(own[-1])
