"""Tell column names that are values: the first record of a table whose file had no header."""

from __future__ import annotations

from collections.abc import Sequence

MOSTLY = 0.5


def value_like(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that are numbers, where they are at least half of all and do not just count the columns.

    >>> value_like(["63.0", "1.0", "145", "typical"])
    ('63.0', '1.0', '145')
    >>> value_like(["0", "1", "2"]), value_like(["age", "1990", "sex"])
    ((), ())
    """
    found = tuple(name for name in names if _is_number(name))
    counting = [str(place) for place in range(len(names))] == list(names)
    return () if counting or len(found) < max(MOSTLY * len(names), 1) else found


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
