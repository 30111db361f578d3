"""Both sources count alike, bound what a unit contributes, and never fail on a value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadInput, UnknownName, UnreadableTable
from synth_worker.privacy.cells import Cells
from synth_worker.privacy.parquet_source import ParquetSource
from synth_worker.privacy.source import TableSource, kept_rows
from synth_worker.schema import Column, Kind
from synth_worker.table import Table
from tests.tables import build, labels

CELLS = {
    "x": Cells("x", edges=(-0.5, 3.5, 9.5, 40.5)),
    "y": Cells("y", labels=("a", "b'\"")),
    "z": Cells("z", labels=("p",)),
}
CLIQUES = [("x",), ("y", "x"), ("z", "y"), ("x", "y"), ("z", "x", "y"), ("x",)]
ROWS = st.lists(
    st.tuples(
        st.one_of(st.just(float("nan")), st.integers(-5, 60).map(float)),
        st.integers(-1, 2),
        st.integers(-1, 1),
        st.integers(0, 6),
    ),
    min_size=1,
    max_size=40,
)


def made(rows: list[tuple[float, int, int, int]], *, units: bool) -> Table:
    columns = {
        "x": Column("x", Kind.NUMERIC, dtype="float64", nullable=True),
        "y": labels("y", ("a", "b'\"", "else"), nullable=True),
        "z": labels("z", ("p", "q"), nullable=True),
    }
    values = {"x": [row[0] for row in rows], "y": [row[1] for row in rows], "z": [row[2] for row in rows]}
    own = np.array([row[3] - 1 for row in rows]) if units else None
    return build(columns, {name: np.array(one) for name, one in values.items()}, own)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.booleans(), st.integers(1, 3))
def test_duckdb_counts_as_memory_does(tmp_path_factory, rows, units: bool, most: int) -> None:
    table = made(rows, units=units)
    frame = table.frame.assign(y=table.frame["y"].astype(object), z=table.frame["z"].astype(object))
    if units:
        assert table.units is not None
        frame["who"] = pd.array([None if one < 0 else one for one in table.units.tolist()], dtype="Int64")
    path = tmp_path_factory.mktemp("twin") / "t.parquet"
    frame.to_parquet(path)
    memory = TableSource(table, most, "k")
    twin = ParquetSource(path, "who" if units else "", most, "k")
    assert twin.sensitivity == memory.sensitivity == (most if units else 1)
    for one, two in zip(memory.counts(CELLS, CLIQUES), twin.counts(CELLS, CLIQUES), strict=True):
        assert np.array_equal(one, two)
    assert memory.label_counts("y") == twin.label_counts("y")


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(1, 3), st.integers(0, 5))
def test_one_unit_changes_the_counts_by_no_more_than_the_stated_sensitivity(rows, most: int, unit: int) -> None:
    table = made(rows, units=True)
    assert table.units is not None
    without = table.take(np.flatnonzero(table.units != unit))
    for one, two in zip(
        TableSource(table, most).counts(CELLS, CLIQUES), TableSource(without, most).counts(CELLS, CLIQUES), strict=True
    ):
        assert np.abs(one - two).sum() <= most


def test_rows_of_nobody_are_dropped_and_of_one_person_at_most_so_many_stay() -> None:
    units = np.array([3, -1, 3, 3, 7, -1])
    assert kept_rows(units, most=2, key="a").sum() == 3
    assert not kept_rows(units, most=2, key="a")[[1, 5]].any()
    assert any((kept_rows(units, most=1, key=key) != kept_rows(units, most=1, key="a")).any() for key in "bcdef")


def test_instants_are_counted_in_seconds(tmp_path) -> None:
    frame = pd.DataFrame({"t": pd.to_datetime(["1970-01-01", "1970-01-03", None])})
    frame.to_parquet(tmp_path / "t.parquet")
    cells = Cells("t", edges=(-1.0, 86_400.0, 1e9))
    (found,) = ParquetSource(tmp_path / "t.parquet").counts({"t": cells}, [("t",)])
    assert found.tolist() == [1, 1, 1]


def test_what_cannot_be_counted_is_refused_without_a_word_of_the_data(tmp_path) -> None:
    table = made([(1.0, 0, 0, 1)], units=False)
    with pytest.raises(UnknownName):
        TableSource(table).counts(CELLS, [("nobody",)])
    with pytest.raises(BadInput):
        TableSource(table, 0)
    wide = {name: Cells(name, edges=tuple(float(one) for one in range(2_000))) for name in "abc"}
    with pytest.raises(BadInput):
        TableSource(table).counts(wide, [("a", "b", "c")])
    (tmp_path / "no.parquet").write_bytes(b"nothing")
    with pytest.raises(UnreadableTable):
        ParquetSource(tmp_path / "no.parquet").counts(CELLS, [("x",)])
    table.frame[["x"]].to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UnknownName):
        ParquetSource(tmp_path / "t.parquet", "who")


def test_texts_where_numbers_are_declared_count_as_null(tmp_path) -> None:
    pd.DataFrame({"x": ["1", "secret", None]}).to_parquet(tmp_path / "t.parquet")
    (found,) = ParquetSource(tmp_path / "t.parquet").counts(CELLS, [("x",)])
    assert found.tolist() == [1, 0, 0, 2]
