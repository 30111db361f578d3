"""Promises to who errs: one sentence and what to do, exit code 2, no traceback, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.made import gesalp, write_patients

FILES = {
    "absent.csv": None,
    "empty.csv": "",
    "header.csv": "age,sex\n",
    "few.csv": "age,sex\n" + "".join(f"{one},F\n" for one in range(10)),
    "ragged.csv": "age,sex\n" + "40,F\n" * 40 + "41,F,9,9\n" + "40,M\n" * 40,
    "broken.parquet": "this is no parquet",
    "broken.xlsx": "this is no workbook",
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_files_that_are_no_table(name: str, tmp_path: Path) -> None:
    content = FILES[name]
    if content is not None:
        (tmp_path / name).write_text(content)
    done = gesalp("run", name, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "gesalp: " in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.glob("*-synthetic/synthetic*"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--method", "magic"], ["method 'magic'", "auto", "cart", "gc"]),
        (["--profile", "lax"], ["profile 'lax'", "standard", "clinical_strict"]),
        (["--prefer", "fame"], ["--prefer", "fame", "privacy", "balanced", "utility"]),
        (["--text", "keep"], ["--text", "keep", "drop", "fake"]),
        (["--target", "nothing"], ["nothing", "hypertension"]),
        (["--group-key", "nobody"], ["nobody", "age, sex, ward, pressure, glucose, admitted, hypertension"]),
        (["--group-key", "ward"], ["ward", "--rows independent"]),
        (["--time-budget", "soon"], ["--time-budget", "soon", "90s"]),
        (["--seed", "-1"], ["--seed", "-1"]),
        (["--seed", "1.5"], ["--seed", "1.5"]),
        (["--attempts", "0"], ["--attempts", "0", "1"]),
        (["--threads", "none"], ["--threads", "none"]),
        (["--rows", "lots"], ["--rows", "lots", "independent"]),
        (["--schema", "absent.json"], ["absent.json cannot be read: no such file", "gesalp schema"]),
        (["--resume"], ["no run in", "patients-synthetic", "without --resume"]),
        (["--nonsense"], ["--nonsense"]),
    ],
)
def test_options_that_cannot_be_meant(words: list[str], named: list[str], tmp_path: Path) -> None:
    write_patients(tmp_path, 60)
    done = gesalp("run", "patients.csv", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for name in named:
        assert name in done.stderr
    assert "results go to" not in done.stderr
    assert not (tmp_path / "patients-synthetic").exists()


def test_a_refusal_in_json_is_a_line_of_json(tmp_path: Path) -> None:
    done = gesalp("run", "absent.csv", "--json", cwd=tmp_path)
    assert done.returncode == 2
    line = json.loads(done.stderr.splitlines()[-1])
    assert (line["event"], line["exit_code"]) == ("error", 2)
    assert "absent.csv" in line["message"]


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    write_patients(tmp_path, 60)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    done = gesalp("run", "patients.csv", "--out", "thesis", cwd=tmp_path)
    assert done.returncode == 2
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


def test_evaluate_needs_all_three_tables_and_the_same_columns(tmp_path: Path) -> None:
    write_patients(tmp_path, 60)
    assert gesalp("evaluate", "--train", "patients.csv", cwd=tmp_path).returncode == 2
    (tmp_path / "other.csv").write_text("age,height\n" + "40,170\n41,171\n" * 30)
    words = ("--train", "patients.csv", "--holdout", "patients.csv", "--synthetic", "other.csv")
    done = gesalp("evaluate", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "lacks the column" in done.stderr
    counted = gesalp("evaluate", *words, "--rows", "9", cwd=tmp_path)
    assert counted.returncode == 2
    assert "independent" in counted.stderr


def test_sample_refuses_what_is_no_model(tmp_path: Path) -> None:
    write_patients(tmp_path, 60)
    (tmp_path / "empty").mkdir()
    for name, why in (("nowhere", "does not exist"), ("patients.csv", "is a file"), ("empty", "no run and no model")):
        done = gesalp("sample", name, "--rows", "5", cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert f"{name} {why}" in done.stderr or (f"{name} holds {why}" in done.stderr)
        assert "the folder" in done.stderr


def test_schema_writes_json_that_run_takes_back_and_notes_beside(tmp_path: Path) -> None:
    write_patients(tmp_path, 60)
    done = gesalp("schema", "patients.csv", cwd=tmp_path)
    assert done.returncode == 0
    kinds = {column["name"]: column["kind"] for column in json.loads(done.stdout)["columns"]}
    assert kinds["age"] == "numeric"
    assert kinds["ward"] == "categorical"
    assert kinds["admitted"] == "datetime"
    assert "note" in done.stderr
