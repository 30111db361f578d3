"""Filter rows by comparisons of columns with values: a tree of our own, rendered as quoted names and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from synth_worker.database.connection import Value
from synth_worker.database.dialect import Dialect, Family, family_of
from synth_worker.database.fitting_values import fitted
from synth_worker.errors import BadInput, UnknownName

EQUAL = ("=", "!=", "in", "not in")
ORDER = ("<", "<=", ">", ">=", "between", "not between")
LIKE = ("like", "not like")
NULL = ("is null", "is not null")
OPERATORS = (*EQUAL, *ORDER, *LIKE, *NULL)
LISTS = ("in", "not in", "between", "not between")

MOST_VALUES = 1_000
MOST_PARTS = 500
MOST_DEPTH = 40


@dataclass(frozen=True)
class Filter:
    """Compare one column with a value, or with several where the operator takes them.

    ``op``: one of ``= != < <= > >= in, not in, between, not between, like, not like, is null, is not null``; of
    ``like``, ``%`` and ``_`` stand for anything and a backslash takes their meaning. Raises UnknownName, BadInput.

    >>> Filter("age", ">=", 18), Filter("sex", "in", ["F", "M"]).value
    (Filter(column='age', op='>=', value=18), ('F', 'M'))
    """

    column: str
    op: str
    value: Value | Sequence[Value] = None

    def __post_init__(self) -> None:
        op = "!=" if self.op == "<>" else " ".join(str(self.op).lower().split())
        if op not in OPERATORS:
            raise UnknownName.of("operator", self.op, OPERATORS)
        object.__setattr__(self, "op", op)
        many = not isinstance(self.value, str) and isinstance(self.value, Sequence)
        if op in LISTS:
            if not many or not 0 < len(cast("Sequence[Value]", self.value)) <= MOST_VALUES:
                raise BadInput(f"{op!r} takes from one to {MOST_VALUES} values", hint='for example ["F", "M"]')
            object.__setattr__(self, "value", tuple(cast("Sequence[Value]", self.value)))
            if "between" in op and len(self.values) != 2:
                raise BadInput(f"{op!r} takes a low and a high value")
        elif many:
            raise BadInput(f"{op!r} takes one value", hint="use in for several")
        if op not in NULL and any(one is None for one in self.values):
            raise BadInput(f"column {self.column!r} cannot be compared with NULL", hint="use is null, or is not null")
        if op in NULL and self.value is not None:
            raise BadInput(f"{op!r} takes no value")

    @property
    def values(self) -> tuple[Value, ...]:
        """Return what is compared with."""
        return self.value if isinstance(self.value, tuple) else (cast("Value", self.value),)


@dataclass(frozen=True)
class All:
    """Hold where each part holds."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class AnyOf:
    """Hold where one part holds."""

    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Not:
    """Hold where the part does not; where a value is missing neither holds, as in SQL."""

    part: Part


Part = Filter | All | AnyOf | Not


@dataclass(frozen=True)
class Condition:
    """Hold an SQL expression of truth, what stands for its question marks, and the columns that it looks at."""

    sql: str
    parameters: tuple[Value, ...]
    columns: tuple[str, ...]


def column_named(name: str, columns: Mapping[str, str], *, exact: bool) -> str:
    """Return the column of this name; letter case is looked past where that is not ``exact`` and leaves one.

    Raises UnknownName.
    """
    if name in columns:
        return name
    alike = [] if exact else [one for one in columns if one.lower() == name.lower()]
    if len(alike) == 1:
        return alike[0]
    raise UnknownName.of("column", name, columns)


def rendered(part: Part, columns: Mapping[str, str], *, dialect: Dialect) -> Condition:
    """Return a tree as a condition. Raises UnknownName for a column that is not there, BadInput for a value that no
    row of the column can be compared with, or too large a tree.

    >>> from synth_worker.database.duckdb_files import DIALECT
    >>> tree = All((Filter("age", ">", 50), Not(Filter("sex", "=", "F"))))
    >>> rendered(tree, {"age": "INTEGER", "sex": "VARCHAR"}, dialect=DIALECT)
    Condition(sql='("age" > ? AND NOT (CAST("sex" AS VARCHAR) = ?))', parameters=(50, 'F'), columns=('age', 'sex'))
    """
    found = list(_filters(part, depth=0))
    if len(found) > MOST_PARTS:
        raise BadInput(f"the filter has {len(found)} comparisons; the limit is {MOST_PARTS}")
    names = [column_named(one.column, columns, exact=True) for one in found]
    values: list[Value] = []
    sql = _rendered(part, columns, dialect, values)
    return Condition(sql, tuple(values), tuple(dict.fromkeys(names)))


def _filters(part: Part, depth: int) -> Iterator[Filter]:
    if depth > MOST_DEPTH:
        raise BadInput(f"the filter is nested deeper than {MOST_DEPTH} levels")
    if isinstance(part, Filter):
        yield part
        return
    for one in (part.part,) if isinstance(part, Not) else part.parts:
        yield from _filters(one, depth + 1)


def _rendered(part: Part, columns: Mapping[str, str], dialect: Dialect, values: list[Value]) -> str:
    match part:
        case Filter():
            return _compared(part, columns[part.column], dialect, values)
        case Not(inner):
            return f"NOT ({_rendered(inner, columns, dialect, values)})"
        case All(parts):
            return "(" + " AND ".join(_rendered(one, columns, dialect, values) for one in parts) + ")"
        case AnyOf(parts):
            return "(" + " OR ".join(_rendered(one, columns, dialect, values) for one in parts) + ")"


def _compared(one: Filter, declared: str, dialect: Dialect, values: list[Value]) -> str:
    own = dialect.quoted(one.column)
    if one.op in NULL:
        return f"{own} {one.op.upper()}"
    family = family_of(declared)
    if family is Family.BOOLEAN and one.op not in EQUAL:
        raise BadInput(f"column {one.column!r} is true or false; {one.op!r} does not apply", hint="use =, or in")
    if one.op in LIKE:
        if family not in (Family.TEXT, Family.OTHER) or not isinstance(one.value, str):
            raise BadInput(f"like compares text; column {one.column!r} is of type {declared}")
        values.append(_pattern(cast("str", fitted(one.value, one.column, declared, ordered=False))))
        return f"{dialect.text(own, declared)} {one.op.upper()} ? ESCAPE '!'"
    values.extend(fitted(value, one.column, declared, ordered=one.op in ORDER) for value in one.values)
    side = dialect.comparable(own, declared)
    if "between" in one.op:
        inside = f"({side} >= ? AND {side} <= ?)"
        return f"NOT {inside}" if one.op.startswith("not") else inside
    if "in" in one.op:
        return f"{side} {one.op.upper()} ({', '.join('?' for _ in one.values)})"
    return f"{side} {'<>' if one.op == '!=' else one.op} ?"


def _pattern(given: str) -> str:
    r"""Return a pattern with ``!`` for the backslash, which engines read in different ways.

    >>> _pattern(r"5\%!_")
    '5!%!!_'
    """
    found: list[str] = []
    rest = iter(given)
    for letter in rest:
        follower = next(rest, "") if letter == "\\" else ""
        if follower in ("%", "_"):
            found.append("!" + follower)
        elif letter == "\\":
            found.append("\\" if follower in ("", "\\") else "\\" + follower.replace("!", "!!"))
        else:
            found.append("!!" if letter == "!" else letter)
    return "".join(found)
