"""Promises of the main job: a frame goes in, a frame of the same form comes out, with a verdict that was earned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import synth_worker as sw
from synth_worker import synthesis
from synth_worker.errors import BadInput, UnknownName
from synth_worker.run import Options, Run
from synth_worker.settings import Settings


def patients(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 95, rows)
    sex = rng.choice(["f", "m"], rows)
    pressure = np.round(90 + 0.6 * age + rng.normal(0, 12, rows), 1)
    smoker = rng.random(rows) < 0.3 - 0.002 * age
    frame = pd.DataFrame(
        {
            "patient_id": [f"P{one:06d}" for one in rng.permutation(rows)],
            "age": age,
            "sex": sex,
            "pressure": pressure,
            "smoker": smoker,
            "visits": rng.poisson(np.where(smoker, 4, 1)),
            "site": "north",
            "seen": pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), unit="D"),
        }
    )
    frame.loc[rng.random(rows) < 0.1, "pressure"] = np.nan
    return frame


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("small")
    return sw.synthesize(
        patients(300), out=folder / "run", seed=1, settings=Settings(home=folder / "home"), target="smoker"
    )


def test_the_frame_that_comes_out_has_the_form_of_the_one_that_went_in(small: Run) -> None:
    real, made = patients(300), small.best.synthetic
    assert made is not None
    assert list(made.columns) == list(real.columns)
    assert made.dtypes.astype(str).to_dict() == real.dtypes.astype(str).to_dict()
    assert len(made) == 300
    assert not set(made["patient_id"]) & set(real["patient_id"])
    assert set(made["site"]) == {"north"}


def test_a_small_table_is_cross_fitted_and_never_red(small: Run) -> None:
    assert small.certificate is not None
    assert small.certificate.mode == "cross-fit"
    assert small.verdict in ("green", "amber")
    if small.verdict == "amber":
        assert any(one.rows_needed for one in small.verdict.failures)


def test_the_folder_holds_what_was_promised(small: Run) -> None:
    assert small.folder is not None
    names = {one.name for one in small.folder.iterdir()}
    assert {"synthetic.csv", "report.html", "report.internal.html", "run.json", "model", "attempts"} <= names
    assert ".work" not in names
    card = json.loads((small.folder / "run.json").read_text())
    assert card["verdict"] == str(small.verdict)
    assert card["exit_code"] == small.verdict.exit_code
    kept = small.folder / "attempts" / f"{card['best']:02d}" / "synthetic.csv"
    assert kept.read_bytes() == (small.folder / "synthetic.csv").read_bytes()


@pytest.mark.slow
def test_same_seed_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    tables: list[bytes] = []
    rulings: list[object] = []
    for number, threads in enumerate((1, 2, 2)):
        run = sw.synthesize(
            patients(2_400),
            out=tmp_path / str(number),
            seed=3,
            threads=threads,
            settings=Settings(home=tmp_path / "home"),
        )
        tables.append((tmp_path / str(number) / "synthetic.csv").read_bytes())
        rulings.append(json.loads((tmp_path / str(number) / "run.json").read_text())["certificate"]["rulings"])
        assert run.certificate is not None
        assert run.certificate.look == 1  # the identical run again is not a further look
    assert tables[0] == tables[1] == tables[2]
    assert rulings[0] == rulings[1] == rulings[2]


def test_a_cancelled_run_keeps_what_it_has_and_can_be_resumed(tmp_path: Path) -> None:
    ended: list[object] = []

    def event(message: Mapping[str, object]) -> None:
        if message["event"] == "attempt":
            ended.append(message)

    own = Settings(home=tmp_path / "home")
    run = sw.synthesize(
        patients(300), out=tmp_path / "run", settings=own, event=event, cancelled=lambda: len(ended) == 1
    )
    assert run.stopped == "cancelled"
    assert run.certificate is None
    assert run.verdict == "red"
    assert run.exit_code == 130
    assert [one.number for one in run.attempts] == [1]
    assert (tmp_path / "run" / "synthetic.csv").exists()
    again = sw.synthesize(patients(300), out=tmp_path / "run", settings=own, resume=True)
    assert again.stopped == "finished"
    assert again.certificate is not None
    fresh = sw.synthesize(patients(300), out=tmp_path / "other", settings=own)
    assert fresh.best.synthetic is not None
    pd.testing.assert_frame_equal(fresh.best.synthetic, again.best.synthetic)


def test_there_is_nothing_to_resume_where_no_run_began(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run in"):
        sw.synthesize(patients(60), out=tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_without_a_folder_nothing_is_left_and_a_budget_that_was_overrun_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "CERTIFICATE_SHARE", -600.0)  # the search gets ten minutes of one second
    own = Settings(home=tmp_path / "home")
    run = sw.synthesize(patients(200), method="gc", attempts=1, settings=own, rows=50, time_budget=1)
    assert any("longer than its time budget of 1 s" in note for note in run.notes)
    assert run.folder is None
    assert run.best.synthetic is not None
    assert len(run.best.synthetic) == 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(method="magic"), "magic"),
        (Options(profile="lax"), "lax"),
        (Options(prefer="speed"), "speed"),
        (Options(attempts=0), "attempts is 0"),
        (Options(target="nothing"), "nothing"),
        (Options(rows=1), "rows is 1"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: Options, message: str, tmp_path: Path) -> None:
    with pytest.raises((BadInput, UnknownName), match=message):
        sw.synthesize(patients(100), options=options, out=tmp_path / "run")


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at least 30"):
        sw.synthesize(patients(12), out=tmp_path / "run")
