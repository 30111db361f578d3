"""Promises of every engine: columns, one read-only snapshot, and expressions that give the same values everywhere."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from synth_worker.database.clause import parsed
from synth_worker.database.connection import Database, Limits, Statement, TableName
from synth_worker.database.filters import Filter, rendered
from synth_worker.errors import QueryFailed, UnknownName
from tests.database import engines
from tests.database.engines import COLUMNS, ROWS, TABLE, Engine
from tests.database.mariadb_server import PRESENT

NAMES = (
    "postgresql",
    "duckdb",
    "parquet",
    "sqlite",
    pytest.param("mariadb", marks=pytest.mark.skipif(not PRESENT, reason="mariadbd is not installed")),
)
ASKED = list(COLUMNS)


@pytest.fixture(scope="module", params=NAMES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engines.filled(request.param, request, tmp_path_factory.mktemp("engine")) as found:
        yield found


def answers(engine: Engine, *expressions: str, parameters: tuple[str, ...] = ()) -> list[tuple[object, ...]]:
    sql = f"SELECT {', '.join(expressions)} FROM {TABLE.to_sql()} WHERE place < 50 ORDER BY nasty.place"
    with engine.database.snapshot() as snapshot:
        return snapshot.rows(Statement(sql, parameters))


def told(column: str, value: object) -> str | None:
    """Say what the canonical text is: written anew here, from the promise."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return str(int(value)) if value == math.floor(value) and abs(value) < 1e18 else repr(value)
    if column == "instant":
        moment = datetime.fromisoformat(str(value)).astimezone(UTC).replace(tzinfo=None)
        text = str(moment)
        return (text.rstrip("0") if "." in text else text) + "+00"
    return str(value)


READ = {"12": 12.0, "1e999": math.inf, "-1.5e3": -1500.0, ".5": 0.5, "+5.": 5.0}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def number(column: str, value: object) -> float | None:
    """Say what the number is, written anew from the promise."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if column in ("day", "moment", "instant"):
        moment = datetime.fromisoformat(str(value))
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH).total_seconds()
    if column == "exact":
        return float(str(value))
    return READ.get(value) if isinstance(value, str) else float(value)  # type: ignore[arg-type]


def same(one: object, two: object) -> bool:
    if isinstance(one, int | float) and isinstance(two, float):
        return one == two or math.isclose(one, two, rel_tol=1e-15)
    return one is None and two is None


def test_columns_come_in_order_with_their_types(engine: Engine) -> None:
    assert list(engine.database.columns(TABLE)) == list(COLUMNS)


@pytest.mark.parametrize("name", ["none", "Nasty ", 'nasty"; SELECT 1', "pg_authid", "sqlite_schema", "duckdb_tables"])
def test_a_table_that_is_none_is_named_and_what_there_is_listed(engine: Engine, name: str) -> None:
    with pytest.raises(UnknownName, match="unknown table"):
        engine.database.columns(TableName(None, name))


def test_text_is_the_same_on_every_engine(engine: Engine) -> None:
    declared = engine.database.columns(TABLE)
    dialect = engine.database.dialect
    found = answers(engine, *(dialect.text(dialect.quoted(name), declared[name]) for name in ASKED))
    assert len(found) == len(ROWS)
    for row, own in zip(ROWS, found, strict=True):
        for column, value, text in zip(ASKED, row, own, strict=True):
            if (row[0], column) not in engine.unheld | engine.unwritten:
                assert text == told(column, value), (row[0], column)


def test_number_is_the_same_on_every_engine(engine: Engine) -> None:
    declared = engine.database.columns(TABLE)
    dialect = engine.database.dialect
    found = answers(engine, *(dialect.number(dialect.quoted(name), declared[name]) for name in ASKED[:-1]))
    for row, own in zip(ROWS, found, strict=True):
        for column, value, got in zip(ASKED[:-1], row[:-1], own, strict=True):
            if (row[0], column) not in engine.unheld:
                assert same(got, number(column, value)), (row[0], column, got)


def test_hashes_are_those_of_the_canonical_text(engine: Engine) -> None:
    declared = engine.database.columns(TABLE)
    dialect = engine.database.dialect
    texts = {name: dialect.text(dialect.quoted(name), declared[name]) for name in ("told", "whole", "truth", ASKED[-1])}
    found = answers(
        engine,
        *(
            expression
            for text in texts.values()
            for expression in (dialect.hashed(text, "?"), dialect.uniform(text, "?"))
        ),
        parameters=("a key ' ?",) * 8,
    )
    for row, own in zip(ROWS, found, strict=True):
        for at, name in enumerate(texts):
            text = told(name, row[ASKED.index(name)])
            expected = None if text is None else hashlib.sha256(f"a key ' ?|{text}".encode()).hexdigest()
            assert own[2 * at] == expected, (row[0], name)
            assert own[2 * at + 1] == (None if expected is None else int(expected[:13], 16) / 2**52), (row[0], name)


def test_rows_are_numbered_in_the_order_of_bytes(engine: Engine) -> None:
    dialect = engine.database.dialect
    text = dialect.text('"told"', "text")
    found = answers(engine, text, dialect.row_number([], [f"coalesce({text}, '')", "place"]))
    order = sorted((str(row[0] or "").encode(), at) for at, row in enumerate(found))
    assert [found[at][1] for _, at in order] == list(range(1, len(ROWS) + 1))


def test_columns_come_as_arrow(engine: Engine) -> None:
    with engine.database.snapshot() as snapshot:
        sql = f"SELECT place, whole, real_, told, truth FROM {TABLE.to_sql()} WHERE place < ? ORDER BY nasty.place"
        found = snapshot.arrow(Statement(sql, (50,)))
    assert found.column_names == ["place", "whole", "real_", "told", "truth"]
    assert found.column("told").to_pylist() == [row[4] for row in ROWS]
    assert found.column("whole").to_pylist() == [row[1] for row in ROWS]
    assert [None if one is None else bool(one) for one in found.column("truth").to_pylist()] == [row[5] for row in ROWS]
    for got, row in zip(found.column("real_").to_pylist(), ROWS, strict=True):
        assert got == row[3] or (row[3] is not None and math.isnan(row[3])) or (row[0], "real_") in engine.unheld


def test_an_empty_answer_has_its_columns(engine: Engine) -> None:
    with engine.database.snapshot() as snapshot:
        found = snapshot.arrow(Statement(f"SELECT place, told FROM {TABLE.to_sql()} WHERE place = 1000"))
    assert (found.num_rows, found.column_names) == (0, ["place", "told"])


def test_a_snapshot_sees_no_later_change(engine: Engine) -> None:
    count = Statement(f"SELECT count(*) FROM {TABLE.to_sql()}")
    with engine.database.snapshot() as snapshot:
        before = snapshot.rows(count)
        changed = engine.change()
        assert snapshot.rows(count) == before
        assert snapshot.arrow(count).column(0).to_pylist() == [before[0][0]]
    with engine.database.snapshot() as snapshot:
        assert (snapshot.rows(count) != before) == changed


BEYOND = (
    "INSERT INTO nasty (place) VALUES (100)",
    "UPDATE nasty SET place = 1",
    "DELETE FROM nasty",
    "CREATE TABLE mine (a integer)",
    "CREATE TEMPORARY TABLE mine (a integer)",
    "DROP TABLE nasty",
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM nasty",
    "SELECT 1) TO STDOUT; DELETE FROM nasty; --",
    "SET search_path = public",
    "PRAGMA query_only = OFF",
    "BEGIN",
    "COMMIT",
    "ATTACH ':memory:' AS other",
    "",
    "-- nothing",
)


@pytest.mark.parametrize("door", ["rows", "arrow"])
@pytest.mark.parametrize("sql", BEYOND)
def test_nothing_but_one_select_is_answered(engine: Engine, sql: str, door: str) -> None:
    with engine.database.snapshot() as snapshot, pytest.raises(QueryFailed):
        getattr(snapshot, door)(Statement(sql))
    assert len(answers(engine, "place")) == len(ROWS)


def test_a_failure_quotes_no_value_and_chains_to_nothing(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    sql = f"SELECT CAST(told AS canary_type), 'canary' FROM {TABLE.to_sql()} WHERE told = ? AND canary(place) = 1"
    for door in ("rows", "arrow"):
        with engine.database.snapshot() as snapshot, pytest.raises(QueryFailed) as caught:
            getattr(snapshot, door)(Statement(sql, ("canary",)))
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert "canary" not in str(caught.value)
    assert "a query failed" in caplog.text
    assert "canary" not in caplog.text


def bounded(engine: Engine, **limits: float) -> Database:
    """Return the same database under other limits: every engine is a dataclass that holds them."""
    return replace(engine.database, limits=replace(Limits(), **limits))  # type: ignore[type-var, arg-type]


@pytest.mark.parametrize("door", ["rows", "arrow"])
def test_more_rows_than_allowed_are_refused(engine: Engine, door: str) -> None:
    with bounded(engine, rows=3).snapshot() as snapshot:
        with pytest.raises(QueryFailed, match="more than 3 rows"):
            getattr(snapshot, door)(Statement(f"SELECT place FROM {TABLE.to_sql()}"))
        assert snapshot.rows(Statement(f"SELECT place FROM {TABLE.to_sql()} WHERE place = 1")) == [(1,)]


def test_a_statement_that_takes_too_long_is_ended(engine: Engine) -> None:
    nine = ", ".join(f"{TABLE.to_sql()} AS t{place}" for place in range(9))
    begun = time.monotonic()
    with bounded(engine, statement_seconds=0.1).snapshot() as snapshot, pytest.raises(QueryFailed):
        snapshot.rows(Statement(f"SELECT count(DISTINCT t0.place + t8.place * 7 + t4.place * 13) FROM {nine}"))
    assert time.monotonic() - begun < 30
    assert len(answers(engine, "place")) == len(ROWS)


CLAUSES: dict[str, set[int]] = {
    "place >= 3 AND place < 5": {3, 4},
    "whole = 9223372036854775807": {2},
    "whole > 9.3e18": set(),
    "whole < 0.5 AND whole > -1.5": {1},
    "place IN (1, 2, 77)": {1, 2},
    "place NOT IN (1, 2) AND place <= 4": {0, 3, 4},
    "NOT place BETWEEN 1 AND 12": {0, 13, 14, 15},
    "told = ''": {1},
    "told = 'a'": {14},
    "told >= 'a' AND told < 'b'": {14},
    "told LIKE '%quoted%' OR told LIKE 'A'": {2, 15},
    "told LIKE '%\\%\\_'": {3},
    "told LIKE '%\\'": {2},
    "told NOT LIKE '%1%' AND place < 5": {1, 2, 3},
    "told IS NULL": {0},
    "truth = TRUE AND place < 4": {1, 3},
    "truth = 'false'": {2, 6},
    "truth IS NOT TRUE AND place < 3": {0, 2},
    "day >= '2023-01-01'": {2, 6},
    "day = DATE '2020-02-29'": {4},
    "moment > TIMESTAMP '2020-02-29 10:00:00' AND moment < '2023-01-01T00:00:01'": {4, 6},
    "moment = '2020-02-29 10:00:00.25'": {4},
    "instant = '2020-06-01T10:00:00.5+00:00'": {2},
    "instant > '2020-06-01 10:00:00'": {2, 5},
    "real_ > 1e299": {2, 5},
    "real_ < -1": {6, 13},
    "NOT real_ >= 0": {6, 13},
    "exact = 12.5": {4},
    "exact > 0.05 AND exact < 1": {7},
}


SPELLED = {
    ("mariadb", "told LIKE '%\\'"): "told LIKE '%\\\\'",
    ("mariadb", "instant = '2020-06-01T10:00:00.5+00:00'"): "instant = '2020-06-01T10:00:00.5'",
}
"""Where an engine's own spelling of a text differs, or has no zones."""


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_filter_means_the_same_on_every_engine(engine: Engine, clause: str) -> None:
    columns = engine.database.columns(TABLE)
    dialect = engine.database.dialect
    text = SPELLED.get((engine.name, clause), clause)
    condition = rendered(parsed(text, columns, dialect=dialect), columns, dialect=dialect)
    sql = f"SELECT place FROM {TABLE.to_sql()} WHERE place < 50 AND {condition.sql}"
    with engine.database.snapshot() as snapshot:
        found = {row[0] for row in snapshot.rows(Statement(sql, condition.parameters))}
        columns_too = snapshot.arrow(Statement(sql, condition.parameters)).column("place").to_pylist()
    unheld = {place for place, column in engine.unheld if column in condition.columns}
    assert found - unheld == CLAUSES[clause] - unheld
    assert set(columns_too) == found


@pytest.mark.parametrize("place", range(len(ROWS)))
def test_every_text_is_found_by_itself(engine: Engine, place: int) -> None:
    columns = engine.database.columns(TABLE)
    odd = ASKED[-1]
    condition = rendered(Filter(odd, "=", ROWS[place][-1]), columns, dialect=engine.database.dialect)
    sql = f"SELECT place FROM {TABLE.to_sql()} WHERE place < 50 AND {condition.sql}"
    with engine.database.snapshot() as snapshot:
        assert snapshot.rows(Statement(sql, condition.parameters)) == [(place,)]
        assert snapshot.arrow(Statement(sql, condition.parameters)).column(0).to_pylist() == [place]
