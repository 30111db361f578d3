"""Promises of the engines without a server: files are only read, none beside them is, and none changes meanwhile."""

from __future__ import annotations

import contextlib
import gc
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pytest

from synth_worker.database.connection import Statement, TableName
from synth_worker.database.dialect import quoted
from synth_worker.database.postgres_copy import parsed
from synth_worker.database.registry import open_database
from synth_worker.errors import BadInput, DatabaseRefused, GesalpError, QueryFailed, UnknownName

COUNT = Statement('SELECT count(*), sum("a") FROM "wards"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "clinic"
    inside.mkdir()
    with duckdb.connect() as con:  # the shared connection may hold an answer that another test has not read to its end
        con.sql("SELECT * FROM range(5) AS r(a)").write_parquet(str(inside / "wards.parquet"))
    (inside / "it's a.csv").write_text("a,b\n1,x\n2,\n", encoding="utf-8")
    (inside / "notes.txt").write_text("not a table", encoding="utf-8")
    (tmp_path / "outside.csv").write_text("a\ncanary\n", encoding="utf-8")
    return inside


def test_each_file_is_a_table_of_its_name(folder: Path) -> None:
    database = open_database("duckdb", {"path": str(folder)})
    assert (database.name, database.health().harmless, database.health().encryption) == ("clinic", True, "")
    assert dict(database.columns(TableName(None, "it's a"))) == {"a": "VARCHAR", "b": "VARCHAR"}
    with database.snapshot() as snapshot:
        assert snapshot.rows(COUNT) == [(5, 10)]
    with pytest.raises(UnknownName, match="wards"):
        database.columns(TableName(None, "notes"))


def test_a_single_file_is_a_database_too(folder: Path) -> None:
    database = open_database("duckdb", {"path": str(folder / "wards.parquet"), "name": "other"})
    assert database.name == "other"
    assert list(database.columns(TableName(None, "wards"))) == ["a"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM glob('/*')",
        "SELECT content FROM read_text('{outside}')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "COPY (SELECT 1) TO '{inside}/wards.parquet'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "ATTACH '{outside}' AS other",
        "CREATE TABLE mine (a INTEGER)",
    ],
)
def test_no_other_file_can_be_reached_and_none_written(folder: Path, sql: str) -> None:
    database = open_database("duckdb", {"path": str(folder)})
    before = (folder / "wards.parquet").read_bytes()
    with database.snapshot() as snapshot, pytest.raises(QueryFailed):
        snapshot.rows(Statement(sql.format(outside=folder.parent / "outside.csv", inside=folder)))
    assert (folder / "wards.parquet").read_bytes() == before


@pytest.mark.parametrize("replaced", [True, False])
def test_files_that_change_while_they_are_read_are_an_error(folder: Path, replaced: bool) -> None:
    database = open_database("duckdb", {"path": str(folder)})
    own = folder / "wards.parquet"
    with pytest.raises(QueryFailed, match="changed while they were read"), database.snapshot() as snapshot:
        snapshot.rows(COUNT)
        if replaced:
            with duckdb.connect() as con:
                con.sql("SELECT * FROM range(7) AS r(a)").write_parquet(str(folder / "new"))
            (folder / "new").replace(own)
        else:
            own.write_bytes(own.read_bytes())


def test_what_does_not_fit_into_memory_is_spilled_where_nobody_else_reads_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spilled, here = tmp_path / "spilled", tmp_path / "here"
    spilled.mkdir()
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spilled))
    monkeypatch.chdir(here)
    database = open_database("duckdb", {"path": str(folder)})
    (own,) = spilled.iterdir()
    assert own.stat().st_mode & 0o077 == 0
    with database.snapshot() as snapshot:
        assert snapshot.rows(Statement("SELECT current_setting('temp_directory')")) == [(str(own),)]
    database.close()
    del snapshot, database
    gc.collect()
    assert not list(spilled.iterdir())
    assert not list(here.iterdir())


def test_a_folder_may_be_named_from_here_and_files_in_capitals(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "wards.parquet").rename(folder / "Beds.PARQUET")
    monkeypatch.chdir(folder.parent)
    database = open_database("duckdb", {"path": "clinic"})
    with database.snapshot() as snapshot:
        assert snapshot.rows(Statement('SELECT count(*) FROM "Beds"')) == [(5,)]


def test_a_file_that_is_deleted_while_it_is_read_is_an_error(folder: Path) -> None:
    database = open_database("duckdb", {"path": str(folder)})
    with pytest.raises(QueryFailed), database.snapshot() as snapshot:
        (folder / "wards.parquet").unlink()
        snapshot.rows(COUNT)


def test_what_is_no_database_is_refused_with_the_reason(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.duckdb").write_bytes(b"not a database at all" * 1000)
    (tmp_path / "broken.sqlite").write_bytes(b"not a database at all" * 1000)
    (folder / "broken.parquet").write_bytes(b"no")
    (tmp_path / "empty").mkdir()
    for engine, path, words in (
        ("duckdb", tmp_path / "broken.duckdb", "cannot be opened as a DuckDB file"),
        ("duckdb", tmp_path / "none", "does not exist"),
        ("duckdb", tmp_path / "empty", "neither Parquet nor CSV"),
        ("duckdb", folder, "cannot be read as parquet"),
        ("sqlite", tmp_path / "broken.sqlite", "cannot be read as an SQLite file"),
        ("sqlite", tmp_path / "none", "does not exist"),
    ):
        with pytest.raises((DatabaseRefused, BadInput), match=words) as caught:
            open_database(engine, {"path": str(path)})
        assert caught.value.__context__ is None


def test_sqlite_is_read_whatever_its_views_and_triggers_would_do(tmp_path: Path) -> None:
    path = tmp_path / "clinic.sqlite"
    with sqlite3.connect(path) as con:
        con.execute("CREATE TABLE wards (a integer, b)")
        con.execute("INSERT INTO wards VALUES (1, x'00ff'), ('text in a number', 2.5)")
        con.execute("CREATE VIEW loading AS SELECT load_extension('evil') AS a")
    before = path.read_bytes()
    database = open_database("sqlite", {"path": str(path)})
    with database.snapshot() as snapshot:
        table = snapshot.arrow(Statement('SELECT a, b FROM "wards"'))
        assert table.column("a").to_pylist() == ["1", "text in a number"]
        with pytest.raises(QueryFailed):
            snapshot.rows(Statement('SELECT a FROM "loading"'))
        with pytest.raises(QueryFailed):
            snapshot.rows(Statement("ATTACH '/etc/passwd' AS other"))
    assert path.read_bytes() == before


def test_copy_is_read_whatever_stands_in_it() -> None:
    rows = b'1,infinity,"a ""b""\nc",NaN,t\n2,2020-01-01,,Infinity,\n3,0044-03-15 BC,"",-1.5,f\n'
    found = parsed([rows[:7], rows[7:]], ["n", "d", "t", "x", "n"], [20, 1082, 25, 701, 16])
    assert found.column_names == ["n", "d", "t", "x", "n"]
    assert found.column(0).to_pylist() == [1, 2, 3]
    assert found.column(1).to_pylist() == ["infinity", "2020-01-01", "0044-03-15 BC"]
    assert found.column(2).to_pylist() == ['a "b"\nc', None, ""]
    assert found.column(3).to_pylist()[1:] == [float("inf"), -1.5]
    assert found.column(4).to_pylist() == [True, None, False]


def test_a_column_of_nothing_keeps_its_rows() -> None:
    assert parsed([b"\n\n\n"], ["a"], [25]).column("a").to_pylist() == [None, None, None]


WITHOUT = """
import sys
for name in {absent!r}:
    sys.modules[name] = None
import synth_worker.secure_query
from synth_worker.database.registry import open_database
try:
    open_database({engine!r}, {{"path": {path!r}}})
    print("opened")
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("postgresql", "pip install 'gesalp[database]'"),
        ("mariadb", "pip install 'gesalp[mariadb]'"),
        ("duckdb", "opened"),
    ],
)
def test_without_the_drivers_what_needs_them_says_so_and_the_rest_works(folder: Path, engine: str, words: str) -> None:
    code = WITHOUT.format(absent=["psycopg", "pymysql", "sqlglot"], engine=engine, path=str(folder))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert words in done.stdout, done.stderr


def test_an_engine_that_is_none_is_named_with_those_that_are() -> None:
    with pytest.raises(GesalpError, match="known: postgresql, duckdb, sqlite, mariadb"):
        open_database("oracle", {})


@pytest.mark.parametrize("letters", ["61ff62", "eda080", "610062", "c3", "f4908080"])
def test_a_text_of_bytes_that_are_no_letters_fails_no_query_of_sqlite(tmp_path: Path, letters: str) -> None:
    path = tmp_path / "ward.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE stays (place INTEGER, note TEXT, day DATE, weight REAL)")
        connection.execute(
            "INSERT INTO stays VALUES (1, 'a', '2020-01-31', 1.5), (2, NULL, NULL, NULL), (3, 3, x'ff', 2)"
        )
        odd = f"CAST(x'{letters}' AS TEXT)"
        connection.execute(f"INSERT INTO stays VALUES (4, {odd}, {odd}, {odd})")
    database = open_database("sqlite", {"path": str(path)})
    dialect = database.dialect
    with database.snapshot() as snapshot:
        for name, declared in database.columns(TableName(None, "stays")).items():
            text = dialect.text(quoted(name), declared)
            spelled = (text, dialect.number(quoted(name), declared), dialect.comparable(quoted(name), declared))
            for one in (*spelled, dialect.hashed(f"coalesce({text}, '')", "'k'")):
                assert len(snapshot.rows(Statement(f"SELECT {one} FROM stays"))) == 4
        notes = snapshot.rows(Statement(f"SELECT {dialect.text('note', 'TEXT')} FROM stays WHERE place < 4"))
        days = snapshot.rows(Statement(f"SELECT {dialect.text('day', 'DATE')} FROM stays WHERE place < 4"))
        assert snapshot.arrow(Statement("SELECT note FROM stays")).num_rows == 4
    assert (notes, days) == ([("a",), (None,), ("3",)], [("2020-01-31",), (None,), ("\\xff",)])


def test_an_sqlite_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA encoding = 'UTF-16'")
        connection.execute("CREATE TABLE stays (note TEXT)")
    with pytest.raises(DatabaseRefused, match="NotSupportedError"):
        open_database("sqlite", {"path": str(path)})


LAST = {
    "a number": (b"7,x", 1, 1, 1),
    "no number among numbers": (b"?,x", 1, 0, 1),
    "half a number": (b"7.5,x", 1, 1, 1),
    "too many": (b"7,x,y,z", 1, 1, 1),
    "too few": (b"7", 1, 1, 0),
    "a quote in a text": (b'7,x"y', 1, 1, 1),
    "a long text": (b"7," + b"x" * 3_000_000, 1, 1, 1),
    "bytes that are no letters": (b"7,\xff\xfe", 0, 0, 0),
}


@pytest.mark.parametrize("line", LAST)
def test_no_line_of_a_csv_changes_a_type_fails_a_query_or_takes_others_along(tmp_path: Path, line: str) -> None:
    text, rows, numbers, texts = LAST[line]
    path = tmp_path / "ward.csv"
    path.write_bytes(b"\xef\xbb\xbfn,s\n" + b"".join(b"%d,a\n" % at for at in range(300)) + text)
    for types, kind in (({}, "VARCHAR"), ({"n": "bigint"}, "BIGINT")):
        database = open_database("duckdb", {"path": str(path), "types": types})
        assert dict(database.columns(TableName(None, "ward"))) == {"n": kind, "s": "VARCHAR"}
        with database.snapshot() as snapshot:
            [(all_rows, all_numbers, all_texts)] = snapshot.rows(
                Statement("SELECT count(*), count(n), count(s) FROM ward")
            )
        assert (all_rows - rows, all_texts - texts) == (300, 300)
        assert all_numbers - (numbers if types else rows) == 300


def test_a_csv_is_read_as_its_first_line_says(tmp_path: Path) -> None:
    path = tmp_path / "ward.csv"
    path.write_text('born;"it\'s; ""a"""\n2020-01-31;x\n', encoding="utf-8")
    database = open_database("duckdb", {"path": str(path), "types": {"born": "DATE"}})
    assert dict(database.columns(TableName(None, "ward"))) == {"born": "DATE", 'it\'s; "a"': "VARCHAR"}
    for first in ("a,a\n", "a,\n", "", "a,A\n1,2\n"):
        path.write_text(first, encoding="utf-8")
        with pytest.raises(BadInput, match="first line"):
            open_database("duckdb", {"path": str(path)})
    path.write_text("a\n1\n", encoding="utf-8")
    with pytest.raises(UnknownName, match="type of column 'a'"):
        open_database("duckdb", {"path": str(path), "types": {"a": "BIGINT) FROM x; --"}})
