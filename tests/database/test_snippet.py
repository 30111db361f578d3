"""Promise of the specification: its snippet runs as it stands, on a real PostgreSQL over TLS that is verified."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.made import environment
from tests.database.made import fill, patient_rows, put
from tests.database.server import PASSWORD, Server

SNIPPET = """
from synth_worker.secure_query import QueryConfig, create_hospital_sampler

# Initialize sampler
sampler = create_hospital_sampler(
    db_type="postgresql",
    credentials={
        "host": "hospital-db.example.com",
        "database": "patient_data",
        "user": "synthetic_data_user",
        "password": "secure_password",
    }
)

# Configure query with DP
config = QueryConfig(
    table_name="patient_records",
    columns=["age", "gender", "diagnosis", "treatment"],
    where_clause="date >= '2023-01-01'",
    limit=10000,
    sample_fraction=0.1,  # 10% random sample
    dp_epsilon=1.0,  # Apply DP with epsilon=1.0
    sensitive_columns=["age", "diagnosis"],
)

# Sample data
df, metadata = sampler.sample_with_metadata(config, {"source": "hospital_db"})
"""
"""As the specification has it."""

SHOW = """
import json
df.to_csv("sample.csv", index=False)
print(json.dumps(metadata))
print(repr(sampler), repr(config), vars(sampler))
"""


def run(folder: Path, credentials: dict[str, object], *, db_type: str = "postgresql") -> tuple[pd.DataFrame, str]:
    """Run the snippet with other credentials; return the rows, and all that it printed or logged."""
    given, behind = SNIPPET.split("    credentials={\n")
    _old, rest = behind.split("    }\n", 1)
    own = "".join(f"        {name!r}: {value!r},\n" for name, value in credentials.items())
    code = f"{given}    credentials={{\n{own}    }}\n{rest}".replace('db_type="postgresql"', f"db_type={db_type!r}")
    done = subprocess.run(
        [sys.executable, "-c", code + SHOW],
        cwd=folder,
        env=environment(folder / "home"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return pd.read_csv(folder / "sample.csv"), done.stdout + done.stderr


def check(frame: pd.DataFrame, shown: str, expected: int) -> None:
    """Check what the snippet promises: the columns, a private number of rows, and metadata that says so."""
    told = json.loads(shown.splitlines()[0])
    assert list(frame.columns) == ["age", "gender", "diagnosis", "treatment"]
    assert abs(len(frame) - expected) < 0.25 * expected
    assert told["rows"] == len(frame)
    assert told["dp_applied"] is True
    assert (told["epsilon"], told["unit"], told["source"]) == (1.0, "row", "hospital_db")
    assert told["protected_columns"] == ["age", "gender", "diagnosis", "treatment"]
    assert told["filter"]["columns"] == ["date"]
    assert "opened the population" in shown


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Return 20,000 stays, of which two thirds are since 2023."""
    return patient_rows(20_000, seed=8)


def recent(rows: pd.DataFrame) -> int:
    """Return a tenth of the rows since 2023."""
    return int((pd.to_datetime(rows["date"]) >= "2023-01-01").sum()) // 10


def test_the_snippet_runs_on_postgresql(server: Server, rows: pd.DataFrame, tmp_path: Path) -> None:
    fill(server, rows)
    before = len(server.logged())
    frame, shown = run(tmp_path, server.credentials())
    check(frame, shown, recent(rows))
    logged = server.logged()[before:]
    assert "TLS" in logged or "SSL" in logged
    for written in (shown, *(one.read_bytes().decode("latin-1") for one in tmp_path.rglob("*") if one.is_file())):
        assert PASSWORD not in written


def test_the_snippet_runs_on_files_without_a_server(rows: pd.DataFrame, tmp_path: Path) -> None:
    frame, shown = run(tmp_path, {"path": str(put(tmp_path / "patient_data", rows))}, db_type="duckdb")
    check(frame, shown, recent(rows))
