"""Turn a value that a user compares a column with into one of the column's own type, so that no comparison can fail."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal

from synth_worker.database.connection import Value
from synth_worker.database.dialect import LONGEST_NUMBER, NUMBER, Family, family_of
from synth_worker.errors import BadInput

LONGEST_TEXT = 10_000
NUMBERS = re.compile(NUMBER)
TRUTHS = {"true": True, "false": False, "t": True, "f": False, "1": True, "0": False}


def fitted(value: Value, column: str, declared: str, *, ordered: bool) -> Value:
    """Return the value as a parameter for ``Dialect.comparable`` of the column. Raises BadInput, which says why not.

    Text is read as the column's type wants it; instants without a zone are meant in UTC. ``ordered``: before and after
    are asked for, not only whether values are the same.

    >>> fitted("2023-01-01", "date", "date", ordered=True), fitted(12, "zip", "text", ordered=False)
    (datetime.date(2023, 1, 1), '12')
    """
    match family_of(declared):
        case Family.WHOLE | Family.EXACT | Family.REAL as family:
            found = _number(value, family)
        case Family.BOOLEAN:
            found = value if isinstance(value, bool) else TRUTHS.get(str(value).lower())
        case Family.DATE:
            found = _date(value)
        case Family.TIMESTAMP | Family.INSTANT as family:
            found = _moment(value, zoned=family is Family.INSTANT)
        case Family.TIME:
            found = _time(value)
        case _:
            return _text(value, column, ordered=ordered)
    if found is None:
        raise BadInput(
            f"column {column!r} is of type {declared}; it cannot be compared with {str(value)[:40]!r}",
            hint="give a value of that type: a number, a date as 2023-01-31, an instant as 2023-01-31 10:00:00",
        )
    return found


def _number(value: Value, family: Family) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    text = str(value).strip()
    if len(text) > LONGEST_NUMBER or not NUMBERS.fullmatch(text):
        return None
    exact = Decimal(text)
    real = float(exact)
    if not math.isfinite(real):
        return None
    if family is Family.REAL:
        return real
    if exact == exact.to_integral_value() and abs(exact) < 2**63:
        return int(exact)
    return exact if family is Family.EXACT else real


def _date(value: Value) -> Value:
    moment = _read(value)
    # A date is before any later hour of its day, so only midnight can be compared with dates.
    if moment is None or moment.tzinfo is not None or moment.time() != time(0):
        return None
    return moment.date()


def _moment(value: Value, *, zoned: bool) -> Value:
    moment = _read(value)
    if moment is None or (moment.tzinfo is not None and not zoned):
        return None
    if not zoned:
        return moment
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def _read(value: Value) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    try:
        return datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None


def _time(value: Value) -> Value:
    if isinstance(value, time):
        return None if value.tzinfo else value
    try:
        found = time.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if found is None or found.tzinfo else found


def _text(value: Value, column: str, *, ordered: bool) -> str:
    if ordered and isinstance(value, bool | int | float | Decimal):
        raise BadInput(f"column {column!r} is text; {value} is a number", hint="put the value in quotes")
    if isinstance(value, bool):
        return "true" if value else "false"
    found = str(value)
    if len(found) > LONGEST_TEXT or "\x00" in found or any("\ud800" <= one <= "\udfff" for one in found):
        raise BadInput(
            f"column {column!r} cannot be compared with this text: it is longer than {LONGEST_TEXT} characters, or "
            "holds a character that is none"
        )
    return found
