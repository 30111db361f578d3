"""Decide in which order columns are drawn and which earlier ones each looks at."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from synth_worker.errors import BadInput, UnknownName
from synth_worker.table import Floats, Ints


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
