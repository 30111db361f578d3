"""Cells are public, total and the same in numpy as in SQL."""

from __future__ import annotations

import math

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadModel, BadSchema
from synth_worker.privacy.cells import Cells, edges_between, magnitudes, slices

ANY = st.floats(allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40, unique=True), st.lists(ANY, min_size=1, max_size=20))
def test_every_number_has_the_same_cell_in_sql(edges: list[float], values: list[float]) -> None:
    cells = Cells("x", edges=tuple(sorted(edges)))
    if len(edges) % 2:
        cells = cells.joined(np.arange(cells.size) // 3)
    own = cells.codes_of_numbers(np.array(values))
    assert own.min() >= 0
    assert own.max() < cells.size
    with duckdb.connect() as con:
        sql = cells.to_sql("", "CASE WHEN isnan(x) THEN NULL ELSE x END")
        for value, code in zip(values, own, strict=True):
            row = con.execute(f"SELECT {sql} FROM (SELECT CAST(? AS DOUBLE) AS x)", [value]).fetchone()  # noqa: S608
            assert row == (code,)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=5), max_size=8, unique=True), st.one_of(st.none(), st.text(max_size=5)))
def test_every_label_has_the_same_cell_in_sql(labels: list[str], value: str | None) -> None:
    cells = Cells("x", labels=tuple(one.replace("\x00", "") + str(at) for at, one in enumerate(labels)))
    value = None if value is None else value.replace("\x00", "")
    own = cells.codes_of_labels([value or ""], np.array([-1 if value is None else 0]))[0]
    with duckdb.connect() as con:
        row = con.execute(f"SELECT {cells.to_sql('x', '')} FROM (SELECT CAST(? AS VARCHAR) AS x)", [value]).fetchone()  # noqa: S608
    assert row == (own,)


def test_whole_numbers_lie_within_slices_and_the_bounds_have_their_own() -> None:
    cells = slices("gain", low=0, high=99_999, step=1, most=64)
    assert all(edge % 1 == 0.5 for edge in cells.edges)
    assert list(cells.codes_of_numbers(np.array([0.0, 1.0, 99_998.0, 99_999.0]))) == [
        0,
        1,
        cells.null - 2,
        cells.null - 1,
    ]


@given(st.floats(-1e5, 1e5), st.floats(0, 1e5), st.sampled_from([0.0, 1.0, 0.01]), st.integers(1, 70))
def test_slices_cover_the_bounds_whatever_these_are(low: float, width: float, step: float, most: int) -> None:
    if step:
        low = math.floor(low / step) * step
    edges = edges_between(low, low + width, step=step, most=most, alone=(low, 0.0, low + width))
    assert len(edges) >= 2
    assert edges[0] <= low + (1e-9 if step == 0 else step)
    assert edges[-1] >= low + width - step
    Cells("x", edges=edges)


def test_zero_has_a_slice_of_its_own_on_the_grid_of_magnitudes_or_next_to_it() -> None:
    cells = magnitudes("x")
    codes = cells.codes_of_numbers(np.array([-1e300, -1.0, 0.0, 1.0, 1e300, np.nan]))
    assert len(set(codes.tolist())) == 6


def test_cells_that_are_no_division_are_refused() -> None:
    for wrong in ({"edges": (1.0, 1.0)}, {"edges": (1.0,)}, {"labels": ("a", "a")}):
        with pytest.raises(BadSchema):
            Cells("x", **wrong)
    with pytest.raises(BadModel):
        Cells.from_json("{}")
