"""What goes out has the form of what came in: dtypes of data frames, texts of files, and no formula runs."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.feather as pafeather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadInput
from synth_worker.reading import read_like, read_table
from synth_worker.writing import to_frame, write_table

DAYS = [date(2024, 1, 1 + place % 28) for place in range(40)]
INSTANTS = [datetime(2024, 1, 1 + place % 28, 9, place) for place in range(40)]
FORMULAS = ["=1+1", "-x", "+49 123", "@home", "\tx", "\rx", "'x", "'=x", "=x", "-5", "-", "+", "plain", 'a "b", c;d']

FRAMES = {
    "int64": pd.Series(range(0, 400, 10)),
    "int8": pd.Series([place * 3 for place in range(40)], dtype="int8"),
    "uint16": pd.Series([place * 7 for place in range(40)], dtype="uint16"),
    "int64 codes": pd.Series([0, 1] * 20),
    "int64 identifiers": pd.Series(range(1000, 1040)),
    "large int64": pd.Series([2**60 + place for place in range(40)]),
    "float64": pd.Series([0.5, 1.25, np.nan, 3.0] * 10),
    "float32": pd.Series(np.arange(40) / 10, dtype="float32"),
    "float64 whole": pd.Series(np.arange(40.0) * 3),
    "Int64": pd.Series([7 * place if place % 9 else None for place in range(40)], dtype="Int64"),
    "Float64": pd.Series([place / 8 if place % 9 else None for place in range(40)], dtype="Float64"),
    "bool": pd.Series([True, False] * 20),
    "boolean": pd.Series([True, False, None, True] * 10, dtype="boolean"),
    "str": pd.Series(["a", "b", None, "c"] * 10, dtype="str"),
    "string": pd.Series(["a", "b", None, "c"] * 10, dtype="string"),
    "str of numbers": pd.Series([f"{place / 4:.2f}" for place in range(40)], dtype="str"),
    "str of days": pd.Series([day.strftime("%d.%m.%Y") for day in DAYS], dtype="str"),
    "object of str": pd.Series(["a", "b", None, "c"] * 10, dtype=object),
    "object of int": pd.Series([place * 2 for place in range(40)], dtype=object),
    "object of float": pd.Series([place / 4 for place in range(40)], dtype=object),
    "object of bool": pd.Series([True, False, None, True] * 10, dtype=object),
    "object of Decimal": pd.Series([Decimal(f"{place}.50") for place in range(40)], dtype=object),
    "object of date": pd.Series(DAYS, dtype=object),
    "object of datetime": pd.Series(INSTANTS, dtype=object),
    "object of time": pd.Series([time(9, place) for place in range(40)], dtype=object),
    "category": pd.Series(["a", "b", None, "c"] * 10, dtype="category"),
    "ordered": pd.Series(pd.Categorical(["low", "mid", "high", None] * 10, ["low", "mid", "high"], ordered=True)),
    "category of int": pd.Series([3, 1, 2, 1] * 10, dtype="category"),
    "datetime64[ns]": pd.Series(pd.to_datetime(DAYS)).astype("datetime64[ns]"),
    "datetime64[us]": pd.Series(pd.to_datetime(INSTANTS)).astype("datetime64[us]"),
    "zoned": pd.Series(pd.to_datetime(INSTANTS)).astype("datetime64[us]").dt.tz_localize("Europe/Berlin"),
    "timedelta": pd.Series(pd.to_timedelta(np.arange(40) * 1.5, unit="s")),
    "constant": pd.Series(["x"] * 40),
    "constant int8": pd.Series([1] * 40, dtype="int8"),
    "constant day": pd.Series([pd.Timestamp("2024-01-01")] * 40),
    "missing": pd.Series([np.nan] * 40),
    "missing object": pd.Series([None] * 40, dtype=object),
    "leading zeros": pd.Series([f"{place % 7:05d}" for place in range(40)]),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_data_frame_comes_back_as_it_went_in(name: str) -> None:
    frame = pd.DataFrame({"x": FRAMES[name], "other": range(7, 127, 3)})
    pd.testing.assert_frame_equal(to_frame(read_table(frame)), frame)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather", ".xlsx"])
def test_every_form_of_file_holds_every_column(name: str, suffix: str, tmp_path: Path) -> None:
    table = read_table(pd.DataFrame({"x": FRAMES[name], "other": range(7, 127, 3)}))
    path = tmp_path / f"out{suffix}"
    write_table(table, path)
    back, broken = read_like(path, table.schema)
    assert not broken
    for column in table.schema:
        if column.modelled:
            pd.testing.assert_series_equal(back.frame[column.name], table.frame[column.name])


def test_objects_of_several_types_come_back_as_texts() -> None:
    frame = pd.DataFrame({"x": pd.Series([1, "a", 2.5, None] * 5, dtype=object), "y": range(0, 40, 2)})
    back = to_frame(read_table(frame))["x"]
    assert back.dtype == object
    assert list(back[:4]) == ["1", "a", "2.5", None]


@pytest.mark.parametrize(
    "cells",
    [
        ["63.0", "41.0", "37.0"],
        ["39", "50", "7"],
        ["12.50", "13.00", "0.75"],
        ["12.00", "13.00", "15.00"],
        ["1.5", "2", "-3.25"],
        ["0.1", "0.25", "3.125"],
        ["1e-05", "2.5e-07", "1.5"],
        ["007", "012", "999"],
        ["2024-01-31", "2023-02-01", "1999-12-31"],
        ["31.01.2024", "01.02.2023", "05.07.1999"],
        ["1/31/2024", "2/1/2023", "12/5/1999"],
        ["2024-01-31 14:30", "2023-02-01 00:00", "1999-12-31 23:59"],
        ["2024-01-31T14:30:00Z", "2023-02-01T00:00:00Z", "1999-12-31T23:59:59Z"],
        ["9999-12-31", "2023-02-01", "1900-01-01"],
        ["14:30", "00:00", "23:59"],
        ["120/80", "110/75", "95/60"],
        ["45%", "50%", "7%"],
        ["True", "False", "True"],
        ["true", "false", "true"],
        ["1,5", "2,25", "3,0"],
        ["None", "unknown", "a"],
        ['say "hi"', "two\nlines", "a, b; c"],
        ["9007199254740993", "9007199254740995", "9007199254740997"],
        ["same", "same", "same"],
        ["", "", ""],
    ],
)
@pytest.mark.parametrize("missing", [None, "", "?", "NA"])
def test_a_clean_file_is_written_byte_for_byte(cells: list[str], missing: str | None, tmp_path: Path) -> None:
    if cells[0] == "" and missing:
        pytest.skip("two ways to write an absent value in one column: only the commonest is kept")
    rows = [*cells * 10, *([] if missing is None else [missing] * 3)]
    delimiter = ";" if cells[0] == "1,5" else ","
    quoted = ['"' + one.replace('"', '""') + '"' if set(one) & set(',"\n' + delimiter) else one for one in rows]
    if delimiter == ";":
        quoted = rows
    text = f"x{delimiter}n\n" + "".join(f"{one}{delimiter}{place * 3}\n" for place, one in enumerate(quoted))
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text(text, encoding="utf-8")
    write_table(read_table(path), out)
    assert out.read_bytes() == path.read_bytes()


def test_negative_zero_is_zero(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [-0.0, 1.5, 1 / 3, -2.25] * 5})
    write_table(read_table(frame), tmp_path / "out.csv")
    assert "-0" not in (tmp_path / "out.csv").read_text()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".xlsx"])
def test_no_text_is_run_as_a_formula_and_every_label_survives(suffix: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"=name": FORMULAS * 3, "n": range(0, 6 * len(FORMULAS), 2)})
    table = read_table(frame)
    path = tmp_path / f"out{suffix}"
    write_table(table, path)
    if suffix == ".xlsx":
        cells = [cell for row in openpyxl.load_workbook(path).active.iter_rows() for cell in row]  # pyright: ignore
        assert not any(cell.data_type == "f" for cell in cells)
        cells = [str(cell.value) for cell in cells]
    else:
        cells = list(pd.read_csv(path, sep="\t" if suffix == ".tsv" else ",", header=None, dtype=str)[0])
    assert all(one in ("-5", "-", "+") for one in cells if one.startswith(("=", "+", "-", "@", "\t", "\r")))
    back, broken = read_like(path, table.schema)
    assert not broken
    assert list(back.frame["=name"]) == list(frame["=name"])


def test_without_guard_a_workbook_still_holds_texts(tmp_path: Path) -> None:
    table = read_table(pd.DataFrame({"x": ["=1+1", "b"] * 5, "n": range(0, 20, 2)}))
    write_table(table, tmp_path / "out.xlsx", guard=False)
    assert list(read_like(tmp_path / "out.xlsx", table.schema)[0].frame["x"]) == ["=1+1", "b"] * 5


LABEL = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=6) | st.sampled_from(
    FORMULAS
)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(2, 12))

    def column(values: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(st.none() | values, min_size=rows, max_size=rows))

    return pd.DataFrame(
        {
            "label": pd.Series(column(LABEL), dtype="str"),
            'second, "label"': pd.Series(column(LABEL), dtype=object),
            "whole": pd.Series(column(st.integers(-(10**9), 10**9)), dtype="Int64"),
            "real": pd.Series(column(st.floats(-1e9, 1e9)), dtype="float64"),
            "truth": pd.Series(column(st.booleans()), dtype="boolean"),
            "day": pd.Series(column(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))).astype("datetime64[us]"),
        }
    )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=tables(), suffix=st.sampled_from([".csv", ".tsv", ".parquet"]))
def test_write_and_read_like_is_the_identity(frame: pd.DataFrame, suffix: str, tmp_path: Path) -> None:
    table = read_table(frame)
    path = tmp_path / f"out{suffix}"
    write_table(table, path)
    back, broken = read_like(path, table.schema)
    assert not broken
    for column in table.schema:
        if column.modelled:
            pd.testing.assert_series_equal(back.frame[column.name], table.frame[column.name], check_exact=True)


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    table = read_table(pd.DataFrame({"x": FORMULAS * 3, "n": range(0, 6 * len(FORMULAS), 2)}))
    for suffix in (".csv", ".parquet", ".feather"):
        for name in ("a", "b"):
            write_table(table, tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    table = read_table(pd.DataFrame({"x": ["a\x0b", "b"] * 5}))
    with pytest.raises(BadInput, match="cannot write"):
        write_table(table, tmp_path / "out.doc")
    with pytest.raises(BadInput, match="cannot be written"):
        write_table(table, tmp_path / "nowhere" / "out.csv")
    with pytest.raises(BadInput, match="control character"):
        write_table(table, tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_whole_numbers_and_truths_get_a_dtype_that_can_hold_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text(
        "n,t\n" + "".join(f"{place * 3 if place else ''},{'true' if place % 3 else ''}\n" for place in range(40))
    )
    frame = to_frame(read_table(path))
    assert str(frame["n"].dtype) == "Int64"
    assert str(frame["t"].dtype) == "boolean"


def test_a_name_of_spaces_is_no_name(tmp_path):
    frame = pd.DataFrame({" ": [1.5, 2.5, 4.0], "age": [1, 2, 3]})
    assert read_table(frame).schema.names == ("column_1", "age")
    (tmp_path / "a.csv").write_text(" ,age\n1.5,1\n2.5,2\n4.0,3\n")
    assert read_table(tmp_path / "a.csv").schema.names == ("column_1", "age")


def test_huge_floats_beside_decimals_are_read_and_written_as_they_are(tmp_path):
    frame = pd.DataFrame({"x": [0.5, 1.25, 1.7e308, -1.7e308] * 3})
    table = read_table(frame)
    write_table(table, tmp_path / "a.csv")
    assert read_table(tmp_path / "a.csv").numbers("x").tolist() == frame["x"].tolist()


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_a_column_that_came_out_all_missing_keeps_its_type(tmp_path, suffix):
    values = pd.Series([True, False, None] * 4, dtype=object)
    table = read_table(pd.DataFrame({"x": values, "y": range(12)}))
    absent = table.take(np.array([2, 5]))
    write_table(absent, tmp_path / f"a{suffix}")
    read = pq.read_schema if suffix == ".parquet" else lambda path: pafeather.read_table(path).schema
    assert str(read(tmp_path / f"a{suffix}").field("x").type) == "bool"
