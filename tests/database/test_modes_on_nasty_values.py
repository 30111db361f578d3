"""Promise: whatever a column holds, in whatever engine, every mode answers, in the declared types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from synth_worker.database.dialect import family_of
from synth_worker.privacy.budget import halved
from synth_worker.privacy.ledger_file import FileLedger
from synth_worker.query.columns import FRAMES
from synth_worker.query.config import QueryConfig
from synth_worker.secure_query import SecureQuerySampler
from synth_worker.settings import Settings
from tests.database import engines
from tests.database.engines import COLUMNS, ROWS, TABLE, Engine
from tests.database.mariadb_server import PRESENT

NAMES = (
    "postgresql",
    "duckdb",
    "sqlite",
    pytest.param("mariadb", marks=pytest.mark.skipif(not PRESENT, reason="mariadbd is not installed")),
)
ASKED = list(COLUMNS)
BOUNDS = {
    "place": (0, 100),
    "whole": (-10, 10),
    "exact": (-1, 99),
    "real_": (-1e6, 1e6),
    "day": ("1900-01-01", "2030-01-01"),
    "moment": ("1900-01-01", "2030-01-01"),
    "instant": ("1900-01-01", "2030-01-01"),
}
CATEGORIES = {"told": ["", "12", "NaN"], 'What\'s "this" ?': ["'", '"', "|", "%"]}


@pytest.fixture(scope="module", params=NAMES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engines.filled(request.param, request, tmp_path_factory.mktemp("engine")) as found:
        yield found


def sampler_of(engine: Engine, home: Path) -> SecureQuerySampler:
    """Return a sampler with a large budget, whose policy allows everything."""
    with FileLedger(home, create=True) as ledger:
        ledger.open("nasty", halved(500.0, 1e-6))
    settings = Settings(home=home, query_allow_raw=True)
    return SecureQuerySampler(engine.database, population="nasty", settings=settings)


@pytest.mark.parametrize("mode", ["synthesis", "public", "local", "attribute", "raw"])
def test_every_mode_answers_in_the_declared_types(mode: str, engine: Engine, tmp_path: Path) -> None:
    declared = engine.database.columns(TABLE)
    truth = [name for name in ASKED if family_of(declared[name]).value == "boolean"]
    text = [name for name in CATEGORIES if name in ASKED]
    bounds = {name: ends for name, ends in BOUNDS.items() if family_of(declared[name]).value not in ("text", "other")}
    public = {"bounds": bounds, "categories": {name: CATEGORIES[name] for name in text}}
    asked: dict[str, dict[str, object]] = {
        "synthesis": {"dp_epsilon": 9.0},
        "public": {"dp_epsilon": 9.0, **public, "sample_fraction": 0.9},
        "local": {"dp_epsilon": 9.0, "mode": "local", **public},
        "attribute": {"dp_epsilon": 9.0, "mode": "attribute", "sensitive_columns": [*bounds, *text, *truth], **public},
        "raw": {"mode": "raw", "purpose": "a test"},
    }
    columns = [name for name in ASKED if name in (*bounds, *text, *truth) or mode in ("synthesis", "raw")]
    sampler = sampler_of(engine, tmp_path)
    frame, told = sampler.sample_with_metadata(QueryConfig("nasty", columns, **asked[mode]))  # type: ignore[arg-type]
    assert list(frame.columns) == columns
    json.dumps(told, allow_nan=False)
    for name in columns:
        wanted = FRAMES.get(family_of(declared[name]), "str")
        assert str(frame[name].dtype) in (wanted, "object" if wanted == "str" else wanted), name
    if mode in ("local", "attribute"):
        assert len(frame) >= len(ROWS)
    if mode == "raw":
        assert set(frame["place"]) >= {row[0] for row in ROWS}
        assert set(frame["whole"].dropna()) >= {row[1] for row in ROWS if row[1] is not None}
        again = sampler.sample(QueryConfig("nasty", columns, **asked[mode]))  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(frame, again)
    else:
        _, also = sampler.sample_with_metadata(QueryConfig("nasty", columns, **asked[mode]))  # type: ignore[arg-type]
        assert also["replayed"] is True
