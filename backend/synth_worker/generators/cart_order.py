"""Decide in which order columns are drawn, which earlier ones each looks at, and which follow from another one."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from synth_worker.errors import BadInput, UnknownName
from synth_worker.table import Floats, Ints

LEVELS_MOST = 0.1
BROKEN_LEAST = 20.0
FIRST_LOOK = 10_000
"""Rows that are looked at first: a rule that they break need not be checked on the rest."""


def drawing_order(distinct: Sequence[int], *, numeric: Sequence[bool], first: Sequence[int] = ()) -> list[int]:
    """Return the column indices in drawing order: ``first``, then few values first, so that richer columns see them.

    A column of almost unique numbers comes last, where nothing else is drawn from it. What is drawn first can be
    given exactly.

    >>> drawing_order([90, 2, 7], numeric=[True, False, False])
    [1, 2, 0]
    >>> drawing_order([90, 2, 7], numeric=[True, False, False], first=[2])
    [2, 1, 0]
    """
    rest = [at for at in range(len(distinct)) if at not in first]
    return [*first, *sorted(rest, key=lambda at: (distinct[at], numeric[at], at))]


def first_columns(text: str, names: Sequence[str]) -> list[int]:
    """Read the hyper-parameter ``first``: nothing, one column's name, or several names as a JSON list.

    Raises UnknownName for a column that is not there, BadInput for one that is named twice.

    >>> first_columns("sex", ["age", "sex"]), first_columns('["sex", "age"]', ["age", "sex"])
    ([1], [1, 0])
    """
    if not text:
        return []
    asked: list[object] = [text]
    if text not in names and text.startswith("["):
        try:
            asked = list(json.loads(text))
        except ValueError as error:
            raise BadInput(f"'first' is {text!r}", hint='give one column\'s name, or several as ["a", "b"]') from error
    found: list[int] = []
    for name in asked:
        if name not in names:
            raise UnknownName.of("column to draw first", str(name), names)
        found.append(list(names).index(str(name)))
    if len(set(found)) < len(found):
        raise BadInput(f"'first' is {text!r}: a column stands twice", hint="name each once")
    return found


def strongest(association: Floats, *, most: int) -> Ints:
    """Return the indices of the ``most`` largest associations, in ascending order of index."""
    if len(association) <= most:
        return np.arange(len(association))
    return np.sort(np.argsort(-association, kind="stable")[:most])


def source_of(target: Ints, earlier: Sequence[Ints]) -> int | None:
    """Return which earlier column determines ``target`` (codes from 0, shape (rows,)), or None.

    It must do so without exception, with few enough levels, and where chance would have broken the rule: at least
    twenty rows are expected to differ from their level's most frequent value if the two were independent.
    """
    rows = len(target)
    share = np.bincount(target) / max(rows, 1)
    if share.max() == 1.0:
        return None
    for at, source in enumerate(earlier):
        levels, width = int(source.max()) + 1, int(target.max()) + 1
        if _broken(source[:FIRST_LOOK], target[:FIRST_LOOK], width):
            continue
        used = np.bincount(source, minlength=levels)
        if (used > 0).sum() > LEVELS_MOST * rows:
            continue
        pairs = np.unique(source * width + target)
        repeated = used[used >= 2]
        if len(pairs) == (used > 0).sum() and (repeated - 1).sum() * (1 - share.max()) >= BROKEN_LEAST:
            return at
    return None


def _broken(source: Ints, target: Ints, width: int) -> bool:
    """Tell whether one value of the source goes with two of the target."""
    return len(np.unique(source * width + target)) > len(np.unique(source))
