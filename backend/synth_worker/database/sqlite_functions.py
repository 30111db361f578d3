"""Give SQLite the functions that it lacks: canonical text, number, hash; none of them can raise."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import partial

from synth_worker.database.dialect import LONGEST_NUMBER, NUMBER, Family, moment_text

Held = str | int | float | bytes | None
NUMBERS = re.compile(NUMBER)
TOLD = "told "
"""Stands before the family where the bytes that follow are a text."""
TRUTHS = {0: "false", 1: "true"}


def as_text(value: Held, family: str) -> str | None:
    """Return the canonical text of what a cell holds under a family of declared types.

    >>> as_text(1.0, "real"), as_text(1, "boolean"), as_text("2020-01-01T10:00:00.50", "timestamp")
    ('1', 'true', '2020-01-01 10:00:00.5')
    """
    if value is None:
        return None
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, str):
        return _moment_text(value, family)
    if family == Family.BOOLEAN and value in TRUTHS:
        return TRUTHS[int(value)]
    return _real_text(value) if isinstance(value, float) else str(value)


def _real_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value.is_integer() and abs(value) < 1e18 else repr(value)


def _moment_text(value: str, family: str) -> str:
    moment = _moment(value, family)
    if moment is None:
        return value
    if family == Family.DATE:
        return moment_text(moment.date())
    return moment_text(moment if family == Family.INSTANT else moment.replace(tzinfo=None))


def _moment(value: str, family: str) -> datetime | None:
    """Return what a text says under a family of dates, in UTC; None where it says no date."""
    if family not in (Family.DATE, Family.TIMESTAMP, Family.INSTANT):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        # A date without a zone is one of UTC; astimezone can leave the calendar.
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def as_number(value: Held, family: str) -> float | None:
    """Return what a cell holds as a double; None where it is no number.

    >>> as_number("12", "text"), as_number("x", "real"), as_number("1970-01-02", "date")
    (12.0, None, 86400.0)
    """
    if isinstance(value, int | float):
        try:
            found = float(value)
        except OverflowError:
            return None
        return None if math.isnan(found) else found
    if not isinstance(value, str):
        return None
    moment = _moment(value, family)
    if moment is not None:
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    if family == Family.TIME:
        return _seconds(value)
    return float(value) if len(value) <= LONGEST_NUMBER and NUMBERS.fullmatch(value) else None


def _seconds(value: str) -> float | None:
    try:
        found = time.fromisoformat(value.strip())
    except ValueError:
        return None
    return (
        datetime.combine(date(1970, 1, 1), found.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    ).total_seconds()


def as_comparable(value: Held, family: str) -> Held:
    """Return what a filter compares: a number under numeric families and for truth, else the canonical text."""
    if family in (Family.WHOLE, Family.EXACT, Family.REAL, Family.BOOLEAN):
        return value if isinstance(value, int) else as_number(value, family)
    return as_text(value, family)


def hashed(text: Held, key: Held) -> str | None:
    """Return the hexadecimal SHA-256 of the key, a bar and the text."""
    if text is None or key is None:
        return None
    return hashlib.sha256(f"{key}|{text}".encode("utf-8", "surrogatepass")).hexdigest()


def uniform(text: Held, key: Held) -> float | None:
    """Return a number in [0, 1) from the hash."""
    found = hashed(text, key)
    return None if found is None else int(found[:13], 16) / 2**52


def readable(value: bytes) -> str:
    """Return a text that is one, whatever bytes SQLite keeps as text.

    >>> readable(b"caf\\xe9")
    'caf\ufffd'
    """
    return value.decode("utf-8", "replace")


def _read(function: Callable[[Held, str], Held], value: Held, family: str) -> Held:
    if family.startswith(TOLD):
        return function(readable(value) if isinstance(value, bytes) else value, family.removeprefix(TOLD))
    return function(value, family)


FUNCTIONS: dict[str, Callable[[Held, str], Held] | Callable[[Held, Held], Held]] = {
    "gesalp_text": partial(_read, as_text),
    "gesalp_number": partial(_read, as_number),
    "gesalp_comparable": partial(_read, as_comparable),
    "gesalp_hashed": hashed,
    "gesalp_uniform": uniform,
}
