"""A table is read as its owner means it, and what is no table is refused with the place and the way out."""

from __future__ import annotations

import gzip
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synth_worker.errors import BadInput, BadSchema, GesalpError, UnreadableTable
from synth_worker.reading import read_like, read_table
from synth_worker.schema import Kind, Schema
from synth_worker.table import Table
from synth_worker.writing import to_frame, write_table

HEART = Path(__file__).parents[3] / "shared" / "data" / "heart_noheader.csv"


def put(folder: Path, content: str | bytes, name: str = "t.csv", *, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read(folder: Path, content: str | bytes) -> Table:
    return read_table(put(folder, content))


def refused(source: object, *, match: str, error: type[GesalpError] = UnreadableTable) -> None:
    with pytest.raises(error, match=match) as caught:
        read_table(source)  # pyright: ignore[reportArgumentType]
    assert caught.value.hint


ROWS = [("31", "ä, b", "1.5"), ("40", "c", "2.25"), ("7", "ä, b", "0.5"), ("99", "d", "3.75")] * 10


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_encoding_and_line_ends_are_found(delimiter: str, encoding: str, end: str, tmp_path: Path) -> None:
    lines = [delimiter.join(("größe", "text", "x"))]
    lines += [delimiter.join((one, f'"{two}"', three)) for one, two, three in ROWS]
    table = read_table(put(tmp_path, end.join(lines) + end, encoding=encoding))
    assert table.schema.names == ("größe", "text", "x")
    assert table.rows == 40
    assert list(table.numbers("größe")[:4]) == [31, 40, 7, 99]
    assert table.schema["text"].categories == ("c", "d", "ä, b")


def test_a_zipped_file_is_read_like_a_plain_one(tmp_path: Path) -> None:
    text = b"a,b\n1,x\n2,y\n3,x\n4,y\n"
    assert read_table(put(tmp_path, gzip.compress(text), "t.csv.gz")).schema == read(tmp_path, text).schema


def test_decimal_commas_are_numbers_and_leave_others_alone(tmp_path: Path) -> None:
    table = read(tmp_path, "x;y;n\n" + "".join(f"{place},5;{place}.25;{place * 3}\n" for place in range(30)))
    assert list(table.numbers("x")[:3]) == [0.5, 1.5, 2.5]
    assert table.schema["x"].decimal_comma
    assert list(table.numbers("y")[:3]) == [0.25, 1.25, 2.25]
    assert not table.schema["n"].decimal_comma
    bare = read(tmp_path, "".join(f"{place},5;{place * 2},25;{place * 3},75\n" for place in range(30)))
    assert bare.schema.names == ("column_1", "column_2", "column_3")
    assert bare.rows == 30


@pytest.mark.parametrize("decimals", [1, 3])
def test_german_dates_and_decimal_commas(decimals: int, tmp_path: Path) -> None:
    rows = "".join(
        f"{1 + place % 28:02d}.03.2024;{place},{7:0{decimals}d};Station {place % 3}\n" for place in range(40)
    )
    table = read(tmp_path, "Aufnahme;CRP;Station\n" + rows)
    assert [column.kind for column in table.schema] == [Kind.DATETIME, Kind.NUMERIC, Kind.CATEGORICAL]
    assert table.schema["CRP"].decimals == decimals


def test_the_first_patient_never_becomes_the_column_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        ",".join([f"{rng.integers(30, 77)}.0", *(f"{rng.integers(0, 4)}.0" for _ in range(12)), str(rng.integers(5))])
        for _ in range(303)
    ]
    rows[0] = "63.0,1.0,?," + rows[0].split(",", 3)[3]
    table = read(tmp_path, "\n".join(rows) + "\n")
    assert (table.rows, len(table.schema)) == (303, 14)
    assert table.schema.names[0] == "column_1"


def test_the_heart_table_without_header_has_303_rows() -> None:
    if not HEART.exists():
        pytest.skip(f"NOT TESTED: there is no {HEART.name}")
    table = read_table(HEART)
    assert (table.rows, len(table.schema)) == (303, 14)
    assert table.schema["column_12"].nullable


def test_a_header_can_be_told(tmp_path: Path) -> None:
    path = put(tmp_path, "2019,2020\n1,2\n3,4\n5,6\n")
    assert read_table(path).rows == 4
    assert read_table(path, header=True).schema.names == ("2019", "2020")
    texts = put(tmp_path, "anna,berlin\nbert,bonn\ncarl,celle\n")
    assert read_table(texts, header=False).rows == 3


def test_line_ends_and_quotes_inside_values_stay(tmp_path: Path) -> None:
    table = read(tmp_path, 'a,"b\nc"\n"x\ny",1\n"x ""q""",2\n"x\r\ny",1\n' * 1 + "z,7\n" * 20)
    assert table.schema.names == ("a", "b\nc")
    assert set(table.schema["a"].categories) == {"x\ny", 'x "q"', "x\r\ny", "z"}


def test_excel_is_read_with_its_types(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["n", "x", "day", "label", None, None])
    for place in range(30):
        sheet.append([place * 3, place / 4, pd.Timestamp("2024-01-01") + pd.Timedelta(days=place), "ab"[place % 2]])
    book.save(tmp_path / "t.xlsx")
    table = read_table(tmp_path / "t.xlsx")
    assert [column.kind for column in table.schema] == [Kind.NUMERIC, Kind.NUMERIC, Kind.DATETIME, Kind.CATEGORICAL]


def test_a_parquet_index_that_has_a_name_is_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(30) * 3}, index=pd.Index(range(30), name="patient_id"))
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").schema.names == ("patient_id", "x")


def test_an_arrow_table_keeps_whole_numbers_beside_missing_ones() -> None:
    table = read_table(pa.table({"x": [3, None, 7, 12] * 5, "y": list(range(0, 40, 2))}))
    assert (table.schema["x"].dtype, table.schema["x"].source) == ("int64", "Int64")
    assert table.schema["y"].source == "int64"


def test_a_table_of_one_column_works(tmp_path: Path) -> None:
    table = read(tmp_path, "age\n31\n\n45\n7\n\n")
    assert (table.rows, table.schema.names) == (4, ("age",))
    assert table.missing("age").sum() == 1
    write_table(table, tmp_path / "out.csv")
    assert read_like(tmp_path / "out.csv", table.schema)[0].missing("age").sum() == 1


def test_infinite_values_are_missing_and_the_note_says_so(tmp_path: Path) -> None:
    numbers = [1.5, np.inf, 2.5, -np.inf, np.nan] * 6
    for table in (
        read_table(pd.DataFrame({"x": numbers, "y": range(0, 60, 2)})),
        read(tmp_path, "x,y\n" + "".join(f"{one},{place * 2}\n" for place, one in enumerate(numbers))),
    ):
        assert table.missing("x").sum() == 18
        assert '"inf"' in table.schema["x"].note
        assert table.schema["x"].missing_token in ("", "nan")


DAMAGED = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t\n \n", "is empty"),
    "header only": (b"a,b\n", "header and no rows"),
    "one row": (b"a,b\n1,2\n", "1 row"),
    "same names": (b"a,b,a\n1,2,3\n4,5,6\n", "'a' stands 2 times"),
    "ragged": (b'a,b\n1,"x\ny"\n\n3,4,5\n6,7\n', "line 5: 3 cells where 2"),
    "short": (b"a,b,c\n1,2,3\n4,5\n6,7,8\n", "line 3: 2 cells where 3"),
    "short first": (b"a,b\n1,2,3\n4,5,6\n7,8,9\n", "first line: 2 cells"),
    "NUL": (b"a,b\n1,2\n3,\x00\n", "line 3: a NUL"),
    "open quote": (b'a,b\n1,2\n3,"x\n5,6\n', "line 3: a quote"),
    "odd quote": (b'a,b\n1,2\n3,"x\n5,"6\n', "line 3: a quote"),
    "zip": (b"PK\x03\x04rest", "Excel"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_that_is_no_table_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    content, match = DAMAGED[name]
    refused(put(tmp_path, content), match=match)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx", ".feather", ".arrow", ".csv.gz"])
def test_garbage_is_refused(suffix: str, tmp_path: Path) -> None:
    for seed in range(3):
        garbage = np.random.default_rng(seed).bytes(3000)
        refused(put(tmp_path, garbage, f"t{suffix}"), match="t.*")


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n1,2\n3,4\n" * 1000)
    refused(put(tmp_path, whole[: len(whole) // 2], "t.csv.gz"), match="cannot be read")
    refused(put(tmp_path, whole[:20] + b"\xff" * 20 + whole[40:], "t.csv.gz"), match="cannot be read")
    pd.DataFrame({"a": range(50), "b": range(50)}).to_excel(tmp_path / "t.xlsx")
    book = (tmp_path / "t.xlsx").read_bytes()
    for place in range(0, len(book), 97):
        with_hole = book[:place] + b"\xff\x00\xff" + book[place + 3 :]
        try:
            read_table(put(tmp_path, with_hole, "hole.xlsx"))
        except GesalpError:
            continue


def test_paths_that_are_no_files_are_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere.csv", match="no file")
    refused(tmp_path, match="folder")
    refused("a\x00b.csv", match="no file")
    refused("x" * 5000 + ".csv", match="no file")


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "a,b\nä,1\nö,2\n", encoding="cp1252")
    for encoding, match in [("utf-8", "line 2"), ("ascii", "line 2"), ("klingon", "not known"), ("hex", "not known")]:
        with pytest.raises(UnreadableTable, match=match):
            read_table(path, encoding=encoding)
    for delimiter in ("", ",,", '"', "\n", "é"):
        with pytest.raises(BadInput) if delimiter else pytest.raises(BadInput, match="cannot part"):
            read_table(path, delimiter=delimiter)


def test_frames_that_are_no_tables_are_refused() -> None:
    refused(pd.DataFrame(), match="empty")
    refused(pd.DataFrame({"a": []}), match="empty")
    refused(pd.DataFrame({"a": [1]}), match="1 row")
    refused(pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), match="'a' stands 2 times")
    refused(pd.DataFrame({"a": [[1], [2]]}), match="'a' holds lists")
    refused(pa.table({"a": [[1], [2]]}), match="'a' holds lists")


def test_same_names_in_a_workbook_are_refused(tmp_path: Path) -> None:
    pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]).to_excel(tmp_path / "t.xlsx", index=False)
    refused(tmp_path / "t.xlsx", match="'a' stands 2 times")


def test_wide_tables_are_read_in_seconds_and_wider_ones_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 1000, (100, 1500))).astype(str)
    frame = pd.concat([frame, pd.DataFrame(rng.choice(["2024-01-01", "x", "y"], (100, 500)))], axis=1)
    frame.columns = [f"c{place}" for place in range(2000)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    begin = time.process_time()
    assert len(read_table(tmp_path / "t.csv").schema) == 2000
    assert time.process_time() - begin < 10
    put(tmp_path, "\n".join([",".join(f"c{place}" for place in range(5001)), *[",".join("1" * 5001)] * 3]))
    refused(tmp_path / "t.csv", match="5001 columns; at most 5000")


def test_a_million_rows_are_typed_by_their_distinct_texts(tmp_path: Path) -> None:
    put(tmp_path, "x,y\n" + "".join(f"{place % 50},{'abc'[place % 3]}\n" for place in range(1_000_000)))
    begin = time.process_time()
    assert read_table(tmp_path / "t.csv").rows == 1_000_000
    assert time.process_time() - begin < 5


# A schema that the user wrote


def test_a_value_that_does_not_fit_is_named_by_its_line(tmp_path: Path) -> None:
    text = 'x,s\n1,"a\nb"\n' + "".join(f"{place * 2},c\n" for place in range(30))
    schema = read(tmp_path, text).schema
    path = put(tmp_path, text + "12O,c\n")
    with pytest.raises(UnreadableTable, match="line 34: column 'x' holds a text that is no whole number") as caught:
        read_table(path, schema=schema)
    assert "12O" not in str(caught.value)
    with pytest.raises(UnreadableTable, match="line 34"):
        read_table(put(tmp_path, text + "1.5,c\n"), schema=schema)
    public = schema.with_column(replace(schema["x"], public=True, low=0, high=100))
    with pytest.raises(UnreadableTable, match=r"line 34.*public bounds"):
        read_table(put(tmp_path, text + "101,c\n"), schema=public)
    labels = schema.with_column(replace(schema["s"], public=True))
    with pytest.raises(UnreadableTable, match=r"line 34.*public categories"):
        read_table(put(tmp_path, text + "7,new\n"), schema=labels)


def test_a_schema_that_the_table_contradicts_is_refused(tmp_path: Path) -> None:
    rows = (f"{place // 2 * 3},{'FM'[place % 2]},{place % 12 + 1:02d}/01/2024\n" for place in range(30))
    text = "x,s,day\n" + "".join(rows)
    schema = read(tmp_path, text).schema
    women = schema.with_column(replace(schema["s"], categories=("F",)))
    with pytest.raises(UnreadableTable, match=r"line 3: column 's' .* none of the schema's categories"):
        read_table(tmp_path / "t.csv", schema=women)
    young = schema.with_column(replace(schema["x"], high=20.0))
    with pytest.raises(UnreadableTable, match=r"line 16: column 'x' holds a number outside"):
        read_table(tmp_path / "t.csv", schema=young)
    found = schema.with_column(replace(schema["s"], categories=())).with_column(replace(schema["x"], high=None))
    assert read_table(tmp_path / "t.csv", schema=found).schema == schema
    other = schema.with_column(replace(schema["day"], format="%m/%d/%Y"))
    assert read_table(tmp_path / "t.csv", schema=other).schema["day"].format == "%m/%d/%Y"


def test_a_schema_with_other_columns_is_refused(tmp_path: Path) -> None:
    schema = read(tmp_path, "a,b\n1,2\n3,4\n").schema
    with pytest.raises(BadSchema, match="lacks 'b'"):
        read_table(put(tmp_path, "a,c\n1,2\n3,4\n"), schema=schema)
    with pytest.raises(BadSchema, match="has 'c'"):
        read_table(put(tmp_path, "a,b,c\n1,2,3\n3,4,5\n"), schema=schema)


BARE = "".join(f"{place * 3},{place}.5,{'fm'[place % 2]}\n" for place in range(40))


def renamed(schema: Schema, *names: str) -> Schema:
    return Schema(tuple(replace(column, name=name) for column, name in zip(schema, names, strict=True)))


def test_columns_of_a_file_without_header_are_named_by_position(tmp_path: Path) -> None:
    bare = read(tmp_path, BARE)
    assert any("column_1" in note for note in bare.notes)
    schema = renamed(bare.schema, "pid", "age", "column_3")
    table = read_table(tmp_path / "t.csv", schema=schema)
    assert table.schema.names == ("pid", "age", "column_3")
    assert (table.rows, table.notes) == (40, ())
    assert list(table.numbers("age")[:2]) == [0.5, 1.5]
    write_table(table, tmp_path / "out.csv")
    for path in (tmp_path / "out.csv", tmp_path / "t.csv"):
        back, broken = read_like(path, schema)
        assert (back.rows, back.schema.names, broken) == (40, ("pid", "age", "column_3"), {})


def test_names_by_position_keep_their_places(tmp_path: Path) -> None:
    bare = read(tmp_path, BARE).schema
    with pytest.raises(BadSchema, match="'column_1' stands at place 2"):
        read_table(tmp_path / "t.csv", schema=renamed(bare, "x", "column_1", "column_3"))
    with pytest.raises(BadSchema, match="3 columns and no line that names them; the schema has 2"):
        read_table(tmp_path / "t.csv", schema=Schema(bare.columns[:2]))


def test_a_sheet_without_header_is_named_by_position(tmp_path: Path) -> None:
    table = read(tmp_path, BARE)
    pd.read_csv(tmp_path / "t.csv", header=None).to_excel(tmp_path / "t.xlsx", index=False, header=False)
    schema = renamed(table.schema, "n", "x", "sex")
    assert read_table(tmp_path / "t.xlsx", schema=schema).schema.names == ("n", "x", "sex")


def test_a_first_line_of_the_schemas_names_is_a_header_whatever_it_looks_like(tmp_path: Path) -> None:
    path = put(tmp_path, "2019,2020\n" + "".join(f"{place * 3},{place}\n" for place in range(40)))
    table = read_table(path, header=True)
    assert read_like(path, table.schema)[0].rows == 40


def test_the_found_schema_reads_its_own_table(tmp_path: Path) -> None:
    text = "lab,n\n" + "".join(f"{'<0.5' if place % 4 == 0 else place / 2},{place * 3}\n" for place in range(80))
    first = read(tmp_path, text)
    again = read_table(tmp_path / "t.csv", schema=type(first.schema).from_json(first.schema.to_json()))
    assert again.schema == first.schema
    pd.testing.assert_frame_equal(again.frame, first.frame)


def test_na_is_missing_unless_the_schema_lists_it(tmp_path: Path) -> None:
    text = "country,n\n" + "".join(f"{['NA', 'DE', 'FR'][place % 3]},{place * 2}\n" for place in range(30))
    table = read(tmp_path, text)
    assert table.schema["country"].categories == ("DE", "FR")
    column = replace(table.schema["country"], categories=("DE", "FR", "NA"))
    kept = read_table(tmp_path / "t.csv", schema=table.schema.with_column(column))
    assert kept.schema["country"].categories == ("DE", "FR", "NA")
    assert not kept.missing("country").any()
    write_table(kept, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == text


def test_kinds_can_be_changed(tmp_path: Path) -> None:
    table = read(tmp_path, "code,n\n" + "".join(f"{place % 3},{place * 2}\n" for place in range(90)))
    assert table.schema["code"].kind is Kind.CATEGORICAL
    code = replace(table.schema["code"], kind=Kind.NUMERIC, categories=())
    n = replace(table.schema["n"], kind=Kind.CATEGORICAL)
    changed = read_table(tmp_path / "t.csv", schema=table.schema.with_column(code).with_column(n))
    assert (changed.schema["code"].low, changed.schema["code"].high) == (0, 2)
    assert len(changed.schema["n"].categories) == 90
    assert changed.schema["n"].low is None


# Persons with several rows


def test_group_keys(tmp_path: Path) -> None:
    path = put(
        tmp_path, "person,x,gap\n" + "".join(f"p{place // 2},{place * 3},{place or ''}\n" for place in range(40))
    )
    with pytest.raises(BadInput, match="no group key column 'nobody'"):
        read_table(path, group_key="nobody")
    with pytest.raises(BadInput, match="missing in 1 row"):
        read_table(path, group_key="gap")
    with pytest.raises(BadInput, match="40 rows belong to 20"):
        read_table(path, group_key="person")
    table = read_table(path, group_key="person", rows_independent=True)
    assert table.units is not None
    assert table.units[:4].tolist() == [0, 0, 1, 1]
    assert table.schema["person"].kind is Kind.IDENTIFIER
    alone = read_table(path, group_key="x")
    assert alone.units is None
    assert alone.schema["x"].kind is Kind.IDENTIFIER


# Another table of the same kind


def test_another_table_is_read_like_the_first(tmp_path: Path) -> None:
    table = read(
        tmp_path, "id,n,code,x\n" + "".join(f"{place},{place * 3},{place % 2}.0,{place}.5\n" for place in range(40))
    )
    other = put(tmp_path, "more,x,code,n\n" + "a,1.5,1,2.5\n" * 3 + "a,2.5,0,4\n" * 3, "other.csv")
    back, broken = read_like(other, table.schema)
    assert broken == {"n": "the values are not whole numbers"}
    assert back.schema.names == ("n", "code", "x")
    assert back.schema["code"].categories == ("0.0", "1.0")
    with pytest.raises(BadSchema, match="lacks the column 'n' and 1 more"):
        read_like(put(tmp_path, "x\n1.5\n2.5\n", "less.csv"), table.schema)
    _, broken = read_like(put(tmp_path, "n,code,x\nfive,1,1.55\n6,0,2.5\n", "words.csv"), table.schema)
    assert broken == {
        "n": "1 different values are not numeric",
        "x": "the values are not numbers of at most 1 decimals",
    }


def test_a_table_without_header_is_read_like_one_with_made_up_names(tmp_path: Path) -> None:
    table = read(tmp_path, "".join(f"{place * 3},{place}.5\n" for place in range(40)))
    write_table(table, tmp_path / "out.csv")
    for path in (tmp_path / "out.csv", tmp_path / "t.csv"):
        assert read_like(path, table.schema)[0].rows == 40


# Nothing but our own errors


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200), suffix=st.sampled_from([".csv", ".tsv", ".csv.gz", ".parquet", ".xlsx", ".feather"])
)
def test_bytes_of_any_kind_raise_nothing_else(data: bytes, suffix: str, tmp_path: Path) -> None:
    try:
        table = read_table(put(tmp_path, data, f"t{suffix}"))
    except GesalpError:
        return
    assert table.rows >= 2


CELL = st.sampled_from(
    ["", "?", "NA", "1", "2.50", "1,5", "-0", "007", "inf", "1e999", "²", "٣", "true", "a b", "=1", "\x1a"]
) | (st.text(max_size=4))


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=4), max_size=8),
    delimiter=st.sampled_from(list(",;\t|")),
    quote=st.booleans(),
)
def test_texts_of_any_kind_raise_nothing_else(
    rows: list[list[str]], delimiter: str, quote: bool, tmp_path: Path
) -> None:
    cells = [[f'"{one}"' if quote else one for one in row] for row in rows]
    text = "\n".join(delimiter.join(row) for row in cells)
    try:
        table = read_table(put(tmp_path, text.encode("utf-8", "replace")))
    except GesalpError:
        return
    write_table(table, tmp_path / "out.csv")
    back, broken = read_like(tmp_path / "out.csv", table.schema)
    assert not broken
    for column in table.schema:
        if column.modelled:
            pd.testing.assert_series_equal(back.frame[column.name], table.frame[column.name])


def test_a_first_cell_keeps_its_byte_order_mark(tmp_path):
    (tmp_path / "a.csv").write_text("name,age\n\ufeffbom,1\nplain,2\n\ufeffbom,3\n", encoding="utf-8")
    assert set(read_table(tmp_path / "a.csv").schema["name"].categories) == {"\ufeffbom", "plain"}


def test_a_column_of_nothing_but_infinite_numbers_holds_nothing() -> None:
    table = read_table(pd.DataFrame({"x": [np.inf, np.nan, -np.inf] * 20, "y": range(60)}))
    assert table.schema["x"].kind is Kind.CONSTANT
    assert '"-inf", "inf"' in table.schema["x"].note
    assert to_frame(table)["x"].isna().all()
    assert to_frame(table)["x"].dtype == np.float64
