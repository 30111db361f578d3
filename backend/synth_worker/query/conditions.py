"""Turn what a request filters by into one condition, in which the user's text has become names and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from synth_worker.database.dialect import Dialect
from synth_worker.query.config import QueryConfig

if TYPE_CHECKING:
    from synth_worker.database.filters import Condition


def condition_of(config: QueryConfig, columns: Mapping[str, str], dialect: Dialect) -> Condition | None:
    """Return the condition, None where nothing is filtered. Raises BadInput, UnknownName for what is not allowed."""
    if not config.filtered:
        return None
    from synth_worker.database.clause import parsed  # noqa: PLC0415 - sqlglot is an optional part
    from synth_worker.database.filters import All, rendered  # noqa: PLC0415 - as above

    clause = (config.where_clause or "").strip()
    read = (parsed(clause, columns, dialect=dialect),) if clause else ()
    return rendered(All((*read, *config.filters)), columns, dialect=dialect)
