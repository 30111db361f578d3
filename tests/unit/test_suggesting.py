"""Promises of suggestions: the rules of a made table are found, and tables without rules get none."""

from __future__ import annotations

import numpy as np
import pytest

from synth_worker.constraints import Constraint, Rule
from synth_worker.schema import Schema
from synth_worker.suggesting import sentences, suggest
from synth_worker.table import Table
from tests.constrained import ALL, COST, stays
from tests.tables import adult_like, build, continuous, discrete, labels, shuffled, survival, whole


def words(table: Table) -> list[str]:
    return [one.words for one in suggest(table)]


FOUND = [
    "only real combinations of ward, floor",
    "cost = drugs + staff + other",
    "paid <= cost",
    "admitted <= treated",
    "treated <= discharged",
    "no two rows with the same number",
    "no two rows with the same person, visit",
]


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_the_rules_of_a_made_table_are_found_and_no_others(missing: float) -> None:
    # Systolic is above diastolic in all rows, but their ranges hardly overlap: no evidence of a rule.
    assert sorted(words(stays(900, 1, missing=missing, constraints=()))) == sorted(FOUND)


def test_what_is_stated_is_not_suggested() -> None:
    assert words(stays(900, 1, constraints=ALL)) == []
    assert "cost = drugs + staff + other" not in words(stays(900, 1, constraints=(COST,)))


def test_a_run_says_what_is_kept_and_what_else_holds() -> None:
    said = sentences(stays(900, 1, constraints=(COST,)))
    assert "kept in every row, as the schema states: cost = drugs + staff + other" in said
    assert any("not stated as a constraint: admitted <= treated" in one for one in said)


@pytest.mark.parametrize("seed", range(3))
def test_tables_without_rules_get_none(seed: int) -> None:
    assert words(continuous(500, 60, seed)) == []
    assert words(discrete(2_000, seed)) == []
    assert words(survival(1_000, seed)) == []
    assert words(shuffled(adult_like(3_000, seed))) == []
    assert words(stays(40, seed, constraints=())) == []


def test_the_one_dependency_of_the_census_table_is_found() -> None:
    assert words(adult_like(3_000)) == ["only real combinations of education, grade"]


def numbers(**values: np.ndarray) -> Table:
    return build({name: whole(name) for name in values}, {name: own.astype(np.float64) for name, own in values.items()})


def test_sums_of_sums_and_of_many_parts() -> None:
    rng = np.random.default_rng(0)
    parts = {f"p{one}": rng.integers(0, 40, 300) for one in range(8)}
    whole_sum = sum(parts.values())
    assert words(numbers(**parts, all=whole_sum)) == [f"all = {' + '.join(parts)}"]
    a, b, c = (rng.integers(0, 90, 300) for _ in range(3))
    assert words(numbers(a=a, b=b, ab=a + b, c=c, abc=a + b + c)) == ["ab = a + b", "abc = ab + c"]


def test_a_sum_that_one_row_breaks_is_none() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 90, 500), rng.integers(0, 90, 500)
    total = a + b
    total[-1] += 1
    assert not [one for one in suggest(numbers(a=a, b=b, t=total)) if one.rule is Rule.SUM]


def test_orders_that_follow_from_others_are_left_out() -> None:
    rng = np.random.default_rng(2)
    a = rng.integers(0, 500, 400)
    b = a + rng.integers(0, 90, 400)
    c = b + rng.integers(0, 90, 400)
    assert words(numbers(a=a, b=b, c=c)) == ["a <= b", "b <= c"]


def test_columns_that_follow_from_each_other_are_named_once() -> None:
    rng = np.random.default_rng(3)
    city = rng.integers(0, 12, 600)
    columns = {
        "city": labels("city", [f"c{one}" for one in range(12)]),
        "zip": labels("zip", [f"z{one}" for one in range(12)]),
        "land": labels("land", ("x", "y", "z")),
    }
    table = build(columns, {"city": city, "zip": (city * 5) % 12, "land": city % 3})
    assert words(table) == ["only real combinations of city, zip, land"]


def test_a_constraint_of_more_columns_covers_a_suggestion() -> None:
    table = stays(900, 1, constraints=(Constraint(Rule.COMBINATIONS, ("sex", "ward", "floor")),))
    assert "only real combinations of ward, floor" not in words(table)
    assert Schema(table.schema.columns) != table.schema
