"""Promises of balancing: what is asked is understood or refused, shares are exact, real rows are thinned to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.balancing import Balance, count_labels, draw_balanced, label_rows, read_balance, thinned
from synth_worker.errors import BadInput, UnknownName
from synth_worker.generators.registry import GENERATORS, build
from synth_worker.schema import Column, Kind
from synth_worker.seeds import Streams
from synth_worker.table import Table
from tests.quick import quick
from tests.tables import adult_like, labels, whole
from tests.tables import build as make

TYPES = ("a", "b", "c, d")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def wards(rows: int = 600, seed: int = 0) -> Table:
    """Make a table with a label column (one value missing), a number of three values, and what goes with them."""
    kind = rng(seed).choice(3, rows, p=[0.7, 0.2, 0.1])
    kind[0] = -1
    stage = rng(seed + 1).choice([1.0, 2.0, 3.0], rows, p=[0.6, 0.3, 0.1])
    columns = {
        "kind": labels("kind", (*TYPES, "never"), nullable=True),
        "stage": whole("stage"),
        "x": Column("x", Kind.NUMERIC, dtype="float64"),
        "day": Column("day", Kind.DATETIME, dtype="date", format="%Y-%m-%d"),
        "id": Column("id", Kind.IDENTIFIER),
    }
    values = {"kind": kind, "stage": stage, "x": rng(2).normal(size=rows) + 2 * kind + stage}
    table = make(
        {name: columns[name] for name in ("kind", "stage", "x")},
        values,
    )
    frame = table.frame.assign(day=86_400.0 * np.arange(rows), id=[f"p{one}" for one in range(rows)])
    frame["id"] = frame["id"].astype(object)
    return Table(type(table.schema)(tuple(columns.values())), frame)


def read(text: str, table: Table | None = None) -> Balance:
    table = wards() if table is None else table
    return read_balance(text, table=table, train=table)


def test_a_column_alone_asks_for_equal_shares() -> None:
    assert read("kind").shares == {"a": 1 / 3, "b": 1 / 3, "c, d": 1 / 3}
    assert read("stage").shares == {"1": 1 / 3, "2": 1 / 3, "3": 1 / 3}


def test_labels_that_are_not_named_keep_their_proportions() -> None:
    table = wards()
    counts = count_labels(table, "kind")
    shares = read('kind="c, d":0.5', table).shares
    assert shares["c, d"] == 0.5
    assert shares["a"] / shares["b"] == pytest.approx(counts["a"] / counts["b"])
    assert sum(shares.values()) == pytest.approx(1)
    assert read("kind=a:0.25,b:0.75", table).shares == {"a": 0.25, "b": 0.75}
    assert read("kind=a:0,b:0.5", table).shares == {"b": 0.5, "c, d": 0.5}


def test_numbers_may_be_written_in_any_way() -> None:
    assert read("stage=1.0:0.5,3:0.5").shares == {"1": 0.5, "3": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nobody", "unknown column to balance 'nobody'"),
        ("nobody=a:1", "unknown column to balance 'nobody'"),
        ("kind=z:1", "unknown label of column 'kind' 'z'"),
        ("kind=never:0.5", "label 'never' of column 'kind' has no rows"),
        ("kind=a:0.5,b:0.4,c:0.4", "unknown label"),
        ('kind=a:0.5,b:0.4,"c, d":0.4', "the shares sum to 1.3"),
        ('kind=a:0.5,b:0.1,"c, d":0.1', "the shares sum to 0.7"),
        ("kind=a:0.5,b:0.6", "the shares sum to 1.1"),
        ("kind=a:0.5,a:0.5", "twice"),
        ("kind=a", "'a' is no label with a share"),
        ("kind=", "names no label"),
        ("kind=a:much", "share of 'a' is 'much'"),
        ("kind=a:-0.5", "share of 'a' is '-0.5'"),
        ("kind=a:nan", "share of 'a' is 'nan'"),
        ("x", "600 different values"),
        ("day", "'day' is datetime"),
        ("id", "'id' is identifier"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises((BadInput, UnknownName), match=message) as caught:
        read(text)
    assert caught.value.hint


def test_a_label_of_few_rows_is_not_multiplied() -> None:
    table = make(
        {"kind": labels("kind", ("a", "b")), "x": whole("x")}, {"kind": np.arange(200) > 190, "x": np.ones(200)}
    )
    with pytest.raises(BadInput, match="label 'b' of column 'kind' has 9 rows; --balance needs at least 10"):
        read("kind", table)


def test_a_label_of_which_too_few_rows_are_learnt_from_is_not_multiplied() -> None:
    table = make(
        {"kind": labels("kind", ("a", "b")), "x": whole("x")}, {"kind": np.arange(200) > 187, "x": np.ones(200)}
    )
    with pytest.raises(BadInput, match="has 12 rows, but only 4 of them are learnt from"):
        read_balance("kind", table=table, train=table.take(np.arange(192)))


def test_a_column_with_an_equals_sign_in_its_name() -> None:
    table = make({"a=b": labels("a=b", ("x", "y")), "z": whole("z")}, {"a=b": np.arange(80) % 2, "z": np.arange(80.0)})
    assert read("a=b", table).shares == {"x": 0.5, "y": 0.5}
    assert read("a=b=x:0.25,y:0.75", table).shares == {"x": 0.25, "y": 0.75}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=20), st.integers(0, 10_000))
def test_counts_are_within_one_row_of_their_shares(weights: list[float], rows: int) -> None:
    shares = {str(at): weight / sum(weights) for at, weight in enumerate(weights)}
    counts = Balance("x", shares, tuple(shares)).counts(rows)
    assert sum(counts.values()) == rows
    assert all(abs(counts[label] - share * rows) < 1 for label, share in shares.items())


@pytest.mark.parametrize("text", ["kind", "kind=b:0.6", "stage=1:0.1,2:0.3,3:0.6", 'kind="c, d":0.02'])
def test_thinned_rows_have_the_asked_shares_and_are_as_many_as_can_be(text: str) -> None:
    table = wards()
    balance = read(text, table)
    kept = thinned(table, balance, rng())
    assert len(np.unique(kept)) == len(kept)
    rows, before = label_rows(table.take(kept), balance), label_rows(table, balance)
    for label, share in balance.shares.items():
        assert abs(len(rows[label]) - share * len(kept)) <= 2
    assert any(len(before[label]) - len(rows[label]) <= 1 for label in balance.shares)


@pytest.mark.parametrize("method", sorted(GENERATORS))
@pytest.mark.parametrize("text", ["kind", "kind=b:0.6", "stage", "stage=3:0.5"])
def test_drawn_shares_are_exact_to_one_row(method: str, text: str) -> None:
    train = wards().modelled().narrowed()
    balance = read(text, train)
    knobs = {"first": balance.column} if method == "cart" else quick(method)
    model = build(method, knobs).fit(train, rng=rng())
    made = draw_balanced(model, balance, rows=500, streams=Streams(4))
    assert made.rows == 500
    for label, rows in label_rows(made, balance).items():
        assert abs(len(rows) - 500 * balance.shares[label]) < 1
    again = draw_balanced(model, balance, rows=500, streams=Streams(4))
    assert again.frame.equals(made.frame)
    order = label_rows(made, balance)[balance.named[0]]
    assert order.max() - order.min() > 300  # the labels are mixed, not stacked


def test_a_label_that_the_model_never_saw_is_refused_where_named_and_left_out_elsewhere() -> None:
    train = wards().modelled()
    seen = train.take(np.flatnonzero(train.codes("kind") < 2)).narrowed()
    model = build("gc", {}).fit(seen, rng=rng())
    with pytest.raises(BadInput, match="'c, d'"):
        draw_balanced(model, read("kind", train), rows=90, streams=Streams(0))
    made = draw_balanced(model, read("kind=a:0.5", train), rows=90, streams=Streams(0))
    assert made.rows == 90
    assert set(count_labels(made, "kind")) == {"a", "b"}


@pytest.mark.parametrize(
    "method", [pytest.param(name, marks=pytest.mark.slow if name == "ctgan" else ()) for name in sorted(GENERATORS)]
)
def test_within_each_class_columns_are_near_those_of_the_class(method: str) -> None:
    train = adult_like(6_000, 3).narrowed()
    balance = read("income", train)
    # An adversarial network learns dependence last, and has no held-out loss that would show when.
    knobs = {"first": "income"} if method == "cart" else quick(method, n_iter=200 if method == "ctgan" else 60)
    made = draw_balanced(build(method, knobs).fit(train, rng=rng()), balance, rows=6_000, streams=Streams(1))
    real, own = label_rows(train, balance), label_rows(made, balance)
    for label in balance.shares:
        for column in ("age", "hours", "grade"):
            one, two = (table.numbers(column)[rows[label]] for table, rows in ((train, real), (made, own)))
            levels = np.unique(np.concatenate([one, two]))
            ends = [np.searchsorted(np.sort(side), levels, side="right") / len(side) for side in (one, two)]
            # 1.95 is the .999 point of Kolmogorov's distribution; the method's own error comes on top.
            bound = 1.95 * np.sqrt(1 / len(one) + 1 / len(two)) + (0.05 if method == "cart" else 0.12)
            assert np.abs(ends[0] - ends[1]).max() < bound, (label, column)
