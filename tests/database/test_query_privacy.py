"""Promises of privacy: claims hold on neighbouring databases, noise is as large as told, no secret gets out."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from synth_worker.database.connection import Database, TableName
from synth_worker.database.registry import open_database
from synth_worker.database.selecting import Selection
from synth_worker.database.source import DatabaseSource
from synth_worker.errors import GesalpError, TrainingFailed
from synth_worker.privacy.mechanisms import truth_of
from synth_worker.privacy.noise import ScriptedNoise, opendp_noise
from synth_worker.query.columns import schema_of
from synth_worker.query.config import QueryConfig
from synth_worker.query.randomising import Grid, part_of, randomise
from synth_worker.query.synthesising import synthesise
from synth_worker.schema import Column, Kind
from synth_worker.secure_query import SecureQuerySampler, create_hospital_sampler
from synth_worker.settings import Settings
from tests.database.made import CATEGORIES, fill, patient_rows, put, sampler_of
from tests.database.server import Server
from tests.privacy.auditing import lower_epsilon

CONFIG = QueryConfig(
    "patient_records",
    ["diagnosis"],
    dp_epsilon=1.0,
    privacy_unit="patient",
    max_rows_per_unit=1,
    categories={"diagnosis": ["I10", "RARE"]},
)


def opened(folder: Path, rows: pd.DataFrame) -> Database:
    return open_database("duckdb", {"path": str(put(folder, rows))})


def source_of(database: Database, config: QueryConfig, snapshot: object) -> DatabaseSource:
    table = TableName.parse(config.table_name)
    columns = database.columns(table)
    selection = Selection(
        database.dialect,
        table,
        columns,
        key="k",
        content=tuple(config.columns),
        unit=config.unit,
        most=config.max_rows_per_unit,
    )
    return DatabaseSource(snapshot, selection)  # type: ignore[arg-type]


def statistics(database: Database, config: QueryConfig, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of rows and the number of rare labels of many answers, each shape (draws,)."""
    schema = schema_of(config, database.columns(TableName.parse(config.table_name)))
    rows, rare = np.empty(draws), np.empty(draws)
    with database.snapshot() as snapshot:
        source = source_of(database, config, snapshot)
        for at in range(draws):
            table = synthesise(source, config, schema).table
            rows[at] = table.rows
            rare[at] = float((table.frame["diagnosis"] == "RARE").sum())
    return rows, rare


def test_a_person_with_fifty_rows_cannot_be_told_from_nobody(tmp_path: Path) -> None:
    draws = 80
    others = patient_rows(40).assign(patient=np.arange(40), diagnosis="I10")
    person = pd.concat([others.iloc[[0]]] * 50, ignore_index=True).assign(patient=1_000, diagnosis="RARE")
    without = opened(tmp_path / "without", others)
    with_person = opened(tmp_path / "with", pd.concat([person, others], ignore_index=True))
    one, other = statistics(without, CONFIG, draws), statistics(with_person, CONFIG, draws)
    for absent, present in zip(one, other, strict=True):
        assert lower_epsilon(absent, present) <= 1.0
    # The same audit of answers that do not bound a person's rows finds them: it can fail.
    unbounded = replace(CONFIG, privacy_unit=None)
    bare = [statistics(database, unbounded, 120)[1] for database in (without, with_person)]
    assert lower_epsilon(*bare) > 1.0


def test_the_number_of_rows_is_as_noisy_as_is_told(tmp_path: Path) -> None:
    draws = 90
    database = opened(tmp_path / "clinic", patient_rows(500))
    config = QueryConfig("patient_records", ["gender"], dp_epsilon=0.5, categories={"gender": ["F", "M"]})
    schema = schema_of(config, database.columns(TableName.parse("patient_records")))
    with database.snapshot() as snapshot:
        made = [synthesise(source_of(database, config, snapshot), config, schema) for _ in range(draws)]
    (rho,) = {rho for one in made for what, rho in one.measured if what == "counts of gender"}
    counts = np.array([one.table.rows for one in made])
    variance = 4 / (2 * rho)  # the sum of four noised cells: F, M, another label, NULL
    p = chi2.cdf(((counts - 500) ** 2).sum() / variance, draws)
    assert 1e-4 < p < 1 - 1e-4


def test_labels_are_kept_as_often_as_randomised_response_may(tmp_path: Path) -> None:
    database = opened(tmp_path / "clinic", patient_rows(4_000).assign(gender="F"))
    config = QueryConfig("patient_records", ["gender"], categories={"gender": ["F", "M"]})
    schema = schema_of(config, database.columns(TableName.parse("patient_records")))
    with database.snapshot() as snapshot:
        selection = source_of(database, config, snapshot).selection
        frame = randomise(snapshot, selection, schema, exact={}, each=1.5, limit=None, noise=opendp_noise())
    share, expected = (frame["gender"] == "F").mean(), truth_of(1.5, categories=3)
    assert abs(share - expected) < 5 * (expected * (1 - expected) / 4_000) ** 0.5
    assert abs((frame["gender"] == "M").mean() - (1 - expected) / 2) < 0.05
    assert abs(frame["gender"].isna().mean() - (1 - expected) / 2) < 0.05


def test_numbers_get_noise_for_the_whole_width_of_their_bounds(tmp_path: Path) -> None:
    database = opened(tmp_path / "clinic", patient_rows(4_000).assign(age=50))
    config = QueryConfig("patient_records", ["age"], bounds={"age": (0, 100)})
    schema = schema_of(config, database.columns(TableName.parse("patient_records")))
    with database.snapshot() as snapshot:
        selection = source_of(database, config, snapshot).selection
        frame = randomise(snapshot, selection, schema, exact={}, each=8.0, limit=None, noise=opendp_noise())
    kept = frame["age"].dropna().to_numpy(dtype=float)
    assert abs(len(kept) / 4_000 - truth_of(4.0, categories=2)) < 0.02
    inside = np.abs(kept - 50)
    # Laplace noise of scale 100 / 4 steps: beyond 25 with probability e^-1.
    assert abs((inside > 25).mean() - np.exp(-1)) < 0.05
    assert (kept.min(), kept.max()) == (0.0, 100.0)


def test_a_grid_covers_its_bounds_and_no_more() -> None:
    for low, high, decimals in ((0.0, 120.0, 0), (-3.5, 9.25, 2), (1e6, 1e6 + 7, 0)):
        dtype = "float64" if decimals else "int64"
        grid = Grid.of(Column("x", Kind.NUMERIC, dtype=dtype, low=low, high=high, decimals=decimals, public=True))
        values = grid.values(np.array([0, grid.steps]))
        assert low <= values[0] and values[-1] <= high + 1e-9
        assert grid.places(np.array([-np.inf, np.inf])).tolist() == [0, grid.steps]


@pytest.mark.parametrize("parts", [1, 3, 7, 12])
def test_parts_of_an_epsilon_never_add_up_to_more(parts: int) -> None:
    from fractions import Fraction

    for epsilon in (0.1, 1.0, 2.7, 9.99):
        assert Fraction(part_of(epsilon, parts=parts)) * parts <= Fraction(epsilon)


@pytest.mark.parametrize("mode", ["synthesis", "local"])
def test_scripted_noise_releases_nothing(mode: str, tmp_path: Path) -> None:
    database = opened(tmp_path / "clinic", patient_rows(200))
    sampler = SecureQuerySampler(database, settings=Settings(home=tmp_path / "home"), noise=ScriptedNoise())
    config = QueryConfig(
        "patient_records", ["gender"], dp_epsilon=0.5, mode=mode, categories={"gender": CATEGORIES["gender"]}
    )
    with pytest.raises(TrainingFailed, match="scripted"):
        sampler.sample(config)
    assert not (tmp_path / "home" / "answers").exists()


def test_private_metadata_hold_no_exact_count_and_no_time(tmp_path: Path) -> None:
    rows = patient_rows(1_237)
    data = put(tmp_path / "clinic", rows)
    asked = ["gender", "diagnosis", "treatment"]
    exact = {1_237, *(count for name in asked for count in rows[name].value_counts())}
    with sampler_of(data, tmp_path / "home") as sampler:
        config = QueryConfig("patient_records", asked, dp_epsilon=0.5, limit=100)
        told = sampler.sample_with_metadata(config)[1]
    text = json.dumps(told)
    for count in exact:
        assert f" {count}," not in text and f" {count}}}" not in text
    for word in ("second", "time", "seed", "hash_of"):
        assert word not in text.replace("keyed hash", "")


def test_a_password_is_in_no_message_log_file_or_traceback(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    canary = "canary-password-4711"
    server.run("DROP ROLE IF EXISTS canary")
    server.role("canary", "GRANT USAGE ON SCHEMA public TO canary", password=canary)
    fill(server, patient_rows(300))
    server.run("GRANT SELECT ON patient_records TO canary")
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for more in ({}, {"host": "127.0.0.2"}, {"database": "nowhere"}, {"sslrootcert": "/nowhere"}):
            for config in (
                QueryConfig("patient_records", ["gender"], dp_epsilon=0.4, where_clause="age > 30"),
                QueryConfig("patient_records", ["gender"], dp_epsilon=0.4, where_clause="pg_sleep(1) = 1"),
                QueryConfig("pg_authid", ["rolpassword"], dp_epsilon=0.4),
            ):
                try:
                    sampler = create_hospital_sampler(
                        db_type="postgresql",
                        credentials=server.credentials("canary", **more),
                        settings=Settings(home=tmp_path / "home"),
                    )
                    told.append(repr(sampler) + repr(vars(sampler)))
                    told.append(json.dumps(sampler.sample_with_metadata(config)[1]))
                except GesalpError as error:
                    told += [shown(error), repr(error)]
    told += [caplog.text, *(one.read_bytes().decode("latin-1") for one in tmp_path.rglob("*") if one.is_file())]
    assert len(told) > 12
    assert any('"dp_applied": true' in one for one in told)
    for one in told:
        assert canary not in one


def shown(error: BaseException) -> str:
    """Return a traceback with the locals of every frame but those of this file, which has the password."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    one: traceback.TracebackException | None = found
    while one is not None:
        frames = [frame for frame in one.stack if frame.filename != __file__]
        one.stack = traceback.StackSummary.from_list(frames)
        one = one.__cause__ or one.__context__
    return "".join(found.format())


def test_sampling_needs_no_driver_until_it_opens_what_needs_one(tmp_path: Path) -> None:
    code = """
import sys
for name in ("psycopg", "sqlglot", "pymysql", "opendp"):
    sys.modules[name] = None
from synth_worker.secure_query import create_hospital_sampler
try:
    create_hospital_sampler(db_type="postgresql", credentials=dict.fromkeys(("host", "database", "user"), "x"))
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "DatabaseRefused" in done.stdout and "pip install 'gesalp[database]'" in done.stdout
