"""Turn constraints into steps: which column is rebuilt from which, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import cast

import numpy as np

from synth_worker.constraints import Constraint, Rule
from synth_worker.parsing import rounded
from synth_worker.schema import Schema
from synth_worker.structure.apart import Apart, Mover, fit_apart
from synth_worker.structure.combined import Combined, fit_combined, restore_combined
from synth_worker.structure.grid import Grid
from synth_worker.structure.order import Order, fit_order
from synth_worker.structure.sheet import Added, rebuilt, table_of, values_of
from synth_worker.structure.total import Total, fit_total
from synth_worker.table import Bools, Table
from synth_worker.violations import broken_rows, repeated_rows

Step = Combined | Total | Order

OFF_GRID = 1e-9


@dataclass(frozen=True, eq=False)
class Plan:
    """Hold how a table of ``schema`` is rebuilt: ``steps`` in the order in which columns are set.

    ``apart`` then moves rows that repeat a unique value.
    """

    schema: Schema
    steps: tuple[Step, ...]
    apart: tuple[Apart, ...]

    def forward(self, table: Table) -> Table:
        """Return the table that a generator learns: without what follows from other columns."""
        values = values_of(table)
        dropped = [name for step in self.steps for name in step.dropped]
        added: list[Added] = [one for step in self.steps for one in step.added(table, values)]
        return rebuilt(table, dropped=dropped, added=added)

    def back(
        self, drawn: Table, *, rng: np.random.Generator, pinned: frozenset[str] = frozenset()
    ) -> tuple[Table, Bools]:
        """Return what was drawn as a table of the schema, and which of its rows are sound, shape (rows,).

        ``pinned`` columns keep what was drawn for them. A row is not sound where no value fits between all bounds, or
        where rules meet that cannot all be built in; it has to be drawn again.
        """
        values = values_of(drawn)
        for step, stream in zip(self.steps, rng.spawn(len(self.steps)), strict=True):
            step.rebuild(values, stream, pinned=pinned)
        sound = np.ones(drawn.rows, dtype=np.bool_)
        for column in self.schema:
            own = values[column.name]
            if column.continuous and column.low is not None and column.high is not None:
                sound &= ~((own < column.low) | (own > column.high))
                values[column.name] = np.clip(own, column.low, column.high)
        for column in (self.schema[name] for step in self.steps for name in step.own):
            own = values[column.name]
            if not column.nullable:
                sound &= ~np.isnan(own)
            if column.continuous and column.decimals is not None:
                # Halves can add up to whole numbers in every real row: a total of others would be rounded on writing.
                sound &= ~(np.abs(rounded(own, column.decimals) - own) > OFF_GRID)
        table = table_of(self.schema, values)
        for constraint in self.schema.constraints:
            if constraint.rule in (Rule.ORDER, Rule.SUM):
                sound &= ~broken_rows(constraint, table)
        return table, sound

    def moved(self, table: Table, *, rng: np.random.Generator) -> tuple[Table, Bools]:
        """Return the rows with repeated unique values moved, and which of them repeat none, shape (rows,)."""
        if not self.apart:
            return table, np.ones(table.rows, dtype=np.bool_)
        values = values_of(table)
        single = np.ones(table.rows, dtype=np.bool_)
        for step in self.apart:
            step.move(values, rng)
        for step in self.apart:
            single &= ~repeated_rows(np.stack([values[name] for name in step.columns], axis=1))
        return table_of(self.schema, values), single

    def step_of(self, name: str) -> Step | None:
        """Return the step that sets a column, None where it is learnt as it is."""
        return next((step for step in self.steps if name in step.own), None)

    def state(self) -> dict[str, object]:
        """Return the plan as JSON values."""
        return {
            "schema": self.schema.to_json(),
            "steps": [step.state() for step in self.steps],
            "apart": [one.state() for one in self.apart],
        }


def restore(state: Mapping[str, object]) -> Plan:
    """Build a plan from its JSON values. Raises KeyError, TypeError, ValueError, BadSchema where they are none."""
    steps = tuple(_step(one) for one in cast("list[dict[str, object]]", state["steps"]))
    apart = tuple(_apart(one) for one in cast("list[dict[str, object]]", state["apart"]))
    return Plan(Schema.from_json(str(state["schema"])), steps, apart)


def _step(state: dict[str, object]) -> Step:
    if state["step"] == "combined":
        return restore_combined(state)
    own = {key: value for key, value in state.items() if key != "step"}
    if state["step"] == "total":
        own["parts"] = tuple(cast("list[str]", own["parts"]))
        return Total(**own)  # pyright: ignore[reportArgumentType]
    for side in ("below", "above"):
        own[side] = tuple((str(name), bool(strict)) for name, strict in cast("list[tuple[str, bool]]", own[side]))
    own["grid"] = _grid(cast("dict[str, object]", own["grid"]))
    return Order(**own)  # pyright: ignore[reportArgumentType]


def _apart(state: dict[str, object]) -> Apart:
    movers = [
        Mover(str(one["name"]), _grid(cast("dict[str, object]", one["grid"])), _float(one["low"]), _float(one["high"]))
        for one in cast("list[dict[str, object]]", state["movers"])
    ]
    return Apart(tuple(cast("list[str]", state["columns"])), tuple(movers))


def _float(value: object) -> float:
    return float(cast("float", value))


def _grid(state: dict[str, object]) -> Grid:
    return Grid(**state)  # pyright: ignore[reportArgumentType]


def learn(table: Table) -> Plan:
    """Learn from real rows how the constraints of their schema are kept."""
    constraints = table.schema.constraints
    values = values_of(table)
    groups = _groups(constraints)
    steps: list[Step] = [fit_combined(table, values, columns) for columns in groups]
    combined = {name for columns in groups for name in columns}
    sums = {one.columns[0]: one.columns[1:] for one in constraints if one.rule is Rule.SUM}
    below, above, order = _movers(constraints, sums, fixed={*combined, *sums})
    for name in order:
        if name in sums:
            steps.append(fit_total(table, values, name, sums[name]))
        elif name in below or name in above:
            sides = [tuple(side.get(name, {}).items()) for side in (below, above)]
            steps.append(fit_order(table, values, name, below=sides[0], above=sides[1]))
    named = [name for one in constraints for name in one.columns]
    apart = [
        fit_apart(table, values, one.columns, busy={name for name in one.columns if named.count(name) > 1})
        for one in constraints
        if one.rule is Rule.UNIQUE
    ]
    return Plan(table.schema, tuple(steps), tuple(apart))


def _groups(constraints: Sequence[Constraint]) -> list[tuple[str, ...]]:
    """Return the columns of fixed combinations, those that share a column together."""
    found: list[tuple[str, ...]] = []
    for one in constraints:
        if one.rule is Rule.COMBINATIONS:
            sharing = [own for own in found if set(own) & set(one.columns)]
            together = dict.fromkeys([*(name for own in sharing for name in own), *one.columns])
            found = [own for own in found if own not in sharing] + [tuple(together)]
    return found


Sides = dict[str, dict[str, bool]]


def _movers(
    constraints: Sequence[Constraint], sums: Mapping[str, Sequence[str]], *, fixed: Collection[str]
) -> tuple[Sides, Sides, list[str]]:
    """Return for each column that gives way which ones bound it from below and from above, and the order of setting.

    Of two columns in order the upper gives way; where it is a total or part of a combination, the lower does; where
    neither can, their order is only checked.
    """
    before: dict[str, list[str]] = {total: list(parts) for total, parts in sums.items()}
    below: Sides = {}
    above: Sides = {}
    for low, high, strict in _pairs(constraints):
        if high not in fixed and not _waits(low, high, before):
            mover, other, side = high, low, below
        elif low not in fixed and not _waits(high, low, before):
            mover, other, side = low, high, above
        else:
            continue
        before.setdefault(mover, []).append(other)
        own = side.setdefault(mover, {})
        own[other] = own.get(other, False) or strict
    return below, above, list(TopologicalSorter(before).static_order())


def _pairs(constraints: Sequence[Constraint]) -> Iterator[tuple[str, str, bool]]:
    """Yield the lower column, the upper one, and whether they must differ: also those two places apart and more."""
    for one in constraints:
        if one.rule is Rule.ORDER:
            for place, low in enumerate(one.columns):
                for high in one.columns[place + 1 :]:
                    yield low, high, one.strict


def _waits(first: str, second: str, before: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether ``first`` can only be set after ``second``."""
    waiting, seen = [first], set[str]()
    while waiting:
        name = waiting.pop()
        if name == second:
            return True
        if name not in seen:
            seen.add(name)
            waiting += before.get(name, ())
    return False
