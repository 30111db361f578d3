"""Promises of who is protected: the owner's word stands, however a table is spelled, and a request is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth_worker.database.registry import open_database
from synth_worker.database_synthesis import synthesize_database
from synth_worker.errors import QueryRefused
from synth_worker.private_run import PrivateAsk
from synth_worker.query.config import QueryConfig
from synth_worker.query.units import unit_of
from synth_worker.settings import Settings
from tests.database.made import patient_rows, put, sampler_of

TABLE = "patient_records"
UNITS = {TABLE: "patient"}
ASKED = QueryConfig(TABLE, ["age"], dp_epsilon=0.5, bounds={"age": (0, 110)})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return put(tmp_path / "clinic", patient_rows())


def test_a_request_protects_whom_the_owner_names_without_naming_them(data: Path, tmp_path: Path) -> None:
    with sampler_of(data, tmp_path / "home", units=UNITS) as sampler:
        _, told = sampler.sample_with_metadata(ASKED, {})
    assert (told["unit"], told["privacy_unit"], told["unit_set_by"]) == ("person", "patient", "owner")
    assert told["guarantee"] == "(0.5, 1e-07)-differential privacy of each person (column patient)"
    with sampler_of(data, tmp_path / "other") as sampler:
        _, told = sampler.sample_with_metadata(ASKED, {})
    assert (told["unit"], told["unit_set_by"]) == ("row", "request")


@pytest.mark.parametrize("mode", ["", "local"])
def test_a_request_cannot_protect_somebody_else_instead(mode: str, data: Path, tmp_path: Path) -> None:
    asked = QueryConfig(TABLE, ["age"], dp_epsilon=0.5, bounds={"age": (0, 110)}, privacy_unit="weight", mode=mode)
    with (
        sampler_of(data, tmp_path / "home", units=UNITS) as sampler,
        pytest.raises(QueryRefused, match="protects each person") as caught,
    ):
        sampler.sample_with_metadata(asked, {})
    assert "privacy_unit='patient'" in caught.value.hint


@pytest.mark.parametrize("spelled", [TABLE, "main.patient_records", "PATIENT_RECORDS", "Main.Patient_Records"])
@pytest.mark.parametrize("named", [TABLE, "*", "main.patient_records"])
def test_no_spelling_of_the_table_gets_round_the_owner(spelled: str, named: str) -> None:
    assert unit_of(spelled, "", {named: "patient"}) == "patient"
    with pytest.raises(QueryRefused):
        unit_of(spelled, "weight", {named: "patient"})


def test_other_tables_are_as_they_were_and_two_words_of_the_owner_are_none() -> None:
    assert unit_of("staff", "", UNITS) == ""
    assert unit_of("staff", "badge", UNITS) == "badge"
    assert unit_of(TABLE, "", {"*": "bed", TABLE: "patient"}) == "patient"
    with pytest.raises(QueryRefused, match="several columns"):
        unit_of(TABLE, "", {"a.patient_records": "patient", "b.patient_records": "bed"})


def test_a_run_protects_whom_the_owner_names_and_learns_from_the_rows_that_it_names(data: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", query_privacy_units=UNITS)
    database = open_database("duckdb", {"path": str(data), "name": "clinic"})
    ask = PrivateAsk("mst", 2.0, where_clause="age >= 60", population="")
    done = synthesize_database(database, TABLE, ask, out=tmp_path / "made", settings=settings)
    assert done.card["guarantee"]["unit"] == "person (patient, at most 1 row each)"  # type: ignore[index]
    assert done.card["filter"] == "age >= 60"
    with pytest.raises(QueryRefused, match="protects each person"):
        synthesize_database(
            database,
            TABLE,
            PrivateAsk("mst", 1.0, privacy_unit="age", population=""),
            out=tmp_path / "no",
            settings=settings,
        )
    assert not (tmp_path / "no").exists()


def test_a_method_that_needs_rows_is_refused_before_anything_is_charged(data: Path, tmp_path: Path) -> None:
    from synth_worker.errors import BadInput
    from synth_worker.privacy.ledger_file import FileLedger

    settings = Settings(home=tmp_path / "home")
    database = open_database("duckdb", {"path": str(data), "name": "clinic"})
    with pytest.raises(BadInput, match="counts alone"):
        synthesize_database(
            database, TABLE, PrivateAsk("arn_dp", 1.0, population=""), out=tmp_path / "no", settings=settings
        )
    with FileLedger(tmp_path / "home") as ledger:
        assert all(pool.spent.rho_nano == 0 for pool in ledger.pools().values())
