"""Promises of the made-up hospital: any size, the same by seed, and dependences that a synthesis can be judged by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synth_worker.database.connection import Statement, TableName
from synth_worker.database.credentials import Credentials
from synth_worker.database.duckdb_files import open_database
from synth_worker.demo.hospital import blocks
from synth_worker.demo.hospital_store import TABLES, VIEW, write_duckdb, write_folder
from synth_worker.errors import BadInput

PATIENTS = 20_000


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {name: table.to_pandas() for name, table in next(iter(blocks(PATIENTS))).items()}


@pytest.fixture(scope="module")
def records(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    found = tables["admissions"].merge(tables["patients"], on="patient_id")
    born, admitted = (pd.to_datetime(found[name]) for name in ("born", "admitted"))
    return found.assign(age=(admitted - born).dt.days / 365.25, days=pd.to_datetime(found["discharged"]) - admitted)


def test_the_same_seed_makes_the_same_patients_and_another_makes_others() -> None:
    first, again, other = (next(iter(blocks(300, seed=seed))) for seed in (1, 1, 2))
    for name, table in first.items():
        assert table.equals(again[name])
        assert not table.equals(other[name])


def test_blocks_hold_as_many_patients_as_asked_each_under_a_number_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synth_worker.demo.hospital.BLOCK", 100)
    made = list(blocks(250))
    assert [one["patients"].num_rows for one in made] == [100, 100, 50]
    for name in ("patient_id", "admission_id"):
        table = "patients" if name == "patient_id" else "admissions"
        numbers = [number for one in made for number in one[table][name].to_pylist()]
        assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("patients", [0, -1, 10**9])
def test_a_number_of_patients_that_cannot_be_is_refused(patients: int) -> None:
    with pytest.raises(BadInput, match="patients were asked for"):
        blocks(patients)


def test_keys_lead_somewhere_and_days_follow_one_another(
    tables: dict[str, pd.DataFrame], records: pd.DataFrame
) -> None:
    assert len(records) == len(tables["admissions"])
    assert (pd.to_datetime(records["admitted"]) >= pd.to_datetime(records["born"])).all()
    assert (records["days"].dropna() >= pd.Timedelta(0)).all()
    assert records["discharged"].isna().equals(records["outcome"].isna())
    own = tables["diagnoses"]
    assert set(own["admission_id"]) == set(tables["admissions"]["admission_id"])
    assert not own.duplicated(["admission_id", "icd10"]).any()
    main = own[own["rank"] == 1].set_index("admission_id")["icd10"]
    assert (main.loc[tables["admissions"]["admission_id"]].to_numpy() == tables["admissions"]["diagnosis"]).all()
    assert (own.groupby("admission_id")["rank"].max() == own.groupby("admission_id").size()).all()


def test_nobody_is_admitted_after_death(records: pd.DataFrame) -> None:
    died = records[records["outcome"] == "died"].groupby("patient_id")["admitted"].max()
    last = records.groupby("patient_id")["admitted"].max()
    assert (last.loc[died.index] == died).all()
    assert 0.01 < (records["outcome"] == "died").mean() < 0.08


def test_what_was_documented_to_depend_depends(records: pd.DataFrame) -> None:
    male = records["gender"] == "M"
    births = records[records["ward"] == "obstetrics"]
    assert not (births["gender"] == "M").any()
    assert births["age"].between(13, 52).all()
    assert records.loc[records["ward"] == "paediatrics", "age"].max() < 20
    assert (
        male[records["diagnosis"] == "C61"].sum() > 50 * (records["gender"] == "F")[records["diagnosis"] == "C61"].sum()
    )
    assert records.loc[records["outcome"] == "died", "age"].mean() > records["age"].mean() + 5
    by_treatment = records.groupby("treatment")["days"].median()
    assert by_treatment["ventilation"] > by_treatment["observation"]
    assert pd.crosstab(records["ward"], records["treatment"], normalize="index").loc["oncology", "chemotherapy"] > 0.2
    older = records["age"] > 75
    surgery = records["ward"].isin(["surgery", "orthopaedics"])
    assert (records["treatment"] == "surgery")[surgery & older].mean() < (records["treatment"] == "surgery")[
        surgery & ~older
    ].mean()
    lungs, month = records["diagnosis"] == "J18", pd.to_datetime(records["admitted"]).dt.month
    assert (lungs & month.isin([12, 1, 2])).sum() > 1.4 * (lungs & month.isin([6, 7, 8])).sum()


def test_it_is_skewed_and_lacks_what_real_tables_lack(tables: dict[str, pd.DataFrame], records: pd.DataFrame) -> None:
    codes = records["diagnosis"].value_counts()
    assert len(codes) > 150
    assert codes.iloc[0] > 100 * codes.iloc[-1]
    assert records.groupby("patient_id").size().max() >= 10
    missing = records.isna().mean()
    for name in ("gender", "smoking", "bmi", "systolic", "creatinine", "outcome"):
        assert 0 < missing[name] < 0.7
    ill = records["diagnosis"].isin(["N18", "N17"])
    assert records.loc[ill, "creatinine"].isna().mean() < missing["creatinine"] - 0.05
    assert float(records["cost"].mean()) > 1.2 * float(records["cost"].median())


def test_files_hold_the_tables_and_the_view_that_the_specification_asks(tmp_path: Path) -> None:
    folder, file = tmp_path / "patient_data", tmp_path / "patient_data.duckdb"
    rows = write_folder(blocks(400), folder)
    assert write_duckdb(blocks(400), file) == rows
    found = {}
    for path in (folder, file):
        database = open_database(Credentials({"path": str(path)}))
        assert database.name == "patient_data"
        for name, columns in TABLES.items():
            assert list(database.columns(TableName(None, name))) == list(columns)
        declared = database.columns(TableName(None, VIEW))
        assert {"age", "gender", "diagnosis", "treatment", "date", "patient_id"} <= set(declared)
        assert (declared["age"], declared["date"]) == ("INTEGER", "DATE")
        with database.snapshot() as snapshot:
            order = 'SELECT * FROM patient_records ORDER BY patient_id, "date", diagnosis, cost'
            found[path] = snapshot.arrow(Statement(order)).to_pandas()
        database.close()
        assert len(found[path]) == rows[VIEW] == rows["admissions"]
    pd.testing.assert_frame_equal(found[folder], found[file])
    ages = found[folder]["age"]
    assert ages.between(0, 105).all()
    assert np.isfinite(found[folder]["length_of_stay"].astype(float)).mean() > 0.9


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.duckdb").write_text("mine")
    (tmp_path / "b").mkdir()
    with pytest.raises(BadInput, match="exists already"):
        write_duckdb(blocks(5), tmp_path / "a.duckdb")
    with pytest.raises(BadInput, match="exists already"):
        write_folder(blocks(5), tmp_path / "b")
    with pytest.raises(BadInput, match="does not exist"):
        write_folder(blocks(5), tmp_path / "c" / "d")
    assert (tmp_path / "a.duckdb").read_text() == "mine"
