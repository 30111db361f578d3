"""Name every way in which the system refuses, so that a caller can catch just what it can handle.

    GesalpError
      BadInput              the table, the schema or an option cannot be used; exit code 2
        UnreadableTable     the file is not a table, or not this kind of table
        BadSchema           a schema that contradicts itself or the table
        UnknownName         a method, metric, profile or column that does not exist
        DatabaseRefused     a connection that is not proved safe, a role that could do harm, or a missing driver
        QueryRefused        a request to a database that would give away what is to be protected
      QueryFailed           the database could not answer; the message quotes no value of it
      BudgetExceeded        the privacy budget does not hold this request; exit code 5
      LedgerUnusable        what was spent is not known for certain, so nothing more is; exit code 6
        AuditUnusable       what was asked cannot be written down, or not all of it is there any more
      NotFitted             a generator was asked to sample before it was fitted or loaded
      BadModel              a saved model is damaged, or made by something else
      TrainingFailed        a generator could not be fitted; the loop records it and goes on
      Cancelled             the user stopped the work; what was finished is kept; exit code 130

A message names the thing, the limit, the value, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class GesalpError(Exception):
    """Say what went wrong in one sentence, and the way out in ``hint``.

    >>> error = BadInput("column 'age' has 0 rows; at least 2 are needed", hint="check the delimiter")
    >>> str(error)
    "column 'age' has 0 rows; at least 2 are needed (check the delimiter)"

    ``exit_code`` is what a command or a worker that is refused ends with.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} ({hint})" if hint else message)


class BadInput(GesalpError):
    """Refuse input that cannot be used."""


class UnreadableTable(BadInput):
    """Refuse a file that does not hold a usable table."""


class BadSchema(BadInput):
    """Refuse a schema that contradicts itself or its table."""


MOST_LISTED = 20


def listed(names: Iterable[object]) -> str:
    """Return names as a sentence lists them: in their own order, a set sorted, a long list cut with how many there are.

    >>> listed(f"column_{place}" for place in range(1, 23))[-45:]
    'column_18, column_19, column_20, ... (22 all)'
    """
    own = [str(one) for one in (sorted(names, key=str) if isinstance(names, set | frozenset) else names)]
    return ", ".join(own[:MOST_LISTED]) + (f", ... ({len(own)} all)" if len(own) > MOST_LISTED else "")


class UnknownName(BadInput):
    """Refuse a name that is in no registry; the message lists the known ones."""

    @classmethod
    def of(cls, what: str, name: object, known: Iterable[object], *, whole: str = "") -> UnknownName:
        """Build the message from the name, what it should be a part of, and the names that exist.

        >>> str(UnknownName.of("profile", "lax", ["standard", "research"]))
        "unknown profile 'lax' (known: standard, research)"
        >>> UnknownName.of("category", "X", ["F", "M"], whole="column 'sex'").message
        "unknown category 'X' of column 'sex'"
        """
        return cls(f"unknown {what} {name!r}" + (f" of {whole}" if whole else ""), hint=f"known: {listed(known)}")


class DatabaseRefused(BadInput):
    """Refuse a database: it cannot be reached, did not prove who it is, or its role could do more than read."""


class QueryFailed(GesalpError):
    """Report that a database could not answer, in one constant sentence: its own words may quote values."""


class QueryRefused(BadInput):
    """Refuse a request to a database that would give away what is to be protected; nothing was asked of it."""


class NotFitted(GesalpError):
    """Refuse to sample from a generator that knows nothing yet."""


class BadModel(GesalpError):
    """Refuse a saved model that is damaged or foreign."""


class TrainingFailed(GesalpError):
    """Report a fit that ended without a model."""


class Cancelled(GesalpError):
    """Report that the user stopped the work."""


class BudgetExceeded(GesalpError):
    """Refuse to spend more of a privacy budget than there is; nothing was charged."""

    exit_code = 5


class LedgerUnusable(GesalpError):
    """Refuse to work with a ledger that is missing, damaged or does not match what is known of it."""

    exit_code = 6


class AuditUnusable(LedgerUnusable):
    """Refuse to work without an audit log, or with one from which something is missing or in which it was changed."""
