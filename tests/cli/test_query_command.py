"""Promises of ``gesalp query`` and ``gesalp demo-hospital``: an answer and its guarantee, or a sentence why not."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest
import yaml

from synth_worker.commands.exits import BAD_INPUT, BUDGET_EXCEEDED
from synth_worker.commands.query_file import READERS, read_query
from synth_worker.database.filters import Filter
from synth_worker.database.urls import located
from synth_worker.errors import BadInput, UnknownName
from synth_worker.query.config import QueryConfig
from tests.cli.made import COMMAND, environment, gesalp

QUERY = {
    "connection": "duckdb:patient_data",
    "table_name": "patient_records",
    "columns": ["age", "gender", "diagnosis", "treatment"],
    "where_clause": "date >= '2023-01-01'",
    "limit": 10_000,
    "sample_fraction": 0.9,
    "dp_epsilon": 1.0,
    "sensitive_columns": ["age", "diagnosis"],
    "categories": {"gender": ["F", "M", "X"]},
    "note": {"source": "hospital_db"},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a hospital of 3,000 patients was made up."""
    folder = tmp_path_factory.mktemp("house")
    made = gesalp("demo-hospital", "--patients", 3_000, cwd=folder)
    assert made.returncode == 0, made.stderr
    assert "patients: 3,000 rows" in made.stdout
    assert "next: gesalp run duckdb:patient_data --table patient_records" in made.stdout
    return folder


def write(folder: Path, asked: dict[str, object] | str, *, name: str = "query.yaml") -> Path:
    path = folder / name
    path.write_text(asked if isinstance(asked, str) else yaml.safe_dump(asked), encoding="utf-8")
    return path


def test_the_specification_query_is_answered_from_a_file_and_replayed(house: Path) -> None:
    config = write(house, QUERY)
    done = gesalp("query", "--config", config, "--out", "sample.csv", cwd=house)
    assert done.returncode == 0, done.stderr
    assert "guarantee: (1, 1e-07)-differential privacy of each row" in done.stdout
    assert "policy's budget" in done.stderr
    sample = pd.read_csv(house / "sample.csv")
    metadata = json.loads((house / "sample.metadata.json").read_text())
    assert list(sample.columns) == QUERY["columns"]
    assert len(sample) == metadata["rows"]
    assert metadata["source"] == "hospital_db"
    assert set(sample["gender"].dropna()) <= {"F", "M", "X"}
    again = gesalp("query", "--config", config, "--out", "again.parquet", "--json", cwd=house)
    assert json.loads(again.stdout)["replayed"]
    assert len(pd.read_parquet(house / "again.parquet")) == len(sample)
    shown = gesalp("audit", "show", cwd=house).stdout
    assert [word for word in ("asked", "charged", "answered", "replayed") if word not in shown] == []
    assert "2023-01-01" not in (house / "home" / "audit" / "audit.jsonl").read_text()
    refused = gesalp("query", "--config", config, "--out", "sample.csv", cwd=house)
    assert refused.returncode == BAD_INPUT
    assert "exists already" in refused.stderr


def test_a_budget_that_does_not_hold_it_has_its_exit_code_and_nothing_is_written(house: Path) -> None:
    config = write(house, {**QUERY, "dp_epsilon": 9.0, "population": "few"}, name="much.yaml")
    assert gesalp("ledger", "open", "few", "--epsilon", 1, cwd=house).returncode == 0
    done = gesalp("query", "--config", config, "--out", "much.csv", cwd=house)
    assert done.returncode == BUDGET_EXCEEDED, done.stderr
    assert not (house / "much.csv").exists()
    assert not (house / "much.metadata.json").exists()
    assert "BudgetExceeded" in gesalp("audit", "show", "--event", "refused", cwd=house).stdout


def test_what_cannot_be_written_is_refused_before_anything_is_asked(house: Path) -> None:
    config = write(house, QUERY)
    for out, words in (("a.xlsx", "neither a .csv"), ("no/where.csv", "does not exist")):
        wrong = gesalp("query", "--config", config, "--out", out, cwd=house)
        assert wrong.returncode == BAD_INPUT
        assert words in wrong.stderr
    absent = gesalp("query", "--config", "absent.yaml", "--out", "x.csv", cwd=house)
    assert "absent.yaml cannot be read" in absent.stderr


def test_a_file_cannot_say_who_asks(house: Path) -> None:
    done = gesalp(
        "query", "--config", write(house, {**QUERY, "principal": "ada"}, name="ada.yaml"), "--out", "x.csv", cwd=house
    )
    assert done.returncode == BAD_INPUT
    assert "cannot say the principal" in done.stderr


def test_every_field_of_a_request_is_known_to_a_file() -> None:
    assert set(READERS) == {one.name for one in fields(QueryConfig) if one.name != "_"}


def test_a_whole_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSPITAL_PASSWORD", "canary-5150")
    text = """
connection:
  url: postgresql://reader@db.example.org:5433/patient_data?sslrootcert=ca.pem&statement_seconds=30
  password_variable: HOSPITAL_PASSWORD
table_name: patient_records
columns: [age, date]
filters:
  - {column: date, op: ">=", value: 2023-01-01}
  - {column: gender, op: is not null}
dp_epsilon: 1
delta: 1e-8
bounds: {date: [2019-01-01, 2024-12-31], age: [0, 110]}
categories: {gender: [F, M]}
privacy_unit: patient_id
max_rows_per_unit: 3
"""
    asked = read_query(write(tmp_path, text))
    assert asked.place.db_type == "postgresql"
    assert asked.place.credentials["port"] == 5433
    assert asked.place.credentials["statement_seconds"] == 30.0
    assert asked.place.credentials["password"] == "canary-5150"
    assert "canary" not in repr(asked)
    assert asked.config.delta == 1e-8
    assert asked.config.bounds["date"] == ("2019-01-01", "2024-12-31")
    assert asked.config.filters[1] == Filter("gender", "is not null")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"limt": 3}, "did you mean 'limit'"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"columns": "age"}, "list of names"),
        ({"columns": [True]}, "put it in quotes"),
        ({"limit": "many"}, "whole number"),
        ({"limit": True}, "whole number"),
        ({"dp_epsilon": "one"}, "it is a number"),
        ({"bounds": {"age": [1]}}, "a low and a high"),
        ({"bounds": [1]}, "no mapping"),
        ({"categories": {"gender": [False, "M"]}}, "put it in quotes"),
        ({"filters": [{"column": "age", "is": ">", "value": 3}]}, "unknown key 'is'"),
        ({"filters": [{"column": "age", "op": "~", "value": 3}]}, "unknown operator"),
        ({"filters": {"column": "age"}}, "no list"),
        ({"table_name": None}, "lacks 'table_name'"),
        ({"connection": {"db_type": "postgresql", "host": "h", "password": "canary-5150"}}, "holds a password"),
        ({"connection": "postgresql://reader:canary-5150@h/d"}, "holds a password"),
        ({"connection": {"url": "duckdb:x", "host": "h"}}, "unknown key 'host'"),
        ({"connection": {"host": "h"}}, "neither 'url' nor 'db_type'"),
        ({"connection": "oracle://h/d"}, "unknown kind of database 'oracle'"),
        ({"connection": "patients.csv"}, "no url of a database"),
        ({"connection": {"url": "postgresql://u@h/d", "password_variable": "GESALP_NOT_SET"}}, "is not set"),
    ],
)
def test_what_a_file_cannot_say_is_refused_in_a_sentence(change: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        read_query(write(tmp_path, {**QUERY, **change}))
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not YAML, line"),
        ("- a\n- b\n", "no mapping"),
        ("", "no mapping"),
        ("limit: 1\nlimit: 2\n", "says 'limit' twice"),
        ("connection: {db_type: duckdb, db_type: sqlite}\n", "says 'db_type' twice"),
        ("a: !!python/object/apply:os.system [ls]\n", "is not YAML"),
        ("[" * 5_000, "is not YAML"),
    ],
)
def test_what_is_no_query_file_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=words):
        read_query(write(tmp_path, text))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:canary@h/d", "holds a password"),
        ("postgresql://u@h", "names no host or no database"),
        ("postgresql://u@/d", "names no host or no database"),
        ("postgresql://u@h:port/d", "no number"),
        ("postgresql://u@h/d?sslmode=disable", "unknown option"),
        ("postgresql://u@h/d?allow_unsafe_role=maybe", "true or false"),
        ("postgresql://u@h/d?statement_seconds=long", "number of seconds"),
        ("duckdb:", "names no file"),
        ("mysql5://h/d", "unknown kind|None"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str, words: str) -> None:
    try:
        found = located(url)
    except BadInput as error:
        assert words.split("|", maxsplit=1)[0] in str(error)
        assert "canary" not in str(error)
    else:
        assert found is None and "None" in words


def test_a_path_is_no_url(tmp_path: Path) -> None:
    assert located(str(tmp_path / "patients.csv")) is None
    assert located("C:\\patients.csv") is None
    with pytest.raises(UnknownName):
        located("oracle:x")


def test_the_demonstration_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    for words, said in (
        (("--patients", "0"), "at least 1"),
        (("--patients", "999999999"), "patients were asked for"),
        (("--out", "x.csv"), "neither a folder nor a DuckDB file"),
        (("--out", "sqlite:x"), "only PostgreSQL"),
        (("--out", "postgresql://u:canary@h/d"), "holds a password"),
    ):
        wrong = gesalp("demo-hospital", *words, cwd=tmp_path)
        assert wrong.returncode == BAD_INPUT, wrong.stderr
        assert said in wrong.stderr
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_wrong_password_from_the_environment_is_nowhere_to_be_read(tmp_path: Path) -> None:
    connection = {"db_type": "postgresql", "host": "127.0.0.1", "port": 9, "database": "d", "user": "u"}
    write(tmp_path, {**QUERY, "connection": {**connection, "password_variable": "HELD", "sslrootcert": "query.yaml"}})
    done = subprocess.run(
        [*COMMAND, "query", "--config", "query.yaml", "--out", "x.csv", "--debug"],
        cwd=tmp_path,
        env={**environment(tmp_path / "home"), "HELD": "canary-5150", "TMPDIR": os.fspath(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == BAD_INPUT, done.stderr
    assert "127.0.0.1:9" in done.stderr
    assert "canary" not in done.stdout + done.stderr
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"canary" not in path.read_bytes()
