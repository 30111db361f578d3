"""Divide what a column can hold into cells: a public, total map from any raw value to a code, for numpy and for SQL.

Nothing here looks at data. Whatever a column holds (NULL, NaN, an unlisted label, a number out of bounds) has a cell,
so that no value raises, widens a domain, or is told apart from any other by a message.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import cast

import numpy as np

from synth_worker.errors import BadModel, BadSchema
from synth_worker.table import Floats, Ints

MAGNITUDES = tuple(float(2**power) for power in range(-20, 63))
"""The powers of two of the grid on which unknown bounds are looked for."""


@dataclass(frozen=True)
class Cells:
    """Map a column to codes: ``labels`` to their places, or numbers (instants in seconds) to the slices at ``edges``.

    Labels: code ``len(labels)`` is any other label, the code after it NULL. Numbers: slice i is edges[i] <= x <
    edges[i + 1], what lies outside belongs to the first or last slice, and the code after the slices is NULL and NaN.
    ``groups`` joins cells: one code, from 0 on, for each of the cells in this order.

    Raises BadSchema for edges that do not rise, labels listed twice, or both, and for groups of other cells.

    >>> ages = Cells("age", edges=(-0.5, 17.5, 64.5, 120.5))
    >>> ages.codes_of_numbers(np.array([-3.0, 18.0, 1e9, np.nan]))
    array([0, 1, 2, 3])
    >>> Cells.from_json(ages.to_json()) == ages
    True
    """

    name: str
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    groups: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.labels and self.edges:
            raise BadSchema(f"cells of column {self.name!r} are labels or slices of numbers, not both")
        if len(set(self.labels)) != len(self.labels):
            raise BadSchema(f"cells of column {self.name!r} list a label twice", hint="list each once")
        if len(self.edges) == 1 or not all(one < two for one, two in pairwise(self.edges)):
            raise BadSchema(f"the edges of column {self.name!r} do not rise", hint="give at least two rising edges")
        if self.groups and (len(self.groups) != self.fine or min(self.groups) < 0):
            raise BadSchema(f"the groups of column {self.name!r} do not cover its {self.fine} cells")

    @property
    def numeric(self) -> bool:
        """Tell whether the cells are slices of numbers."""
        return bool(self.edges)

    @property
    def fine(self) -> int:
        """Return the number of cells before they are joined, that of NULL included."""
        return len(self.edges) if self.edges else len(self.labels) + 2

    @property
    def size(self) -> int:
        """Return the number of codes."""
        return max(self.groups) + 1 if self.groups else self.fine

    @property
    def null(self) -> int:
        """Return the cell of NULL: the last."""
        return self.fine - 1

    def joined(self, groups: Ints) -> Cells:
        """Return the same cells under these codes, shape (fine,)."""
        return replace(self, groups=tuple(int(one) for one in groups))

    def codes_of_numbers(self, values: Floats) -> Ints:
        """Return the code of each number, shape (rows,)."""
        found = np.searchsorted(np.asarray(self.edges[1:-1]), values, side="right").astype(np.int64)
        found[np.isnan(values)] = self.null
        return self._codes(found)

    def _codes(self, found: Ints) -> Ints:
        return np.array(self.groups, dtype=np.int64)[found] if self.groups else found

    def _code(self, cell: int) -> int:
        return self.groups[cell] if self.groups else cell

    def codes_of_labels(self, names: Sequence[str], codes: Ints) -> Ints:
        """Return the code of each label, shape (rows,), where ``codes`` are places in ``names`` (NULL -1)."""
        place = {label: at for at, label in enumerate(self.labels)}
        other = len(self.labels)
        return self._codes(np.array([*(place.get(name, other) for name in names), self.null], dtype=np.int64)[codes])

    def to_json(self) -> str:
        """Return the cells as JSON on one line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Cells:
        """Read cells back. Raises BadModel on damage."""
        try:
            row = cast("Mapping[str, object]", json.loads(text))
            labels = tuple(str(one) for one in cast("list[object]", row["labels"]))
            edges = tuple(float(one) for one in cast("list[float]", row["edges"]))
            groups = tuple(int(one) for one in cast("list[int]", row["groups"]))
            return cls(str(row["name"]), labels, edges, groups)
        except (ValueError, TypeError, KeyError, BadSchema) as error:
            raise BadModel("the cells of a column are damaged", hint="fit the model again") from error

    def to_sql(self, text: str, number: str) -> str:
        """Return a CASE expression that gives the code, from SQL expressions of the value as text and as a double.

        ``number`` must be NULL where the value is missing, NaN or no number; then no part of the expression can fail.

        >>> Cells("sex", labels=("f", "m")).to_sql('"sex"', "")
        'CASE WHEN "sex" IS NULL THEN 3 WHEN "sex" = \\'f\\' THEN 0 WHEN "sex" = \\'m\\' THEN 1 ELSE 2 END'
        """
        if not self.numeric:
            quoted = [label.replace("'", "''") for label in self.labels]
            whens = "".join(f" WHEN {text} = '{label}' THEN {self._code(at)}" for at, label in enumerate(quoted))
            other = self._code(len(self.labels))
            return f"CASE WHEN {text} IS NULL THEN {self._code(self.null)}{whens} ELSE {other} END"
        halved = self._halved(number, 0, self.null - 1)
        return f"CASE WHEN {number} IS NULL THEN {self._code(self.null)} ELSE {halved} END"

    def _halved(self, number: str, first: int, last: int) -> str:
        """Return nested CASEs that find the slice by halving: a chain of a thousand comparisons would be slow."""
        if first == last:
            return str(self._code(first))
        cut = (first + last + 1) // 2
        low, high = self._halved(number, first, cut - 1), self._halved(number, cut, last)
        return f"CASE WHEN {number} < {_double(self.edges[cut])} THEN {low} ELSE {high} END"


def _double(value: float) -> str:
    """Return a number as every engine reads a double: with an exponent, else it would be a decimal.

    >>> _double(17.5), _double(-1e300)
    ('17.5e0', '-1e+300')
    """
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def slices(name: str, *, low: float, high: float, step: float, most: int) -> Cells:
    """Return about ``most`` slices of equal width between public bounds; the bounds and zero have slices of their own.

    ``step`` is what values are multiples of (1 for whole numbers, 0 for any real number); edges then lie half a step
    beside these, so that no rounding moves a value over an edge.

    >>> slices("n", low=0, high=3, step=1, most=10).edges
    (-0.5, 0.5, 1.5, 2.5, 3.5)
    """
    return Cells(name, edges=edges_between(low, high, step=step, most=most, alone=(low, 0.0, high)))


def edges_between(
    low: float, high: float, *, step: float, most: int, alone: tuple[float, ...] = ()
) -> tuple[float, ...]:
    """Return the edges of about equal slices that cover low..high, values ``alone`` between edges of their own."""
    if step > 0:
        first, last = math.floor(low / step + 0.5), math.floor(high / step + 0.5)
        count = last - first + 1
        places = np.unique(np.round(np.linspace(0, count, min(most, count) + 1)))
        own = [math.floor(one / step + 0.5) - first for one in alone if low <= one <= high]
        places = np.unique(np.concatenate([places, np.array([[one, one + 1] for one in own], dtype=float).ravel()]))
        return tuple(float(one) for one in np.unique((places + first - 0.5) * step))
    width = (high - low) or max(abs(low), 1.0)
    tiny = max(width, abs(low), abs(high)) * 1e-12
    places = np.linspace(low, high if high > low else low + width, most + 1)
    own = np.array([[one - tiny, one + tiny] for one in alone if low <= one <= high]).ravel()
    kept = [one for one in places if not any(abs(one - other) <= tiny for other in alone)]
    found = np.unique(np.concatenate([kept, own]))
    return tuple(float(one) for one in found)


def magnitudes(name: str) -> Cells:
    """Return the public grid on which unknown bounds are looked for: zero, and powers of two on either side."""
    return Cells(name, edges=(*(-one for one in reversed(MAGNITUDES)), *MAGNITUDES))
