"""Promises of the commands on databases: from a made-up hospital to a private table, charged and audited."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from synth_worker.commands.exits import BAD_INPUT, BUDGET_EXCEEDED
from synth_worker.database.audit import AuditLog
from synth_worker.demo.hospital import blocks
from synth_worker.demo.hospital_store import write_folder
from synth_worker.errors import UnknownName
from synth_worker.privacy.budget import halved
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.private_run import PrivateAsk
from tests.cli.made import COMMAND, environment, gesalp
from tests.database.server import ADMIN, Server

SCHEMA_COLUMNS = ("age", "gender", "ward", "urgent", "date", "patient_id")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a hospital and a schema of a few columns of it, as ``gesalp schema`` writes one."""
    folder = tmp_path_factory.mktemp("house")
    write_folder(blocks(2_000), folder / "patient_data")
    told = gesalp("schema", "duckdb:patient_data", "--table", "patient_records", cwd=folder)
    assert told.returncode == 0, told.stderr
    assert "no row was looked at" in told.stderr
    schema = json.loads(told.stdout)
    schema["columns"] = [one for one in schema["columns"] if one["name"] in SCHEMA_COLUMNS]
    for one in schema["columns"]:
        if one["name"] == "age":
            one.update({"low": 0, "high": 110, "public": True})
        if one["name"] == "gender":
            one.update({"categories": ["F", "M", "X"], "public": True})
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    return folder


def test_a_table_of_a_database_becomes_a_private_one_with_card_and_report(house: Path) -> None:
    words = ("run", "duckdb:patient_data", "--table", "patient_records", "--epsilon", 1, "--schema", "schema.json")
    person = ("--privacy-unit", "patient_id", "--out", "made", "--quiet")
    done = gesalp(*words, *person, cwd=house)
    assert done.returncode == 0, done.stderr
    made = pd.read_csv(house / "made" / "synthetic.csv", parse_dates=["date"])
    assert set(made.columns) == set(SCHEMA_COLUMNS) - {"patient_id"}
    assert made["age"].dropna().between(0, 110).all()
    assert set(made["gender"].dropna()) <= {"F", "M", "X"}
    assert made["date"].dt.year.dropna().between(1900, 2100).all()
    card = json.loads((house / "made" / "run.json").read_text())
    assert card["guarantee"]["unit"] == "person (patient_id, at most 1 row each)"
    assert card["budget"]["population"] == "db:patient_data"
    domains = {one["name"]: one["domain"] for one in card["columns"]}
    assert (domains["age"], domains["gender"], domains["ward"]) == ("public", "public", "estimated")
    assert (house / "made" / "report.html").exists()
    assert not (house / "made" / "internal" / "figures.json").exists()
    log = AuditLog(house / "home")
    assert [line["event"] for line in log.lines()] == ["begun", "asked", "charged", "answered"]
    with FileLedger(house / "home") as ledger:
        assert ledger.audit_log() == log.name
        assert log.last_charge is not None
        assert ledger.knows(sequence=log.last_charge[0], mark=log.last_charge[1])
    again = gesalp(*words, "--privacy-unit", "patient_id", "--out", "again", cwd=house)
    assert "nothing was charged" in again.stdout
    assert (house / "again" / "synthetic.csv").read_bytes() == (house / "made" / "synthetic.csv").read_bytes()
    assert [line["event"] for line in AuditLog(house / "home").lines()][-1] == "replayed"


def test_a_budget_that_does_not_hold_a_run_and_a_method_that_is_not_private_are_refused(house: Path) -> None:
    words = ("run", "duckdb:patient_data", "--table", "patient_records", "--schema", "schema.json", "--out", "x")
    assert gesalp("ledger", "open", "few", "--epsilon", 0.5, cwd=house).returncode == 0
    much = gesalp(*words, "--epsilon", 2, "--population", "few", cwd=house)
    assert much.returncode == BUDGET_EXCEEDED, much.stderr
    assert [line["event"] for line in AuditLog(house / "home").lines()][-1] == "refused"
    other = gesalp(*words, "--epsilon", 1, "--method", "cart", cwd=house)
    assert other.returncode == BAD_INPUT
    assert "gives no guarantee" in other.stderr
    beyond = gesalp(*words, "--epsilon", 11, "--population", "few", cwd=house)
    assert beyond.returncode == BAD_INPUT, beyond.stderr
    assert not (house / "x").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "duckdb:patient_data", "--epsilon", 1), "add --table NAME"),
        (("run", "duckdb:patient_data", "--table", "patients"), "under an epsilon only"),
        (("run", "patients.csv", "--table", "patients", "--epsilon", 1), "TABLE is a file"),
        (("run", "duckdb:patient_data", "--table", "patient_record", "--epsilon", 1), "unknown table 'patient_record'"),
        (("run", "duckdb:nowhere", "--table", "t", "--epsilon", 1), "nowhere does not exist"),
        (("run", "oracle:x", "--table", "t", "--epsilon", 1), "unknown kind of database 'oracle'"),
        (("schema", "duckdb:patient_data"), "add --table NAME"),
    ],
)
def test_what_names_no_table_of_a_database_is_refused_in_a_sentence(
    words: tuple[object, ...], said: str, house: Path
) -> None:
    done = gesalp(*words, cwd=house)
    assert done.returncode == BAD_INPUT, done.stderr
    assert said in done.stderr


def test_a_condition_chooses_the_rows_and_stands_on_the_card(house: Path) -> None:
    words = ("run", "duckdb:patient_data", "--table", "patient_records", "--epsilon", 1, "--schema", "schema.json")
    own = ("--where", "age >= 60", "--population", "db:patient_data", "--out", "old", "--quiet")
    done = gesalp(*words, *own, cwd=house)
    assert done.returncode == 0, done.stderr
    card = json.loads((house / "old" / "run.json").read_text())
    assert card["filter"] == "age >= 60"
    ages = pd.read_csv(house / "old" / "synthetic.csv")["age"].dropna()
    assert (ages >= 55).mean() > 0.9
    evil = gesalp(*words, "--where", "age >= 60; DROP TABLE x", "--out", "evil", cwd=house)
    assert evil.returncode == BAD_INPUT, evil.stderr
    file = gesalp("run", "schema.json", "--epsilon", 1, "--method", "mst", "--where", "age > 1", cwd=house)
    assert (file.returncode, "--where is for databases" in file.stderr) == (BAD_INPUT, True)


def test_a_script_for_a_role_is_printed_and_a_slip_is_refused(house: Path) -> None:
    done = gesalp(
        "grants", "reader", "--database", "clinic", "--table", "public.stays:age,ward", "--table", "beds", cwd=house
    )
    assert done.returncode == 0, done.stderr
    assert 'GRANT SELECT ("age", "ward") ON "public"."stays" TO "reader";' in done.stdout
    assert 'GRANT SELECT ON "public"."beds" TO "reader";' in done.stdout
    assert "PASSWORD '" not in done.stdout
    twice = gesalp("grants", "reader", "--database", "clinic", "--table", "beds", "--table", "beds:a", cwd=house)
    empty = gesalp("grants", "reader", "--database", "clinic", "--table", "beds:", cwd=house)
    assert (twice.returncode, empty.returncode) == (BAD_INPUT, BAD_INPUT)


def test_two_attempts_choose_by_counts_alone(house: Path) -> None:
    from synth_worker.database.registry import open_database
    from synth_worker.database_synthesis import synthesize_database
    from synth_worker.schema import Schema
    from synth_worker.settings import Settings

    schema = Schema.from_json((house / "schema.json").read_text())
    database = open_database("duckdb", {"path": str(house / "patient_data")})
    ask = PrivateAsk("mst", 1.0, attempts=2, privacy_unit="patient_id", population="two")
    more = {"schema": schema, "out": house / "two", "settings": Settings(home=house / "home")}
    with pytest.raises(UnknownName, match="'two' is not open"):
        synthesize_database(database, "patient_records", ask, **more)  # type: ignore[arg-type]
    with FileLedger(house / "home", create=True) as ledger:
        ledger.open("two", halved(3.0, 1e-6))
    done = synthesize_database(database, "patient_records", ask, **more)  # type: ignore[arg-type]
    assert done.card["chosen"] in (1, 2)
    assert len(done.card["shares"]["attempts"]) == 2  # type: ignore[index]


def test_the_whole_way_on_a_real_server(server: Server, tmp_path: Path) -> None:
    server.run("CREATE DATABASE whole_way", database="postgres")

    def command(user: str) -> tuple[str, Callable[..., subprocess.CompletedProcess[str]]]:
        url = f"postgresql://{user}@localhost:{server.port}/whole_way?sslrootcert={server.ca}"

        def called(*words: object) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*COMMAND, *(str(one) for one in words)],
                cwd=tmp_path,
                env={**environment(tmp_path / "home"), "PGPASSWORD": server.secrets[user]},
                capture_output=True,
                text=True,
                check=False,
            )

        return url, called

    url, owner = command(ADMIN)
    made = owner("demo-hospital", "--out", url, "--patients", 2_000)
    assert made.returncode == 0, made.stderr
    refused = owner("run", url, "--table", "patient_records", "--epsilon", 1)
    assert refused.returncode == BAD_INPUT
    assert "superuser" in refused.stderr
    server.run("GRANT SELECT ON patient_records TO reader", database="whole_way")
    url, reader = command("reader")
    config = tmp_path / "query.yaml"
    config.write_text(
        f"connection: {url}\ntable_name: patient_records\ncolumns: [age, gender]\ndp_epsilon: 1.0\n"
        "bounds: {age: [0, 110]}\ncategories: {gender: [F, M, X]}\n",
        encoding="utf-8",
    )
    asked = reader("query", "--config", config, "--out", "sample.csv")
    assert asked.returncode == 0, asked.stderr
    assert len(pd.read_csv(tmp_path / "sample.csv")) > 2_000
    run = reader("run", url, "--table", "patient_records", "--epsilon", 1, "--privacy-unit", "patient_id", "--quiet")
    assert run.returncode == 0, run.stderr
    assert len(pd.read_csv(tmp_path / "patient_records-synthetic" / "synthetic.csv")) > 1_000
    other = reader("run", url, "--table", "patients", "--epsilon", 1)
    assert other.returncode == BAD_INPUT
    assert "unknown table 'patients'" in other.stderr
    assert reader("audit", "verify").returncode == 0
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or server.secrets["reader"].encode() not in path.read_bytes()
