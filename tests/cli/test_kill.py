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
WORDS = ("run", "patients.csv", "--target", "hypertension", "--attempts", "2", "--quiet")
"""Two attempts are the methods of seconds; a training is killed in a test of its own."""


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


def kill_in_training(share: float, *, words: tuple[str, ...], cwd: Path) -> float:
    """Start a run, kill it once ``share`` of its training is done; return the share at which that was."""
    child = subprocess.Popen(
        [*COMMAND, *words, "--json"],
        cwd=cwd,
        env=environment(cwd / "home"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    reached = 0.0
    for line in child.stderr:
        event = json.loads(line)
        if event["event"] == "fit" and event.get("what") == "training":
            reached = event["done"] / event["total"]
        if reached >= share:
            break
    child.kill()
    child.wait()
    child.stderr.close()
    return reached


def whole_attempts(out: Path) -> int:
    """Check that every attempt that has its name is whole; return how many there are."""
    found = sorted((out / "attempts").glob("[0-9]*"))
    for folder in found:
        json.loads((folder / "attempt.json").read_text())
        assert (folder / "synthetic.csv").stat().st_size > 0
        assert any((folder / "model").iterdir())
    return len(found)


def without_times(out: Path) -> dict[str, object]:
    """Return what a run card says of the attempts and the certificate, but for how long they took."""
    card = json.loads((out / "run.json").read_text())
    for attempt in card["attempts"]:
        del attempt["seconds"], attempt["cpu_seconds"]
        for point in attempt["curve"]:
            del point["ks_mean"], point["tvd_mean"], point["corr_delta"]  # some are only measured where there is time
    del card["certificate"]["seconds"]
    return {name: card[name] for name in ("attempts", "certificate")}


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
    assert without_times(whole) == without_times(out)
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


@pytest.mark.slow
def test_a_run_killed_in_a_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    words = ("run", "patients.csv", "--method", "arn", "--attempts", "1", "--time-budget", "none")
    outs: list[Path] = []
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        write_patients(tmp_path / name, rows=2_100)
        outs.append(tmp_path / name / "patients-synthetic")
    whole = gesalp(*words, "--quiet", cwd=tmp_path / "whole")
    assert whole.returncode in (0, 3, 4), whole.stderr
    # The held-out loss ends this training at about a third of its steps: this is well in the middle.
    assert 0.2 <= kill_in_training(0.2, words=words, cwd=tmp_path / "killed") < 0.3
    assert list((outs[1] / ".work").glob("checkpoint-01/*.npz"))
    resumed = gesalp(*words, "--json", "--resume", cwd=tmp_path / "killed")
    assert resumed.returncode == whole.returncode, resumed.stderr
    events = [json.loads(line) for line in resumed.stderr.splitlines()]
    assert next(one["done"] for one in events if one.get("what") == "training") > 0, "the training began anew"
    assert not (outs[1] / ".work").exists()
    for file in ("synthetic.csv", "model/model.json"):
        assert (outs[0] / file).read_bytes() == (outs[1] / file).read_bytes()
    assert without_times(outs[0]) == without_times(outs[1])
