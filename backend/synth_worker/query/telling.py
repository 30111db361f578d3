"""Tell what an answer guarantees, in JSON; under a guarantee all of it is public, asked for, or noised."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from synth_worker.errors import BadInput
from synth_worker.generators.dp_domain import is_public
from synth_worker.privacy.budget import NOTHING, Cost
from synth_worker.privacy.entries import Pool
from synth_worker.query.config import QueryConfig
from synth_worker.query.modes import Mode
from synth_worker.schema import Schema

SCHEMA_VERSION = 1

MECHANISMS: Mapping[Mode, str] = {
    Mode.SYNTHESIS: "discrete Gaussian noise on counts of columns and of pairs, a noisy choice of pairs (mst)",
    Mode.LOCAL: "k-ary randomised response over public categories, cut discrete Laplace over public bounds",
    Mode.ATTRIBUTE: "k-ary randomised response over public categories, cut discrete Laplace over public bounds",
    Mode.RAW: "none",
}

NEIGHBOURS: Mapping[Mode, str] = {
    Mode.SYNTHESIS: "add/remove",
    Mode.LOCAL: "replace-one",
    Mode.ATTRIBUTE: "replace-one, of the sensitive values only",
    Mode.RAW: "none",
}


@dataclass(frozen=True)
class Answered:
    """Hold what the metadata of an answer is made from.

    ``pool`` is the population after this request was charged, ``charged`` what that was. ``protected`` are the columns
    that the guarantee is about; ``learnt`` those of a schema, public or estimated.
    """

    config: QueryConfig
    mode: Mode
    declared: Mapping[str, str]
    learnt: Schema
    filter_columns: tuple[str, ...]
    engine: str
    database: str
    principal: str
    pool: Pool
    charged: Cost
    opened: bool
    rows: int
    parts: int = 1
    unit_set_by: str = "request"
    measured: tuple[tuple[str, float], ...] = field(default=())


def caller_of(given: Mapping[str, object] | None) -> dict[str, object]:
    """Return the caller's own words as JSON holds them. Raises BadInput for what JSON does not hold."""
    try:
        text = json.dumps(dict(given or {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadInput(
            "the metadata that was given cannot be written as JSON", hint="give texts and numbers"
        ) from error
    return dict(json.loads(text))


def tell(answered: Answered) -> dict[str, object]:
    """Return the metadata of an answer."""
    config, mode = answered.config, answered.mode
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "query",
        "mode": str(mode),
        "dp_applied": {Mode.RAW: False, Mode.ATTRIBUTE: "attribute"}.get(mode, True),
        "guarantee": guarantee(config, mode),
        "epsilon": None if mode is Mode.RAW else config.dp_epsilon,
        "delta": config.delta if mode is Mode.SYNTHESIS else None if mode is Mode.RAW else 0.0,
        "mechanism": MECHANISMS[mode],
        "unit": "none" if mode is Mode.RAW else "person" if config.unit else "row",
        "privacy_unit": config.unit or None,
        "unit_set_by": answered.unit_set_by,
        "max_rows_per_unit": config.max_rows_per_unit if config.unit else 1,
        "neighbours": NEIGHBOURS[mode],
        "disclosed": _disclosed(config, mode),
        "contains_personal_data": mode in (Mode.RAW, Mode.ATTRIBUTE),
        "columns": _columns(answered),
        "sensitive_columns": list(config.sensitive),
        "protected_columns": list(_protected(config, mode)),
        "filter": {
            "where_clause": config.where_clause or None,
            "filters": [repr(one) for one in config.filters],
            "columns": list(answered.filter_columns),
            "applied": "before counting" if mode is Mode.SYNTHESIS else "before drawing",
        },
        "sampling": {
            "fraction": config.sample_fraction,
            "method": "each row with this probability, by a keyed hash, after the filter",
            "amplification_claimed": False,
        },
        "limit": config.limit,
        "rows": answered.rows,
        "rows_are": _rows_are(config, mode),
        "epsilon_of_each_value": _each(answered),
        "measured": [{"what": what, "rho": rho} for what, rho in answered.measured],
        "budget": _budget(answered),
        "earlier_unbounded_releases": list(answered.pool.unbounded),
        "database": {"engine": answered.engine, "name": answered.database, "table": config.table_name},
        "purpose": config.purpose,
        "principal": answered.principal,
        "replayed": False,
    }


def guarantee(config: QueryConfig, mode: Mode) -> str:
    """Return the guarantee in a few words.

    >>> guarantee(QueryConfig("t", ["age"], dp_epsilon=1.0), Mode.SYNTHESIS)
    '(1, 1e-07)-differential privacy of each row'
    """
    epsilon = f"{config.dp_epsilon or 0:g}"
    unit = f"person (column {config.unit})" if config.unit else "row"
    if mode is Mode.SYNTHESIS:
        return f"({epsilon}, {config.delta:g})-differential privacy of each {unit}"
    if mode is Mode.LOCAL:
        return f"{epsilon}-local differential privacy per {'person' if config.unit else 'record'}"
    if mode is Mode.ATTRIBUTE:
        return (
            f"attribute-level local differential privacy ({epsilon}) of {', '.join(config.sensitive)}; "
            "not DP of the record"
        )
    return "none"


def unbounded_words(config: QueryConfig, mode: Mode) -> str:
    """Return in words what is handed out without bound, for the ledger and every later release."""
    exact = [name for name in config.columns if mode is Mode.RAW or name not in config.sensitive]
    purpose = f", for: {config.purpose.strip()}" if config.purpose.strip() else ""
    words = f"{mode}: exact values of {', '.join(exact)} of table {config.table_name}{purpose}"
    return "".join(one if one.isprintable() else " " for one in words)


def _protected(config: QueryConfig, mode: Mode) -> tuple[str, ...]:
    if mode is Mode.RAW:
        return ()
    return config.sensitive if mode is Mode.ATTRIBUTE else tuple(config.columns)


def _disclosed(config: QueryConfig, mode: Mode) -> str:
    if mode is Mode.SYNTHESIS:
        return "nothing beyond the guarantee; the number of rows is noised too"
    if mode is Mode.LOCAL:
        return "the number of rows, and that the records of the filter are among them"
    if mode is Mode.ATTRIBUTE:
        exact = [name for name in config.columns if name not in config.sensitive]
        return f"the number of rows, who is among them, and the exact values of {', '.join(exact) or 'no column'}"
    return "real rows"


def _columns(answered: Answered) -> dict[str, dict[str, object]]:
    protected = _protected(answered.config, answered.mode)
    found: dict[str, dict[str, object]] = {}
    for name in answered.config.columns:
        row: dict[str, object] = {"declared": answered.declared[name], "protected": name in protected}
        if name in answered.learnt:
            column = answered.learnt[name]
            row["kind"] = str(column.kind)
            row["bounds" if column.continuous else "categories"] = "public" if is_public(column) else "estimated"
        found[name] = row
    return found


def _rows_are(config: QueryConfig, mode: Mode) -> str:
    if mode is Mode.SYNTHESIS:
        return "synthetic: as many as the noised count" + (" or the limit, if less" if config.limit else "")
    return "real rows, randomised" if mode in (Mode.LOCAL, Mode.ATTRIBUTE) else "real rows"


def _each(answered: Answered) -> float | None:
    if answered.mode not in (Mode.LOCAL, Mode.ATTRIBUTE):
        return None
    return (answered.config.dp_epsilon or 0) / answered.parts


def _budget(answered: Answered) -> dict[str, object]:
    pool = answered.pool
    before = Cost(
        max(pool.spent.rho_nano - answered.charged.rho_nano, 0),
        max(pool.spent.delta_atto - answered.charged.delta_atto, 0),
    )
    return {
        "population": pool.population,
        "epsilon": pool.budget.epsilon,
        "delta": pool.budget.delta,
        "opened_by_this_request": answered.opened,
        "charged": _units(answered.charged),
        "spent_before": _units(before),
        "spent_after": _units(pool.spent),
        "left_after": _units(pool.left),
        "epsilon_spent_before": 0.0 if before == NOTHING else pool.budget.epsilon_spent(before),
        "epsilon_spent_after": pool.budget.epsilon_spent(pool.spent),
    }


def _units(cost: Cost) -> dict[str, int]:
    return {"rho_nano": cost.rho_nano, "delta_atto": cost.delta_atto}
