"""Other programs are handed the same rows, read back in their favour, and run once."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import peer_driver, peers, peers_page
from benchmarks.peer_exchange import ABSENT, emptied, filled, hand_over, plain, read_drawn
from benchmarks.peer_homes import PEERS, PINS, Unavailable, environment
from benchmarks.peers import Failed, Job, drive, jobs, on_record, run_ours, run_peer
from benchmarks.rows import read
from synth_worker.reading import read_table
from synth_worker.table import Table


@pytest.fixture(scope="module")
def train() -> Table:
    rng = np.random.default_rng(3)
    rows = 120
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 90, rows),
            "crp": np.where(rng.random(rows) < 0.2, np.nan, np.round(rng.gamma(2, 3, rows), 1)),
            "ward": np.where(rng.random(rows) < 0.1, None, rng.choice(["eye", "lung", "007"], rows)),
            "dead": rng.choice(["0", "1"], rows),
        }
    )
    return read_table(frame).modelled().narrowed()


def written(folder: Path, frame: pd.DataFrame) -> Path:
    path = folder / "synthetic.csv"
    frame.to_csv(path, index=False)
    return path


def test_what_is_handed_over_comes_back_as_it_was(train: Table, tmp_path: Path) -> None:
    back = read_drawn(written(tmp_path, plain(train)), train.schema)
    assert back.wrong_dtype == 0
    pd.testing.assert_frame_equal(back.table.frame, train.frame, check_categorical=False)


def test_filling_leaves_nothing_empty_and_is_undone(train: Table, tmp_path: Path) -> None:
    full = filled(plain(train), train.schema)
    assert not full.isna().to_numpy().any()
    assert set(full["ward"]) == {"eye", "lung", "007", ABSENT}
    back = read_drawn(written(tmp_path, full), train.schema)
    assert back.table.schema.names == train.schema.names
    for name in train.schema.names:
        np.testing.assert_array_equal(back.table.missing(name), train.missing(name))


def test_a_label_called_absent_is_no_missing_one(tmp_path: Path) -> None:
    frame = pd.DataFrame({"at work": ["absent", "ill", "absent", "here"] * 10, "x": np.arange(40) / 7})
    table = read_table(frame).modelled()
    texts = plain(table).astype(str)
    assert (emptied(texts, table.schema)["at work"] == "absent").sum() == 20


def test_numbers_are_rounded_but_not_clipped_and_broken_columns_are_counted(train: Table, tmp_path: Path) -> None:
    frame = plain(train)
    frame["age"] = frame["age"] + 0.3
    frame.loc[0, "age"] = 400.4
    frame["crp"] = frame["crp"] + 0.01234
    frame.loc[1, "crp"] = -3.0
    frame.loc[2, "ward"] = "_RARE_"
    back = read_drawn(written(tmp_path, frame), train.schema)
    assert back.wrong_dtype == 2
    ages, levels = back.table.numbers("age"), back.table.numbers("crp")
    np.testing.assert_array_equal(ages[1:], train.numbers("age")[1:])
    assert ages[0] == 400
    assert levels[1] == -3
    np.testing.assert_allclose(levels[2:], train.numbers("crp")[2:])
    assert "_RARE_" in back.table.schema["ward"].categories


def test_words_and_infinite_numbers_become_missing(train: Table, tmp_path: Path) -> None:
    frame = plain(train).astype({"age": object})
    frame.loc[:2, "age"] = ["inf", "old", ""]
    back = read_drawn(written(tmp_path, frame), train.schema)
    assert back.table.missing("age").tolist() == [True] * 3 + [False] * 117
    assert back.wrong_dtype == 1


def test_the_driver_fits_draws_and_says_how_long_it_took(train: Table, tmp_path: Path) -> None:
    hand_over(train, tmp_path, program="bootstrap", seed=5, rows=30, takes_missing=True)
    timings = drive(Path(sys.executable), tmp_path)
    assert set(timings) == {"fit_cpu_seconds", "draw_cpu_seconds", "seconds", "version"}
    drawn = read_drawn(tmp_path / "synthetic.csv", train.schema)
    assert drawn.table.rows == 30
    assert drawn.wrong_dtype == 0
    real = {tuple(row) for row in plain(train).astype(str).to_numpy()}
    assert {tuple(row) for row in plain(drawn.table).astype(str).to_numpy()} <= real


def test_a_program_that_refuses_missing_values_gets_none(train: Table, tmp_path: Path) -> None:
    done = hand_over(train, tmp_path, program="bootstrap", seed=5, rows=30, takes_missing=False)
    labels = json.loads((tmp_path / "job.json").read_text())["labels"]
    assert labels == ["ward", "dead", "crp is absent"]
    assert not peer_driver.read_train(tmp_path / "train.csv", labels).isna().to_numpy().any()
    assert "median" in done
    assert hand_over(train, tmp_path, program="bootstrap", seed=5, rows=30, takes_missing=True) == ""


def test_a_program_that_fails_is_reported_by_its_last_words(train: Table, tmp_path: Path) -> None:
    hand_over(train, tmp_path, program="bootstrap", seed=5, rows=30, takes_missing=True)
    (tmp_path / "train.csv").unlink()
    with pytest.raises(Failed, match="FileNotFoundError"):
        drive(Path(sys.executable), tmp_path)


def test_the_driver_refuses_more_than_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with pytest.raises(SystemExit, match="OMP_NUM_THREADS"):
        peer_driver.main()


def test_the_driver_imports_nothing_of_ours() -> None:
    tree = ast.parse(peers.DRIVER.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not any(name.startswith(("synth_worker", "benchmarks")) for name in imported)


def test_every_program_has_a_driver_and_pinned_packages() -> None:
    for peer in PEERS.values():
        assert peer.program in peer_driver.PROGRAMS
        assert all("==" in one for one in PINS[peer.environment])


def test_an_environment_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "arfpy"
    folder.mkdir()
    (folder / "installed.txt").write_text("\n".join(PINS["arfpy"]))
    assert environment("arfpy", home=tmp_path) == folder / "bin" / "python"


def test_an_environment_that_cannot_be_made_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(Unavailable, match="arfpy"):
        environment("arfpy", home=tmp_path)


def test_what_is_on_record_is_not_run_again_but_what_failed_is() -> None:
    done = {"peer": "arf", "table": "heart", "seed": 0, "rows": 212}
    broke = {"peer": "tvae", "table": "heart", "seed": 0, "rows": 212, "failed": "out of memory"}
    held = on_record([done, broke])
    todo = jobs(["arf", "tvae"], ["heart"], [0, 1], most_rows=None, held=held)
    assert todo == [Job("tvae", "heart", 0, 212), Job("arf", "heart", 1, 212), Job("tvae", "heart", 1, 212)]
    # A trial of fewer rows is another job, and learns from no more rows than there are.
    assert jobs(["arf"], ["heart"], [0], most_rows=100, held=held) == [Job("arf", "heart", 0, 100)]
    assert jobs(["arf"], ["heart"], [0], most_rows=1000, held=held) == []


def test_a_copying_program_and_ours_end_as_tables_of_the_same_form(train: Table) -> None:
    copied = run_peer(train, program="bootstrap", python=Path(sys.executable), seed=0, takes_missing=False)
    own = run_ours(train, point="gc", seed=0)
    assert copied.synthetic.rows == own.synthetic.rows == train.rows
    assert copied.synthetic.schema.names == own.synthetic.schema.names
    assert copied.notes["missing"]
    assert set(own.notes) <= set(copied.notes)


def test_the_page_says_what_the_records_say() -> None:
    rows = read("peers")
    if rows:
        assert peers_page.DOCUMENT.read_text(encoding="utf-8") == peers_page.document(rows)


def test_the_page_shows_the_newest_row_of_all_training_rows_and_failures() -> None:
    base = {"peer": "arf", "table": "heart", "seed": 0, "commit": "abc"}
    rows = [
        {**base, "rows": 212, "failed": "first"},
        {**base, "rows": 100, "failed": "a trial"},
        {**base, "rows": 212, "failed": "second"},
    ]
    page = peers_page.document(rows)
    assert "failed: second" in page
    assert "first" not in page
    assert "a trial" not in page


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ({"c2st": 0.55, "distance": 0.50, "density": 0.52}, "random forest (ARF) on heart"),
        ({"c2st": 0.55, "distance": 0.50, "density": 0.56}, "none"),
        ({"c2st": 0.65, "distance": 0.50, "density": 0.52}, "none"),
        # A C2ST far below a half is as far from real rows as one above.
        ({"c2st": 0.35, "distance": 0.50, "density": 0.52}, "none"),
    ],
)
def test_a_program_that_is_no_worse_on_both_axes_is_named(theirs: dict[str, float], said: str) -> None:
    base = {"table": "heart", "seed": 0, "rows": 212}
    own = {**base, "peer": "cart-0.5", "c2st": 0.6, "distance": 0.53, "density": 0.51}
    assert f"attack: {said}." in peers_page.summary([own, {**base, "peer": "arf", **theirs}])
