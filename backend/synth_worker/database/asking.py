"""Ask a driver, and let none of its words out when it fails: they may quote values."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from synth_worker.errors import QueryFailed

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
