"""Make runs and certificates of each light, and tables as files, for the tests of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from synth_worker.diagnosis import Diagnosis, FailureType
from synth_worker.gates import judge, profile
from synth_worker.metrics.base import Score
from synth_worker.run import (
    Attempt,
    Certificate,
    CurvePoint,
    DataFacts,
    Measurement,
    Options,
    Plan,
    PowerCheck,
    Run,
    SplitFacts,
)
from tests.unit.test_gates import GREEN_SCORES

GREEN = GREEN_SCORES
AMBER = {**GREEN_SCORES, "mia_auc": Score(0.55, upper=0.68, rows=300)}
RED = {**GREEN_SCORES, "mia_auc": Score(0.93, upper=0.95, p_value=1e-9, rows=300)}
SUSPICIOUS = {**GREEN_SCORES, "mia_auc": Score(0.2, suspicious=True, reason="far below 0.5")}
UNMEASURED = {**GREEN_SCORES, "mia_auc": Score.unmeasured("only 3 records")}

Scores = Mapping[str, Score]
PATIENTS = 400


def certificate_of(scores: Scores, *, mode: str = "holdout") -> Certificate:
    """Return a certificate over these scores."""
    measured = Measurement(scores, judge(scores, profile("standard")))
    return Certificate(measured, PowerCheck(True, True), mode, look=1, rows=600, seconds=2.0)


def run_of(scores: Scores | None, *, folder: Path | None = None, stopped: str = "finished", kept: bool = True) -> Run:
    """Return a run whose certificate has these scores; None leaves it without a certificate."""
    measured = Measurement(GREEN, judge(GREEN, profile("standard")))
    attempt = Attempt(1, Plan("gc", {}, 0, "first"), measured, Diagnosis(FailureType.NONE, "all gates met"), 1.0, 1.5)
    attempt = replace(attempt, curve=(CurvePoint(5, 5, 0.9, 0.95, 0.9, None, None, 0.1, "all steps were taken"),))
    return Run(
        options=Options(),
        data=DataFacts("ab" * 32, 4000, 5, "patients.csv"),
        split=SplitFacts(2800, 600, 600, "holdout", "00" * 16),
        versions={"python": "3.11", "gesalp": "0.1.0"},
        attempts=[attempt] if kept else [],
        best_number=1 if kept else None,
        certificate=None if scores is None else certificate_of(scores),
        seconds=3.0,
        cpu_seconds=4.0,
        stopped=stopped,
        folder=folder,
    )


def verb_of(result: Run, *, events: Callable[[Callable[..., None]], None] | None = None) -> Callable[..., Run]:
    """Return a stand-in for ``synthesize`` that returns ``result``, after some events."""

    def verb(_source: object, **asked: object) -> Run:
        tell = asked["event"]
        assert callable(tell)
        if events is not None:
            events(tell)
        return result

    return verb


def patients(rows: int = PATIENTS, seed: int = 0) -> pd.DataFrame:
    """Return a made-up hospital table: ages, pressures, a ward, a day, a diagnosis that depends on them."""
    rng = np.random.default_rng([1_203, seed])
    age = np.clip(np.round(rng.normal(58, 16, rows)), 18, 95).astype(int)
    pressure = np.round(100 + 0.6 * age + rng.normal(0, 12, rows)).astype(int)
    glucose = np.round(4 + 0.03 * age + rng.gamma(2.0, 0.7, rows), 1)
    sick = rng.random(rows) < 1 / (1 + np.exp(-(pressure - 138) / 9))
    frame = pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["F", "M"], rows),
            "ward": rng.choice(["surgery", "medicine", "stroke"], rows, p=[0.3, 0.5, 0.2]),
            "pressure": pressure,
            "glucose": glucose,
            "admitted": pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D"),
            "hypertension": np.where(sick, "yes", "no"),
        }
    )
    frame["admitted"] = frame["admitted"].dt.strftime("%Y-%m-%d")
    frame.loc[rng.random(rows) < 0.08, "glucose"] = np.nan
    return frame


def write_patients(folder: Path, rows: int = PATIENTS, *, name: str = "patients.csv", seed: int = 0) -> Path:
    """Write the made-up hospital table as CSV."""
    path = folder / name
    patients(rows, seed).to_csv(path, index=False)
    return path


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a command whose run store is ``home``."""
    return {**os.environ, "GESALP_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "200"}


def gesalp(*words: object, cwd: Path, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    """Run the command line in ``cwd``, with its run store there."""
    return subprocess.run(
        [*COMMAND, *(str(one) for one in words)],
        cwd=cwd,
        env=environment(cwd / "home"),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


COMMAND = (sys.executable, "-m", "synth_worker.cli")
