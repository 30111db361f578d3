"""Small, wide and odd tables end with a verdict; its first sentence says what was reached and what is in the way."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import synth_worker as sw
from benchmarks.sweep_run import check_folder, check_frame, in_this_process
from synth_worker.metrics.base import Score
from synth_worker.report.reached import sentence
from synth_worker.run import Run
from synth_worker.settings import Settings
from tests.cli.made import AMBER, GREEN, RED, SUSPICIOUS, UNMEASURED, run_of
from tests.odd_tables import ODD

HEAVY = {"wide", "many labels", "skewed", "1000 rows", "mostly missing", "near constant"}
CASES = [pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name for name in ODD]


@pytest.mark.parametrize("name", CASES)
def test_an_odd_table_ends_with_a_verdict_that_explains_itself(name: str, tmp_path: Path) -> None:
    make, target = ODD[name]
    frame = make()
    out = tmp_path / "run"
    with in_this_process():
        run = sw.synthesize(
            frame, out=out, target=target, threads=1, time_budget=None, settings=Settings(home=tmp_path / "home")
        )
    wrong: dict[str, str] = {}
    check_folder(out, wrong)
    check_frame(frame, run, wrong)
    assert not wrong
    said = json.loads((out / "run.json").read_text())["statement"]
    assert said == run.statement == sentence(run)
    assert f"attempt {run.best_number} ({run.best.plan.method})" in said
    assert said.startswith("The table of attempt" if run.verdict == "green" else "Green was not attainable in")
    for page in ("report.html", "report.internal.html"):
        text = html.unescape((out / page).read_text())
        assert said in re.sub(r"<[^>]+>", "", text)
        assert len(text) < 1_000_000


FEW = {**GREEN, "mia_auc": Score.unmeasured("6 members and 6 non-members; at least 10 of each are needed")}
DULL = {**GREEN, "ks_mean": Score(0.3, upper=0.32, p_value=1e-6, floor=0.02, rows=300)}
SMALL = {**GREEN, "ks_mean": Score(0.3, upper=0.32, p_value=1e-6, floor=0.2, rows=20)}
BOTH = {**DULL, "mia_auc": RED["mia_auc"]}


@pytest.mark.parametrize(
    ("scores", "why", "what"),
    [
        (AMBER, "too few rows to exclude a figure over the limit (“Membership inference”)", "held-out records would"),
        (
            RED,
            "gives away too much about rows that were learnt (“Membership inference” 0.930, limit 0.600)",
            "end alike",
        ),
        (DULL, "not enough like the real one (“Single numbers and dates” 0.300, limit 0.100)", "another method"),
        (
            SMALL,
            "even fresh real rows would be over the limit (“Single numbers and dates”: they score 0.200",
            "Add rows",
        ),
        (
            BOTH,
            "that were learnt (“Membership inference” 0.930, limit 0.600); and the synthetic table is not",
            "rare labels merged",
        ),
        (FEW, "too few rows to measure a gate at all (“Membership inference”)", "Add rows"),
        (UNMEASURED, "a gate could not be measured (“Membership inference”)", "column that is named there"),
        (SUSPICIOUS, "looks too good to be true", "before anything is released"),
    ],
)
def test_the_sentence_names_what_stands_in_the_way_and_what_to_do(
    scores: dict[str, Score], why: str, what: str
) -> None:
    said = sentence(run_of(scores))
    assert said.startswith("Green was not attainable in 1 attempt, because ")
    assert why in said
    assert "; the nearest is attempt 1 (gc), with " in said
    assert what in said


def test_a_leak_that_the_search_saw_asks_for_more_attempts() -> None:
    run = run_of(RED)
    assert run.certificate is not None
    seen = replace(run, attempts=[replace(run.best, measurement=run.certificate.measurement)])
    assert "Run again with more attempts, which turn the method more private" in sentence(seen)


def test_the_sentence_of_green_of_nothing_and_of_the_cancelled() -> None:
    green: Run = run_of(GREEN)
    assert sentence(green) == "The table of attempt 1 (gc) passes all 10 gates."
    nothing = replace(run_of(None, kept=False), attempts=green.attempts)
    assert "none of 1 attempt ended with a table" in sentence(nothing)
    assert "--resume" in sentence(run_of(None, stopped="cancelled"))
