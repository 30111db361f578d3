"""Tell column names that are values: the first record of a table whose file had no header."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

MOSTLY = 0.5
FEWEST_YEARS, YEARS = 3, range(1800, 2200)


def value_like(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that are numbers, where they are at least half of all and do not count: columns, or years.

    >>> value_like(["63.0", "1.0", "145", "typical"])
    ('63.0', '1.0', '145')
    >>> value_like(["0", "1", "2"]), value_like(["age", "1990", "sex"])
    ((), ())
    >>> value_like(["id", "2019", "2020", "2021"]), value_like(["1957", "2020", "male"])
    ((), ('1957', '2020'))
    """
    found = tuple(name for name in names if _is_number(name))
    counting = [str(place) for place in range(len(names))] == list(names)
    return () if counting or _years(found) or len(found) < max(MOSTLY * len(names), 1) else found


def _years(names: Sequence[str]) -> bool:
    """Tell whether names are years evenly apart, three or more: a record may well begin with two."""
    if len(names) < FEWEST_YEARS or not all(one.isdecimal() and int(one) in YEARS for one in names):
        return False
    steps = {int(later) - int(one) for one, later in pairwise(names)}
    return len(steps) == 1 and 0 not in steps


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
