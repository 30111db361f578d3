"""Associations from one Gram matrix against naive loops over pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import chi2_contingency

from synth_worker.metrics.association import Layout, gram_of, weighted_gram
from synth_worker.schema import Column, Kind
from synth_worker.table import Table
from tests.tables import adult_like, build, continuous, labels


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    both = ~(np.isnan(x) | np.isnan(y))
    if both.sum() < 2 or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return 0.0
    return float(np.corrcoef(x[both], y[both])[0, 1])


def cramer(a: np.ndarray, b: np.ndarray) -> float:
    table = pd.crosstab(pd.Series(a), pd.Series(b)).to_numpy()
    if min(table.shape) < 2:
        return 0.0
    return float(np.sqrt(chi2_contingency(table, correction=False).statistic / table.sum() / (min(table.shape) - 1)))


def eta(a: np.ndarray, x: np.ndarray) -> float:
    seen = ~np.isnan(x)
    a, x = a[seen], x[seen]
    if len(x) == 0 or np.ptp(x) == 0:
        return 0.0
    between = sum((a == one).sum() * (x[a == one].mean() - x.mean()) ** 2 for one in np.unique(a))
    return float(np.sqrt(between / ((x - x.mean()) ** 2).sum()))


def naive(table: Table) -> np.ndarray:
    size = len(table.schema)
    out = np.zeros((size, size))
    for i, one in enumerate(table.schema):
        for j, two in enumerate(table.schema):
            if one.continuous and two.continuous:
                out[i, j] = pearson(table.numbers(one.name), table.numbers(two.name))
            elif one.continuous:
                out[i, j] = eta(table.codes(two.name), table.numbers(one.name))
            elif two.continuous:
                out[i, j] = eta(table.codes(one.name), table.numbers(two.name))
            else:
                out[i, j] = cramer(table.codes(one.name), table.codes(two.name))
    return out


def fast(table: Table, real: Table) -> np.ndarray:
    layout = Layout.of(real)
    return layout.associations(gram_of(layout.matrix(table)))


def upper(matrix: np.ndarray) -> np.ndarray:
    return matrix[np.triu_indices(len(matrix), 1)]


def test_all_associations_equal_the_naive_ones() -> None:
    real, other = adult_like(700, 1), adult_like(500, 2)
    assert_allclose(upper(fast(real, real)), upper(naive(real)), atol=1e-9)
    assert_allclose(upper(fast(other, real)), upper(naive(other)), atol=1e-9)
    matrix = fast(other, real)
    assert_allclose(matrix, matrix.T, atol=1e-12)


@st.composite
def small_tables(draw: st.DrawFn) -> Table:
    rows = draw(st.integers(1, 12))
    number = st.one_of(st.just(np.nan), st.integers(-3, 3).map(float))
    x, y = (np.array(draw(st.lists(number, min_size=rows, max_size=rows))) for _ in range(2))
    a, b = (np.array(draw(st.lists(st.integers(-1, 2), min_size=rows, max_size=rows))) for _ in range(2))
    columns = {
        "x": Column("x", Kind.NUMERIC, dtype="float64"),
        "a": labels("a", ("p", "q", "r")),
        "y": Column("y", Kind.NUMERIC, dtype="float64"),
        "b": labels("b", ("p", "q", "r")),
    }
    return build(columns, {"x": x, "a": a, "y": y, "b": b})


@settings(max_examples=150, deadline=None)
@given(small_tables())
def test_small_and_odd_tables_agree_with_the_naive_loops_and_stay_in_range(table: Table) -> None:
    found = upper(fast(table, table))
    assert_allclose(found, upper(naive(table)), atol=1e-6)
    assert (np.abs(found) <= 1).all()


def test_shift_and_scale_of_a_number_change_nothing() -> None:
    table = adult_like(400, 3)
    frame = table.frame.copy()
    frame["bmi"] = frame["bmi"] * 1_000 + 1e6
    assert_allclose(upper(fast(Table(table.schema, frame), table)), upper(fast(table, table)), atol=1e-6)


def test_weights_are_repeated_rows() -> None:
    table = adult_like(200, 4)
    layout = Layout.of(table)
    matrix = layout.matrix(table)
    weights = np.random.default_rng(0).integers(0, 3, 200)
    repeated = gram_of(matrix[np.repeat(np.arange(200), weights)])
    weighted = weighted_gram(matrix.astype(np.float32), weights.astype(float))
    assert_allclose(weighted, repeated, rtol=1e-3, atol=1e-2)
    assert_allclose(upper(layout.associations(weighted)), upper(layout.associations(repeated)), atol=1e-4)


def test_rare_levels_share_one_place_and_wide_tables_are_cut() -> None:
    rng = np.random.default_rng(0)
    many = labels("many", [f"v{one}" for one in range(300)])
    table = build(
        {"many": many, "x": Column("x", Kind.NUMERIC)}, {"many": rng.integers(0, 300, 900), "x": rng.normal(size=900)}
    )
    assert Layout.of(table).hot == 52
    columns = {f"c{one}": labels(f"c{one}", [f"v{two}" for two in range(60)]) for one in range(200)}
    wide = build(columns, {name: rng.integers(0, 60, 100) for name in columns})
    layout = Layout.of(wide)
    assert layout.hot == 200 * 7
    assert layout.associations(gram_of(layout.matrix(wide))).shape == (200, 200)


def test_two_hundred_columns_have_the_correlation_they_were_made_with() -> None:
    table = continuous(4_000, 200)
    assert upper(fast(table, table)).mean() == pytest.approx(0.5, abs=0.03)
