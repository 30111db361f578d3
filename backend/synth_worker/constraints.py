"""State what holds in every row, or over all rows, of a table: constraints, as JSON that a person can edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import cast

from synth_worker.errors import BadSchema, UnknownName

KEEPS = "keeps"
BREAKS = "breaks"
MOST_COMBINED = 4


class Rule(StrEnum):
    """Tell what a constraint demands."""

    ORDER = "order"  # the columns' values rise from the first to the last
    SUM = "sum"  # the first column is the sum of the others
    COMBINATIONS = "combinations"  # only combinations of values that occur in the real table
    UNIQUE = "unique"  # no value (combination of values) stands in two rows


KEYS: Mapping[Rule, frozenset[str]] = {
    Rule.ORDER: frozenset({"rule", "columns", "strict", "missing", "note"}),
    Rule.SUM: frozenset({"rule", "total", "parts", "missing", "note"}),
    Rule.COMBINATIONS: frozenset({"rule", "columns", "note"}),
    Rule.UNIQUE: frozenset({"rule", "columns", "note"}),
}
KINDS: Mapping[Rule, frozenset[str]] = {
    Rule.ORDER: frozenset({"numeric", "datetime"}),
    Rule.SUM: frozenset({"numeric"}),
    Rule.COMBINATIONS: frozenset({"numeric", "categorical", "datetime"}),
    Rule.UNIQUE: frozenset({"numeric", "categorical", "datetime"}),
}
_LEAST = {Rule.ORDER: 2, Rule.SUM: 3, Rule.COMBINATIONS: 2, Rule.UNIQUE: 1}


@dataclass(frozen=True)
class Constraint:
    """Hold one constraint.

    ``columns``: for an order from the smallest to the largest, for a sum the total and then its parts. ``strict``:
    neighbours in an order must differ. ``missing``: whether a row with an absent value ``keeps`` an order or a sum
    (what is there must still rise) or ``breaks`` it. For combinations an absent value is a value like others; for
    uniqueness it equals nothing. ``note`` is free.

    Raises BadSchema.

    >>> Constraint(Rule.ORDER, ("admitted", "discharged")).words
    'admitted <= discharged'
    >>> Constraint(Rule.SUM, ("cost", "drugs", "staff")).words
    'cost = drugs + staff'
    """

    rule: Rule
    columns: tuple[str, ...]
    strict: bool = False
    missing: str = KEEPS
    note: str = ""

    def __post_init__(self) -> None:
        least = _LEAST[self.rule]
        if len(self.columns) < least:
            raise BadSchema(
                f"a constraint of rule '{self.rule}' names {len(self.columns)} columns {list(self.columns)}; it needs "
                f"at least {least}",
                hint="a total and two parts" if self.rule is Rule.SUM else "add a column, or delete the constraint",
            )
        if self.rule is Rule.COMBINATIONS and len(self.columns) > MOST_COMBINED:
            raise BadSchema(
                f"{self._called} names {len(self.columns)} columns; at most {MOST_COMBINED} are combined",
                hint="state two constraints that share a column",
            )
        for name in self.columns:
            if self.columns.count(name) > 1:
                raise BadSchema(f"{self._called} names column {name!r} twice", hint="name each column once")
        if self.missing not in (KEEPS, BREAKS):
            raise UnknownName.of(f"'missing' of {self._called}", self.missing, (KEEPS, BREAKS))

    @property
    def words(self) -> str:
        """Return the constraint as a person would write it."""
        if self.rule is Rule.ORDER:
            return (" < " if self.strict else " <= ").join(self.columns)
        if self.rule is Rule.SUM:
            return f"{self.columns[0]} = {' + '.join(self.columns[1:])}"
        together = ", ".join(self.columns)
        if self.rule is Rule.COMBINATIONS:
            return f"only real combinations of {together}"
        return f"no two rows with the same {together}"

    @property
    def _called(self) -> str:
        return f"constraint '{self.words}'"

    def row(self) -> dict[str, object]:
        """Return the JSON form; what has its usual value is left out."""
        found: dict[str, object] = {"rule": str(self.rule)}
        if self.rule is Rule.SUM:
            found |= {"total": self.columns[0], "parts": list(self.columns[1:])}
        else:
            found["columns"] = list(self.columns)
        if self.strict:
            found["strict"] = True
        if self.missing != KEEPS:
            found["missing"] = self.missing
        if self.note:
            found["note"] = self.note
        return found


def parse(rows: object) -> tuple[Constraint, ...]:
    """Read the constraints of a schema file. Raises BadSchema, UnknownName."""
    if not isinstance(rows, list):
        raise BadSchema("'constraints' is no list", hint='write "constraints": [] where there is none')
    return tuple(_constraint(row, place) for place, row in enumerate(cast("list[object]", rows), start=1))


def check(constraints: Sequence[Constraint], kinds: Mapping[str, str]) -> None:
    """Check constraints against the kinds of the columns by name, and against each other.

    Raises UnknownName for a column that does not exist, BadSchema for a column of a wrong kind, for orders and sums
    that run in a circle, and for constraints that no table can be built for.
    """
    for one in constraints:
        for name in one.columns:
            if name not in kinds:
                raise UnknownName.of(f"column in constraint '{one.words}':", name, kinds)
            if kinds[name] not in KINDS[one.rule]:
                raise BadSchema(
                    f"constraint '{one.words}': column {name!r} is {kinds[name]}; rule '{one.rule}' takes "
                    f"{' or '.join(sorted(KINDS[one.rule]))} columns",
                    hint="an identifier gets fresh values that never repeat anyway: delete the constraint"
                    if one.rule is Rule.UNIQUE and kinds[name] == "identifier"
                    else "correct the column's kind, or delete the constraint",
                )
        if one.rule is Rule.ORDER and len({kinds[name] for name in one.columns}) > 1:
            raise BadSchema(
                f"constraint '{one.words}' compares numbers with dates", hint="name columns of one kind only"
            )
    _check_totals(constraints)
    orders = [one for one in constraints if one.rule is Rule.ORDER]
    _refuse_circle("order", [(a, b) for one in orders for a, b in zip(one.columns, one.columns[1:], strict=False)])
    sums = [one for one in constraints if one.rule is Rule.SUM]
    _refuse_circle("sum", [(part, one.columns[0]) for one in sums for part in one.columns[1:]])


def _check_totals(constraints: Iterable[Constraint]) -> None:
    totals: set[str] = set()
    for one in constraints:
        if one.rule is Rule.SUM:
            if one.columns[0] in totals:
                raise BadSchema(
                    f"column {one.columns[0]!r} is the total of two sums",
                    hint="state one of them",
                )
            totals.add(one.columns[0])
    for one in constraints:
        shared = [name for name in one.columns if name in totals] if one.rule is Rule.COMBINATIONS else []
        if shared:
            raise BadSchema(
                f"column {shared[0]!r} is the total of a sum and stands in '{one.words}'",
                hint="a total follows from its parts; take it out of one of the two",
            )


def _refuse_circle(rule: str, edges: Iterable[tuple[str, str]]) -> None:
    """Raise BadSchema where the edges (from, to) lead back to where they started."""
    before: dict[str, list[str]] = {}
    for start, end in edges:
        before.setdefault(end, []).append(start)
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        circle = " -> ".join(cast("list[str]", error.args[1]))
        raise BadSchema(f"constraints of rule '{rule}' run in a circle: {circle}", hint="delete one of them") from error


def _constraint(row: object, place: int) -> Constraint:
    if not isinstance(row, dict):
        raise BadSchema(f"constraint {place} is {row!r}", hint='each is an object such as {"rule": "order", ...}')
    own = cast("dict[str, object]", row)
    if own.get("rule") not in {str(rule) for rule in Rule}:
        raise UnknownName.of(f"rule of constraint {place}", own.get("rule"), list(Rule))
    rule = Rule(str(own["rule"]))
    extra = set(own) - KEYS[rule]
    if extra:
        raise UnknownName.of(f"key of constraint {place} (rule '{rule}')", min(extra), KEYS[rule])
    if rule is Rule.SUM:
        total = own.get("total")
        if not isinstance(total, str):
            raise BadSchema(f"constraint {place} (rule 'sum') names no 'total'", hint="name the column of the sum")
        columns = (total, *_names(own, "parts", place))
    else:
        columns = _names(own, "columns", place)
    strict = own.get("strict", False)
    if not isinstance(strict, bool):
        raise BadSchema(f"constraint {place}: 'strict' is {strict!r}", hint="true or false")
    return Constraint(rule, columns, strict, str(own.get("missing", KEEPS)), str(own.get("note", "")))


def _names(row: Mapping[str, object], key: str, place: int) -> tuple[str, ...]:
    found = row.get(key)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise BadSchema(f"constraint {place} has no list of column names {key!r}", hint=f'"{key}": ["a", "b"]')
    return tuple(cast("list[str]", found))
