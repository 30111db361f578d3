"""Make a plan of a request that is sound: all that follows from what is asked and from declared types, and no row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from synth_worker.database.connection import Database, TableName
from synth_worker.database.selecting import Selection
from synth_worker.privacy.budget import NOTHING, Cost
from synth_worker.privacy.entries import normalised
from synth_worker.query.columns import declared_of, schema_of
from synth_worker.query.conditions import condition_of
from synth_worker.query.config import QueryConfig
from synth_worker.query.modes import Mode, Policy, check, check_disclosed, check_filter, mode_of
from synth_worker.query.randomising import check_public
from synth_worker.query.synthesising import cost
from synth_worker.query.units import unit_of
from synth_worker.schema import Schema


@dataclass(frozen=True, eq=False)
class Plan:
    """Hold a request that was found sound, and all that is public about it.

    ``declared`` are the types of the columns asked for; ``schema`` those that are learnt or randomised. ``unit_set_by``
    says whether the owner or the request says who is protected.
    """

    config: QueryConfig
    mode: Mode
    declared: Mapping[str, str]
    schema: Schema
    selection: Selection
    unit_set_by: str = "request"

    @property
    def parts(self) -> int:
        """Return among how many values of a person a local epsilon is divided."""
        most = self.config.max_rows_per_unit if self.config.unit else 1
        return max(len(self.schema), 1) * most

    @property
    def filter_columns(self) -> tuple[str, ...]:
        """Return the columns that the filter looks at."""
        condition = self.selection.condition
        return () if condition is None else tuple(sorted(condition.columns))

    @cached_property
    def cost(self) -> Cost:
        """Return what is charged; nothing for raw rows, which no cost would describe."""
        if self.mode is Mode.SYNTHESIS:
            return cost(self.config, self.schema)
        return NOTHING if self.mode is Mode.RAW else Cost.of_pure(float(self.config.dp_epsilon or 0))

    @property
    def normal(self) -> str:
        """Return what makes two requests the same."""
        condition = self.selection.condition
        where = None if condition is None else [condition.sql, *map(repr, condition.parameters)]
        own = {**self.config.normal(), "mode": str(self.mode), "where": where, "declared": dict(self.declared)}
        return normalised({"query": own})

    def asking(self, epsilon: float) -> Plan:
        """Return the same plan at another epsilon."""
        return replace(self, config=replace(self.config, dp_epsilon=epsilon))

    def keyed(self, key: str) -> Plan:
        """Return the plan whose draws follow from this key."""
        return replace(self, selection=replace(self.selection, key=key))


def plan_of(config: QueryConfig, database: Database, policy: Policy) -> Plan:
    """Return what will be done. Raises QueryRefused, BadInput, UnknownName; only declared types have been looked at."""
    mode = mode_of(config, policy)
    if mode is not Mode.RAW:
        config = replace(config, privacy_unit=unit_of(config.table_name, config.unit, policy.privacy_units) or None)
    check(config, mode)
    check_disclosed(config, mode, policy)
    table = TableName.parse(config.table_name)
    columns = database.columns(table)
    unit = (config.unit,) if config.unit else ()
    declared_of(columns, (*config.columns, *config.public_columns, *unit), table=config.table_name)
    learnt = tuple(config.sensitive if mode is Mode.ATTRIBUTE else config.columns)
    schema = Schema(()) if mode is Mode.RAW else schema_of(replace(config, columns=learnt), columns)
    selection = Selection(
        database.dialect,
        table,
        columns,
        key="",
        content=tuple(columns) if mode is Mode.RAW else tuple(config.columns),
        condition=condition_of(config, columns, database.dialect),
        fraction=float(config.sample_fraction),
        unit=config.unit,
        most=config.max_rows_per_unit,
    )
    declared = {name: columns[name] for name in config.columns}
    fixed = bool(unit_of(config.table_name, "", policy.privacy_units))
    plan = Plan(config, mode, declared, schema, selection, unit_set_by="owner" if fixed else "request")
    check_filter(config, mode, frozenset(plan.filter_columns))
    if mode in (Mode.LOCAL, Mode.ATTRIBUTE):
        check_public(schema)
    return plan
