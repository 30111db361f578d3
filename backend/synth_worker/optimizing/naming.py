"""Tell column names that are values: the first record of a table whose file had no header."""

from __future__ import annotations

from collections.abc import Sequence

MOSTLY = 0.5


def value_like(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that are numbers, where they are at least half of all and do not count: columns, or years.

    >>> value_like(["63.0", "1.0", "145", "typical"])
    ('63.0', '1.0', '145')
    >>> value_like(["0", "1", "2"]), value_like(["age", "1990", "sex"])
    ((), ())
    >>> value_like(["id", "2019", "2020", "2021"])
    ()
    """
    found = tuple(name for name in names if _is_number(name))
    counting = len(found) > 1 and list(found) == [str(place) for place in _counted(found)]
    return () if counting or len(found) < max(MOSTLY * len(names), 1) else found


def _counted(names: Sequence[str]) -> range:
    """Return as many whole numbers, each one more than the one before, as there are names, from the first of them."""
    try:
        start = int(names[0])
    except ValueError:
        return range(0)
    return range(start, start + len(names))


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
