"""Promises of the record: what is written is what is read, and a folder is whole or not there."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from synth_worker.diagnosis import Action, Diagnosis, FailureType
from synth_worker.errors import BadInput
from synth_worker.gates import judge, profile
from synth_worker.looks import alpha_of, count_look
from synth_worker.metrics.base import Score
from synth_worker.record import attempt_json, certificate_json, read_attempt, read_certificate
from synth_worker.run import Attempt, Certificate, CurvePoint, Measurement, Plan, PowerCheck
from synth_worker.storage import RunFolder
from tests.unit.test_gates import GREEN_SCORES


def sample_attempt() -> Attempt:
    scores = {**GREEN_SCORES, "mia_auc": Score(0.63, upper=0.7, p_value=0.04, rows=50, detail={"attack:x": 0.6})}
    diagnosis = Diagnosis(
        FailureType.HIGH_MIA, "because", (Action("Raise it", knob="privacy", step=0.25),), (FailureType.HIGH_KS,)
    )
    measurement = Measurement(scores, judge(scores, profile("standard")))
    curve = (CurvePoint(5, 10, 0.9), CurvePoint(10, 10, 0.8, 0.85, 0.79, ks_mean=0.1, note="all steps were taken"))
    return Attempt(1, Plan("cart", {"privacy": 0.5}, 7, "first"), measurement, diagnosis, 1.5, 2.5, curve=curve)


def test_attempts_round_trip_through_json() -> None:
    attempt = sample_attempt()
    assert read_attempt(json.loads(json.dumps(attempt_json(attempt))), profile="standard") == attempt


def test_an_attempt_of_an_older_run_has_no_curve() -> None:
    row = attempt_json(sample_attempt())
    del row["curve"], row["notes"]
    assert read_attempt(json.loads(json.dumps(row)), profile="standard").curve == ()


def test_the_notes_of_an_attempt_are_those_of_its_curve() -> None:
    assert attempt_json(sample_attempt())["notes"] == ["all steps were taken"]


def test_certificates_round_trip_through_json() -> None:
    attempt = sample_attempt()
    assert attempt.measurement is not None
    certificate = Certificate(attempt.measurement, PowerCheck(True, False, "so"), "holdout", 2, 300, 1.25, ("note",))
    assert read_certificate(json.loads(json.dumps(certificate_json(certificate)))) == certificate


def test_nan_becomes_null_and_stays_unmeasured() -> None:
    scores = {**GREEN_SCORES, "ks_mean": Score(math.nan)}
    attempt = Attempt(
        1,
        Plan("gc", {}, 0),
        Measurement(scores, judge(scores, profile("standard"))),
        Diagnosis(FailureType.NONE, ""),
        0,
        0,
    )
    row = attempt_json(attempt)
    assert "NaN" not in json.dumps(row, allow_nan=False)
    assert read_attempt(json.loads(json.dumps(row)), profile="standard").scores["ks_mean"].value is None


def test_a_kept_attempt_is_found_again_and_an_unfinished_one_is_not(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    request = {"profile": "standard", "seed": 0}
    assert folder.open(request, resume=False) == []
    made = folder.work / "attempt-01"
    (made / "model").mkdir(parents=True)
    (made / "synthetic.csv").write_text("a\n1\n")
    folder.keep_attempt(sample_attempt(), made)
    (folder.work / "attempt-02").mkdir()
    found = folder.open(request, resume=True)
    assert [one.number for one in found] == [1]
    assert not (folder.work / "attempt-02").exists()


def test_a_folder_that_holds_another_run_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.open({"profile": "standard", "seed": 0}, resume=False)
    with pytest.raises(BadInput, match="resume"):
        folder.open({"profile": "standard", "seed": 0}, resume=False)
    with pytest.raises(BadInput, match="seed was 0 and is now 1"):
        folder.open({"profile": "standard", "seed": 1}, resume=True)


def test_a_foreign_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        RunFolder(tmp_path).open({"profile": "standard"}, resume=False)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_looks_are_counted_per_data_set_and_once_per_run(tmp_path: Path) -> None:
    looks = [count_look(tmp_path, data_sha256=data, run=run) for data, run in ("aa", "ab", "aa", "ba", "ac")]
    assert looks == [1, 2, 1, 1, 3]
    assert alpha_of(1) > alpha_of(2) > alpha_of(3)
