"""Promises after ``kill -9``: what was finished is there whole, and the resumed run ends as an uninterrupted one."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli.made import COMMAND, environment, gesalp, write_patients

POINTS = 6
WORDS = ("run", "patients.csv", "--target", "hypertension", "--quiet")


def kill_after(seconds: float, *, cwd: Path) -> bool:
    """Start the run, kill it after some seconds; tell whether it was still running."""
    child = subprocess.Popen(
        [*COMMAND, *WORDS],
        cwd=cwd,
        env=environment(cwd / "home"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return True
    return False


def whole_attempts(out: Path) -> int:
    """Check that every attempt that has its name is whole; return how many there are."""
    found = sorted((out / "attempts").glob("[0-9]*"))
    for folder in found:
        json.loads((folder / "attempt.json").read_text())
        assert (folder / "synthetic.csv").stat().st_size > 0
        assert any((folder / "model").iterdir())
    return len(found)


def check_point(share: float, *, whole: Path, seconds: float, cwd: Path) -> dict[str, object]:
    """Kill a run after ``share`` of its time, resume it, and compare with the uninterrupted one."""
    write_patients(cwd)
    killed = kill_after(share * seconds, cwd=cwd)
    out = cwd / "patients-synthetic"
    kept = whole_attempts(out)
    begun = (out / "request.json").exists()  # killed before that, there is nothing to resume
    resumed = gesalp(*WORDS, *(["--resume"] if begun else []), cwd=cwd)
    assert resumed.returncode in (0, 3, 4), resumed.stderr
    assert not (out / ".work").exists()
    assert (out / "synthetic.csv").read_bytes() == (whole / "synthetic.csv").read_bytes()
    cards = [json.loads((one / "run.json").read_text()) for one in (whole, out)]
    for card in cards:
        for attempt in card["attempts"]:
            del attempt["seconds"], attempt["cpu_seconds"]
        del card["certificate"]["seconds"]
    assert cards[0]["attempts"] == cards[1]["attempts"]
    assert cards[0]["certificate"] == cards[1]["certificate"]
    return {"share": round(share, 3), "killed": killed, "attempts_kept": kept, "exit_code": resumed.returncode}


def uninterrupted(cwd: Path) -> tuple[Path, float]:
    """Run once to the end; return the folder and the seconds it took."""
    write_patients(cwd)
    began = time.monotonic()
    ended = gesalp(*WORDS, cwd=cwd)
    assert ended.returncode in (0, 3, 4), ended.stderr
    return cwd / "patients-synthetic", time.monotonic() - began


@pytest.mark.slow
def test_a_killed_run_is_resumed_to_the_same_end(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole, seconds = uninterrupted(tmp_path / "whole")
    for place, share in enumerate(np.random.default_rng(9).uniform(0.1, 1.0, POINTS)):
        folder = tmp_path / f"point-{place}"
        folder.mkdir()
        check_point(float(share), whole=whole, seconds=seconds, cwd=folder)
