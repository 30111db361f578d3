"""Promises of filters: what is allowed becomes names and parameters, what is not is refused by name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.database.clause import parsed
from synth_worker.database.connection import TableName, Value
from synth_worker.database.duckdb_files import DIALECT
from synth_worker.database.filters import All, AnyOf, Filter, Not, Part, rendered
from synth_worker.database.fitting_values import fitted
from synth_worker.errors import BadInput, UnknownName

COLUMNS = {
    "age": "INTEGER",
    "name": "VARCHAR",
    "born": "DATE",
    "seen": "TIMESTAMP",
    "sent": "TIMESTAMP WITH TIME ZONE",
    "ok": "BOOLEAN",
    'Odd "name"': "DECIMAL(9,2)",
    "Twice": "INTEGER",
    "twice": "INTEGER",
}

REFUSED = {
    "pg_sleep(9) = 1": "a function",
    "name = upper('a')": "a function",
    "age IN (SELECT 1)": "a subquery",
    "EXISTS (SELECT 1)": "a subquery",
    "age = (SELECT 1)": "a subquery",
    "CAST(name AS DATE) = '2020-01-01'": "a cast of anything but",
    "name = CAST(age AS DATE)": "a cast of anything but",
    "name = CAST('1' AS INTEGER)": "a cast of anything but",
    "name::int = 1": "a cast by ::",
    "born = '2020-01-01'::date": "a cast by ::",
    "age = 1 -- comment": "a comment",
    "/* comment */ age = 1": "a comment",
    "age = 1; DROP TABLE x": "a semicolon",
    "age = 1;": "a semicolon",
    "age = ok": "a column where a value belongs",
    "ok": "a column where a value belongs",
    "1 = 1": "a value where a column belongs",
    "'a' = 'a'": "a value where a column belongs",
    "1": "a value where a column belongs",
    "x.age = 1": "a column of a named table",
    "age = ?": "a placeholder",
    "age = :x": "a placeholder",
    "age + 1 = 2": "Add",
    "name ILIKE 'a'": "ILike",
    "name LIKE 'a' ESCAPE '!'": "Escape",
    "age IS DISTINCT FROM 1": "NullSafeNEQ",
    "age = 1 UNION SELECT 1": "not one condition",
    "age = 1) OR (1 = 1": "not one condition",
    "": "not one condition",
    "(": "not one condition",
    "age = NULL": "cannot be compared with NULL",
    "age IN (1, NULL)": "cannot be compared with NULL",
    "(" * 41 + "age = 1" + ")" * 41: "more than 40 open brackets",
    "name = '" + "a" * 4000 + "'": "longer than 4000 characters",
    "name = 'a\x00'": "a character that is none",
}


@pytest.mark.parametrize("clause", REFUSED)
def test_what_is_not_allowed_is_refused_by_name(clause: str) -> None:
    with pytest.raises(BadInput) as caught:
        rendered(parsed(clause, COLUMNS, dialect=DIALECT), COLUMNS, dialect=DIALECT)
    assert REFUSED[clause] in str(caught.value)
    assert caught.value.__context__ is None


READ: dict[str, Part] = {
    "age >= 18": Filter("age", ">=", Decimal(18)),
    "18 <= age": Filter("age", ">=", Decimal(18)),
    "AGE = -5": Filter("age", "=", Decimal(-5)),
    '"Odd ""name""" < .5': Filter('Odd "name"', "<", Decimal("0.5")),
    "name <> 'it''s'": Filter("name", "!=", "it's"),
    "name IN ('a', 'b')": Filter("name", "in", ("a", "b")),
    "name NOT IN ('a')": Not(Filter("name", "in", ("a",))),
    "age BETWEEN 1 AND 2": Filter("age", "between", (Decimal(1), Decimal(2))),
    "name LIKE 'a%'": Filter("name", "like", "a%"),
    "name IS NULL": Filter("name", "is null"),
    "born = DATE '2020-01-01'": Filter("born", "=", "2020-01-01"),
    "born > CAST('2020-01-01' AS DATE)": Filter("born", ">", "2020-01-01"),
    "age = 1 AND age = 2 AND ok = TRUE": All(
        (Filter("age", "=", Decimal(1)), Filter("age", "=", Decimal(2)), Filter("ok", "=", True))
    ),
    "age = 1 OR NOT (age = 2 AND ok = FALSE)": AnyOf(
        (Filter("age", "=", Decimal(1)), Not(All((Filter("age", "=", Decimal(2)), Filter("ok", "=", False)))))
    ),
}


@pytest.mark.parametrize("clause", READ)
def test_what_is_allowed_becomes_a_tree_of_our_own(clause: str) -> None:
    found = parsed(clause, COLUMNS, dialect=DIALECT)
    # Engines' parsers may write NOT IN and IS NOT NULL in two ways; both mean the same.
    assert repr(found) == repr(READ[clause])


@pytest.mark.parametrize("clause", ["height = 1", '"AGE" = 1', "TWICE = 1"])
def test_a_name_that_is_none_or_could_be_two_is_unknown(clause: str) -> None:
    with pytest.raises(UnknownName, match="unknown column"):
        parsed(clause, COLUMNS, dialect=DIALECT)


UNFIT: dict[tuple[str, Value], str] = {
    ("age", "a"): "of type INTEGER",
    ("age", True): "of type INTEGER",
    ("age", float("nan")): "of type INTEGER",
    ("age", float("inf")): "of type INTEGER",
    ("age", "1e999"): "of type INTEGER",
    ("born", "2023-99-01"): "of type DATE",
    ("born", "yesterday"): "of type DATE",
    ("born", datetime(2020, 1, 1, 12)): "of type DATE",
    ("seen", datetime(2020, 1, 1, tzinfo=UTC)): "of type TIMESTAMP",
    ("ok", "perhaps"): "of type BOOLEAN",
    ("ok", 2): "of type BOOLEAN",
    ("name", "a\x00"): "a character that is none",
    ("name", "\ud800"): "a character that is none",
    ("name", 5): "put the value in quotes",
}


@pytest.mark.parametrize("pair", UNFIT)
def test_a_value_that_no_row_can_be_compared_with_is_refused_before_it_is_asked(pair: tuple[str, Value]) -> None:
    column, value = pair
    with pytest.raises(BadInput) as caught:
        fitted(value, column, COLUMNS[column], ordered=True)
    assert UNFIT[pair] in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "read"),
    [
        ("age", "12", 12),
        ("age", 12.0, 12),
        ("age", 12.5, 12.5),
        ("age", 10**30, 1e30),
        ("born", "2020-01-31", date(2020, 1, 31)),
        ("born", datetime(2020, 1, 31), date(2020, 1, 31)),
        ("seen", date(2020, 1, 31), datetime(2020, 1, 31)),
        ("sent", "2020-01-31 10:00", datetime(2020, 1, 31, 10, tzinfo=UTC)),
        ("sent", "2020-01-31T10:00+02:00", datetime(2020, 1, 31, 8, tzinfo=UTC)),
        ("ok", 1, True),
        ("ok", "f", False),
        ('Odd "name"', "0.10", Decimal("0.10")),
    ],
)
def test_a_value_becomes_one_of_the_column_s_type(column: str, value: Value, read: Value) -> None:
    assert fitted(value, column, COLUMNS[column], ordered=True) == read


def test_filters_refuse_what_their_operator_cannot_take() -> None:
    for op, value in (("in", "abc"), ("in", []), ("between", [1]), ("=", [1, 2]), ("=", None), ("is null", 1)):
        with pytest.raises(BadInput):
            Filter("age", op, value)
    with pytest.raises(UnknownName, match="unknown operator"):
        Filter("age", "~", "a")
    with pytest.raises(BadInput, match="limit is 500"):
        rendered(AnyOf((Filter("age", "=", 1),) * 501), COLUMNS, dialect=DIALECT)
    deep: Part = Filter("age", "=", 1)
    for _ in range(50):
        deep = Not(deep)
    with pytest.raises(BadInput, match="nested deeper"):
        rendered(deep, COLUMNS, dialect=DIALECT)


ROWS: list[dict[str, object]] = [
    {"age": age, "name": name, "ok": ok}
    for age in (None, -1, 0, 3)
    for name in (None, "", "a", "A", "it's", "%")
    for ok in (None, True, False)
]
TEXTS = st.sampled_from(["", "a", "it's", "%", "'"])
LEAVES = st.one_of(
    st.builds(Filter, st.just("age"), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.integers(-2, 4)),
    st.builds(Filter, st.just("age"), st.just("between"), st.tuples(st.integers(-2, 4), st.integers(-2, 4))),
    st.builds(
        Filter, st.just("name"), st.sampled_from(["=", "!=", "<", ">"]), st.sampled_from(["", "a", "it's", "%", "'"])
    ),
    st.builds(
        Filter,
        st.just("name"),
        st.sampled_from(["in", "not in"]),
        st.lists(st.sampled_from(["", "a", "%"]), min_size=1),
    ),
    st.builds(Filter, st.just("ok"), st.sampled_from(["=", "!="]), st.booleans()),
    st.builds(Filter, st.sampled_from(["age", "name", "ok"]), st.sampled_from(["is null", "is not null"])),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def truth(part: Part, row: dict[str, object]) -> bool | None:
    """Say by hand whether a tree holds for a row, None where that is not known."""
    if isinstance(part, Not):
        inner = truth(part.part, row)
        return None if inner is None else not inner
    if isinstance(part, All | AnyOf):
        found = [truth(one, row) for one in part.parts]
        decisive = isinstance(part, AnyOf)
        return decisive if decisive in found else None if None in found else not decisive
    own = row[part.column]
    if part.op in ("is null", "is not null"):
        return (own is None) == (part.op == "is null")
    if own is None:
        return None
    given_values = part.values
    if part.op in ("in", "not in"):
        return (own in given_values) == (part.op == "in")
    if part.op == "between":
        return given_values[0] <= own <= given_values[1]  # type: ignore[operator]
    one = given_values[0]
    less, same = own < one, own == one  # type: ignore[operator]
    return {"=": same, "!=": not same, "<": less, "<=": less or same, ">": not less and not same, ">=": not less}[
        part.op
    ]


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_a_tree_leaves_the_rows_that_it_leaves_by_hand(tree: Part) -> None:
    condition = rendered(tree, COLUMNS, dialect=DIALECT)
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t (place INTEGER, age INTEGER, name VARCHAR, ok BOOLEAN)")
        con.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [[at, *row.values()] for at, row in enumerate(ROWS)])
        sql = f"SELECT place FROM t WHERE {condition.sql} ORDER BY place"
        found = [row[0] for row in con.execute(sql, list(condition.parameters)).fetchall()]
    assert found == [at for at, row in enumerate(ROWS) if truth(tree, row)]


@pytest.mark.parametrize("name", ["", "a\nb", "a\x00", "x" * 201, "a\u202e"])
def test_a_name_that_can_be_no_table_s_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        TableName(None, name)
    with pytest.raises(BadInput):
        TableName.parse(f"public.{name}")
