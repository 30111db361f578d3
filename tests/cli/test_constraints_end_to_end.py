"""Promises of constraints on the command line: suggested, stated, kept in the file and in samples, and counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synth_worker.writing import to_frame
from tests.cli.made import gesalp
from tests.constrained import stays

STATED = [
    {"rule": "order", "columns": ["admitted", "treated", "discharged"]},
    {"rule": "sum", "total": "cost", "parts": ["drugs", "staff", "other"]},
    {"rule": "combinations", "columns": ["ward", "floor"]},
    {"rule": "unique", "columns": ["lot"]},
]


def breaks(frame: pd.DataFrame) -> np.ndarray:
    """Return which rows break the stated constraints, as somebody who knows nothing of Gesalp would count."""
    wards = {(f"W{one}", one // 3 + 1) for one in range(8)}
    return (
        (frame["admitted"] > frame["treated"])
        | (frame["treated"] > frame["discharged"])
        | ((frame["drugs"] + frame["staff"] + frame["other"] - frame["cost"]).abs() > 1e-6)
        | np.array([pair not in wards for pair in zip(frame["ward"], frame["floor"], strict=True)])
        | frame["lot"].duplicated()
    ).to_numpy()


def table(rows: int, seed: int) -> pd.DataFrame:
    frame = to_frame(stays(rows, seed, missing=0.0))[["number", "admitted", "treated", "discharged", "drugs", "staff",
                                                      "other", "cost", "ward", "floor", "sex"]]  # fmt: skip
    frame = frame.rename(columns={"number": "lot"})
    return frame.assign(**{name: frame[name].dt.strftime("%Y-%m-%d") for name in ("admitted", "treated", "discharged")})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Suggest, state and run once for all tests."""
    own = tmp_path_factory.mktemp("stays")
    table(300, 1).to_csv(own / "stays.csv", index=False)
    found = gesalp("schema", "stays.csv", cwd=own)
    assert found.returncode == 0, found.stderr
    schema = json.loads(found.stdout)
    (own / "found.json").write_text(found.stdout)
    assert "suggested constraint: cost = drugs + staff + other" in found.stderr
    schema["constraints"] = STATED
    (own / "schema.json").write_text(json.dumps(schema))
    words = ("--schema", "schema.json", "--method", "gc", "--attempts", 1, "--json")
    done = gesalp("run", "stays.csv", *words, cwd=own)
    assert done.returncode in (0, 3, 4), done.stderr
    (own / "card.json").write_text(done.stdout)
    return own


def test_the_schema_file_suggests_and_states_nothing(folder: Path) -> None:
    schema = json.loads((folder / "found.json").read_text())
    assert schema["constraints"] == []
    found = schema["suggested_constraints"]
    assert {"rule", "columns", "note"} <= set(found[0])
    assert next(one for one in found if one["rule"] == "sum")["parts"] == ["drugs", "staff", "other"]
    # The file as it is changes nothing: suggestions are not kept.
    again = gesalp("run", "stays.csv", "--schema", "found.json", "--method", "none", cwd=folder)
    assert "unknown method" in again.stderr


def test_the_delivered_file_keeps_what_is_stated(folder: Path) -> None:
    made = pd.read_csv(folder / "stays-synthetic" / "synthetic.csv")
    assert len(made) == 300
    assert not breaks(made).any()
    card = json.loads((folder / "card.json").read_text())
    score = card["certificate"]["scores"]["broken_constraints"]
    assert score["value"] == 0
    assert "kept in every row, as the schema states: cost = drugs + staff + other" in card["notes"]
    report = (folder / "stays-synthetic" / "report.html").read_text()
    assert "None of 300 synthetic rows breaks a constraint" in report


def test_sampling_the_model_keeps_them_too(folder: Path) -> None:
    words = ("sample", "stays-synthetic", "--rows", 50, "--given", "floor=2", "--given", "admitted=2020-02-01")
    drawn = gesalp(*words, "--out", "more.csv", cwd=folder)
    assert drawn.returncode == 0, drawn.stderr
    more = pd.read_csv(folder / "more.csv")
    assert not breaks(more).any()
    assert set(more["floor"]) == {2}
    assert set(more["admitted"]) == {"2020-02-01"}
    refused = gesalp("sample", "stays-synthetic", "--rows", 5, "--given", "cost=100", cwd=folder)
    assert refused.returncode == 2
    assert "'cost' is computed as drugs + staff + other" in refused.stderr


def test_a_real_table_that_breaks_one_is_refused(folder: Path) -> None:
    frame = table(300, 1)
    frame.loc[[4, 9], "cost"] += 1
    frame.to_csv(folder / "wrong.csv", index=False)
    done = gesalp("run", "wrong.csv", "--schema", "schema.json", cwd=folder)
    assert done.returncode == 2
    assert "'cost = drugs + staff + other' is broken in 2 of 300 rows, first in wrong.csv, line 6" in done.stderr


def test_evaluate_counts_broken_rows_of_anybodys_table(folder: Path) -> None:
    made = table(300, 5)
    made.loc[:29, "cost"] += 1
    made.to_csv(folder / "theirs.csv", index=False)
    table(300, 6).to_csv(folder / "holdout.csv", index=False)
    words = ("--train", "stays.csv", "--holdout", "holdout.csv", "--synthetic", "theirs.csv", "--schema", "schema.json")
    done = gesalp("evaluate", *words, cwd=folder)
    assert "30 of 300 rows break a constraint (cost = drugs + staff + other: 30)" in done.stdout, done.stderr
