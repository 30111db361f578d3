"""Promises of the command line: the exit code tells the verdict, and every ending has a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from synth_worker.commands.evaluate import evaluate_files
from synth_worker.commands.exits import BAD_INPUT, BUG, CANCELLED
from synth_worker.commands.run import default_out, run_table
from synth_worker.errors import BadInput
from synth_worker.metrics.base import Score
from synth_worker.run import Options, Run
from tests.cli.made import AMBER, GREEN, RED, SUSPICIOUS, UNMEASURED, certificate_of, run_of, verb_of

TABLE = Path("patients.csv")
ENDINGS = [(GREEN, 0), (AMBER, 4), (RED, 3), (SUSPICIOUS, 3), (UNMEASURED, 3)]


@pytest.mark.parametrize(("scores", "code"), ENDINGS)
def test_run_ends_with_the_verdict(
    scores: dict[str, Score], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def events(tell: Callable[..., None]) -> None:
        tell({"event": "begin", "folder": str(tmp_path)})

    assert run_table(TABLE, Options(), out=tmp_path, verb=verb_of(run_of(scores), events=events)) == code
    shown = capsys.readouterr()
    assert shown.out.startswith({0: "green", 4: "amber", 3: "red"}[code])
    assert "mia_auc" in shown.out
    assert "next: " in shown.out
    assert f"results go to {tmp_path}" in shown.err


@pytest.mark.parametrize(("scores", "code"), ENDINGS)
def test_evaluate_ends_with_the_verdict(
    scores: dict[str, Score], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def verb(**_asked: object) -> object:
        return certificate_of(scores, mode="given")

    assert evaluate_files(train=TABLE, holdout=TABLE, synthetic=TABLE, verb=verb) == code  # type: ignore[arg-type]
    assert "600 held-out real rows that you gave" in capsys.readouterr().out


def test_a_cancelled_run_ends_with_130_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(None, folder=tmp_path, stopped="cancelled")
    assert run_table(TABLE, Options(), out=tmp_path, verb=verb_of(run)) == CANCELLED
    out = capsys.readouterr().out
    assert "attempt 1, is kept" in out
    assert "--resume" in out


def test_a_run_in_which_every_fit_failed_is_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of(None, stopped="every fit failed", kept=False)
    assert run_table(TABLE, Options(), out=tmp_path, verb=verb_of(run)) == 3
    assert "no synthetic table was made" in capsys.readouterr().out


def test_bad_input_is_a_sentence_and_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def verb(_source: object, **_asked: object) -> Run:
        raise BadInput("the table has 3 rows", hint="give more")

    with pytest.raises(typer.Exit) as ended:
        run_table(TABLE, Options(), out=tmp_path, verb=verb)
    assert ended.value.exit_code == BAD_INPUT
    shown = capsys.readouterr()
    assert "the table has 3 rows" in shown.err
    assert "give more" in shown.err
    assert "Traceback" not in shown.err


def test_a_bug_is_logged_in_the_folder_and_called_a_bug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def verb(_source: object, **_asked: object) -> Run:
        raise ZeroDivisionError("oh")

    with pytest.raises(typer.Exit) as ended:
        run_table(TABLE, Options(), out=tmp_path, verb=verb)
    assert ended.value.exit_code == BUG
    shown = capsys.readouterr().err
    assert "bug" in shown
    assert "Traceback" not in shown
    assert "ZeroDivisionError: oh" in (tmp_path / "error.log").read_text()


def test_debug_shows_the_traceback_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def verb(_source: object, **_asked: object) -> Run:
        raise ZeroDivisionError("oh")

    with pytest.raises(typer.Exit):
        run_table(TABLE, Options(), out=tmp_path, verb=verb, debug=True)
    assert "Traceback" in capsys.readouterr().err
    assert not (tmp_path / "error.log").exists()


def test_a_full_disk_is_no_bug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def verb(_source: object, **_asked: object) -> Run:
        raise OSError(28, "No space left on device")

    with pytest.raises(typer.Exit) as ended:
        run_table(TABLE, Options(), out=tmp_path, verb=verb)
    assert ended.value.exit_code == BAD_INPUT
    assert "No space left on device" in capsys.readouterr().err


def test_real_rows_do_not_stay_behind_when_a_run_breaks(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text("{}")
    (tmp_path / ".work").mkdir()

    def verb(_source: object, **_asked: object) -> Run:
        raise ZeroDivisionError("oh")

    with pytest.raises(typer.Exit):
        run_table(TABLE, Options(), out=tmp_path, verb=verb)
    assert not (tmp_path / ".work").exists()


def test_json_puts_one_document_on_stdout_and_events_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(GREEN)

    def events(tell: object) -> None:
        assert callable(tell)
        tell({"event": "plan", "number": 1, "of": 3, "method": "gc", "why": "first"})
        tell({"event": "fit", "number": 1, "done": 1, "total": 2, "loss": float("nan")})
        tell({"event": "attempt", "attempt": run.attempts[0]})

    assert run_table(TABLE, Options(), out=tmp_path, as_json=True, verb=verb_of(run, events=events)) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["verdict"] == "green"
    lines = [json.loads(line) for line in shown.err.splitlines()]
    assert [line["event"] for line in lines] == ["plan", "fit", "attempt"]
    assert lines[1]["loss"] is None
    assert lines[2]["attempt"]["method"] == "gc"
    assert all(line["seconds"] >= 0 for line in lines)


def test_quiet_shows_the_verdict_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_table(TABLE, Options(), out=tmp_path, quiet=True, verb=verb_of(run_of(GREEN))) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert len(shown.out.splitlines()) == 1
    (tmp_path / "run.json").write_text("{}")
    assert run_table(TABLE, Options(), out=tmp_path, quiet=True, verb=verb_of(run_of(RED, folder=tmp_path))) == 3
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1
    assert "mia_auc red" in shown.out
    assert str(tmp_path) in shown.out

    def verb(**_asked: object) -> object:
        return certificate_of(AMBER, mode="given")

    evaluate_files(train=TABLE, holdout=TABLE, synthetic=TABLE, quiet=True, verb=verb)  # type: ignore[arg-type]
    assert capsys.readouterr().out == "amber under profile standard: mia_auc amber\n"


def test_amber_says_how_many_rows_there_are_and_how_large_a_table_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_table(TABLE, Options(), out=tmp_path, verb=verb_of(run_of(AMBER)))
    out = capsys.readouterr().out
    assert "held-out records would decide (now 300), as in a table of about 6,800 rows" in out


def test_advice_that_cannot_help_is_not_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    over = {**GREEN, "mia_auc": Score(0.61, upper=0.7, p_value=0.02, rows=300, floor=0.5)}
    run = run_of(over)  # one green attempt of gc, and nothing to make it better
    good = {**GREEN, "c2st_auc": Score(0.5)}
    measured = replace(run.attempts[0].measurement, scores=good)  # type: ignore[type-var]
    settled = replace(run, attempts=[replace(run.attempts[0], measurement=measured)])
    run_table(TABLE, Options(), out=tmp_path, verb=verb_of(settled))
    assert "more --attempts or time would change nothing" in capsys.readouterr().out
    run_table(TABLE, Options(), out=tmp_path, verb=verb_of(replace(run, options=Options(attempts=1))))
    assert "or try more --attempts" in capsys.readouterr().out
    run_table(TABLE, Options(), out=tmp_path, verb=verb_of(run))
    assert "longer --time-budget" in capsys.readouterr().out


def test_results_go_beside_where_one_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_out(Path("/data/heart.csv")) == tmp_path / "heart-synthetic"


def test_no_sentence_speaks_of_compliance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_table(TABLE, Options(), out=tmp_path, verb=verb_of(run_of(GREEN)))
    assert "complian" not in capsys.readouterr().out.lower()
