"""Make small databases of patients in files, and samplers of them with a home of their own."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pymysql

from synth_worker.privacy.budget import halved
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.secure_query import AuditTrail, SecureQuerySampler, create_hospital_sampler
from synth_worker.settings import Settings
from tests.database.server import Server

COLUMNS = ("age", "gender", "diagnosis", "treatment")
CATEGORIES = {"gender": ["F", "M"], "diagnosis": ["E11", "I10", "J45"], "treatment": ["diet", "drug"]}
BOUNDS = {"age": (0, 110)}


def patient_rows(rows: int = 2_000, *, seed: int = 0) -> pd.DataFrame:
    """Return stays of about half as many patients, with NULLs, a rare label and dates around 2023."""
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2022-07-01") + pd.to_timedelta(rng.integers(0, 550, rows), unit="D")
    return pd.DataFrame(
        {
            "patient": rng.integers(0, rows // 2, rows),
            "age": rng.integers(0, 100, rows),
            "gender": rng.choice(["F", "M"], rows),
            "diagnosis": rng.choice(["I10", "E11", "J45"], rows, p=[0.6, 0.3, 0.1]),
            "treatment": rng.choice(["drug", "diet", None], rows),
            "date": pd.Series(days).dt.date,
            "weight": rng.normal(70, 12, rows).round(1),
        }
    )


def put(folder: Path, rows: pd.DataFrame, *, table: str = "patient_records") -> Path:
    """Write a table as a Parquet file of a folder, which is then a database."""
    folder.mkdir(exist_ok=True)
    rows.to_parquet(folder / f"{table}.parquet", index=False)
    return folder


class Trail:
    """Remember what a sampler told its trail."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, object]] = []

    def record(self, event: Mapping[str, object]) -> None:
        """Keep an event."""
        self.events.append(dict(event))


def sampler_of(
    data: Path,
    home: Path,
    *,
    epsilon: float | None = None,
    audit: AuditTrail | None = None,
    allow_raw: bool = False,
    public: tuple[str, ...] = (),
    units: Mapping[str, str] | None = None,
) -> SecureQuerySampler:
    """Return a sampler of a folder of files; ``epsilon`` is the budget of its population, else the policy's."""
    settings = Settings(
        home=home, query_allow_raw=allow_raw, query_public_columns=public, query_privacy_units=dict(units or {})
    )
    if epsilon is not None:
        with FileLedger(home, create=True) as ledger:
            ledger.open("db:clinic", halved(epsilon, 1e-6))
    credentials = {"path": str(data), "name": "clinic"}
    return create_hospital_sampler(db_type="duckdb", credentials=credentials, settings=settings, audit=audit)


DECLARED = {
    "patient": "bigint",
    "age": "integer",
    "gender": "text",
    "diagnosis": "varchar(8)",
    "treatment": "text",
    "date": "date",
    "weight": "double precision",
}
"""How the columns are declared in a server."""


def fill(server: Server, rows: pd.DataFrame, *, table: str = "patient_records") -> None:
    """Make a table of a server anew and let the role ``reader`` select from it."""
    columns = ", ".join(f"{name} {DECLARED[name]}" for name in rows.columns)
    server.run(
        f"DROP TABLE IF EXISTS {table}", f"CREATE TABLE {table} ({columns})", f"GRANT SELECT ON {table} TO reader"
    )
    with (
        server.admin("patient_data") as connection,
        connection.cursor().copy(f"COPY {table} FROM STDIN CSV".encode()) as copy,
    ):
        copy.write(rows.to_csv(index=False, header=False).encode())


def to_sqlite(path: Path, rows: pd.DataFrame, *, table: str = "patient_records") -> Path:
    """Write a table into a new SQLite database."""
    columns = ", ".join(f"{name} {DECLARED[name]}" for name in rows.columns)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE {table} ({columns})")
        plain = rows.astype(object).where(rows.notna(), None)
        plain["date"] = plain["date"].astype(str)
        places = ", ".join("?" for _ in rows.columns)
        insert = f"INSERT INTO {table} VALUES ({places})"
        connection.executemany(insert, plain.itertuples(index=False, name=None))
        connection.commit()
    return path


def fill_mariadb(admin: pymysql.Connection, rows: pd.DataFrame, *, table: str = "patient_records") -> None:
    """Make a table of a MariaDB anew and let the role ``reader`` select from it."""
    columns = ", ".join(f"{name} {DECLARED[name]}" for name in rows.columns)
    places = ", ".join("%s" for _ in rows.columns)
    plain = rows.astype(object).where(rows.notna(), None)
    with admin.cursor() as cursor:
        cursor.execute("USE patient_data")
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
        cursor.execute(f"CREATE TABLE {table} ({columns}) DEFAULT CHARSET utf8mb4")
        cursor.executemany(f"INSERT INTO {table} VALUES ({places})", list(plain.itertuples(index=False, name=None)))
        cursor.execute(f"GRANT SELECT ON {table} TO reader@'%'")
    admin.commit()
