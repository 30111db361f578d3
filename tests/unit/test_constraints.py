"""Promises of constraints as a person writes them: they read back as they were, and every mistake is named."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_worker.constraints import BREAKS, Constraint, Rule
from synth_worker.errors import BadSchema, UnknownName
from synth_worker.reading import read_table
from synth_worker.schema import Column, Kind, Schema
from synth_worker.table import Table
from synth_worker.violations import broken_rows
from tests.constrained import ALL, stays
from tests.tables import build, labels, whole

COLUMNS = (
    Column("a", Kind.NUMERIC),
    Column("b", Kind.NUMERIC),
    Column("c", Kind.NUMERIC),
    Column("t", Kind.NUMERIC),
    Column("day", Kind.DATETIME, dtype="date"),
    Column("ward", Kind.CATEGORICAL),
    Column("site", Kind.CATEGORICAL),
    Column("key", Kind.IDENTIFIER),
)
NAMES = ("a", "b", "c", "t")


def order(*names: str, **more: object) -> dict[str, object]:
    return {"rule": "order", "columns": list(names), **more}


def total(name: str, *parts: str) -> dict[str, object]:
    return {"rule": "sum", "total": name, "parts": list(parts)}


def combinations(*names: str) -> dict[str, object]:
    return {"rule": "combinations", "columns": list(names)}


def read(*rows: object, **more: object) -> Schema:
    document = {**json.loads(Schema(COLUMNS).to_json()), "constraints": list(rows), **more}
    return Schema.from_json(json.dumps(document))


@given(
    st.lists(
        st.one_of(
            st.builds(
                Constraint,
                st.just(Rule.ORDER),
                # In alphabetical order no two orders run in a circle.
                st.sets(st.sampled_from(NAMES), min_size=2).map(lambda names: tuple(sorted(names))),
                st.booleans(),
                st.sampled_from(["keeps", "breaks"]),
                st.text(max_size=5),
            ),
            st.builds(
                Constraint,
                st.sampled_from([Rule.COMBINATIONS, Rule.UNIQUE]),
                st.permutations(["a", "ward", "site"]).map(tuple),
            ),
            st.builds(Constraint, st.just(Rule.SUM), st.just(("b", "a", "c")), missing=st.sampled_from(["keeps"])),
        ),
        max_size=3,
        unique_by=lambda one: one.rule,
    )
)
def test_a_schema_with_constraints_reads_back_as_it_was(constraints: list[Constraint]) -> None:
    schema = Schema(COLUMNS, tuple(constraints))
    assert Schema.from_json(schema.to_json()) == schema
    assert Schema.from_json(schema.to_json(suggested=ALL)) == schema


def test_the_form_that_the_documents_show_is_read() -> None:
    schema = read(order("a", "b", strict=True), total("t", "a", "c"), combinations("ward", "site"))
    assert [one.words for one in schema.constraints] == ["a < b", "t = a + c", "only real combinations of ward, site"]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (["a <= b"], ["constraint 1", "object"]),
        ([{"rule": "smaller", "columns": ["a", "b"]}], ["constraint 1", "'smaller'", "order", "sum", "unique"]),
        ([order("a", "x")], ["'a <= x'", "'x'", "known: a, b, c"]),
        ([order("a")], ["'order'", "['a']", "at least 2"]),
        ([order("a", "b", "a")], ["'a'", "twice"]),
        ([order("a", "ward")], ["'a <= ward'", "'ward'", "categorical", "numeric"]),
        ([order("a", "day")], ["'a <= day'", "numbers with dates"]),
        ([total("t", "a", "day")], ["'t = a + day'", "'day'", "datetime", "numeric"]),
        ([total("t", "a")], ["['t', 'a']", "at least 3"]),
        ([{"rule": "sum", "parts": ["a", "b"]}], ["constraint 1", "'total'"]),
        ([{"rule": "order", "columns": "a, b"}], ["constraint 1", "'columns'"]),
        ([combinations("ward", "key")], ["'key'", "identifier"]),
        ([combinations("a", "b", "c", "ward", "site")], ["5 columns", "at most 4"]),
        ([{"rule": "unique", "columns": ["a"], "strict": True}], ["'strict'", "constraint 1", "'unique'"]),
        ([order("a", "b", strict="yes")], ["'strict'", "'yes'"]),
        ([order("a", "b", missing="maybe")], ["'a <= b'", "'maybe'", "keeps, breaks"]),
        ([order("a", "b"), order("b", "c"), order("c", "a")], ["'order'", "circle", "a -> b -> c -> a"]),
        ([total("t", "a", "b"), total("a", "t", "c")], ["'sum'", "circle"]),
        ([total("t", "a", "b"), total("t", "b", "c")], ["'t'", "total of two sums"]),
        ([total("t", "a", "b"), combinations("t", "ward")], ["'t'", "total of a sum", "combinations of t, ward"]),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(rows: list[object], named: list[str]) -> None:
    with pytest.raises((BadSchema, UnknownName)) as caught:
        read(*rows)
    for words in named:
        assert words in str(caught.value).replace("b -> c -> a -> b", "a -> b -> c -> a").replace(
            "c -> a -> b -> c", "a -> b -> c -> a"
        )


def test_a_key_of_the_schema_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"'constraint' \(known: .*constraints"):
        read(constraint=[])


def three(values: dict[str, list[float]], *constraints: Constraint) -> Table:
    columns = {name: whole(name, nullable=True) for name in values}
    table = build(columns, {name: np.array(own, dtype=np.float64) for name, own in values.items()})
    return Table(Schema(table.schema.columns, constraints), table.frame)


NAN = float("nan")


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (Constraint(Rule.ORDER, ("a", "b", "c")), [0, 1, 1, 0, 1]),
        (Constraint(Rule.ORDER, ("a", "b", "c"), strict=True), [1, 1, 1, 0, 1]),
        (Constraint(Rule.ORDER, ("a", "b", "c"), missing=BREAKS), [0, 1, 1, 1, 1]),
        (Constraint(Rule.SUM, ("c", "a", "b")), [1, 1, 0, 0, 0]),
        (Constraint(Rule.SUM, ("c", "a", "b"), missing=BREAKS), [1, 1, 0, 1, 1]),
        (Constraint(Rule.UNIQUE, ("a",)), [0, 0, 0, 1, 0]),
        (Constraint(Rule.UNIQUE, ("b",)), [0, 0, 1, 0, 0]),
        (Constraint(Rule.UNIQUE, ("a", "b")), [0, 0, 0, 0, 0]),
    ],
)
def test_which_rows_break_what(constraint: Constraint, expected: list[int]) -> None:
    # The last row: with b absent, a and c still have to rise.
    table = three({"a": [1, 3, 2, 1, 9], "b": [1, 2, 1, NAN, NAN], "c": [3, 3, 3, 3, 4]})
    assert broken_rows(constraint, table).astype(int).tolist() == expected


def test_combinations_are_those_of_the_known_tables_and_absent_is_a_value() -> None:
    rule = Constraint(Rule.COMBINATIONS, ("a", "b"))
    known = three({"a": [1, 1, 2], "b": [1, NAN, 2]})
    table = three({"a": [1, 1, 2, 2, NAN], "b": [1, NAN, NAN, 1, 1]})
    assert broken_rows(rule, table, known=[known]).tolist() == [False, False, True, True, True]


def test_the_made_table_keeps_what_it_says() -> None:
    for missing in (0.0, 0.1):
        table = stays(300, missing=missing)
        for one in table.schema.constraints:
            assert not broken_rows(one, table, known=[table]).any(), one.words


def test_a_real_table_that_breaks_a_constraint_is_refused_with_the_count_and_the_first_row(tmp_path) -> None:
    frame = pd.DataFrame({"a": np.arange(200) % 50, "b": np.arange(200) % 50 + 5})
    frame.loc[[30, 77, 151], "b"] = 0
    frame.to_csv(tmp_path / "table.csv", index=False)
    schema = read_table(tmp_path / "table.csv").schema
    stated = Schema(schema.columns, (Constraint(Rule.ORDER, ("a", "b")),))
    with pytest.raises(BadSchema, match=r"'a <= b' is broken in 3 of 200 rows, first in table.csv, line 32"):
        read_table(tmp_path / "table.csv", schema=stated)


def test_absent_values_break_an_order_only_where_it_says_so() -> None:
    frame = pd.DataFrame({"a": np.arange(200.0) % 50, "b": np.arange(200.0) % 50 + 5})
    frame.loc[9, "b"] = np.nan
    columns = read_table(frame).schema.columns
    assert read_table(frame, schema=Schema(columns, (Constraint(Rule.ORDER, ("a", "b")),))).rows == 200
    strict = Constraint(Rule.ORDER, ("a", "b"), missing=BREAKS)
    with pytest.raises(BadSchema, match=r"1 of 200 rows \(absent values break it\), first in the data frame, row 10"):
        read_table(frame, schema=Schema(columns, (strict,)))


def test_combinations_that_would_name_records_are_refused() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "dose": rng.integers(0, 900, 1_000),
            "ward": rng.choice(list("abcdefghijklmnopqrst"), 1_000),
            "site": rng.choice(list("ABCDEFGHIJKLMNOPQRST"), 1_000),
        }
    )
    columns = read_table(frame).schema.columns
    with pytest.raises(BadSchema, match=r"'dose' has 6[0-9]{2} different values"):
        read_table(frame, schema=Schema(columns, (Constraint(Rule.COMBINATIONS, ("ward", "dose")),)))
    with pytest.raises(BadSchema, match="combinations in 1,000 rows, fewer than 5 rows for each"):
        read_table(frame, schema=Schema(columns, (Constraint(Rule.COMBINATIONS, ("ward", "site")),)))


def test_a_group_key_in_a_constraint_is_refused() -> None:
    frame = pd.DataFrame({"tag": np.arange(100) * 7 % 101, "b": np.arange(100) * 7 % 101 + 1})
    schema = Schema(read_table(frame).schema.columns, (Constraint(Rule.ORDER, ("tag", "b")),))
    with pytest.raises(BadSchema, match="'tag' is identifier"):
        read_table(frame, schema=schema, group_key="tag")


def test_labels_may_be_called_anything() -> None:
    table = build({"x": labels("x", ("1", "<=", "")), "y": whole("y")}, {"x": np.array([0, 1, 2]), "y": np.ones(3)})
    rule = Constraint(Rule.COMBINATIONS, ("x", "y"))
    assert not broken_rows(rule, table, known=[table]).any()
