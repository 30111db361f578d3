"""A budget that holds ten answers gives ten, to sixteen processes that ask one PostgreSQL at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from synth_worker.database.ledgers import open_ledger
from synth_worker.privacy.budget import Cost
from synth_worker.query.config import QueryConfig
from synth_worker.secure_query import create_hospital_sampler
from synth_worker.settings import Settings
from tests.database.made import fill, patient_rows
from tests.database.server import Server
from tests.database.test_secure_query import budget_of

CONFIG = QueryConfig("patient_records", ["gender"], dp_epsilon=0.3, categories={"gender": ["F", "M"]})
ROOT = Path(__file__).parents[2]


def test_sixteen_processes_at_once(server: Server, tmp_path: Path) -> None:
    fill(server, patient_rows())
    credentials = server.credentials()
    alone = Settings(home=tmp_path / "alone")
    with create_hospital_sampler(db_type="postgresql", credentials=credentials, settings=alone) as sampler:
        sampler.sample(CONFIG)
    with open_ledger(alone) as ledger:
        (each,) = (pool.spent.rho_nano for pool in ledger.pools().values())
    crowd = Settings(home=tmp_path / "crowd")
    with open_ledger(crowd, create=True) as ledger:
        ledger.open("db:patient_data", budget_of(10 * each + each // 2))
    job = {"clients": 16, "home": str(tmp_path / "crowd"), "ledger_url": "", "credentials": credentials}
    done = subprocess.run(
        [sys.executable, "-m", "tests.database.clients"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'backend'}"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert (told["answered"], told["refused"]) == (10, 6), (told, done.stderr[-3000:])
    with open_ledger(crowd) as ledger:
        assert ledger.pools()["db:patient_data"].spent == Cost(10 * each)
        ledger.verify()
