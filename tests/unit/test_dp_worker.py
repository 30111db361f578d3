"""Promises of the worker: each run ends once, charged at most once, whoever dies meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synth_worker.commands.exits import BAD_INPUT, BUDGET_EXCEEDED, LEDGER_UNUSABLE
from synth_worker.privacy.budget import halved
from synth_worker.privacy.ledger_file import FOLDER, FileLedger
from synth_worker.private_storage import PrivateFolder
from synth_worker_dp import worker
from synth_worker_dp.worker import LOST, MOST_TRIES, Queue, Stop, work
from tests.cli.made import environment, write_patients
from tests.private_tables import public_schema

ROWS = 300
COST = halved(0.5, 1e-7).limit.rho_nano


@pytest.fixture
def house(tmp_path: Path) -> Path:
    write_patients(tmp_path, ROWS)
    with FileLedger(tmp_path / "home", create=True) as ledger:
        ledger.open("ward", halved(3.0, 1e-6))
    Queue(tmp_path / "queue").prepare()
    return tmp_path


def submit(house: Path, name: str, **asked: object) -> None:
    row = {
        "table": str(house / "patients.csv"),
        "schema": json.loads(public_schema(ROWS).to_json()),
        "method": "mst",
        "epsilon": 0.5,
        "population": "ward",
        "principal": "ada",
        **asked,
    }
    part = house / "queue" / f".{name}.part"
    part.write_text(json.dumps(row), encoding="utf-8")
    part.rename(house / "queue" / "incoming" / f"{name}.json")


def start(house: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "synth_worker_dp.worker", "--queue", str(house / "queue"), *words]
    return subprocess.Popen(command, env=environment(house / "home"), stderr=subprocess.PIPE, text=True)


def once(house: Path) -> None:
    with FileLedger(house / "home") as ledger:
        work(Queue(house / "queue"), ledger, stop=Stop(), once=True)


def result(house: Path, name: str) -> dict[str, object]:
    return json.loads((house / "queue" / "done" / f"{name}.json").read_text(encoding="utf-8"))


def spent(house: Path) -> int:
    with FileLedger(house / "home") as ledger:
        ledger.verify()
        return ledger.pools()["ward"].spent.rho_nano


def test_runs_are_taken_carried_out_and_ended(house: Path) -> None:
    submit(house, "a")
    submit(house, "b", epsilon=0.75)
    submit(house, "dear", epsilon=9)
    submit(house, "odd", epsilom=1)
    submit(house, "unopened", population="other")
    submit(house, "same")
    done = start(house, "--once")
    assert done.wait(timeout=120) == 0, done.stderr
    codes = {name: result(house, name)["exit_code"] for name in ("a", "b", "dear", "odd", "unopened", "same")}
    assert codes == {"a": 0, "b": 0, "dear": BUDGET_EXCEEDED, "odd": BAD_INPUT, "unopened": BAD_INPUT, "same": 0}
    assert spent(house) == COST + halved(0.75, 1e-7).limit.rho_nano
    tables = [(house / "queue" / "done" / name / "synthetic.csv").read_bytes() for name in ("a", "same")]
    assert tables[0] == tables[1]
    assert not list((house / "queue" / "running").iterdir())


def crash(house: Path, *, until: str) -> None:
    """Let a worker die at a point: a real ``kill -9`` from within."""
    code = (
        "import os, signal; from synth_worker.private_storage import PrivateFolder; "
        f"PrivateFolder.{until} = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL); "
        f"from synth_worker_dp.worker import main; main(['--queue', {str(house / 'queue')!r}, '--once'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(house / "home"), capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_run_that_died_before_the_charge_is_begun_anew_three_times_at_most(house: Path) -> None:
    submit(house, "a")
    crash(house, until="spending")
    assert not (house / "queue" / "done" / "a.json").exists()
    tries = house / "queue" / "running" / "a.tries"
    assert tries.read_text(encoding="utf-8") == "1"
    tries.write_text(str(MOST_TRIES), encoding="utf-8")  # as if it had died each time
    once(house)
    assert result(house, "a")["exit_code"] == 1
    assert spent(house) == 0
    submit(house, "b")
    crash(house, until="spending")
    once(house)
    assert result(house, "b")["exit_code"] == 0
    assert spent(house) == COST


@pytest.mark.parametrize("until", ["spent", "complete"])
def test_a_run_that_died_after_the_charge_is_lost_and_never_charged_again(house: Path, until: str) -> None:
    submit(house, "a")
    crash(house, until=until)
    assert spent(house) == COST
    once(house)
    assert result(house, "a") == {"exit_code": 1, "message": LOST}
    assert spent(house) == COST


@pytest.mark.parametrize("until", ["release", "keep_internal"])
def test_a_run_that_died_with_its_answer_complete_is_released(house: Path, until: str) -> None:
    submit(house, "a")
    crash(house, until=until)
    once(house)
    assert result(house, "a")["exit_code"] == 0
    assert (house / "queue" / "done" / "a" / "run.json").exists()
    assert spent(house) == COST
    submit(house, "b")  # the ledger knows where the answer is
    once(house)
    assert result(house, "b")["exit_code"] == 0
    assert spent(house) == COST


def test_a_living_worker_keeps_what_it_holds(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(house, "a")
    seen: list[bool] = []
    carry_out = worker.carry_out

    def twice(*args: object, **asked: object) -> None:
        with FileLedger(house / "home") as other:
            seen.append(carry_out(Queue(house / "queue"), house / "queue" / "running" / "a.json", other))

    monkeypatch.setattr(PrivateFolder, "begin", twice)
    with FileLedger(house / "home") as ledger, pytest.raises(FileNotFoundError):
        work(Queue(house / "queue"), ledger, stop=Stop(), once=True)
    assert seen == [False]


def test_told_to_end_it_finishes_what_it_is_at(house: Path) -> None:
    submit(house, "a")
    running = start(house)
    until = time.monotonic() + 60
    while not list((house / "queue" / "running").glob("*.json")) and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGTERM)
    assert running.wait(timeout=120) == 0
    assert result(house, "a") == {"exit_code": 0, "message": ""}


def test_a_ledger_that_does_not_know_what_runs_were_paid_with_refuses(house: Path) -> None:
    shutil.copytree(house / "home", house / "saved")
    submit(house, "a")
    once(house)
    shutil.rmtree(house / "home")
    shutil.copytree(house / "saved", house / "home")
    submit(house, "b")
    refused = start(house, "--once")
    assert refused.wait(timeout=60) == LEDGER_UNUSABLE
    assert (house / "home" / FOLDER).exists()
    assert not (house / "queue" / "done" / "b.json").exists()
