"""Measure how the main job and the evaluation grow with the rows: CPU, wall-clock and memory of the process tree.

    python -m benchmarks.scale [--job 10000,100000,1000000] [--evaluate 100000,1000000,10000000] [--format csv]

The tables are made here (benchmarks/large.py): 20 columns for the job, 10 for the evaluation, whose synthetic table is
a fresh draw of the same law. Memory is the sum of the resident sizes of the command and all its children, looked at
every fifth of a second: pages that two processes share count twice.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.large import write
from benchmarks.results import write_results
from benchmarks.rows import FAILED, append, ask_since, held

GESALP = str(Path(sys.executable).parent / "gesalp")
JOB_COLUMNS, EVALUATION_COLUMNS = 20, 10
HOLDOUT_SHARE = 0.2
LOOK_SECONDS = 0.2


def main() -> None:
    """Run what is asked, smallest first, and append one row per run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", default="10000,100000,1000000", help="rows of the main job's tables; empty for none")
    parser.add_argument("--evaluate", default="100000,1000000,10000000", help="rows of the evaluation's tables")
    parser.add_argument("--format", default="csv", choices=("csv", "parquet"), help="of the main job's tables")
    ask_since(parser)
    asked = parser.parse_args()
    done = held("scale", "what", "rows", since=asked.since)
    found: list[dict[str, object]] = []
    for rows in sorted(int(one) for one in asked.job.split(",") if one):
        if ("job", rows) not in done:
            found.append(job(rows, suffix=asked.format))
            append("scale", found[-1])
    for rows in sorted(int(one) for one in asked.evaluate.split(",") if one):
        if ("evaluate", rows) not in done:
            found.append(evaluation(rows))
            append("scale", found[-1])
    write_results()
    sys.exit(1 if any(row["verdict"] == FAILED for row in found) else 0)


def job(rows: int, *, suffix: str) -> dict[str, object]:
    """Run the main job on a table of ``rows`` x 20 and return the row to record."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / f"table.{suffix}", rows, seed=1, columns=JOB_COLUMNS)
        out = folder / "run"
        asked = ["run", f"table.{suffix}", "--target", "outcome", "--threads", "2", "--time-budget", "none"]
        row, _text = _measured(
            "job", [*asked, "--quiet", f"--out={out}"], rows=rows, columns=JOB_COLUMNS, folder=folder
        )
        if (out / "run.json").exists():
            run = json.loads((out / "run.json").read_text())
            row["verdict"] = run["verdict"]
            row["attempts"] = len(run["attempts"])
            row["figures"] = _figures(run["certificate"]["scores"])
            row["not_green"] = _not_green(run["certificate"]["rulings"])
    return row


def evaluation(rows: int) -> dict[str, object]:
    """Evaluate ``rows`` x 10 synthetic rows, given as Parquet, and return the row to record."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed, (what, share) in enumerate((("train", 1.0), ("holdout", HOLDOUT_SHARE), ("synthetic", 1.0))):
            write(folder / f"{what}.parquet", round(rows * share), seed=11 + seed, columns=EVALUATION_COLUMNS)
        tables = [part for what in ("train", "holdout", "synthetic") for part in (f"--{what}", f"{what}.parquet")]
        asked = ["evaluate", *tables, "--target", "outcome", "--threads", "2", "--json", "--quiet"]
        row, text = _measured("evaluate", asked, rows=rows, columns=EVALUATION_COLUMNS, folder=folder)
        if text.lstrip().startswith("{"):
            found = json.loads(text)
            row["verdict"] = found["verdict"]
            row["figures"] = _figures(found["scores"])
            row["not_green"] = _not_green(found["rulings"])
    return row


def _measured(
    what: str, arguments: list[str], *, rows: int, columns: int, folder: Path
) -> tuple[dict[str, object], str]:
    """Run ``gesalp`` in ``folder`` and return its row and what it wrote to standard output."""
    environment = {**os.environ, "GESALP_HOME": str(folder / "home"), "TMPDIR": str(folder)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    with (folder / "stdout").open("w") as stdout, (folder / "stderr").open("w") as stderr:
        child = subprocess.Popen([GESALP, *arguments], cwd=folder, env=environment, stdout=stdout, stderr=stderr)
        peak = 0
        while child.poll() is None:
            peak = max(peak, _resident(child.pid))
            time.sleep(LOOK_SECONDS)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    row: dict[str, object] = {
        "what": what,
        "command": " ".join(["gesalp", *(one for one in arguments if str(folder) not in one)]),
        "rows": rows,
        "columns": columns,
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "seconds": round(time.monotonic() - start, 1),
        "peak_gib": round(peak / 2**30, 2),
        "exit_code": child.returncode,
        "verdict": FAILED,
    }
    print({name: row[name] for name in ("what", "rows", "cpu_seconds", "seconds", "peak_gib", "exit_code")}, flush=True)
    if child.returncode not in (0, 3, 4):
        print((folder / "stderr").read_text()[-2000:])
    return row, (folder / "stdout").read_text()


def _resident(pid: int) -> int:
    """Return the resident bytes of a process and all its descendants; one that has just ended counts nothing."""
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for one in family:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _figures(scores: dict[str, dict[str, object]]) -> dict[str, object]:
    return {name: one["value"] for name, one in scores.items() if one["value"] is not None}


def _not_green(rulings: list[dict[str, object]]) -> dict[str, object]:
    return {str(one["metric"]): one["ruling"] for one in rulings if one["ruling"] not in ("green", "not applicable")}


if __name__ == "__main__":
    main()
