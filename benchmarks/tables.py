"""Run the main job on the five real tables and write docs/results.md from what is recorded.

    python -m benchmarks.tables [--tables adult,heart] [--seeds 0,1,2] [--only-document]

Each run is a ``gesalp run`` of its own, with a look store of its own: each is judged as a first look. CPU seconds are
those of the whole process tree. ``?`` is read as missing.
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

from benchmarks.results import write_results
from benchmarks.rows import DATA, FAILED, append, ask_since, held

FIGURES = (
    "ks_mean", "corr_delta", "tvd_mean", "missing_delta", "c2st_auc", "trend", "tstr", "broken_pairs", "spike_delta",
    "mia_auc", "mia_tpr", "dup_rate", "copy_excess", "dcr_share", "outlier_auc", "attribute_risk",
)  # fmt: skip


def main() -> None:
    """Run what is asked and append one row per run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", default="heart,breast_cancer,flchain,randhie,adult")
    parser.add_argument("--seeds", default="0,1,2")
    ask_since(parser)
    parser.add_argument("--only-document", action="store_true")
    asked = parser.parse_args()
    failed = 0
    if not asked.only_document:
        if not DATA.exists():
            sys.exit(f"skipped: the tables are not there ({DATA.name}/ beside the project's shared folder)")
        targets = json.loads((DATA / "meta.json").read_text())
        done = held("tables", "table", "seed", since=asked.since)
        for table in asked.tables.split(","):
            for seed in (int(one) for one in asked.seeds.split(",")):
                if (table, seed) not in done:
                    row = measure(table, seed, target=targets[table]["target"])
                    failed += row["verdict"] == FAILED
                    append("tables", row)
    write_results()
    sys.exit(1 if failed else 0)


def measure(table: str, seed: int, *, target: str) -> dict[str, object]:
    """Run once and return the row."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [
            str(Path(sys.executable).parent / "gesalp"), "run", str(DATA / f"{table}.csv"), "--out", str(out),
            "--seed", str(seed), "--target", target, "--threads", "2",
        ]  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        environment = {**os.environ, "GESALP_HOME": str(Path(folder) / "home")}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        row: dict[str, object] = {
            "command": f"gesalp run {table}.csv --seed {seed} --target {target} --threads 2",
            "table": table,
            "seed": seed,
            "exit_code": ended.returncode,
            "seconds": round(seconds, 2),
            "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        }
        if not (out / "run.json").exists():
            print(table, seed, ended.returncode, ended.stderr[-2000:])
            return {**row, "verdict": FAILED}
        run = json.loads((out / "run.json").read_text())
    best = next(one for one in run["attempts"] if one["number"] == run["best"])
    scores, rulings = run["certificate"]["scores"], run["certificate"]["rulings"]
    row |= {
        "rows": run["data"]["rows"],
        "columns": run["data"]["columns"],
        "verdict": run["verdict"],
        "may_release": run["may_release"],
        "method": best["method"],
        "hyperparameters": best["hyperparameters"],
        "attempts": len(run["attempts"]),
        "mode": run["certificate"]["mode"],
        "power": run["certificate"]["power"],
        "not_green": {
            one["metric"]: one["ruling"] for one in rulings if one["ruling"] not in ("green", "not applicable")
        },
        "rows_needed": max((one["rows_needed"] or 0 for one in rulings), default=0) or None,
        "scores": {
            name: {key: scores[name][key] for key in ("value", "low", "high", "upper", "floor")}
            for name in FIGURES
            if name in scores
        },
    }
    print(table, seed, row["verdict"], row["method"], row["not_green"], f"{seconds:.1f} s", flush=True)
    return row


if __name__ == "__main__":
    main()
