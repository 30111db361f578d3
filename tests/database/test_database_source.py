"""Promises of counting in a database: the counts of a table in memory, rows drawn evenly, persons bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pymysql
import pytest
from scipy.stats import binom, chi2

from synth_worker.database.connection import Database, Snapshot, TableName
from synth_worker.database.registry import open_database
from synth_worker.database.selecting import Selection, spelled
from synth_worker.database.source import DatabaseSource
from synth_worker.errors import UnknownName
from synth_worker.privacy.cells import Cells
from synth_worker.privacy.source import TableSource
from synth_worker.reading import read_table
from tests.database.made import fill, fill_mariadb, patient_rows, put, to_sqlite
from tests.database.mariadb_server import PRESENT, running_mariadb
from tests.database.server import Server

ROWS = patient_rows(600, seed=3)
ENGINES = (
    "duckdb",
    "sqlite",
    "postgresql",
    pytest.param("mariadb", marks=pytest.mark.skipif(not PRESENT, reason="mariadbd is not installed")),
)
CELLS = {
    "age": Cells("age", edges=(-0.5, 17.5, 64.5, 120.5)),
    "gender": Cells("gender", labels=("F", "M")),
    "diagnosis": Cells("diagnosis", labels=("I10", "J45")),
    "treatment": Cells("treatment", labels=("drug",), groups=(0, 1, 1)),
    "weight": Cells("weight", edges=(0.0, 60.05, 80.05, 200.0)),
}
CLIQUES = [("age",), ("treatment",), ("gender", "age"), ("diagnosis", "weight", "treatment"), ("gender", "age")]

Opened = Callable[[str, pd.DataFrame], Database]


@pytest.fixture(scope="module")
def mariadb() -> Iterator[tuple[dict[str, object], pymysql.Connection]]:
    """Run a real MariaDB."""
    with running_mariadb() as found:
        yield found


@pytest.fixture
def opened(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Return what opens a database of an engine that holds some rows as ``patient_records``."""
    with ExitStack() as open_ones:

        def made(engine: str, rows: pd.DataFrame) -> Database:
            if engine == "postgresql":
                server: Server = request.getfixturevalue("server")
                fill(server, rows)
                credentials = server.credentials()
            elif engine == "mariadb":
                credentials, admin = request.getfixturevalue("mariadb")
                fill_mariadb(admin, rows)
            elif engine == "sqlite":
                credentials = {"path": str(to_sqlite(tmp_path / "clinic.sqlite", rows))}
            else:
                credentials = {"path": str(put(tmp_path / "clinic", rows))}
            database = open_database(engine, credentials)
            open_ones.callback(database.close)
            return database

        yield made


def selection_of(database: Database, *content: str, **more: object) -> Selection:
    table = TableName.parse("patient_records")
    given = {"key": "k", "content": content or ("age", "gender"), **more}
    return Selection(database.dialect, table, database.columns(table), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ENGINES)
def test_counts_are_those_of_the_table_in_memory(engine: str, opened: Opened) -> None:
    expected = TableSource(read_table(ROWS).modelled()).counts(CELLS, CLIQUES)
    database = opened(engine, ROWS)
    with database.snapshot() as snapshot:
        source = DatabaseSource(snapshot, selection_of(database), ("gender", "treatment"))
        for one, other in zip(source.counts(CELLS, CLIQUES), expected, strict=True):
            assert one.tolist() == other.tolist()
        labels = {name: ROWS[name].value_counts().to_dict() for name in ("gender", "diagnosis", "treatment")}
        assert {name: dict(source.label_counts(name)) for name in labels} == labels
        with pytest.raises(UnknownName):
            source.label_counts("salary")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_person_with_fifty_rows_counts_with_as_many_as_allowed(engine: str, opened: Opened) -> None:
    rows = ROWS.assign(patient=np.arange(len(ROWS)))
    rows.loc[:49, "patient"] = 7
    rows.loc[50:59, "patient"] = pd.NA
    rows["patient"] = rows["patient"].astype("Int64")
    database = opened(engine, rows)
    with database.snapshot() as snapshot:
        for most in (1, 3, 50, 60):
            source = DatabaseSource(snapshot, selection_of(database, unit="patient", most=most))
            assert source.sensitivity == most
            (found,) = source.counts(CELLS, [("gender",)])
            assert found.sum() == len(rows) - 60 + min(most, 50)


def test_without_a_person_each_table_of_counts_changes_by_that_persons_rows(opened: Opened) -> None:
    rows = ROWS.assign(patient=np.arange(len(ROWS)) // 2)
    rows.loc[:49, "patient"] = 7
    found = []
    for one in (rows, rows[rows["patient"] != 7]):
        database = opened("duckdb", one)
        with database.snapshot() as snapshot:
            source = DatabaseSource(snapshot, selection_of(database, "age", unit="patient", most=3, fraction=0.5))
            found.append(source.counts(CELLS, CLIQUES))
    for more, less in zip(*found, strict=True):
        assert (more - less).min() >= 0
        assert (more - less).sum() == 3


@pytest.mark.parametrize("engine", ENGINES)
def test_counts_of_drawn_rows_are_the_same_in_every_engine(engine: str, opened: Opened) -> None:
    rows = ROWS.assign(patient=np.arange(len(ROWS)) // 3)
    found = []
    for name in (engine, "duckdb"):
        database = opened(name, rows)
        own: list[list[object]] = []
        with database.snapshot() as snapshot:
            for content, more in ((("gender",), {}), (("age", "gender", "treatment"), {"unit": "patient", "most": 2})):
                selection = selection_of(database, *content, fraction=0.4, **more)
                source = DatabaseSource(snapshot, selection)
                cliques = [(one,) for one in content if one in CELLS]
                own += [one.tolist() for one in source.counts(CELLS, cliques)]
        found.append(own)
    assert found[0] == found[1]
    assert 180 < sum(found[0][0]) < 300  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_thinned_source_has_about_its_share_of_the_rows_and_of_no_person_more(engine: str, opened: Opened) -> None:
    rows = ROWS.assign(patient=np.arange(len(ROWS)))
    rows.loc[:99, "patient"] = 7
    database = opened(engine, rows)
    with database.snapshot() as snapshot:
        source = DatabaseSource(snapshot, selection_of(database, "age", "weight", "date", unit="patient", most=2))
        (every,) = source.counts(CELLS, [("gender",)])
        (some,) = source.thinned(0.3).counts(CELLS, [("gender",)])
        (again,) = source.thinned(0.3).counts(CELLS, [("gender",)])
    assert every.sum() == 502
    assert some.tolist() == again.tolist()
    assert 105 < some.sum() < 200
    assert (some <= every).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_draw_the_same_rows_whatever_their_physical_order(engine: str, opened: Opened) -> None:
    own = ROWS.assign(patient=np.arange(len(ROWS)))
    drawn = {}
    for name, rows in (("one", own), ("other", own.iloc[::-1].reset_index(drop=True))):
        if engine == "sqlite" and name == "other":
            continue
        database = opened(engine, rows)
        with database.snapshot() as snapshot:
            drawn[name] = ids(snapshot, selection_of(database, "patient", fraction=0.1))
    reference = opened("duckdb", own)
    with reference.snapshot() as snapshot:
        expected = ids(snapshot, selection_of(reference, "patient", fraction=0.1))
    assert 30 < len(expected) < 95
    for found in drawn.values():
        assert sorted(found) == sorted(expected)
        assert found == expected


def ids(snapshot: Snapshot, selection: Selection) -> list[int]:
    """Return the patients that a selection draws, in the order of their hash."""
    found = snapshot.rows(selection.statement("v0", {"v0": selection.raw("patient")}, ordered=True))
    return [int(str(row[0])) for row in found]


def test_every_row_is_drawn_equally_often_and_counts_vary_as_they_should(opened: Opened) -> None:
    rows, draws, share = 120, 1_000, 0.1
    # Of the second draw only the gender is looked at: about 60 rows are alike, and their number among them decides.
    table = patient_rows(rows, seed=5).assign(patient=np.arange(rows))
    database = opened("duckdb", table)
    seen = np.zeros(rows)
    counts = np.zeros(draws, dtype=int)
    twin_counts = np.zeros(draws // 4, dtype=int)
    with database.snapshot() as snapshot:
        for at in range(draws):
            own = selection_of(database, "patient", fraction=share, key=f"key {at}")
            found = ids(snapshot, own)
            seen[found] += 1
            counts[at] = len(found)
            by_gender = replace(own, content=("gender",))
            if at < len(twin_counts):
                twin_counts[at] = int(str(snapshot.rows(by_gender.statement("count(*)", {"v0": "1"}))[0][0]))
    expected = draws * share
    rows_p = chi2.sf(((seen - expected) ** 2 / (expected * (1 - share))).sum(), rows)
    assert 1e-4 < rows_p < 1 - 1e-4
    for one in (counts, twin_counts):
        edges = [0, 8, 10, 12, 14, 16, rows + 1]
        law = np.diff(binom.cdf(np.array(edges) - 1, rows, share))
        held = np.histogram(one, bins=edges)[0]
        wanted = len(one) * law
        assert chi2.sf(((held - wanted) ** 2 / wanted).sum(), len(law) - 1) > 1e-4


def test_adding_a_row_changes_nothing_about_the_draw_of_others(opened: Opened) -> None:
    rows = patient_rows(300, seed=2).assign(patient=np.arange(300))
    more = pd.concat([rows.iloc[[5]].assign(patient=-1), rows, rows.iloc[[9]].assign(patient=999)], ignore_index=True)
    one = opened("duckdb", rows)
    with one.snapshot() as snapshot:
        before = set(ids(snapshot, selection_of(one, "patient", fraction=0.3)))
    two = opened("duckdb", more)
    with two.snapshot() as snapshot:
        after = set(ids(snapshot, selection_of(two, "patient", fraction=0.3)))
    assert after - before <= {-1, 999}
    assert before <= after


def test_no_two_rows_are_spelled_alike() -> None:
    import duckdb

    rows = [("a|s", "b"), ("a", "s|b"), ("a|sb", ""), ("a", None), ("a|n", ""), (None, "a"), ("", "a"), ("|n", "a")]
    sql = spelled(["x", "y"])
    found = [duckdb.execute(f"SELECT {sql} FROM (SELECT ? AS x, ? AS y)", list(row)).fetchone() for row in rows]
    assert len(set(found)) == len(rows)
