"""Turn what a request filters by into one condition, in which the user's text has become names and parameters."""

from __future__ import annotations

from collections.abc import Mapping

from synth_worker.database.dialect import Dialect
from synth_worker.database.filters import All, Condition, Part, rendered
from synth_worker.errors import BadInput
from synth_worker.query.config import QueryConfig


def condition_of(config: QueryConfig, columns: Mapping[str, str], dialect: Dialect) -> Condition | None:
    """Return the condition, None where nothing is filtered. Raises BadInput, UnknownName for what is not allowed."""
    parts: list[Part] = list(config.filters)
    text = (config.where_clause or "").strip()
    if text:
        parts.insert(0, _parsed(text, columns, dialect))
    if not parts:
        return None
    return rendered(parts[0] if len(parts) == 1 else All(tuple(parts)), columns, dialect=dialect)


def _parsed(text: str, columns: Mapping[str, str], dialect: Dialect) -> Part:
    try:
        from synth_worker.database.clause import parsed  # noqa: PLC0415 - an optional part
    except ModuleNotFoundError as error:
        if error.name != "sqlglot":
            raise
        raise BadInput(
            "where_clause needs the package 'sqlglot', which is not installed",
            hint="pip install 'gesalp[database]', or use filters",
        ) from None
    return parsed(text, columns, dialect=dialect)
