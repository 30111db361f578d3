"""Promises of Ctrl-C: a verb that asks stops by itself, one that does not is interrupted, the second leaves at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

START = """
import sys, time, typer
from pathlib import Path
from synth_worker.commands.cancel import Cancel
from synth_worker.commands.exits import Guard

def verb(cancel):
{verb}

folder = Path(sys.argv[1])
try:
    with Guard(folder=folder), Cancel(folder=folder) as cancel:
        print("ready", flush=True)
        verb(cancel)
except typer.Exit as ended:
    sys.exit(ended.exit_code)
"""
ASKS = """
    while not cancel():
        time.sleep(0.05)
    time.sleep(3)
    print("kept", flush=True)
"""
DEAF = """
    while True:
        sum(range(1000))
"""
CAREFUL = """
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(1)
        print("kept", flush=True)
"""


def started(verb: str, folder: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", START.format(verb=verb), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_verb_that_asks_is_left_to_finish(number: signal.Signals, tmp_path: Path) -> None:
    child = started(ASKS, tmp_path)
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (0, "kept\n")
    assert "the best so far is kept" in err


@pytest.mark.parametrize(("verb", "out", "code"), [(DEAF, "", 130), (CAREFUL, "kept\n", 0)])
def test_a_verb_that_does_not_ask_is_interrupted(verb: str, out: str, code: int, tmp_path: Path) -> None:
    child = started(verb, tmp_path)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    shown, _err = child.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert (child.returncode, shown) == (code, out)


def test_the_second_leaves_at_once_and_no_real_rows_behind(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text("{}")
    (tmp_path / ".work").mkdir()
    child = started(DEAF, tmp_path)
    began = time.monotonic()
    os.kill(child.pid, signal.SIGINT)
    time.sleep(0.3)
    os.kill(child.pid, signal.SIGINT)
    child.communicate(timeout=20)
    assert child.returncode == 130
    assert time.monotonic() - began < 1.5
    assert not (tmp_path / ".work").exists()


def test_arrow_does_not_take_ctrl_c_while_it_reads(tmp_path: Path) -> None:
    verb = """
    import io, pyarrow.csv as csv
    rows = b"a,b\\n" + b"1,2\\n" * 20_000_000
    while not cancel():
        csv.read_csv(io.BytesIO(rows))
    print("kept", flush=True)
"""
    child = started(verb, tmp_path)
    time.sleep(1.0)
    child.send_signal(signal.SIGINT)
    shown, err = child.communicate(timeout=60)
    assert (child.returncode, shown) == (0, "kept\n"), err
