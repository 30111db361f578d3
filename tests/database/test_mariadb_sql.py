"""Promises of the other engine where it is not installed: what is sent to it is SQL of its kind."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from synth_worker.database.dialect import FAMILIES, Family, placed
from synth_worker.database.filters import OPERATORS, All, AnyOf, Filter, Not, rendered
from synth_worker.database.mariadb import DIALECT

TYPES = ["int(11)", "decimal(10,2)", "double", "varchar(20)", "tinyint(1)", "date", "datetime(6)", "time", "json"]


def parses(expression: str) -> bool:
    """Parse as MariaDB does with standard quotes: names in double quotes are names."""
    sql = placed(f"SELECT {expression} FROM t", lambda _: "'p'").replace('"', "`")
    return isinstance(sqlglot.parse_one(sql, dialect="mysql"), exp.Select)


@pytest.mark.parametrize("declared", TYPES)
def test_every_expression_is_sql_of_mariadb(declared: str) -> None:
    column = DIALECT.quoted("a b")
    for spell in (DIALECT.text, DIALECT.number, DIALECT.comparable):
        assert parses(spell(column, declared))
    text = DIALECT.text(column, declared)
    assert parses(DIALECT.hashed(text, "?"))
    assert parses(DIALECT.uniform(text, "?"))
    assert parses(DIALECT.row_number([column], [text]))


def test_every_operator_is_sql_of_mariadb() -> None:
    columns = {"n": "int(11)", "t": "varchar(20)"}
    values = {
        "in": [1, 2],
        "not in": [1],
        "between": [1, 2],
        "not between": [1, 2],
        "is null": None,
        "is not null": None,
    }
    parts = [Filter("n", op, values.get(op, 1)) for op in OPERATORS if "like" not in op]  # type: ignore[arg-type]
    parts += [Filter("t", "like", "a%"), Filter("t", "not like", "a\\%")]
    condition = rendered(AnyOf((All(tuple(parts)), Not(Filter("t", "=", "x")))), columns, dialect=DIALECT)
    assert parses(f"CASE WHEN {condition.sql} THEN 1 END")


def test_every_family_of_types_has_its_spelling() -> None:
    assert set(FAMILIES.values()) | {Family.OTHER} == set(Family)
