"""Write the made-up hospital where it can be asked: a folder of Parquet files, a DuckDB file, a PostgreSQL database."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from synth_worker.database.loading import load
from synth_worker.demo.hospital import Tables
from synth_worker.errors import BadInput

VIEW = "patient_records"
TABLES: Mapping[str, Mapping[str, str]] = {
    "patients": {
        "patient_id": "VARCHAR(16) PRIMARY KEY",
        "born": "DATE NOT NULL",
        "gender": "VARCHAR(1)",
        "region": "INTEGER NOT NULL",
        "payer": "VARCHAR(16) NOT NULL",
        "smoking": "VARCHAR(16)",
        "bmi": "DOUBLE PRECISION",
    },
    "admissions": {
        "admission_id": "BIGINT PRIMARY KEY",
        "patient_id": "VARCHAR(16) NOT NULL",
        "admitted": "DATE NOT NULL",
        "discharged": "DATE",
        "ward": "VARCHAR(32) NOT NULL",
        "urgent": "BOOLEAN NOT NULL",
        "diagnosis": "VARCHAR(8) NOT NULL",
        "treatment": "VARCHAR(32) NOT NULL",
        "outcome": "VARCHAR(16)",
        "systolic": "INTEGER",
        "creatinine": "DOUBLE PRECISION",
        "cost": "DOUBLE PRECISION",
    },
    "diagnoses": {
        "admission_id": "BIGINT NOT NULL",
        "rank": "INTEGER NOT NULL",
        "icd10": "VARCHAR(8) NOT NULL",
    },
}
"""The columns of each table, in types that PostgreSQL and DuckDB both know."""

BIRTHDAY_PASSED = (
    "100 * EXTRACT(MONTH FROM a.admitted) + EXTRACT(DAY FROM a.admitted) "
    ">= 100 * EXTRACT(MONTH FROM p.born) + EXTRACT(DAY FROM p.born)"
)
RECORDS = f"""
SELECT a.patient_id,
       CAST(EXTRACT(YEAR FROM a.admitted) - EXTRACT(YEAR FROM p.born)
            - CASE WHEN {BIRTHDAY_PASSED} THEN 0 ELSE 1 END AS INTEGER) AS age,
       p.gender, p.region, a.diagnosis, a.treatment, a.admitted AS "date", a.ward, a.urgent,
       CAST(a.discharged - a.admitted AS INTEGER) AS length_of_stay, a.outcome, p.smoking, p.bmi, a.systolic,
       a.creatinine, a.cost
FROM admissions a JOIN patients p ON p.patient_id = a.patient_id
"""  # noqa: S608 - made of constants
"""What the view ``patient_records`` shows: one row per admission, with what was known of the patient."""

DATABASES = (".duckdb", ".db", ".ddb")


def write_folder(made: Iterable[Tables], folder: Path) -> dict[str, int]:
    """Write Parquet files, ``patient_records.parquet`` among them, into a new folder; return the rows of each.

    The folder appears whole. Raises BadInput where it exists.
    """
    check_new(folder)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    rows = dict.fromkeys(TABLES, 0)
    writers: dict[str, pq.ParquetWriter] = {}
    for block in made:
        for name, table in block.items():
            if name not in writers:
                writers[name] = pq.ParquetWriter(part / f"{name}.parquet", table.schema, compression="zstd")
            writers[name].write_table(table)
            rows[name] += table.num_rows
    for writer in writers.values():
        writer.close()
    with duckdb.connect() as connection:
        for name in ("patients", "admissions"):
            connection.read_parquet(str(part / f"{name}.parquet")).create_view(name)
        connection.sql(f"{RECORDS} ORDER BY a.admission_id").write_parquet(str(part / f"{VIEW}.parquet"))
    part.rename(folder)
    return {**rows, VIEW: rows["admissions"]}


def write_duckdb(made: Iterable[Tables], path: Path) -> dict[str, int]:
    """Write tables and the view into a new DuckDB file; return the rows of each. Raises BadInput where it exists."""
    check_new(path)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    rows = dict.fromkeys(TABLES, 0)
    with duckdb.connect(str(part)) as connection:
        for statement in statements():
            connection.execute(statement)
        for block in made:
            for name, table in block.items():
                connection.register("block", table)
                connection.execute(f"INSERT INTO {name} SELECT * FROM block")  # noqa: S608 - a name of ours
                connection.unregister("block")
                rows[name] += table.num_rows
    part.rename(path)
    return {**rows, VIEW: rows["admissions"]}


def write_postgres(made: Iterable[Tables], credentials: Mapping[str, object]) -> dict[str, int]:
    """Make tables and the view in a PostgreSQL database that has none of them, in one transaction.

    Returns the rows of each. Raises BadInput where one exists, DatabaseRefused for a server that is not proved.
    """
    rows = load(credentials, before=statements(), blocks=made, after=AFTER, new=(*TABLES, VIEW))
    return {**rows, VIEW: rows["admissions"]}


AFTER = (
    "CREATE INDEX admissions_of ON admissions (patient_id)",
    "CREATE INDEX diagnoses_of ON diagnoses (admission_id)",
)


def statements() -> tuple[str, ...]:
    """Return what makes the tables and the view."""
    tables = (
        f"CREATE TABLE {name} ({', '.join(f'{column} {kind}' for column, kind in columns.items())})"
        for name, columns in TABLES.items()
    )
    return (*tables, f"CREATE VIEW {VIEW} AS {RECORDS}")


def check_new(path: Path) -> None:
    """Refuse what exists. Raises BadInput."""
    if path.exists():
        raise BadInput(f"--out {path} exists already", hint="name a new one; nothing was overwritten")
    if not path.absolute().parent.is_dir():
        raise BadInput(f"--out {path} lies in a folder that does not exist")
