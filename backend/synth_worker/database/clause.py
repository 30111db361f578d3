"""Read a WHERE clause into our own tree; what is not on the short list of allowed things is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from synth_worker.database.connection import Value
from synth_worker.database.dialect import Dialect
from synth_worker.database.filters import All, AnyOf, Filter, Not, Part, column_named
from synth_worker.errors import BadInput

LONGEST = 4_000
MOST_OPEN = 40

COMPARISONS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.EQ: ("=", "="),
    exp.NEQ: ("!=", "!="),
    exp.LT: ("<", ">"),
    exp.LTE: ("<=", ">="),
    exp.GT: (">", "<"),
    exp.GTE: (">=", "<="),
}
"""Each comparison, and the same one read from right to left."""

MOMENTS = (
    exp.DType.DATE,
    exp.DType.TIMESTAMP,
    exp.DType.TIMESTAMPNTZ,
    exp.DType.TIMESTAMPTZ,
    exp.DType.DATETIME,
)
ALLOWED = "comparisons of a column with a value, IN, BETWEEN, LIKE, IS NULL, AND, OR, NOT"


def parsed(text: str, columns: Mapping[str, str], *, dialect: Dialect) -> Part:
    """Return the tree that a clause means. The text itself goes nowhere: names and values are taken from it.

    Raises BadInput with what was refused and why, UnknownName for a column that is not there.

    >>> from synth_worker.database.duckdb_files import DIALECT
    >>> parsed("date >= '2023-01-01'", {"date": "DATE"}, dialect=DIALECT)
    Filter(column='date', op='>=', value='2023-01-01')
    >>> parsed("pg_sleep(9) = 1", {"date": "DATE"}, dialect=DIALECT)
    Traceback (most recent call last):
    synth_worker.errors.BadInput: a filter cannot hold a function (allowed: comparisons of a column with a value, IN, \
BETWEEN, LIKE, IS NULL, AND, OR, NOT)
    """
    if len(text) > LONGEST or "\x00" in text:
        raise BadInput(f"the filter is longer than {LONGEST} characters, or holds a character that is none")
    failed = ""
    tree: exp.Expr | None = None
    try:
        _check_tokens(text, dialect)
        tree = cast("exp.Expr", sqlglot.parse_one(text, dialect=dialect.name, into=exp.Condition))
    except (SqlglotError, RecursionError) as error:
        failed = type(error).__name__
    if failed or tree is None:
        raise BadInput("the filter is not one condition", hint=f"allowed: {ALLOWED}")
    return _Reader(columns).part(tree)


def _check_tokens(text: str, dialect: Dialect) -> None:
    depth = 0
    for token in sqlglot.tokenize(text, read=dialect.name):
        if token.comments:
            raise _refused("a comment")
        if token.token_type is TokenType.SEMICOLON:
            raise _refused("a semicolon")
        if token.token_type is TokenType.DCOLON:
            raise _refused("a cast by ::")
        depth += token.token_type is TokenType.L_PAREN
        depth -= token.token_type is TokenType.R_PAREN
        if depth > MOST_OPEN:
            raise _refused(f"more than {MOST_OPEN} open brackets")


def _refused(what: str) -> BadInput:
    return BadInput(f"a filter cannot hold {what}", hint=f"allowed: {ALLOWED}")


def _name_of(node: exp.Expr) -> str:
    """Return what a node is called in a refusal: its kind, never its content."""
    if isinstance(node, exp.Query | exp.Exists | exp.Subquery):
        return "a subquery"
    if isinstance(node, exp.Func) and not isinstance(node, exp.Cast | exp.And | exp.Or):
        return "a function"
    if isinstance(node, exp.Cast):
        return "a cast of anything but a date or an instant in quotes"
    if isinstance(node, exp.Column):
        return "a column where a value belongs, or one by itself"
    if isinstance(node, exp.Placeholder | exp.Parameter):
        return "a placeholder"
    if isinstance(node, exp.Literal):
        return "a value where a column belongs, or one by itself"
    return f"{type(node).__name__}"


class _Reader:
    """Read nodes; every argument of a node that is not expected is refused, whatever it means."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns

    def part(self, node: exp.Expr) -> Part:
        if isinstance(node, exp.And | exp.Or):
            return self._joined(node)
        read = READERS.get(type(node))
        if read is None:
            raise _refused(_name_of(node))
        return read(self, node)

    def _joined(self, node: exp.Expr) -> Part:
        """Return a chain of ANDs, or of ORs, as one part: a long one is no deep one."""
        kind = type(node)
        waiting: list[exp.Expr] = [node]
        found: list[exp.Expr] = []
        while waiting:
            one = waiting.pop()
            if type(one) is kind:
                left, right = _arguments(one, "this", "expression")
                waiting += [right, left]
            else:
                found.append(one)
        parts = tuple(self.part(one) for one in found)
        return All(parts) if kind is exp.And else AnyOf(parts)

    def compared(self, node: exp.Expr) -> Part:
        straight, turned = COMPARISONS[type(node)]
        left, right = _arguments(node, "this", "expression")
        if isinstance(left, exp.Column):
            return Filter(self._column(left), straight, _value(right))
        if not isinstance(right, exp.Column):
            worst = right if isinstance(left, exp.Literal) else left
            raise _refused(_name_of(worst))
        return Filter(self._column(right), turned, _value(left))

    def negated(self, node: exp.Expr) -> Part:
        (inner,) = _arguments(node, "this")
        return Not(self.part(inner))

    def bracketed(self, node: exp.Expr) -> Part:
        (inner,) = _arguments(node, "this")
        return self.part(inner)

    def listed(self, node: exp.Expr) -> Part:
        if set(_given(node)) != {"this", "expressions"}:
            raise _refused("a subquery" if node.args.get("query") else "this kind of IN")
        values = tuple(_value(one) for one in cast("list[exp.Expr]", node.args["expressions"]))
        return Filter(self._column(cast("exp.Expr", node.this)), "in", values)

    def between(self, node: exp.Expr) -> Part:
        own, low, high = _arguments(node, "this", "low", "high")
        return Filter(self._column(own), "between", (_value(low), _value(high)))

    def like(self, node: exp.Expr) -> Part:
        own, pattern = _arguments(node, "this", "expression", switches=("negate",))
        return Filter(self._column(own), "not like" if node.args.get("negate") else "like", _value(pattern))

    def null(self, node: exp.Expr) -> Part:
        own, what = _arguments(node, "this", "expression", switches=("negate",))
        negated = bool(node.args.get("negate"))
        if isinstance(what, exp.Boolean):
            # IS TRUE is false, not unknown, where the value is missing.
            same = All((Filter(self._column(own), "is not null"), Filter(self._column(own), "=", bool(what.this))))
            return Not(same) if negated else same
        if not isinstance(what, exp.Null):
            raise _refused("IS with anything but NULL, TRUE or FALSE")
        return Filter(self._column(own), "is not null" if negated else "is null")

    def _column(self, node: exp.Expr) -> str:
        if not isinstance(node, exp.Column):
            raise _refused(_name_of(node))
        if set(_given(node)) != {"this"} or not isinstance(node.this, exp.Identifier):
            raise _refused("a column of a named table")
        return column_named(str(node.this.this), self._columns, exact=bool(node.this.args.get("quoted")))


READERS: dict[type[exp.Expr], Callable[[_Reader, exp.Expr], Part]] = {
    **dict.fromkeys(COMPARISONS, _Reader.compared),
    exp.Not: _Reader.negated,
    exp.Paren: _Reader.bracketed,
    exp.In: _Reader.listed,
    exp.Between: _Reader.between,
    exp.Like: _Reader.like,
    exp.Is: _Reader.null,
}
"""All that a condition may be made of, with AND and OR; nothing that is not here gets further."""


def _given(node: exp.Expr) -> list[str]:
    return [key for key, value in node.args.items() if value not in (None, False, [])]


def _arguments(node: exp.Expr, *keys: str, switches: tuple[str, ...] = ()) -> list[exp.Expr]:
    if set(_given(node)) - set(switches) != set(keys):
        raise _refused(f"this kind of {type(node).__name__}")
    return [cast("exp.Expr", node.args[key]) for key in keys]


def _value(node: exp.Expr) -> Value:
    """Return what a literal says; numbers exactly."""
    if isinstance(node, exp.Paren):
        return _value(_arguments(node, "this")[0])
    if isinstance(node, exp.Neg):
        found = _value(_arguments(node, "this")[0])
        if isinstance(found, Decimal):
            return -found
        raise _refused("a minus before anything but a number")
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Cast) and type(node) is exp.Cast and set(_given(node)) == {"this", "to"}:
        inner, kind = node.this, node.args["to"]
        if (
            isinstance(inner, exp.Literal)
            and inner.is_string
            and kind.this in MOMENTS
            and set(_given(kind)) <= {"this"}
        ):
            return str(inner.this)
    if isinstance(node, exp.Literal):
        return str(node.this) if node.is_string else _decimal(str(node.this))
    raise _refused(_name_of(node))


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        pass
    raise _refused(f"the number {text[:20]!r}")
