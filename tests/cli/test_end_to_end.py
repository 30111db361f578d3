"""Promises of the whole: a run leaves what the documents say, twice the same bytes, and can be stopped and resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.made import COMMAND, environment, gesalp, patients, write_patients
from tests.cli.test_run_schema import check

VERDICTS = {0: "green", 4: "amber", 3: "red"}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Run the command once for all tests that only look at what it left."""
    folder = tmp_path_factory.mktemp("run")
    write_patients(folder)
    return folder, gesalp("run", "patients.csv", "--target", "hypertension", "--json", cwd=folder)


def test_a_run_ends_with_a_verdict_and_a_card_that_the_schema_describes(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, ended = done
    assert ended.returncode in VERDICTS, ended.stderr
    card = json.loads(ended.stdout)
    check(card)
    assert card == json.loads((folder / "patients-synthetic" / "run.json").read_text())
    assert card["verdict"] == VERDICTS[ended.returncode]
    assert card["exit_code"] == ended.returncode
    assert card["stopped"] == "finished"


def test_a_run_leaves_what_the_readme_says_and_no_real_rows(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out = done[0] / "patients-synthetic"
    for name in ("synthetic.csv", "report.html", "report.internal.html", "run.json", "model", "attempts"):
        assert (out / name).exists(), name
    assert not (out / ".work").exists()
    made, real = pd.read_csv(out / "synthetic.csv"), patients()
    assert list(made.columns) == list(real.columns)
    assert list(made.dtypes) == list(pd.read_csv(done[0] / "patients.csv").dtypes)
    assert len(made) == len(real)


def test_progress_is_json_lines_with_gates_as_they_turn(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    lines = [json.loads(line) for line in done[1].stderr.splitlines()]
    assert {"read", "plan", "attempt", "certify", "report"} <= {line["event"] for line in lines}
    assert all(line["attempt"]["rulings"] for line in lines if line["event"] == "attempt")
    assert any("step_left_seconds" in line for line in lines)
    assert any("search_left_seconds" in line for line in lines)


def test_rows_can_be_drawn_from_the_model_with_columns_fixed(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    words = ("sample", "patients-synthetic", "--rows", 20, "--given", "sex=F", "--given", "age=50")
    drawn = gesalp(*words, "--out", "more.csv", cwd=done[0])
    assert drawn.returncode == 0, drawn.stderr
    more = pd.read_csv(done[0] / "more.csv")
    assert set(more["sex"]) == {"F"}
    assert set(more["age"]) == {50}
    assert len(more) == 20
    again = gesalp(*words, cwd=done[0])
    assert again.stdout == (done[0] / "more.csv").read_text()
    assert gesalp(*words, "--out", "more.csv", cwd=done[0]).returncode == 2
    assert gesalp("sample", "patients-synthetic", "--rows", 5, "--given", "sex=X", cwd=done[0]).returncode == 2
    assert gesalp("sample", "patients-synthetic", "--rows", 5, "--given", "age=old", cwd=done[0]).returncode == 2


def test_a_folder_with_a_run_is_refused_without_resume(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    again = gesalp("run", "patients.csv", "--target", "hypertension", cwd=done[0])
    assert again.returncode == 2
    assert "--resume" in again.stderr


def test_resuming_a_complete_run_changes_nothing(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out = done[0] / "patients-synthetic"
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    again = gesalp("run", "patients.csv", "--target", "hypertension", "--resume", cwd=done[0])
    assert again.returncode == done[1].returncode, again.stderr
    assert "already finished" in again.stderr
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    printed = gesalp("run", "patients.csv", "--target", "hypertension", "--resume", "--json", cwd=done[0])
    assert json.loads(printed.stdout) == json.loads((out / "run.json").read_text())


def test_same_seed_same_bytes_whatever_the_threads(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    words = ("run", "patients.csv", "--target", "hypertension", "--threads", 1, "--out", "again", "--quiet")
    again = gesalp(*words, cwd=done[0])
    assert again.returncode in VERDICTS, again.stderr
    out, other = done[0] / "patients-synthetic", done[0] / "again"
    assert (other / "synthetic.csv").read_bytes() == (out / "synthetic.csv").read_bytes()
    first, second = (json.loads((one / "run.json").read_text()) for one in (out, other))
    assert [one["scores"] for one in first["attempts"]] == [one["scores"] for one in second["attempts"]]
    assert second["certificate"]["look"] == 1  # the same question again, the same answer: nothing is learnt by it


def test_another_seed_gives_other_rows_of_the_same_split(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    words = ("run", "patients.csv", "--target", "hypertension", "--seed", 1, "--method", "gc", "--attempts", 1)
    other = gesalp(*words, "--out", "seeded", cwd=done[0])
    assert other.returncode in VERDICTS, other.stderr
    out = done[0] / "patients-synthetic"
    assert (done[0] / "seeded" / "synthetic.csv").read_bytes() != (out / "synthetic.csv").read_bytes()
    cards = [json.loads((one / "run.json").read_text()) for one in (out, done[0] / "seeded")]
    assert cards[0]["split"] == cards[1]["split"]
    assert cards[1]["certificate"]["look"] == 2


def test_evaluate_prints_a_certificate_that_the_schema_describes(tmp_path: Path) -> None:
    for place, name in enumerate(("a.csv", "b.csv", "c.csv")):
        write_patients(tmp_path, name=name, seed=place)
    words = ("--train", "a.csv", "--holdout", "b.csv", "--synthetic", "c.csv", "--target", "hypertension")
    ended = gesalp("evaluate", *words, "--json", cwd=tmp_path)
    assert ended.returncode in (0, 4), ended.stderr
    card = json.loads(ended.stdout)
    check(card, "certificate")
    assert card["mode"] == "given"
    copied = gesalp("evaluate", "--train", "a.csv", "--holdout", "b.csv", "--synthetic", "a.csv", cwd=tmp_path)
    assert copied.returncode == 3
    assert "mia_auc" in copied.stdout
    same = gesalp("evaluate", "--train", "a.csv", "--holdout", "a.csv", "--synthetic", "c.csv", cwd=tmp_path)
    assert same.returncode == 2
    assert "400 of 400 holdout rows also stand in train" in same.stderr


def test_a_balanced_table_has_exact_shares_and_a_verdict_on_the_terminal(tmp_path: Path) -> None:
    write_patients(tmp_path)
    words = ("run", "patients.csv", "--method", "gc", "--attempts", 1, "--out", "out")
    ended = gesalp(*words, "--balance", "hypertension=yes:0.75,no:0.25", cwd=tmp_path)
    assert ended.returncode in VERDICTS, ended.stderr
    made = pd.read_csv(tmp_path / "out" / "synthetic.balanced.csv")
    assert made["hypertension"].value_counts().to_dict() == {"yes": 300, "no": 100}
    assert "for the balanced table, hypertension at yes: 300 rows, no: 100 rows" in ended.stdout
    assert "ks_mean [hypertension=yes]" in ended.stdout
    card = json.loads((tmp_path / "out" / "run.json").read_text())
    check(card)
    worse = max(card["exit_code"], card["balance"]["certificate"]["exit_code"], key=[0, 4, 3].index)
    assert ended.returncode == card["exit_code"] == worse
    refused = gesalp(*words[:-1], "other", "--balance", "hypertension=perhaps:0.5", cwd=tmp_path)
    assert refused.returncode == 2
    assert "perhaps" in refused.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["fit", "measure", "certify"])
def test_ctrl_c_keeps_the_best_within_five_seconds_and_resume_completes(stage: str, tmp_path: Path) -> None:
    write_patients(tmp_path, 3000)
    words = ["run", "patients.csv", "--target", "hypertension", "--json"]
    child = subprocess.Popen(
        [*COMMAND, *words],
        cwd=tmp_path,
        env=environment(tmp_path / "home"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    attempts = 0
    for line in child.stderr:
        event = json.loads(line)
        attempts += event["event"] == "attempt"
        if event["event"] == stage and (attempts or stage != "certify"):
            break
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    took = time.monotonic() - began
    assert took < 5, f"{took:.1f} s"
    assert child.returncode == 130, err
    card = json.loads(out)
    check(card)
    assert card["stopped"] == "cancelled"
    folder = tmp_path / "patients-synthetic"
    assert not (folder / ".work").exists()
    if attempts:
        assert (folder / "synthetic.csv").exists()
    resumed = gesalp(*words, "--resume", cwd=tmp_path)
    assert resumed.returncode in VERDICTS, resumed.stderr
    assert json.loads(resumed.stdout)["stopped"] == "finished"
    kept = json.loads(resumed.stdout)["attempts"][:attempts]
    assert kept == card["attempts"]
