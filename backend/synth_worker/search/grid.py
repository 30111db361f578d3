"""Go through a grid of settings: every point is trained and measured, in an order that the attempts alone decide.

The finished attempts of a run's folder are the file of finished points: a run that was killed goes on after the last
of them, its ``--time-budget`` is the grid's. An epsilon is no axis here: figures of real rows may not steer it
(``search.grid_dp`` divides a budget in advance).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from synth_worker.generators.base import LENGTH, Value
from synth_worker.generators.registry import GENERATORS
from synth_worker.optimizing.tables import length_range
from synth_worker.run import Attempt, Plan
from synth_worker.search.portfolio import Ask, plan_of
from synth_worker.search.space import is_new

STEP = 100
"""Iterations between two points: the step of the specification's own action."""

SCALARS = (0.25, 0.5, 0.75)


def points(method: str, rows: int) -> list[dict[str, Value]]:
    """Return the grid of a method: lengths of the training by ``STEP``, settings of the scalar knob, all pairs.

    >>> [point["n_iter"] for point in points("ddpm", 1_000)]
    [200, 300, 400, 500]
    """
    spec = GENERATORS[method]
    axes: list[list[tuple[str, Value]]] = []
    if spec.trained:
        low, high = length_range(method, rows)
        lengths = range(max(low - STEP, STEP // 2), high + STEP + 1, STEP)
        axes.append([(LENGTH, length) for length in lengths])
    if spec.scalar and not spec.guarantee:
        axes.append([(spec.scalar, value) for value in SCALARS])
    return [dict(point) for point in product(*axes)] if axes else [{}]


def next_plan(attempts: Sequence[Attempt], ask: Ask) -> Plan | None:
    """Return the first point of the method's grid that no attempt was, None where all were."""
    if len(attempts) >= ask.attempts:
        return None
    spec = GENERATORS[ask.method]
    grid = points(ask.method, ask.size)
    for number, point in enumerate(grid, start=1):
        plan = plan_of(spec, point, ask, why=f"point {number} of {len(grid)} of the grid")
        if is_new(plan, attempts):
            return plan
    return None
