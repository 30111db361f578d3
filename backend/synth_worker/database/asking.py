"""Ask a driver, and let none of its words out when it fails: they may quote values."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from synth_worker.errors import QueryFailed

if TYPE_CHECKING:
    import pyarrow as pa

LOG = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


def asked(question: Callable[[], _Answer], *, failures: tuple[type[Exception], ...]) -> _Answer:
    """Return the answer to a question. Raises QueryFailed, one sentence whatever failed; the log names the kind.

    The failure is left behind before ours is raised, so that no chain leads from it to a value.

    >>> asked(lambda: 1 // 0, failures=(ZeroDivisionError,))
    Traceback (most recent call last):
    synth_worker.errors.QueryFailed: the database could not answer the query (the log says of which kind the failure is)
    """
    try:
        return question()
    except failures as error:
        kind = f"{type(error).__name__} {getattr(error, 'sqlstate', None) or ''}".strip()
    LOG.error("a query failed: %s", kind)
    raise QueryFailed("the database could not answer the query", hint="the log says of which kind the failure is")


def check_rows(rows: int, *, most: int) -> None:
    """Refuse an answer of more rows than are allowed. Raises QueryFailed."""
    if rows > most:
        raise QueryFailed(f"the answer has more than {most} rows", hint="ask for fewer, with limit")


def as_columns(names: list[str], rows: list[tuple[object, ...]]) -> pa.Table:
    """Return rows as columns; a column that mixes types comes as text."""
    import pyarrow as pa  # noqa: PLC0415 - heavy, and not every caller wants columns

    columns: list[list[object]] = [list(one) for one in zip(*rows, strict=True)] or [[] for _ in names]
    arrays: list[pa.Array] = []
    for values in columns:
        try:
            arrays.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            arrays.append(pa.array([None if one is None else str(one) for one in values]))
    return pa.Table.from_arrays(arrays, names=names)
